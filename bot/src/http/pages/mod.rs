//! Pages for people: plain HTML rendered on the server. The scripts show times as local times and keep the live page up to date; pages
//! work without them.

mod audit;
mod compare;
mod delivery;
mod error;
mod evenings;
mod feed;
mod format;
pub mod live;
mod maps;
mod matches;
mod pictures;
mod player;
mod player_chart;
mod players;
mod preview;
mod round;
mod rounds;
mod scoreboard;
mod when;

use std::collections::BTreeMap;

use askama::Template;
use axum::Router;
use axum::extract::Query;
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

pub use self::error::errors_for_browsers;
use super::etag;
use super::query::Parameters;
use super::state::App;

/// The pages' routes.
pub fn router() -> Router<App> {
    let feed = get(feed::feed).layer(middleware::from_fn(|request, next| {
        etag::tagged(etag::LIST, request, next)
    }));
    Router::new()
        .route("/feed.atom", feed)
        .route("/", get(evenings::page))
        .route("/matches/{id}", get(matches::page))
        .route("/matches/{id}/timeline.svg", get(pictures::match_svg))
        .route("/matches/{id}/timeline.png", get(pictures::match_png))
        .route("/rounds", get(rounds::page))
        .route("/rounds/{id}", get(round::page))
        .route("/rounds/{id}/timeline.svg", get(pictures::svg))
        .route("/rounds/{id}/timeline.png", get(pictures::png))
        .route("/maps", get(maps::list))
        .route("/maps/{name}", get(maps::page))
        .route("/players", get(players::page))
        .route("/players/compare", get(compare::page))
        .route("/players/{guid}", get(player::page))
        .route("/live", get(live::page))
        .route("/live/obs", get(live::obs))
        .route("/live/stream", get(live::cards))
        .route("/audit", get(audit::page))
        .route("/delivery", get(delivery::page))
        .route(
            "/style.css",
            get(|| std::future::ready(asset("text/css; charset=utf-8", STYLE))),
        )
        .route(
            "/time.js",
            get(|| std::future::ready(asset("text/javascript; charset=utf-8", TIME_SCRIPT))),
        )
        .route(
            "/live.css",
            get(|| std::future::ready(asset("text/css; charset=utf-8", LIVE_STYLE))),
        )
        .route(
            "/live.js",
            get(|| std::future::ready(asset("text/javascript; charset=utf-8", LIVE_SCRIPT))),
        )
        .route(
            "/favicon.svg",
            get(|| std::future::ready(asset("image/svg+xml", FAVICON))),
        )
}

const STYLE: &str = include_str!("../../../assets/style.css");
const TIME_SCRIPT: &str = include_str!("../../../assets/time.js");
const LIVE_STYLE: &str = include_str!("../../../assets/live.css");
const LIVE_SCRIPT: &str = include_str!("../../../assets/live.js");
const FAVICON: &str = include_str!("../../../assets/favicon.svg");

/// A file that every page uses.
fn asset(content_type: &'static str, content: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "max-age=300"),
    ];
    (headers, content).into_response()
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
