//! One function a route.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::audit::{self, SpawnAudit};
use super::diagnostics::{self, LuaWebhook};
use super::query::Parameters;
use super::{ApiError, App};
use crate::store::read::{Player, Rejected, RoundDetail, RoundFilter, RoundSummary};

type Map = Query<BTreeMap<String, String>>;

/// Whether the bot can do its work: 200, or 503 when the database does not answer.
#[utoipa::path(get, path = "/api/health", responses((status = 200), (status = 503)))]
pub async fn health(State(app): State<App>) -> Response {
    let database = app.store.database.row("SELECT 1", &[]).await.is_ok();
    let status = if database {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({
        "status": if database { "ok" } else { "error" },
        "database": database,
        "discord_connected": app.status.is_discord_connected(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    (status, Json(body)).into_response()
}

/// Rounds, latest first.
#[utoipa::path(get, path = "/api/rounds", responses((status = 200, body = Vec<RoundSummary>), (status = 400)),
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 500, description = "how many, 50 when missing"),
        ("map" = Option<String>, Query, description = "only this map"),
        ("before" = Option<i64>, Query, description = "only rounds that come after the one with this id, for the next page"),
    ))]
pub async fn rounds(
    State(app): State<App>,
    Query(query): Map,
) -> Result<Json<Vec<RoundSummary>>, ApiError> {
    let mut query = Parameters::new(query);
    let limit = query.number("limit", 50, 1..=500)?;
    let map = query.text("map", 64)?;
    let before = query.number("before", 0, 0..=i64::MAX)?;
    query.end("limit, map, before")?;
    let filter = RoundFilter {
        map,
        before: (before > 0).then_some(before),
        limit,
    };
    Ok(Json(app.store.rounds(&filter).await?))
}

fn id_of(id: &str) -> Result<i64, ApiError> {
    let parsed = id
        .parse::<i64>()
        .ok()
        .filter(|id| (1..=i64::from(i32::MAX)).contains(id));
    parsed.ok_or_else(|| {
        let shown: String = id.chars().take(40).collect();
        ApiError::bad_request(
            format!("the round is {shown:?}"),
            "the id of a round, as /api/rounds lists them".into(),
        )
    })
}

pub(crate) async fn find(app: &App, id: &str) -> Result<RoundDetail, ApiError> {
    app.store
        .round(id_of(id)?)
        .await?
        .ok_or_else(|| ApiError::not_found("round"))
}

/// One round with what the recorder said and its players.
#[utoipa::path(get, path = "/api/rounds/{id}", params(("id" = i64, Path, description = "rounds.id")),
    responses((status = 200, body = RoundDetail), (status = 404)))]
pub async fn round(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<RoundDetail>, ApiError> {
    Ok(Json(find(&app, &id).await?))
}

/// The players of a round.
#[utoipa::path(get, path = "/api/rounds/{id}/players", params(("id" = i64, Path, description = "rounds.id")),
    responses((status = 200, body = Vec<Player>), (status = 404)))]
pub async fn players(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Vec<Player>>, ApiError> {
    Ok(Json(find(&app, &id).await?.players))
}

/// The timeline of a round: `[{t_ms, kind, guid, by, mod}]`.
#[utoipa::path(get, path = "/api/rounds/{id}/timeline", params(("id" = i64, Path, description = "rounds.id")),
    responses((status = 200), (status = 404)))]
pub async fn timeline(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let round = find(&app, &id).await?;
    Ok(Json(app.store.timeline(round.round.id).await?))
}

/// What was refused, latest first.
#[utoipa::path(get, path = "/api/rejected", responses((status = 200, body = Vec<Rejected>), (status = 400)),
    params(("limit" = Option<i64>, Query, minimum = 1, maximum = 500, description = "how many, 50 when missing")))]
pub async fn rejected(
    State(app): State<App>,
    Query(query): Map,
) -> Result<Json<Vec<Rejected>>, ApiError> {
    let mut query = Parameters::new(query);
    let limit = query.number("limit", 50, 1..=500)?;
    query.end("limit")?;
    Ok(Json(app.store.rejected(limit).await?))
}

/// How messages arrive and link.
#[utoipa::path(get, path = "/api/diagnostics/lua-webhook", responses((status = 200, body = LuaWebhook)))]
pub async fn lua_webhook(
    State(app): State<App>,
    Query(query): Map,
) -> Result<Json<LuaWebhook>, ApiError> {
    Parameters::new(query).end("none")?;
    Ok(Json(
        diagnostics::lua_webhook(&app.store, &app.status).await,
    ))
}

/// Compares the recorder's times dead with those of the stats files.
#[utoipa::path(get, path = "/api/diagnostics/spawn-audit",
    responses((status = 200, body = SpawnAudit), (status = 400)),
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 1000, description = "how many rows, 200 when missing"),
        ("diff_seconds" = Option<i64>, Query, minimum = 0, maximum = 3600,
            description = "differences over this are told, 30 when missing"),
    ))]
pub async fn spawn_audit(
    State(app): State<App>,
    Query(query): Map,
) -> Result<Json<SpawnAudit>, ApiError> {
    let mut query = Parameters::new(query);
    let limit = query.number("limit", 200, 1..=1000)?;
    let diff_seconds = query.number("diff_seconds", 30, 0..=3600)?;
    query.end("limit, diff_seconds")?;
    Ok(Json(
        audit::spawn_audit(&app.store, limit, diff_seconds).await?,
    ))
}
