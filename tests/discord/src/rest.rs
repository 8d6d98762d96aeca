//! The REST API: webhooks, channel messages, attachments.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body as HttpBody, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::interactions;
use crate::state::{BOT_ID, FileAnswer, Shared, State as Content, TOKEN, hide_content};

pub(crate) type App = State<Arc<Shared>>;

/// Discord's limit for a message with files, for servers without boosts.
const BODY_LIMIT: usize = 10 * 1024 * 1024;

pub(crate) fn router(state: Arc<Shared>) -> Router {
    let api = crate::guild::routes()
        .route("/webhooks/{id}/{token}", post(execute).get(webhook))
        .route("/channels/{id}/messages", get(history).post(create))
        .route(
            "/channels/{id}/messages/{message}",
            get(message).patch(edit),
        )
        .route("/users/@me", get(me))
        .route("/gateway", get(gateway))
        .route("/gateway/bot", get(gateway_bot))
        .merge(interactions::router());
    Router::new()
        .nest("/api", api.clone())
        .nest("/api/v10", api)
        .route("/attachments/{channel}/{id}/{name}", get(attachment))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&state),
            unless_gone,
        ))
        .with_state(state)
}

/// Connections that were already open get no answer either while the stand-in is unreachable.
async fn unless_gone(State(state): App, request: Request, next: Next) -> Response {
    if state.lock().gone {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::CONNECTION, "close")],
        )
            .into_response();
    }
    next.run(request).await
}

/// An error in Discord's shape.
pub(crate) fn error(status: StatusCode, code: u32, message: &str) -> Response {
    (
        status,
        axum::Json(json!({ "message": message, "code": code })),
    )
        .into_response()
}

pub(crate) fn authorized(headers: &HeaderMap) -> Result<(), Box<Response>> {
    let expected = format!("Bot {TOKEN}");
    match headers.get(header::AUTHORIZATION).map(|v| v.to_str()) {
        Some(Ok(token)) if token == expected => Ok(()),
        _ => Err(Box::new(error(
            StatusCode::UNAUTHORIZED,
            0,
            "401: Unauthorized",
        ))),
    }
}

/// The body of a message: JSON, or multipart with `payload_json` and `files[n]`.
struct Body {
    json: Value,
    files: Vec<(String, Vec<u8>)>,
}

impl Body {
    async fn read(request: Request) -> Result<Self, Box<Response>> {
        let bad = |what: &str| Box::new(error(StatusCode::BAD_REQUEST, 50109, what));
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let mut body = Self {
            json: Value::Null,
            files: Vec::new(),
        };
        if kind.starts_with("multipart/form-data") {
            let mut form = Multipart::from_request(request, &())
                .await
                .map_err(|e| bad(&e.to_string()))?;
            while let Some(field) = form.next_field().await.map_err(|e| bad(&e.to_string()))? {
                let name = field.name().unwrap_or_default().to_owned();
                let file_name = field.file_name().map(str::to_owned);
                let bytes = field.bytes().await.map_err(|e| bad(&e.to_string()))?;
                match (name.as_str(), file_name) {
                    ("payload_json", _) => {
                        body.json =
                            serde_json::from_slice(&bytes).map_err(|e| bad(&e.to_string()))?;
                    }
                    (_, Some(file_name)) => body.files.push((file_name, bytes.to_vec())),
                    _ => {}
                }
            }
        } else {
            let bytes = Bytes::from_request(request, &())
                .await
                .map_err(|e| bad(&e.to_string()))?;
            body.json = serde_json::from_slice(&bytes).map_err(|e| bad(&e.to_string()))?;
        }
        if let Err(what) = within_limits(&body.json) {
            return Err(Box::new(error(StatusCode::BAD_REQUEST, 50035, &what)));
        }
        Ok(body)
    }
}

/// Discord's limits of a message's content and embeds.
pub(crate) fn within_limits(body: &Value) -> Result<(), String> {
    let count = |v: &Value| v.as_str().unwrap_or_default().chars().count();
    let check = |what: &str, n: usize, most: usize| {
        if n > most {
            Err(format!(
                "Invalid Form Body: {what} must be {most} or fewer in length, is {n}"
            ))
        } else {
            Ok(())
        }
    };
    check("content", count(&body["content"]), 2000)?;
    check("username", count(&body["username"]), 80)?;
    check("nonce", count(&body["nonce"]), 25)?;
    for file in body["attachments"].as_array().into_iter().flatten() {
        check("attachments.description", count(&file["description"]), 1024)?;
    }
    let none = Vec::new();
    let embeds = body["embeds"].as_array().unwrap_or(&none);
    check("embeds", embeds.len(), 10)?;
    let mut total = 0;
    for embed in embeds {
        let fields = embed["fields"].as_array().unwrap_or(&none);
        check("embeds.fields", fields.len(), 25)?;
        check("embeds.title", count(&embed["title"]), 256)?;

        check("embeds.description", count(&embed["description"]), 4096)?;
        check("embeds.footer.text", count(&embed["footer"]["text"]), 2048)?;
        total +=
            count(&embed["title"]) + count(&embed["description"]) + count(&embed["footer"]["text"]);
        for field in fields {
            check("embeds.fields.name", count(&field["name"]), 256)?;
            check("embeds.fields.value", count(&field["value"]), 1024)?;
            // Empty strings are accepted, as Discord has done for years; a missing field is not.
            if !field["name"].is_string() || !field["value"].is_string() {
                return Err("Invalid Form Body: embeds.fields: This field is required".into());
            }
            total += count(&field["name"]) + count(&field["value"]);
        }
    }
    check("embeds", total, 6000)?;
    if embeds.is_empty() && count(&body["content"]) == 0 {
        return Err("Cannot send an empty message".into());
    }
    Ok(())
}

#[derive(Deserialize)]
struct Wait {
    #[serde(default)]
    wait: bool,
}

async fn execute(
    State(state): App,
    Path((id, token)): Path<(u64, String)>,
    Query(Wait { wait }): Query<Wait>,
    request: Request,
) -> Response {
    if id == BOT_ID {
        return match Body::read(request).await {
            Ok(body) => interactions::follow_up(&state, &token, &body.json),
            Err(response) => *response,
        };
    }
    {
        let mut state = state.lock();
        if let Some(status) = state.failures.pop_front() {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            if status == StatusCode::TOO_MANY_REQUESTS {
                return too_many(0.3);
            }
            return error(status, 0, "a failure that was ordered");
        }
        let Some(webhook) = state.webhooks.get(&id).cloned() else {
            return error(StatusCode::NOT_FOUND, 10015, "Unknown Webhook");
        };
        if webhook.token != token {
            return error(StatusCode::UNAUTHORIZED, 50027, "Invalid Webhook Token");
        }
        if let Some(wait) = state.rate_limited(&webhook) {
            return too_many(wait.as_secs_f64());
        }
    }
    let body = match Body::read(request).await {
        Ok(body) => body,
        Err(response) => return *response,
    };
    match state.lock().execute_webhook(id, &body.json, body.files) {
        None => error(StatusCode::NOT_FOUND, 10015, "Unknown Webhook"),
        Some(message) if wait => axum::Json(message.json).into_response(),
        Some(_) => StatusCode::NO_CONTENT.into_response(),
    }
}

fn too_many(seconds: f64) -> Response {
    (
        StatusCode::TOO_MANY_REQUESTS,
        [(header::RETRY_AFTER, format!("{}", seconds.ceil()))],
        axum::Json(json!({ "message": "You are being rate limited.", "retry_after": seconds, "global": false })),
    )
        .into_response()
}

async fn webhook(State(state): App, Path((id, token)): Path<(u64, String)>) -> Response {
    match state.lock().webhooks.get(&id) {
        Some(w) if w.token == token => axum::Json(json!({
            "id": id.to_string(), "type": 1, "channel_id": w.channel_id.to_string(),
            "guild_id": crate::GUILD_ID.to_string(), "name": "gametimes", "avatar": null, "token": token,
            "application_id": null,
        }))
        .into_response(),
        Some(_) => error(StatusCode::UNAUTHORIZED, 50027, "Invalid Webhook Token"),
        None => error(StatusCode::NOT_FOUND, 10015, "Unknown Webhook"),
    }
}

#[derive(Deserialize)]
struct Page {
    after: Option<u64>,
    before: Option<u64>,
    limit: Option<usize>,
}

/// Newest first, as Discord returns them; `after` selects the ones that follow directly.
async fn history(
    State(state): App,
    headers: HeaderMap,
    Path(id): Path<u64>,
    Query(page): Query<Page>,
) -> Response {
    if let Err(response) = authorized(&headers) {
        return *response;
    }
    let limit = page.limit.unwrap_or(50);
    if !(1..=100).contains(&limit) {
        return error(
            StatusCode::BAD_REQUEST,
            50035,
            "limit: int value should be between 1 and 100",
        );
    }
    let state = state.lock();
    let mut list: Vec<&crate::Message> = state
        .messages
        .iter()
        .filter(|m| {
            m.channel_id == id
                && page.after.is_none_or(|a| m.id > a)
                && page.before.is_none_or(|b| m.id < b)
        })
        .collect();
    if page.after.is_some() {
        list.truncate(limit);
        list.reverse();
    } else {
        list.reverse();
        list.truncate(limit);
    }
    axum::Json(list.iter().map(|m| shown(&state, m)).collect::<Vec<_>>()).into_response()
}

/// A message as the bot may see it.
fn shown(state: &Content, message: &crate::Message) -> Value {
    let mut json = message.json.clone();
    let is_own = json["author"]["id"].as_str() == Some(&BOT_ID.to_string());
    if !state.message_content && !is_own {
        hide_content(&mut json);
    }
    json
}

async fn message(
    State(state): App,
    headers: HeaderMap,
    Path((channel, id)): Path<(u64, u64)>,
) -> Response {
    if let Err(response) = authorized(&headers) {
        return *response;
    }
    let state = state.lock();
    match state
        .messages
        .iter()
        .find(|m| m.id == id && m.channel_id == channel)
    {
        Some(message) => axum::Json(shown(&state, message)).into_response(),
        None => error(StatusCode::NOT_FOUND, 10008, "Unknown Message"),
    }
}

async fn create(
    State(state): App,
    headers: HeaderMap,
    Path(id): Path<u64>,
    request: Request,
) -> Response {
    if let Err(response) = authorized(&headers).and_then(|()| writable(&state, id)) {
        return *response;
    }
    let body = match Body::read(request).await {
        Ok(body) => body,
        Err(response) => return *response,
    };
    let mut state = state.lock();
    let message = state.post_as_bot(id, &body.json, body.files);
    if std::mem::take(&mut state.loses_answer) {
        return error(
            StatusCode::BAD_GATEWAY,
            0,
            "the message was taken, the answer lost",
        );
    }
    axum::Json(message.json).into_response()
}

/// Fails if the bot may not write in the channel, or the test asked for a failure.
fn writable(state: &Shared, channel: u64) -> Result<(), Box<Response>> {
    let mut state = state.lock();
    if let Some(status) = state.bot_failures.pop_front() {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return Err(Box::new(match status {
            StatusCode::TOO_MANY_REQUESTS => too_many(0.3),
            StatusCode::FORBIDDEN => error(status, 50013, "Missing Permissions"),
            _ => error(status, 0, "a failure that was ordered"),
        }));
    }
    if !state.knows_channel(channel) {
        let response = error(StatusCode::NOT_FOUND, 10003, "Unknown Channel");
        return Err(Box::new(response));
    }
    Ok(())
}

async fn edit(
    State(state): App,
    headers: HeaderMap,
    Path((channel, id)): Path<(u64, u64)>,
    request: Request,
) -> Response {
    if let Err(response) = authorized(&headers).and_then(|()| writable(&state, channel)) {
        return *response;
    }
    let body = match Body::read(request).await {
        Ok(body) => body,
        Err(response) => return *response,
    };
    match state.lock().edit(channel, id, &body.json, body.files) {
        Some(message) => axum::Json(message.json).into_response(),
        None => error(StatusCode::NOT_FOUND, 10008, "Unknown Message"),
    }
}

async fn me(State(state): App, headers: HeaderMap) -> Response {
    if let Err(response) = authorized(&headers) {
        return *response;
    }
    axum::Json(state.lock().me()).into_response()
}

async fn gateway(State(state): App) -> Response {
    axum::Json(json!({ "url": format!("ws://{}", state.lock().address) })).into_response()
}

async fn gateway_bot(State(state): App, headers: HeaderMap) -> Response {
    if let Err(response) = authorized(&headers) {
        return *response;
    }
    axum::Json(json!({
        "url": format!("ws://{}", state.lock().address), "shards": 1,
        "session_start_limit": { "total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1 },
    }))
    .into_response()
}

async fn attachment(
    State(state): App,
    Path((_, id, name)): Path<(u64, String, String)>,
) -> Response {
    let state = state.lock();
    if let Some(status) = state.cdn_failure.and_then(|s| StatusCode::from_u16(s).ok()) {
        return (status, "a failure that was ordered").into_response();
    }
    let answer = state.file_answers.get(&name);
    match answer.unwrap_or(&FileAnswer::Whole) {
        FileAnswer::Whole => {}
        FileAnswer::Dripping => return drip(Arc::clone(&state.drips)),
        FileAnswer::Missing => {
            return (StatusCode::NOT_FOUND, "as a test wants it").into_response();
        }
    }
    match state.attachments.get(&id).filter(|file| file.name == name) {
        Some(file) => (
            [(header::CONTENT_TYPE, crate::state::content_type(&name))],
            file.bytes.clone(),
        )
            .into_response(),
        None => (
            StatusCode::NOT_FOUND,
            "This content is no longer available.",
        )
            .into_response(),
    }
}

/// An answer without an end: a byte every 20 ms, for as long as the client reads.
fn drip(counted: Arc<()>) -> Response {
    let bytes = futures_util::stream::unfold(counted, async |counted| {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let byte: Result<&[u8], std::convert::Infallible> = Ok(b" ");
        Some((byte, counted))
    });
    HttpBody::from_stream(bytes).into_response()
}
