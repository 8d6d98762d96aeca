//! The API and the pages: read-only, and on loopback by default.
//!
//! [`api`] answers in JSON, [`pages`] in HTML. Both use [`state`], [`error`] and [`query`], and neither uses the other.

mod api;
mod auth;
mod drawings;
mod error;
mod host;
pub mod metrics;
mod pages;
mod query;
pub mod server;
mod state;

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware;
use axum::routing::get;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

pub use drawings::Drawings;
pub use error::ApiError;
pub use state::{App, Sources};

/// All routes.
pub fn router(app: App) -> Router {
    let header = |name, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    let prometheus = metrics::prometheus();
    Router::new()
        .nest("/api", api::router())
        .route("/metrics", get(move || std::future::ready(prometheus.render())))
        .merge(pages::router())
        .fallback(|| async { ApiError::not_found("page") })
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
        .layer(middleware::from_fn_with_state(app.clone(), auth::authorize))
        .layer(middleware::from_fn_with_state(app.clone(), host::check_host))
        .layer(middleware::from_fn(pages::errors_for_browsers))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(30)))
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::X_FRAME_OPTIONS, "DENY"))
        .layer(header(header::REFERRER_POLICY, "no-referrer"))
        .layer(header(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; script-src 'self'; \
             connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ))
        .with_state(app)
}
