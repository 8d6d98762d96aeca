//! Pages for people: plain HTML rendered on the server, without scripts.

mod audit;
mod delivery;
mod error;
mod evenings;
mod format;
mod matches;
mod pictures;
mod player;
mod round;
mod rounds;

use std::collections::BTreeMap;

use askama::Template;
use axum::Router;
use axum::extract::Query;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use super::query::Parameters;
use super::state::App;

/// The pages' routes.
pub fn router() -> Router<App> {
    Router::new()
        .route("/", get(evenings::page))
        .route("/matches/{id}", get(matches::page))
        .route("/rounds", get(rounds::page))
        .route("/rounds/{id}", get(round::page))
        .route("/rounds/{id}/timeline.svg", get(pictures::svg))
        .route("/rounds/{id}/timeline.png", get(pictures::png))
        .route("/players/{guid}", get(player::page))
        .route("/audit", get(audit::page))
        .route("/delivery", get(delivery::page))
        .route("/style.css", get(style))
}

async fn style() -> Response {
    let css = include_str!("../../../assets/style.css");
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "max-age=300"),
    ];
    (headers, css).into_response()
}

fn render(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!("rendering a page: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

type RawQuery = Query<BTreeMap<String, String>>;

/// The parameters of a form. An empty field counts as missing.
fn parameters(Query(mut query): RawQuery) -> Parameters {
    query.retain(|_, value| !value.trim().is_empty());
    Parameters::new(query)
}
