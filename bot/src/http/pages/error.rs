//! The page for requests that failed.

use askama::Template;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::render;
use crate::db::DbError;
use crate::http::drawings::DrawError;
use crate::http::error::ApiError;

#[derive(Template)]
#[template(path = "error.html")]
struct Page<'a> {
    title: &'static str,
    message: &'a str,
    allowed: Option<&'a str>,
}

/// An error that is answered with a page.
pub struct PageError(ApiError);

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

impl From<DrawError> for PageError {
    fn from(error: DrawError) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (status, message, allowed) = self.0.parts();
        let title = match status {
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::BAD_REQUEST => "Invalid request",
            StatusCode::METHOD_NOT_ALLOWED => "Not allowed",
            StatusCode::UNAUTHORIZED => "Token required",
            StatusCode::MISDIRECTED_REQUEST => "Unknown host name",
            _ => "Not available right now",
        };
        let page = Page {
            title,
            message,
            allowed,
        };
        (status, render(&page)).into_response()
    }
}

/// Answers failed requests of browsers with a page, also where no page's code has run: unknown addresses, a missing token.
/// Programs, and all requests to the API, get JSON.
pub async fn errors_for_browsers(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_api = path == "/api" || path.starts_with("/api/");
    let accepted = request.headers().get_all(header::ACCEPT).iter();
    let accepts_html = accepted
        .filter_map(|types| types.to_str().ok())
        .any(|types| types.contains("text/html"));
    let response = next.run(request).await;
    if is_api || !accepts_html {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Some(error) = head.extensions.remove::<ApiError>() else {
        return Response::from_parts(head, body);
    };
    head.headers.remove(header::CONTENT_TYPE);
    head.headers.remove(header::CONTENT_LENGTH);
    // What the answer asks the browser for stays.
    let mut page = PageError(error).into_response();
    page.headers_mut().extend(head.headers);
    page
}
