//! The live view as JSON, and the snapshots that recorders post.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use gametimes_format::digest;
use gametimes_format::live::SIGNATURE_HEADER;
use serde::Serialize;

use super::RawQuery;
use super::answers::{Invalid, Refused};
use crate::http::error::ApiError;
use crate::http::live::{Viewer, frames, stream};
use crate::http::query::Parameters;
use crate::http::state::App;
use crate::live::{Health, Outcome, ServerView, Transport, check};

/// A server as the live view shows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LiveServer<'a> {
    /// `ip:port`.
    address: &'a str,
    /// Whether the snapshot is recent: `live`; `stale` after 10 seconds, `offline` after a minute.
    health: Health,
    /// How old the snapshot is now, in this view; missing in the stream, where it is the first line of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<i64>,
    /// What the recorder wrote, see docs/live.md.
    #[schema(value_type = Object)]
    snapshot: &'a gametimes_format::live::Snapshot,
}

/// The answer of `/api/live`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LiveServers<'a> {
    /// How long ago this was the state of the servers; 0 with the token.
    delay_seconds: u64,
    /// The servers, by address.
    servers: Vec<LiveServer<'a>>,
}

impl<'a> LiveServer<'a> {
    fn new(view: &'a ServerView, age_ms: Option<i64>) -> Self {
        Self {
            address: &view.address,
            health: view.health,
            age_ms,
            snapshot: &view.snapshot,
        }
    }
}

/// What happens on the servers: delayed by `live_delay_seconds`, or at once for who has the token.
#[utoipa::path(get, path = "/api/live", responses((status = 200, description = "The servers.", body = LiveServers<'_>), Invalid, Refused))]
pub async fn live(
    State(app): State<App>,
    Extension(viewer): Extension<Viewer>,
    Query(query): RawQuery,
) -> Result<Response, ApiError> {
    Parameters::new(query).end("none")?;
    let frame = Arc::clone(&frames(&app.live, viewer).borrow());
    let now_ms = app.live.now_ms();
    let server = |view| LiveServer::new(view, Some((now_ms - view.taken_ms).max(0)));
    let servers = frame.servers.iter().map(|view| server(view)).collect();
    Ok(Json(LiveServers {
        delay_seconds: viewer.delay_seconds(&app),
        servers,
    })
    .into_response())
}

/// The same as a stream of server-sent events. `server`: the age of a snapshot in milliseconds, and in the next line a server as in
/// `/api/live`. `servers`: all addresses, separated by blanks. A stream ends after 25 seconds; ask again.
#[utoipa::path(get, path = "/api/live/stream", responses(
    (status = 200, description = "The events.", body = String, content_type = "text/event-stream"), Invalid, Refused))]
pub async fn live_stream(
    State(app): State<App>,
    Extension(viewer): Extension<Viewer>,
    Query(query): RawQuery,
) -> Result<Response, ApiError> {
    Parameters::new(query).end("none")?;
    stream(&app, frames(&app.live, viewer), |view| {
        let json = || serde_json::to_vec(&LiveServer::new(view, None));
        let json = view.json.get_or_init(|| json().unwrap_or_default().into());
        json.clone()
    })
}

/// Takes a snapshot that a recorder posts. The body is signed as the attached files are: the header `X-Gametimes-Signature` is
/// `sha256=` and the HMAC-SHA256 of the body in hex.
#[utoipa::path(post, path = "/api/live", request_body(content = Object, content_type = "application/json"), security(()), responses(
    (status = 204, description = "It is the newest of its server."),
    (status = 400, description = "It is not a live snapshot.", body = crate::http::error::ErrorAnswer),
    (status = 401, description = "The signature is missing or wrong.", body = crate::http::error::ErrorAnswer),
    (status = 404, description = "The bot takes no posts: no key is set.", body = crate::http::error::ErrorAnswer),
    (status = 409, description = "A newer one is known, or the server's clock is wrong.", body = crate::http::error::ErrorAnswer),
    (status = 413, description = "It is larger than 64 KiB.", body = crate::http::error::ErrorAnswer),
    (status = 421, description = "No `api_token` is set, and the host name is not in `allowed_hosts`.", body = crate::http::error::ErrorAnswer),
    (status = 429, description = "The server posts too often.", body = crate::http::error::ErrorAnswer),
    (status = 503, description = "There are too many servers.", body = crate::http::error::ErrorAnswer)))]
pub async fn post_live(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, ApiError> {
    let Some(key) = &app.live_key else {
        return Err(ApiError::not_found("page until live_key is set"));
    };
    let refused = |status, message: &str| ApiError::refused(status, message.to_owned());
    let body = body.map_err(|e| refused(e.status(), &e.body_text()))?;
    let signature = headers.get(SIGNATURE_HEADER);
    let signature = signature.and_then(|value| value.to_str().ok()?.strip_prefix("sha256="));
    let is_ours = |signature| digest::verify(key.reveal().as_bytes(), &body, signature);
    if !signature.is_some_and(is_ours) {
        let message = "the signature is missing or wrong; gametimes_hmac_key of the server and live_key of the bot must be the same";
        return Err(refused(StatusCode::UNAUTHORIZED, message));
    }
    let snapshot =
        check::read(&body).map_err(|e| refused(StatusCode::BAD_REQUEST, &e.to_string()))?;
    match app.live.offer(snapshot, Transport::Posted) {
        Outcome::Taken => Ok(StatusCode::NO_CONTENT),
        Outcome::Old => Err(refused(
            StatusCode::CONFLICT,
            "a newer snapshot of this server is known",
        )),
        Outcome::WrongClock => {
            let message = "the clocks of server and bot differ by more than 10 minutes; set the clock of the server";
            Err(refused(StatusCode::CONFLICT, message))
        }
        Outcome::TooOften => Err(refused(
            StatusCode::TOO_MANY_REQUESTS,
            "more than 10 snapshots in a second",
        )),
        Outcome::Full => Err(refused(
            StatusCode::SERVICE_UNAVAILABLE,
            "there are too many servers",
        )),
    }
}
