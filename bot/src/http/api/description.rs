//! The API's OpenAPI description.

use axum::Json;
use axum::extract::State;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{self, Server};
use utoipa::{Modify, OpenApi};

use crate::http::state::App;

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
        description = "Rounds of ET:Legacy with their exact times. Read-only, except that recorders post to `/api/live`. The token is required if `api_token` is set; \
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
        super::round_players,
        super::timeline,
        super::matches::matches,
        super::matches::found_match,
        super::matches::evenings,
        super::players::players,
        super::players::player,
        super::players::maps,
        super::file_schema,
        super::rejected,
        super::lua_webhook,
        super::spawn_audit,
        super::live::live,
        super::live::live_stream,
        super::live::post_live
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
