//! The timelines of a round and of a match as pictures.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::error::PageError;
use super::matches;
use crate::http::drawings::Subject;
use crate::http::error::ApiError;
use crate::http::etag::{self, is_known};
use crate::http::query::{Segment, round_id};
use crate::http::state::App;

const CACHE: (header::HeaderName, &str) = (header::CACHE_CONTROL, etag::ROUND);

#[derive(Clone, Copy)]
enum Format {
    Svg,
    Png,
}

/// `/rounds/{id}/timeline.svg`
pub async fn svg(
    State(app): State<App>,
    Segment(id): Segment,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    answer(&app, &of_round(&app, &id).await?, Format::Svg, &headers).await
}

/// `/rounds/{id}/timeline.png`
pub async fn png(
    State(app): State<App>,
    Segment(id): Segment,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    answer(&app, &of_round(&app, &id).await?, Format::Png, &headers).await
}

/// `/matches/{id}/timeline.svg`
pub async fn match_svg(
    State(app): State<App>,
    Segment(id): Segment,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    answer(&app, &of_match(&app, &id).await?, Format::Svg, &headers).await
}

/// `/matches/{id}/timeline.png`
pub async fn match_png(
    State(app): State<App>,
    Segment(id): Segment,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    answer(&app, &of_match(&app, &id).await?, Format::Png, &headers).await
}

async fn of_round(app: &App, id: &str) -> Result<Subject, PageError> {
    let round = app.db.round_overview(round_id(id)?).await?;
    let round = round.ok_or_else(|| ApiError::not_found("round"))?;
    Ok(Subject::round(&round))
}

async fn of_match(app: &App, id: &str) -> Result<Subject, PageError> {
    let (found, rounds) = matches::find(app, id).await?;
    Ok(matches::timeline(&found.played, &rounds))
}

async fn answer(
    app: &App,
    subject: &Subject,
    format: Format,
    headers: &HeaderMap,
) -> Result<Response, PageError> {
    let (name, content_type) = match format {
        Format::Svg => ("svg", "image/svg+xml"),
        Format::Png => ("png", "image/png"),
    };
    // Another version of the bot may draw the same round differently.
    let version = env!("CARGO_PKG_VERSION");
    let tag = format!("\"{}-{version}-{name}\"", subject.digest);
    if is_known(headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)], [CACHE]).into_response());
    }
    let picture: Bytes = match format {
        Format::Svg => app.drawings.svg(&app.db, subject).await?,
        Format::Png => app.drawings.png(&app.db, subject).await?,
    };
    let headers = [(header::CONTENT_TYPE, content_type), CACHE];
    Ok((headers, [(header::ETAG, tag)], picture).into_response())
}
