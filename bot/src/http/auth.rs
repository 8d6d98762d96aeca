//! The token that protects the API and the pages.

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
        .and_then(token_of)
        .unwrap_or_default();
    // Digests are compared, so that the time it takes reveals nothing about the token.
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, token.reveal().as_bytes());
    let expected = ring::hmac::sign(&key, token.reveal().as_bytes());
    let good = ring::hmac::verify(&key, &given, expected.as_ref()).is_ok();
    if good || request.uri().path() == "/api/health" {
        return next.run(request).await;
    }
    // This header makes browsers ask for the password.
    let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"gametimes\"")];
    (ask, ApiError::unauthorized()).into_response()
}

/// The token in an `Authorization` header: programs send `Bearer TOKEN`; browsers send `Basic` with the token as the
/// password and any user name.
fn token_of(authorization: &str) -> Option<Vec<u8>> {
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
        let found = |text: &str| token_of(text).map(|t| String::from_utf8(t).unwrap());
        assert_eq!(found("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(found("bearer  abc ").as_deref(), Some("abc"));
        let basic = |pair: &str| found(&format!("Basic {}", BASE64_STANDARD.encode(pair)));
        assert_eq!(basic("admin:abc").as_deref(), Some("abc"));
        assert_eq!(basic(":a:b:c").as_deref(), Some("a:b:c"));
        assert_eq!(basic("abc"), None);
        for no_token in ["", "abc", "Basic", "Basic %%%", "Digest abc"] {
            assert_eq!(found(no_token), None, "{no_token}");
        }
    }
}
