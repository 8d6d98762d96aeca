//! The JSON API: one function per route.

mod answers;
mod description;
mod live;
mod matches;
mod players;

use std::collections::BTreeMap;

use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use gametimes_rounds::audit::SpawnAudit;
use serde::Serialize;
use tower_http::set_header::SetResponseHeaderLayer;

use self::answers::{Invalid, Kept, Missing, Refused};
use super::error::{ApiError, ErrorAnswer};
use super::etag;
use super::query::{Parameters, ROUND_ID_MAX, Segment, round_id};
use super::rows::{self, Format};
use super::state::App;
use crate::db::diagnostics::LuaWebhookDiagnostics;
use crate::db::players::Player;
use crate::db::round_list::RoundFilter;
use crate::db::rounds::{RoundDetail, RoundSummary};
use crate::db::sources::Rejected;
use crate::status::Delivery;

type RawQuery = Query<BTreeMap<String, String>>;

/// The API's routes, below `/api`.
pub fn router() -> Router<App> {
    let no_store = SetResponseHeaderLayer::if_not_present(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-store"),
    );
    let lists = Router::new()
        .route("/rounds", get(rounds))
        .route("/rounds.csv", get(rounds))
        .route("/gametimes.schema.json", get(file_schema))
        .route("/matches", get(matches::matches))
        .route("/evenings", get(matches::evenings))
        .route("/maps", get(players::maps))
        .route("/maps.csv", get(players::maps))
        .route("/players", get(players::players))
        .route("/players.csv", get(players::players))
        .route("/players/{guid}", get(players::player))
        .route_layer(middleware::from_fn(|request, next| {
            etag::tagged(etag::LIST, request, next)
        }));
    let single_rounds = Router::new()
        .route("/rounds/{id}", get(round))
        .route("/rounds/{id}/players", get(round_players))
        .route("/rounds/{id}/players.csv", get(round_players))
        .route("/rounds/{id}/timeline", get(timeline))
        .route("/matches/{id}", get(matches::found_match))
        .route_layer(middleware::from_fn(|request, next| {
            etag::tagged(etag::ROUND, request, next)
        }));
    Router::new()
        .merge(lists)
        .merge(single_rounds)
        .route("/health", get(health))
        .route("/rejected", get(rejected))
        .route("/rejected.csv", get(rejected))
        .route("/diagnostics/lua-webhook", get(lua_webhook))
        .route("/diagnostics/spawn-audit", get(spawn_audit))
        .route(
            "/live",
            get(live::live)
                .post(live::post_live)
                .layer(DefaultBodyLimit::max(gametimes_format::live::BYTES)),
        )
        .route("/live/stream", get(live::live_stream))
        .route("/openapi.json", get(description::openapi))
        .layer(no_store)
}

/// The answer of `/api/health`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Health {
    /// `ok`; `degraded` if the database does not store what arrives; `error` if it does not answer.
    status: &'static str,
    /// What is wrong; null if nothing is.
    reason: Option<&'static str>,
    /// Whether the database answers.
    database: bool,
    /// Whether the connection to Discord is up.
    discord_connected: bool,
    /// Version of the bot.
    version: &'static str,
}

/// Whether the bot works: 200, or 503 if the database does not answer, or does not store what arrives (`degraded`).
#[utoipa::path(get, path = "/api/health", security(()), responses(
    (status = 200, description = "The bot works.", body = Health),
    (status = 503, description = "It does not.", body = Health),
    (status = 421, description = "The host name is not allowed; see `allowed_hosts`.", body = ErrorAnswer)))]
async fn health(State(app): State<App>) -> Response {
    let database = app.db.is_reachable().await;
    let (status, state, reason) = if !database {
        let reason = "the database does not answer; the bot's log has the details";
        (StatusCode::SERVICE_UNAVAILABLE, "error", Some(reason))
    } else if app.status.database_failed_unix().is_some() {
        // Anybody may ask for the health, so the error itself is only in the log and in `delivery`.
        let reason = "the database does not store what arrives; the bot's log and the page Delivery have the details";
        (StatusCode::SERVICE_UNAVAILABLE, "degraded", Some(reason))
    } else {
        (StatusCode::OK, "ok", None)
    };
    let body = Health {
        status: state,
        reason,
        database,
        discord_connected: app.status.is_discord_connected(),
        version: env!("CARGO_PKG_VERSION"),
    };
    (status, Json(body)).into_response()
}

/// Rounds, latest first.
#[utoipa::path(get, path = "/api/rounds", responses(
        (status = 200, description = "The rounds.", content((Vec<RoundSummary> = "application/json"), (String = "text/csv"))),
        Kept, Invalid, Refused),
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 500, description = "how many; 50 if missing"),
        ("map" = Option<String>, Query, max_length = 64, description = "only rounds on this map; case does not matter"),
        ("player" = Option<String>, Query, max_length = 64, description = "only rounds of a player whose name contains this text; case does not matter"),
        ("from" = Option<String>, Query, format = Date, description = "first day, in the server's local time"),
        ("to" = Option<String>, Query, format = Date, description = "last day, in the server's local time"),
        ("before" = Option<i64>, Query, minimum = 0, maximum = 2_147_483_647,
            description = "only rounds listed after the one with this id; gives the next page"),
    ))]
async fn rounds(
    State(app): State<App>,
    format: Format,
    Query(query): RawQuery,
) -> Result<Response, ApiError> {
    let mut query = Parameters::new(query);
    let limit = query.number("limit", 50, 1..=500)?;
    let map = query.text("map", 64)?;
    let (player, from, to) = (
        query.text("player", 64)?,
        query.date("from")?,
        query.date("to")?,
    );
    let before = query.number("before", 0, 0..=ROUND_ID_MAX)?;
    query.end("limit, map, player, from, to, before")?;
    let filter = RoundFilter {
        map,
        player,
        from,
        to,
        before: (before > 0).then_some(before),
        limit,
    };
    rows::answer(format, &app.db.rounds(&filter).await?)
}

/// One round with the recorder's report and the players.
#[utoipa::path(get, path = "/api/rounds/{id}", params(("id" = i64, Path, description = "rounds.id")),
    responses((status = 200, description = "The round.", body = RoundDetail), Kept, Invalid, Missing, Refused))]
async fn round(
    State(app): State<App>,
    Segment(id): Segment,
) -> Result<Json<RoundDetail>, ApiError> {
    Ok(Json(find_round(&app, &id).await?))
}

/// The players of a round.
#[utoipa::path(get, path = "/api/rounds/{id}/players", params(("id" = i64, Path, description = "rounds.id")),
    responses(
        (status = 200, description = "The players.", content((Vec<Player> = "application/json"), (String = "text/csv"))),
        Kept, Invalid, Missing, Refused))]
async fn round_players(
    State(app): State<App>,
    format: Format,
    Segment(id): Segment,
) -> Result<Response, ApiError> {
    rows::answer(format, &find_round(&app, &id).await?.players)
}

/// The timeline of a round: `[{t_ms, kind, guid, by, mod}]`.
#[utoipa::path(get, path = "/api/rounds/{id}/timeline", params(("id" = i64, Path, description = "rounds.id")),
    responses(
        (status = 200, description = "The events in order; empty if no recorder wrote a timeline. `/api/gametimes.schema.json` describes them.",
            body = Vec<Object>),
        Kept, Invalid, Missing, Refused))]
async fn timeline(State(app): State<App>, Segment(id): Segment) -> Result<Response, ApiError> {
    let round = find_round(&app, &id).await?;
    let timeline = app.db.timeline(round.round.id).await?;
    let timeline = timeline.unwrap_or_else(|| b"[]".to_vec());
    Ok(([(header::CONTENT_TYPE, "application/json")], timeline).into_response())
}

/// The JSON Schema of the gametimes file.
#[utoipa::path(get, path = "/api/gametimes.schema.json", responses(
    (status = 200, description = "The schema, draft 2020-12.", body = Object, content_type = "application/schema+json"), Kept, Refused))]
async fn file_schema() -> Response {
    let content_type = [(header::CONTENT_TYPE, "application/schema+json")];
    (content_type, gametimes_format::schema::gametimes_file()).into_response()
}

/// Rejected messages and files, latest first.
#[utoipa::path(get, path = "/api/rejected", responses(
        (status = 200, description = "The rejected items.", content((Vec<Rejected> = "application/json"), (String = "text/csv"))),
        Invalid, Refused),
    params(("limit" = Option<i64>, Query, minimum = 1, maximum = 500, description = "how many; 50 if missing")))]
async fn rejected(
    State(app): State<App>,
    format: Format,
    Query(query): RawQuery,
) -> Result<Response, ApiError> {
    let mut query = Parameters::new(query);
    let limit = query.number("limit", 50, 1..=500)?;
    query.end("limit")?;
    rows::answer(format, &app.db.rejected(limit).await?)
}

/// The answer of `/api/diagnostics/lua-webhook`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct LuaWebhook {
    /// What the database knows about the reports.
    #[serde(flatten)]
    diagnostics: LuaWebhookDiagnostics,
    /// The state of each source since the bot started.
    delivery: BTreeMap<String, Delivery>,
}

/// How reports arrive and whether they are linked to rounds.
#[utoipa::path(get, path = "/api/diagnostics/lua-webhook", responses((status = 200, description = "The diagnostics.", body = LuaWebhook), Invalid, Refused))]
async fn lua_webhook(
    State(app): State<App>,
    Query(query): RawQuery,
) -> Result<Json<LuaWebhook>, ApiError> {
    Parameters::new(query).end("none")?;
    Ok(Json(LuaWebhook {
        diagnostics: app.db.lua_webhook_diagnostics().await,
        delivery: app.status.delivery(),
    }))
}

/// Compares the recorder's times dead with those of the stats files.
#[utoipa::path(get, path = "/api/diagnostics/spawn-audit",
    responses((status = 200, description = "The audit.", body = SpawnAudit), Invalid, Refused),
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 1000,
            description = "how many of the latest rows are compared; 200 if missing"),
        ("diff_seconds" = Option<i64>, Query, minimum = 0, maximum = 3600,
            description = "larger differences are reported; 30 if missing"),
    ))]
async fn spawn_audit(
    State(app): State<App>,
    Query(query): RawQuery,
) -> Result<Json<SpawnAudit>, ApiError> {
    let mut query = Parameters::new(query);
    let limit = query.number("limit", 200, 1..=1000)?;
    let diff_seconds = query.number("diff_seconds", 30, 0..=3600)?;
    query.end("limit, diff_seconds")?;
    Ok(Json(app.db.spawn_audit(limit, diff_seconds).await?))
}

/// The round with the id in a request's path.
async fn find_round(app: &App, id: &str) -> Result<RoundDetail, ApiError> {
    let round = app.db.round(round_id(id)?).await?;
    round.ok_or_else(|| ApiError::not_found("round"))
}
