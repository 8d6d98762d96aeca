//! A round's timeline as a picture.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::error::PageError;
use crate::db::rounds::RoundOverview;
use crate::http::error::ApiError;
use crate::http::etag::{self, is_known};
use crate::http::query::round_id;
use crate::http::state::App;

const CACHE: (header::HeaderName, &str) = (header::CACHE_CONTROL, etag::ROUND);

/// `/rounds/{id}/timeline.svg`
pub async fn svg(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let round = find(&app, &id).await?;
    let tag = tag(&round, "svg");
    if is_known(&headers, &tag) {
        return Ok(unchanged(tag));
    }
    let picture = app.drawings.svg(&app.db, &round).await?;
    Ok(answer("image/svg+xml", tag, picture))
}

/// `/rounds/{id}/timeline.png`
pub async fn png(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let round = find(&app, &id).await?;
    let tag = tag(&round, "png");
    if is_known(&headers, &tag) {
        return Ok(unchanged(tag));
    }
    let picture = app.drawings.png(&app.db, &round).await?;
    Ok(answer("image/png", tag, picture))
}

async fn find(app: &App, id: &str) -> Result<RoundOverview, PageError> {
    let round = app.db.round_overview(round_id(id)?).await?;
    Ok(round.ok_or_else(|| ApiError::not_found("round"))?)
}

/// The picture's `ETag`. Another version of the bot may draw the same round differently.
fn tag(round: &RoundOverview, format: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("\"{}-{version}-{format}\"", round.digest)
}

fn unchanged(tag: String) -> Response {
    (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)], [CACHE]).into_response()
}

fn answer(content_type: &str, tag: String, picture: Bytes) -> Response {
    let headers = [(header::CONTENT_TYPE, content_type), CACHE];
    (headers, [(header::ETAG, tag)], picture).into_response()
}
