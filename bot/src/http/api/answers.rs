//! The answers that many requests can get, for the OpenAPI description.

use utoipa::IntoResponses;

use crate::http::error::ErrorAnswer;

/// The answer to `If-None-Match`.
#[derive(IntoResponses)]
#[response(
    status = 304,
    description = "Nothing has changed since the answer with the tag in `If-None-Match`."
)]
pub struct Kept;

/// The answer to an invalid request.
#[derive(IntoResponses)]
#[response(
    status = 400,
    description = "A parameter is invalid; the answer names the allowed values."
)]
#[expect(dead_code, reason = "only describes answers")]
pub struct Invalid(ErrorAnswer);

/// The answer for an id that does not exist.
#[derive(IntoResponses)]
#[response(status = 404, description = "There is nothing with this id.")]
#[expect(dead_code, reason = "only describes answers")]
pub struct Missing(ErrorAnswer);

/// The answers that every request can get.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only describes answers")]
pub enum Refused {
    #[response(
        status = 401,
        description = "The `api_token` is set, and it is missing in the request or wrong."
    )]
    Token(ErrorAnswer),
    #[response(
        status = 421,
        description = "No `api_token` is set, and the host name is not in `allowed_hosts`."
    )]
    Host(ErrorAnswer),
    #[response(status = 503, description = "The database does not answer.")]
    Database(ErrorAnswer),
}
