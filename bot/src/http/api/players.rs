//! Players and maps over many rounds in the API.

use axum::Json;
use axum::extract::{Query, State};
use axum::response::Response;

use super::RawQuery;
use super::answers::{Invalid, Kept, Missing, Refused};
use crate::db::map_table::MapFigures;
use crate::db::player_figures::PlayerFigures;
use crate::db::player_table::PlayerSummary;
use crate::http::error::ApiError;
use crate::http::player_query::{NAMES, PERIODS, player_filter, since};
use crate::http::query::{Parameters, Segment};
use crate::http::rows::{self, Format};
use crate::http::state::App;

/// Players with their figures over all rounds that count, or over those of the last 30 days.
#[utoipa::path(get, path = "/api/players", responses(
        (status = 200, description = "The players.", content((Vec<PlayerFigures> = "application/json"), (String = "text/csv"))),
        Kept, Invalid, Refused),
    params(
        ("player" = Option<String>, Query, max_length = 64,
            description = "only players who have had a name that contains this text, or whose guid begins with it; case does not matter"),
        ("map" = Option<String>, Query, max_length = 64, description = "only rounds on this map; case does not matter"),
        ("period" = Option<String>, Query, description = "`all` (if missing), or `30d` for the last 30 days"),
        ("min_rounds" = Option<i64>, Query, minimum = 0, maximum = 1_000_000,
            description = "only players with so many rounds; if missing or 0, a tenth of those of the most active player, at most 10"),
        ("sort" = Option<String>, Query,
            description = "the field to sort by: `name`, `rounds` (if missing), `kd`, `dpm`, `accuracy`, `headshots`, `revives`, \
                           `dead_share`, `denied`, `wave_wait`, `maps_won` or `maps_won_share`; players for whom it is null come last"),
        ("order" = Option<String>, Query, description = "`asc` or `desc`; the best first if missing"),
        ("page" = Option<i64>, Query, minimum = 1, maximum = 1_000, description = "the number of the page; 1 if missing"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 500, description = "how many players a page has; 50 if missing"),
    ))]
pub(super) async fn players(
    State(app): State<App>,
    format: Format,
    Query(query): RawQuery,
) -> Result<Response, ApiError> {
    let mut query = Parameters::new(query);
    let (filter, _) = player_filter(&mut query, &app.db)?;
    query.end(NAMES)?;
    rows::answer(format, &app.db.player_table(&filter).await?.players)
}

/// A player: figures over all rounds and over the last 30 days, names, maps, and the latest days.
#[utoipa::path(get, path = "/api/players/{guid}",
    params(("guid" = String, Path,
        description = "a guid, of which the first 8 digits count, or the `name:...` of a client without one")),
    responses((status = 200, description = "The player.", body = PlayerSummary), Kept, Invalid, Missing, Refused))]
pub(super) async fn player(
    State(app): State<App>,
    Segment(guid): Segment,
) -> Result<Json<PlayerSummary>, ApiError> {
    let since = app.db.recent_since();
    let found = app.db.player_summary(&guid, &since).await?;
    Ok(Json(found.ok_or_else(|| ApiError::not_found("player"))?))
}

/// Maps with what was played on them, those with the most rounds first.
#[utoipa::path(get, path = "/api/maps", responses(
        (status = 200, description = "The maps.", content((Vec<MapFigures> = "application/json"), (String = "text/csv"))),
        Kept, Invalid, Refused),
    params(
        ("map" = Option<String>, Query, max_length = 64, description = "only this map; case does not matter"),
        ("period" = Option<String>, Query, description = "`all` (if missing), or `30d` for the last 30 days"),
    ))]
pub(super) async fn maps(
    State(app): State<App>,
    format: Format,
    Query(query): RawQuery,
) -> Result<Response, ApiError> {
    let mut query = Parameters::new(query);
    let map = query.text("map", 64)?.unwrap_or_default();
    let since = since(query.word("period", &PERIODS)?, &app.db);
    query.end("map, period")?;
    rows::answer(format, &app.db.maps(since.as_deref(), &map).await?)
}
