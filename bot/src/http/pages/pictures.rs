//! A round's timeline as a picture.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::PageError;
use crate::chart::{self, Chart, PNG_SCALE, Theme};
use crate::http::{ApiError, App};

/// What the answer may be kept for: rounds change when a file turns up late.
const KEEP: (header::HeaderName, &str) = (header::CACHE_CONTROL, "max-age=60");

async fn load(app: &App, id: &str) -> Result<Chart, PageError> {
    let detail = app.find_round(id).await?;
    let events = chart::events(&app.db, detail.round.id).await;
    Ok(Chart::new(&detail, &events.map_err(ApiError::from)?))
}

/// The drawing.
pub async fn svg(State(app): State<App>, Path(id): Path<String>) -> Result<Response, PageError> {
    let svg = load(&app, &id).await?.svg(Theme::Auto);
    Ok(([(header::CONTENT_TYPE, "image/svg+xml"), KEEP], svg).into_response())
}

/// The drawing as PNG.
pub async fn png(State(app): State<App>, Path(id): Path<String>) -> Result<Response, PageError> {
    let svg = load(&app, &id).await?.svg(Theme::Auto);
    // Drawing takes tens of milliseconds, too long for the threads that answer requests.
    let drawn = tokio::task::spawn_blocking(move || chart::png::render(&svg, PNG_SCALE)).await;
    match drawn {
        Ok(Ok(png)) => Ok(([(header::CONTENT_TYPE, "image/png"), KEEP], png).into_response()),
        Ok(Err(error)) => Err(PageError::internal(&error)),
        Err(error) => Err(PageError::internal(&error)),
    }
}
