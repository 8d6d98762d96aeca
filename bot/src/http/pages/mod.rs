//! Pages for people: plain HTML made on the server, no scripts.

mod audit;
mod delivery;
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

use crate::db::DbError;
use crate::display;
use crate::http::query::Parameters;
use crate::http::{ApiError, App};

/// The pages' routes.
pub fn router() -> Router<App> {
    Router::new()
        .route("/", get(rounds::page))
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

#[derive(Template)]
#[template(path = "error.html")]
struct Failure {
    title: &'static str,
    message: String,
    allowed: Option<String>,
}

/// An error as a page.
struct PageError(ApiError);

impl PageError {
    /// A failure of ours: the log tells what.
    fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!("answering a request: {error}");
        Self(ApiError::internal())
    }
}

impl From<ApiError> for PageError {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<DbError> for PageError {
    fn from(error: DbError) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (status, message, allowed) = self.0.parts();
        let title = match status {
            StatusCode::NOT_FOUND => "Not there",
            StatusCode::BAD_REQUEST => "That cannot be read",
            _ => "Not now",
        };
        let failure = Failure {
            title,
            message: message.to_owned(),
            allowed: allowed.map(str::to_owned),
        };
        (status, show(&failure)).into_response()
    }
}

fn show(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!("rendering a page: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

type Asked = Query<BTreeMap<String, String>>;

/// The parameters of a form; a field that was left empty is one that is missing.
fn parameters(Query(mut asked): Asked) -> Parameters {
    asked.retain(|_, value| !value.trim().is_empty());
    Parameters::new(asked)
}

/// Milliseconds as `M:SS.t`, nothing as a dash.
fn ms(ms: Option<i64>) -> String {
    ms.map_or_else(dash, display::clock_ms)
}

/// Seconds as `M:SS`, nothing as a dash.
fn seconds(seconds: Option<i64>) -> String {
    seconds.map_or_else(dash, display::clock)
}

fn number(n: Option<i64>) -> String {
    n.map_or_else(dash, |n| n.to_string())
}

/// A part of a whole as `12 %`, a dash where there is no whole.
fn share(part: Option<i64>, whole: Option<i64>) -> String {
    match (part, whole) {
        (Some(part), Some(whole)) if whole > 0 => {
            format!("{:.0} %", 100.0 * part as f64 / whole as f64)
        }
        _ => dash(),
    }
}

fn dash() -> String {
    "–".to_owned()
}

/// The address of a player's page. What is no letter or digit is encoded.
fn player_link(guid: &str) -> String {
    let known_by = if guid.starts_with("name:") {
        guid
    } else {
        guid.get(..8).unwrap_or(guid)
    };
    format!("/players/{}", encode(known_by))
}

/// A text in an address.
fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~:".contains(&byte) {
            encoded.push(byte.into());
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_hold_any_name() {
        assert_eq!(player_link("A0000001ABCDEF"), "/players/A0000001");
        assert_eq!(player_link("日\"<"), "/players/%E6%97%A5%22%3C");
    }

    #[test]
    fn a_share_of_nothing_is_a_dash() {
        assert_eq!(share(Some(1), Some(0)), "–");
        assert_eq!(share(Some(1), Some(8)), "12 %");
    }
}
