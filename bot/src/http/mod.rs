//! The API and the pages: read-only, and on loopback by default.
//!
//! [`api`] answers in JSON, [`pages`] in HTML. Both use [`state`], [`error`], [`query`] and [`etag`], and neither uses the other.

mod api;
mod auth;
mod drawings;
mod error;
mod etag;
mod host;
mod live;
pub mod metrics;
mod pages;
mod player_query;
mod query;
mod rows;
pub mod server;
mod state;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware;
use axum::routing::get;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

pub use drawings::Drawings;
pub use error::ApiError;
pub use pages::live::card as live_card;
pub use state::{App, Sources};

/// All routes.
pub fn router(app: App) -> Router {
    let header = |name, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    let prometheus = metrics::prometheus();
    let cors_origins = Arc::clone(&app.cors_origins);
    let router = Router::new()
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
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .with_state(app);
    if cors_origins.is_empty() {
        router
    } else {
        router.layer(cors(cors_origins))
    }
}

/// Lets scripts of these websites read the API. Browsers ask for permission without the token, so this is outside of the check.
fn cors(origins: Arc<[String]>) -> CorsLayer {
    let is_allowed = move |origin: &HeaderValue, request: &Parts| {
        let is_listed = |listed: &String| listed == "*" || listed.as_bytes() == origin.as_bytes();
        request.uri.path().starts_with("/api/") && origins.iter().any(is_listed)
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_allowed))
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers([header::AUTHORIZATION, header::IF_NONE_MATCH])
        .expose_headers([header::ETAG])
        .max_age(Duration::from_secs(3600))
}
