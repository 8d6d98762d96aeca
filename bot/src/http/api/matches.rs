//! Matches and evenings in the API.

use axum::Json;
use axum::extract::{Query, State};

use super::RawQuery;
use super::answers::{Invalid, Kept, Missing, Refused};
use crate::db::matches::{EveningList, MatchInSeries, MatchList};
use crate::http::error::ApiError;
use crate::http::query::{Parameters, Segment, UNIX_MAX, round_id};
use crate::http::state::App;

/// Takes the parameters `limit` and `before`.
fn page(query: RawQuery, default: i64, most: i64) -> Result<(Option<i64>, usize), ApiError> {
    let Query(query) = query;
    let mut query = Parameters::new(query);
    let limit = query.number("limit", default, 1..=most)?;
    let before = query.number("before", 0, 0..=UNIX_MAX)?;
    query.end("limit, before")?;
    let limit = usize::try_from(limit).unwrap_or(1);
    Ok(((before > 0).then_some(before), limit))
}

/// Matches with teams, result and rounds, latest first.
#[utoipa::path(get, path = "/api/matches", responses(
        (status = 200, description = "The matches of whole evenings.", body = MatchList),
        Kept, Invalid, Refused),
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200,
            description = "so many, and the rest of the evening of the last one; 50 if missing"),
        ("before" = Option<i64>, Query, minimum = 0, maximum = 253_402_300_799_i64,
            description = "only matches whose rounds ended before this unix time; next_before gives the next page"),
    ))]
pub(super) async fn matches(
    State(app): State<App>,
    query: RawQuery,
) -> Result<Json<MatchList>, ApiError> {
    let (before, limit) = page(query, 50, 200)?;
    Ok(Json(app.db.matches(before, limit).await?))
}

/// The match of a round, and the series it is in.
#[utoipa::path(get, path = "/api/matches/{id}",
    params(("id" = i64, Path, description = "the id of a match, or rounds.id of any of its rounds")),
    responses(
        (status = 200, description = "The match.", body = MatchInSeries),
        Kept, Invalid, Missing, Refused))]
pub(super) async fn found_match(
    State(app): State<App>,
    Segment(id): Segment,
) -> Result<Json<MatchInSeries>, ApiError> {
    let found = app.db.match_of_round(round_id(&id)?).await?;
    Ok(Json(found.ok_or_else(|| ApiError::not_found("match"))?))
}

/// Evenings with their series and matches, latest first. An evening ends when no round is played for an hour on any server.
#[utoipa::path(get, path = "/api/evenings", responses(
        (status = 200, description = "The evenings.", body = EveningList),
        Kept, Invalid, Refused),
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 50, description = "how many at most, fewer where they are long; 10 if missing"),
        ("before" = Option<i64>, Query, minimum = 0, maximum = 253_402_300_799_i64,
            description = "only rounds that ended before this unix time; next_before gives the next page"),
    ))]
pub(super) async fn evenings(
    State(app): State<App>,
    query: RawQuery,
) -> Result<Json<EveningList>, ApiError> {
    let (before, limit) = page(query, 10, 50)?;
    Ok(Json(app.db.evenings(before, limit).await?))
}
