//! The page for requests that failed.

use askama::Template;
use axum::http::StatusCode;
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
