//! Answers that clients keep: each has a tag, and a client that has it already gets 304 instead of the content.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use gametimes_format::digest::{hex, sha256};

/// Clients may use a round for a minute without asking again, but not for longer: a file that arrives late changes it.
pub const ROUND: &str = "max-age=60";
/// Clients ask each time whether a list has changed.
pub const LIST: &str = "no-cache";

/// Whether the client has the content with this tag already.
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut known = lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','));
    // A proxy that compresses marks the tag as weak.
    let strong = tag.trim_start_matches("W/");
    known.any(|known| known.trim().trim_start_matches("W/") == strong)
}

/// Tags a successful answer with the hash of its content, and sets how long clients may keep it.
///
/// The tag is weak, because the same content may be sent compressed.
pub async fn tagged(cache_control: &'static str, request: Request, next: Next) -> Response {
    let asked = request.headers().clone();
    let is_get = request.method() == Method::GET;
    let response = next.run(request).await;
    if !is_get || response.status() != StatusCode::OK {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let content = match to_bytes(body, usize::MAX).await {
        Ok(content) => content,
        Err(error) => {
            tracing::error!("answering a request: {error}");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let tag = format!("W/\"{}\"", &hex(&sha256([&content[..]]))[..32]);
    let is_known = is_known(&asked, &tag);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        head.headers.insert(header::ETAG, tag);
    }
    let cache_control = HeaderValue::from_static(cache_control);
    head.headers.insert(header::CACHE_CONTROL, cache_control);
    if is_known {
        head.status = StatusCode::NOT_MODIFIED;
        head.headers.remove(header::CONTENT_TYPE);
        head.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(head, Body::empty());
    }
    Response::from_parts(head, content.into())
}
