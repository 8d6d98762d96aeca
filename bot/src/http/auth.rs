//! The token that protects the API and the pages.

use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::error::ApiError;
use super::live::Viewer;
use super::state::App;
use crate::config::Secret;
use crate::live::TokenHolder;

/// Requires the token if one is set. Some paths need none, see [`is_open`]; the live view is also shown to who has only its own token.
///
/// Adds the [`Viewer`] to the request: this is the only place that decides who may see a server without delay.
pub(super) async fn authorize(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(token_of)
        .unwrap_or_default();
    let is_given = |token: &Option<Secret>| token.as_ref().is_some_and(|t| is_equal(t, &given));
    let has_token = is_given(&app.token);
    let sees_at_once = match &app.live_token {
        Some(_) => is_given(&app.live_token),
        None => has_token,
    };
    let holder = sees_at_once.then(TokenHolder::after_check);
    request.extensions_mut().insert(Viewer(holder));
    let path = request.uri().path();
    let may_see_live = sees_at_once && LIVE_PATHS.contains(&path);
    if app.token.is_none() || has_token || may_see_live || is_open(request.method(), path) {
        return next.run(request).await;
    }
    // This header makes browsers ask for the password.
    let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"gametimes\"")];
    (ask, ApiError::unauthorized()).into_response()
}

/// Where the token of the live view is enough.
const LIVE_PATHS: [&str; 4] = ["/live", "/live/stream", "/api/live", "/api/live/stream"];

/// What needs no token: the health check, a post that is signed, and the frame of the page for casters, which is empty until its script has
/// read the stream with the token.
fn is_open(method: &Method, path: &str) -> bool {
    match path {
        "/api/health" | "/live/obs" | "/live.js" | "/live.css" => true,
        "/api/live" => method == Method::POST,
        _ => false,
    }
}

/// Compares digests, so that the time it takes reveals nothing about the token.
fn is_equal(token: &Secret, given: &[u8]) -> bool {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, token.reveal().as_bytes());
    let expected = ring::hmac::sign(&key, token.reveal().as_bytes());
    ring::hmac::verify(&key, given, expected.as_ref()).is_ok()
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
