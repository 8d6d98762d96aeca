//! A round's timeline as a picture.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::error::PageError;
use crate::chart::{self, Chart, PNG_SCALE, Theme};
use crate::http::error::ApiError;
use crate::http::query::round_id;
use crate::http::state::App;

/// Pictures may be cached for a minute: a file that arrives late changes its round.
const CACHE: (header::HeaderName, &str) = (header::CACHE_CONTROL, "max-age=60");

async fn draw(app: &App, id: &str) -> Result<String, PageError> {
    let chart = Chart::load(&app.db, round_id(id)?).await?;
    let chart = chart.ok_or_else(|| ApiError::not_found("round"))?;
    Ok(chart.svg(Theme::Auto))
}

/// `/rounds/{id}/timeline.svg`
pub async fn svg(State(app): State<App>, Path(id): Path<String>) -> Result<Response, PageError> {
    let svg = draw(&app, &id).await?;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml"), CACHE], svg).into_response())
}

/// `/rounds/{id}/timeline.png`
pub async fn png(State(app): State<App>, Path(id): Path<String>) -> Result<Response, PageError> {
    let svg = draw(&app, &id).await?;
    // Rendering takes tens of milliseconds, too long for the threads that answer requests.
    let rendered = tokio::task::spawn_blocking(move || chart::png::render(&svg, PNG_SCALE)).await;
    match rendered {
        Ok(Ok(png)) => Ok(([(header::CONTENT_TYPE, "image/png"), CACHE], png).into_response()),
        Ok(Err(error)) => Err(PageError::internal(&error)),
        Err(error) => Err(PageError::internal(&error)),
    }
}
