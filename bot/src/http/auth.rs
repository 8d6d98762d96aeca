//! The token that protects API and pages.

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::error::ApiError;
use super::state::App;

/// Requires the token if one is set. The health check needs none.
pub(super) async fn authorize(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(token) = &app.token else {
        return next.run(request).await;
    };
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(presented)
        .unwrap_or_default();
    // Compared as digests, so that the duration reveals nothing about the token.
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, token.reveal().as_bytes());
    let expected = ring::hmac::sign(&key, token.reveal().as_bytes());
    let good = ring::hmac::verify(&key, &given, expected.as_ref()).is_ok();
    if good || request.uri().path() == "/api/health" {
        return next.run(request).await;
    }
    // The header makes a browser ask for the password.
    let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"gametimes\"")];
    (ask, ApiError::unauthorized()).into_response()
}

/// The token in an `Authorization` header: `Bearer TOKEN` from a program, the password of `Basic` from a browser, with any
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_read_from_bearer_and_basic() {
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
