//! The HTTP interface: read-only, JSON, loopback by default.

pub mod audit;
pub mod diagnostics;
mod handlers;
mod query;
mod reasons;

pub(crate) use handlers::find as find_round;
pub(crate) use query::Parameters;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa::OpenApi;

use crate::config::Secret;
use crate::status::Status;
use crate::store::{Store, StoreError};
use crate::web;

/// What handlers need.
#[derive(Debug, Clone)]
pub struct App {
    /// The database.
    pub store: Store,
    /// The sources' state.
    pub status: Arc<Status>,
    /// What clients must present.
    pub token: Option<Secret>,
}

/// An answer that is no success, as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    message: String,
    allowed: Option<String>,
}

impl ApiError {
    pub(crate) fn not_found(what: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            message: format!("no such {what}"),
            allowed: None,
        }
    }

    pub(crate) fn bad_request(message: String, allowed: String) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message,
            allowed: Some(allowed),
        }
    }

    /// A failure of ours, told in the log.
    pub(crate) fn inside() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            message: "this cannot be shown; see the log".into(),
            allowed: None,
        }
    }

    /// What went wrong and what is allowed, for a page.
    pub fn parts(&self) -> (StatusCode, &str, Option<&str>) {
        (self.status, &self.message, self.allowed.as_deref())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        // The text may tell of the inside; it is for the log.
        tracing::error!("answering a request: {error}");
        let message = "the database does not answer; see the log".into();
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            message,
            allowed: None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut error = json!({ "message": self.message });
        if let Some(allowed) = self.allowed {
            error["allowed"] = allowed.into();
        }
        (self.status, axum::Json(json!({ "error": error }))).into_response()
    }
}

/// The description of the API.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "gametimes",
        description = "Rounds of ET:Legacy with their true times"
    ),
    paths(
        handlers::health,
        handlers::rounds,
        handlers::round,
        handlers::players,
        handlers::timeline,
        handlers::rejected,
        handlers::lua_webhook,
        handlers::spawn_audit
    )
)]
struct Description;

/// All routes.
pub fn router(app: App) -> Router {
    let header = |name, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    let api = Router::new()
        .route("/health", get(handlers::health))
        .route("/rounds", get(handlers::rounds))
        .route("/rounds/{id}", get(handlers::round))
        .route("/rounds/{id}/players", get(handlers::players))
        .route("/rounds/{id}/timeline", get(handlers::timeline))
        .route("/rejected", get(handlers::rejected))
        .route("/diagnostics/lua-webhook", get(handlers::lua_webhook))
        .route("/diagnostics/spawn-audit", get(handlers::spawn_audit))
        .route(
            "/openapi.json",
            get(|| async { axum::Json(Description::openapi()) }),
        )
        .layer(header(header::CACHE_CONTROL, "no-store"));
    let prometheus = prometheus();
    Router::new()
        .nest("/api", api)
        .route("/metrics", get(move || std::future::ready(prometheus.render())))
        .merge(web::router())
        .fallback(|| async { ApiError::not_found("page") })
        .method_not_allowed_fallback(|| async {
            ApiError {
                status: StatusCode::METHOD_NOT_ALLOWED,
                message: "this interface is read-only".into(),
                allowed: Some("GET, HEAD".into()),
            }
        })
        .layer(middleware::from_fn_with_state(app.clone(), authorize))
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

/// Asks for the token where one is set. Only the health check is for everybody.
async fn authorize(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(token) = &app.token else {
        return next.run(request).await;
    };
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(presented)
        .unwrap_or_default();
    // Compared as digests, so that the time tells nothing about the token.
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, token.reveal().as_bytes());
    let expected = ring::hmac::sign(&key, token.reveal().as_bytes());
    let good = ring::hmac::verify(&key, &given, expected.as_ref()).is_ok();
    if good || request.uri().path() == "/api/health" {
        return next.run(request).await;
    }
    let error = ApiError {
        status: StatusCode::UNAUTHORIZED,
        message: "the api_token is required: as password with any user name, or as Authorization: Bearer <api_token>".into(),
        allowed: None,
    };
    // This is what makes a browser ask.
    let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"gametimes\"")];
    (ask, error).into_response()
}

/// The token that a client presents: of a program as `Bearer TOKEN`, of a browser as the password of `Basic`, whatever the
/// user name.
fn presented(authorization: &str) -> Option<Vec<u8>> {
    let (scheme, rest) = authorization.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("Bearer") {
        return Some(rest.as_bytes().to_vec());
    }
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let mut pair = BASE64_STANDARD.decode(rest).ok()?;
    let colon = pair.iter().position(|b| *b == b':')?;
    Some(pair.split_off(colon + 1))
}

/// The one recorder of this process's metrics.
fn prometheus() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new().build_recorder();
            let handle = recorder.handle();
            // Only fails where a program that embeds this one has a recorder of its own.
            drop(metrics::set_global_recorder(recorder));
            handle
        })
        .clone()
}

/// Starts counting; called before the first thing that counts.
pub fn install_metrics() {
    drop(prometheus());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_of_bearer_and_basic() {
        let found = |text: &str| presented(text).map(|t| String::from_utf8(t).unwrap());
        assert_eq!(found("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(found("bearer  abc ").as_deref(), Some("abc"));
        let basic = |pair: &str| found(&format!("Basic {}", BASE64_STANDARD.encode(pair)));
        assert_eq!(basic("admin:abc").as_deref(), Some("abc"));
        assert_eq!(basic(":a:b:c").as_deref(), Some("a:b:c"));
        assert_eq!(basic("abc"), None);
        for nothing in ["", "abc", "Basic", "Basic %%%", "Digest abc"] {
            assert_eq!(found(nothing), None, "{nothing}");
        }
    }
}
