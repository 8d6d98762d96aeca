//! The API's OpenAPI description.

use axum::Json;
use axum::extract::State;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{self, Server};
use utoipa::{IntoResponses, Modify, OpenApi};

use crate::http::error::ErrorAnswer;
use crate::http::state::App;

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

/// The two ways to send the token.
struct TokenSchemes;

impl Modify for TokenSchemes {
    fn modify(&self, description: &mut openapi::OpenApi) {
        let components = description.components.get_or_insert_default();
        for (name, scheme) in [
            ("bearer", HttpAuthScheme::Bearer),
            ("basic", HttpAuthScheme::Basic),
        ] {
            components.add_security_scheme(name, SecurityScheme::Http(Http::new(scheme)));
        }
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "gametimes",
        description = "Rounds of ET:Legacy with their exact times. Read-only. The token is required if `api_token` is set; \
                       with `basic` it is the password, and any user name works. Lists are also CSV: with `Accept: text/csv`, or \
                       if the path ends in `.csv`.",
        license(name = "MIT", identifier = "MIT")
    ),
    servers((url = "/", description = "this bot")),
    security((), ("bearer" = []), ("basic" = [])),
    modifiers(&TokenSchemes),
    paths(
        super::health,
        super::rounds,
        super::round,
        super::players,
        super::timeline,
        super::matches::matches,
        super::matches::found_match,
        super::matches::evenings,
        super::file_schema,
        super::rejected,
        super::lua_webhook,
        super::spawn_audit
    )
)]
struct Description;

/// `/api/openapi.json`. The server is `public_url` if it is set.
pub async fn openapi(State(app): State<App>) -> Json<openapi::OpenApi> {
    let mut description = Description::openapi();
    if let Some(url) = &app.public_url {
        description.servers = Some(vec![Server::new(url.as_ref())]);
    }
    Json(description)
}
