//! Answers to requests that failed.

use std::net::SocketAddr;

use axum::Extension;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use gametimes_format::text::cut;
use serde::Serialize;

use crate::db::DbError;

/// The JSON of a failed request.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorAnswer {
    error: ErrorText,
}

/// What failed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ErrorText {
    /// What is wrong.
    message: String,
    /// The values that are allowed, if one of the request is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<String>,
}

/// An error answer, as JSON.
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

    /// A failure of the bot itself. The answer has no details; they are in the log.
    pub(crate) fn internal() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            message: "internal error; the bot's log has the details".into(),
            allowed: None,
        }
    }

    /// A method other than GET and HEAD.
    pub(crate) fn method_not_allowed() -> Self {
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            message: "this interface is read-only".into(),
            allowed: Some("GET, HEAD".into()),
        }
    }

    /// A posted snapshot that is not taken.
    pub(crate) fn refused(status: StatusCode, message: String) -> Self {
        Self {
            status,
            message,
            allowed: None,
        }
    }

    /// All streams that may be open are.
    pub(crate) fn busy() -> Self {
        let message = "too many streams are open; try again later, or raise max_connections";
        Self::refused(StatusCode::SERVICE_UNAVAILABLE, message.into())
    }

    /// The token is missing or wrong.
    pub(crate) fn unauthorized() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            message: "the api_token is required: as the password, with any user name, or in the header Authorization: Bearer <api_token>".into(),
            allowed: None,
        }
    }

    /// The request is for a host name that is not allowed.
    pub(crate) fn wrong_host(host: &str, listen: SocketAddr) -> Self {
        let shown = cut(host, 80);
        Self {
            status: StatusCode::MISDIRECTED_REQUEST,
            message: format!(
                "the host name {shown:?} is not allowed; open http://{listen}, or add the name to allowed_hosts"
            ),
            allowed: None,
        }
    }

    /// The status, the message and what is allowed.
    pub fn parts(&self) -> (StatusCode, &str, Option<&str>) {
        (self.status, &self.message, self.allowed.as_deref())
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        // The text may contain internal details, so only the log gets it.
        tracing::error!("answering a request: {error}");
        let message = "the database does not answer; the bot's log has the details".into();
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            message,
            allowed: None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let json = axum::Json(ErrorAnswer {
            error: ErrorText {
                message: self.message.clone(),
                allowed: self.allowed.clone(),
            },
        });
        // The extension lets a browser have the same answer as a page.
        (self.status, Extension(self), json).into_response()
    }
}
