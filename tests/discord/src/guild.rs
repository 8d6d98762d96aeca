//! The REST API about the application, the guild, its channels and what the bot may do in them.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::rest::{App, authorized, error};
use crate::state::{BOT_ID, GUILD_ID, Shared, State as Content};

/// <https://discord.com/developers/docs/topics/permissions>
const MANAGE_WEBHOOKS: u64 = 1 << 29;
/// `GATEWAY_MESSAGE_CONTENT_LIMITED`, of <https://discord.com/developers/docs/resources/application>
const FLAG_MESSAGE_CONTENT: u64 = 1 << 19;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/applications/@me", get(application))
        .route("/users/@me/guilds", get(guilds))
        .route("/guilds/{id}/channels", get(channels))
        .route("/guilds/{id}/roles", get(roles))
        .route("/guilds/{id}/members/{user}", get(member))
        .route("/channels/{id}", get(channel))
        .route(
            "/channels/{id}/webhooks",
            get(webhooks).post(create_webhook),
        )
}

/// Answers what is asked with the bot's token.
fn answer(state: &Shared, headers: &HeaderMap, of: impl FnOnce(&mut Content) -> Value) -> Response {
    match authorized(headers) {
        Ok(()) => axum::Json(of(&mut state.lock())).into_response(),
        Err(response) => *response,
    }
}

async fn application(State(state): App, headers: HeaderMap) -> Response {
    answer(&state, &headers, |state| {
        let flags = if state.message_content {
            FLAG_MESSAGE_CONTENT
        } else {
            0
        };
        json!({
            "id": BOT_ID.to_string(), "name": "gametimes", "description": "", "icon": null, "summary": "",
            "bot_public": true, "bot_require_code_grant": false, "verify_key": "00", "flags": flags,
        })
    })
}

async fn guilds(State(state): App, headers: HeaderMap) -> Response {
    answer(&state, &headers, |_| {
        json!([{
            "id": GUILD_ID.to_string(), "name": "The guild", "icon": null, "owner": false, "features": [],
            "permissions": MANAGE_WEBHOOKS.to_string(),
        }])
    })
}

async fn channels(State(state): App, headers: HeaderMap, Path(_): Path<u64>) -> Response {
    answer(&state, &headers, |state| {
        let list = state.channels.iter().map(|id| shape(state, *id));
        list.collect()
    })
}

async fn channel(State(state): App, headers: HeaderMap, Path(id): Path<u64>) -> Response {
    if let Err(response) = authorized(&headers) {
        return *response;
    }
    let state = state.lock();
    if !state.knows_channel(id) {
        return error(StatusCode::NOT_FOUND, 10003, "Unknown Channel");
    }
    axum::Json(shape(&state, id)).into_response()
}

/// A channel, in which the bot may do everything except what the test has denied.
fn shape(state: &Content, id: u64) -> Value {
    let denied = state.denied.get(&id).copied().unwrap_or(0);
    json!({
        "id": id.to_string(), "type": 0, "guild_id": GUILD_ID.to_string(), "name": "stats-control", "position": 0,
        "nsfw": false,
        "permission_overwrites": [{
            "id": GUILD_ID.to_string(), "type": 0, "allow": "0", "deny": denied.to_string(),
        }],
    })
}

async fn roles(State(state): App, headers: HeaderMap, Path(_): Path<u64>) -> Response {
    answer(&state, &headers, |_| {
        json!([{
            "id": GUILD_ID.to_string(), "name": "@everyone", "color": 0, "hoist": false, "managed": false,
            "colors": { "primary_color": 0, "secondary_color": null, "tertiary_color": null },
            "mentionable": false, "position": 0, "flags": 0,
            // View Channel, Send Messages, Embed Links, Attach Files, Read Message History, Manage Webhooks
            "permissions": (1 << 10 | 1 << 11 | 1 << 14 | 1 << 15 | 1 << 16 | MANAGE_WEBHOOKS).to_string(),
        }])
    })
}

async fn member(State(state): App, headers: HeaderMap, Path(_): Path<(u64, u64)>) -> Response {
    answer(&state, &headers, |state| {
        json!({
            "user": state.me(), "roles": [], "deaf": false, "mute": false, "flags": 0, "nick": null,
            "joined_at": "2026-01-01T00:00:00.000000+00:00", "communication_disabled_until": null,
        })
    })
}

/// A webhook as Discord returns it to the bot that created it.
fn webhook_shape(webhook: &crate::Webhook, name: &str) -> Value {
    json!({
        "id": webhook.id.to_string(), "type": 1, "guild_id": GUILD_ID.to_string(), "name": name, "avatar": null,
        "channel_id": webhook.channel_id.to_string(), "application_id": BOT_ID.to_string(),
        "token": webhook.token,
    })
}

async fn webhooks(State(state): App, headers: HeaderMap, Path(id): Path<u64>) -> Response {
    answer(&state, &headers, |state| {
        let of_channel = state.webhooks.values().filter(|w| w.channel_id == id);
        of_channel.map(|w| webhook_shape(w, "webhook")).collect()
    })
}

async fn create_webhook(
    State(state): App,
    headers: HeaderMap,
    Path(id): Path<u64>,
    axum::Json(body): axum::Json<Value>,
) -> Response {
    let is_denied = |state: &Content| {
        let denied = state.denied.get(&id).copied().unwrap_or(0);
        denied & MANAGE_WEBHOOKS != 0
    };
    if is_denied(&state.lock()) {
        return error(StatusCode::FORBIDDEN, 50013, "Missing Permissions");
    }
    answer(&state, &headers, |state| {
        let webhook = state.add_webhook(id);
        webhook_shape(&webhook, body["name"].as_str().unwrap_or_default())
    })
}
