//! The gateway: one websocket for each client, with sessions that can be resumed.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::state::{INTENT_MESSAGE_CONTENT, Session, Shared, TOKEN};

pub(crate) fn router(state: Arc<Shared>) -> Router {
    Router::new().route("/", get(upgrade)).with_state(state)
}

async fn upgrade(State(state): State<Arc<Shared>>, upgrade: WebSocketUpgrade) -> Response {
    if state.lock().gone {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    upgrade.on_upgrade(move |socket| async move {
        // A connection that ends does not affect other clients.
        drop(talk(socket, &state).await);
    })
}

/// A connection ends because the client closed or lost it.
struct Ended;

async fn talk(mut socket: WebSocket, state: &Arc<Shared>) -> Result<(), Ended> {
    let interval = state.lock().heartbeat_ms;
    send(
        &mut socket,
        &json!({ "op": 10, "d": { "heartbeat_interval": interval } }),
    )
    .await?;
    let mut events: Option<UnboundedReceiver<Value>> = None;
    loop {
        tokio::select! {
            event = next(&mut events) => match event {
                Some(event) => send(&mut socket, &event).await?,
                // The test cuts the connection without a close frame.
                None => return Err(Ended),
            },
            frame = socket.recv() => {
                let text = match frame {
                    Some(Ok(Message::Text(text))) => text,
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Ended),
                };
                let Ok(frame) = serde_json::from_str::<Value>(&text) else {
                    return close(&mut socket, 4002, "Decode error.").await;
                };
                match frame["op"].as_u64() {
                    Some(1) if !state.lock().zombie => {
                        send(&mut socket, &json!({ "op": 11 })).await?;
                    }
                    Some(2) => match identify(state, &frame["d"]) {
                        Ok(receiver) => events = Some(receiver),
                        Err((code, reason)) => return close(&mut socket, code, reason).await,
                    },
                    Some(6) => match resume(state, &frame["d"]) {
                        Some(receiver) => events = Some(receiver),
                        None => send(&mut socket, &json!({ "op": 9, "d": false })).await?,
                    },
                    _ => {}
                }
            }
        }
    }
}

async fn next(events: &mut Option<UnboundedReceiver<Value>>) -> Option<Value> {
    match events {
        Some(events) => events.recv().await,
        None => std::future::pending().await,
    }
}

fn identify(state: &Shared, data: &Value) -> Result<UnboundedReceiver<Value>, (u16, &'static str)> {
    if data["token"].as_str().map(|t| t.trim_start_matches("Bot ")) != Some(TOKEN) {
        return Err((4004, "Authentication failed."));
    }
    let intents = data["intents"]
        .as_u64()
        .ok_or((4013, "Invalid intent(s)."))?;
    let mut state = state.lock();
    if intents & INTENT_MESSAGE_CONTENT != 0 && !state.message_content {
        return Err((4014, "Disallowed intent(s)."));
    }
    state.identified += 1;
    let id = format!("session{:x}", state.snowflake());
    let (sender, receiver) = unbounded_channel();
    let mut session = Session {
        intents,
        events: Vec::new(),
        connection: Some(sender),
    };
    session.send("READY", state.ready(&id), state.zombie);
    state.sessions.insert(id, session);
    Ok(receiver)
}

/// Sends everything after the client's last sequence number again, then RESUMED.
fn resume(state: &Shared, data: &Value) -> Option<UnboundedReceiver<Value>> {
    let mut state = state.lock();
    let zombie = state.zombie;
    let session = state.sessions.get_mut(data["session_id"].as_str()?)?;
    let (sender, receiver) = unbounded_channel();
    let seen = data["seq"].as_u64()? as usize;
    for event in session.events.iter().skip(seen) {
        sender.send(event.clone()).ok()?;
    }
    session.connection = Some(sender);
    session.send("RESUMED", Value::Null, zombie);
    state.resumed += 1;
    Some(receiver)
}

async fn send(socket: &mut WebSocket, value: &Value) -> Result<(), Ended> {
    let text = Message::Text(value.to_string().into());
    socket.send(text).await.map_err(|_| Ended)
}

async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) -> Result<(), Ended> {
    let frame = CloseFrame {
        code,
        reason: reason.into(),
    };
    drop(socket.send(Message::Close(Some(frame))).await);
    Err(Ended)
}
