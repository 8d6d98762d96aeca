//! Slash commands: what a bot has registered, and the interactions of people who use them.
//!
//! Interactions arrive over the gateway. A bot must respond to each within three seconds, once; then it may edit or delete the
//! response, and add messages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use crate::rest::{App, authorized, error, within_limits};
use crate::state::{BOT_ID, GUILD_ID, Shared, State as Content};

/// How long Discord waits for the first response.
const PATIENCE: Duration = Duration::from_secs(3);
/// The flag of a message that only the person sees who used the command.
const EPHEMERAL: u64 = 1 << 6;

/// Message with an answer, announcement of an answer, suggestions.
const MESSAGE: u64 = 4;
const DEFERRED: u64 = 5;
const SUGGESTIONS: u64 = 8;

/// An interaction that was sent to the bot.
#[derive(Debug, Clone)]
pub struct Interaction {
    pub(crate) id: String,
    pub(crate) token: String,
    sent: Instant,
    /// The first response, `{"type", "data"}`; null until the bot responds.
    pub response: Value,
    /// The message as people see it now; null if there is none, and while the answer is only announced.
    pub message: Value,
    /// Messages that the bot added.
    pub followups: Vec<Value>,
    is_deleted: bool,
}

impl Interaction {
    /// Whether only the person who used the command sees this message.
    pub fn is_ephemeral(message: &Value) -> bool {
        message["flags"].as_u64().unwrap_or(0) & EPHEMERAL != 0
    }
}

/// What the stand-in knows about commands.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    /// Whether the bot was invited without the scope `applications.commands`.
    pub no_scope: bool,
    /// The registered commands, by guild.
    pub registered: BTreeMap<u64, Vec<Value>>,
    /// How often they were overwritten.
    pub writes: usize,
    pub interactions: Vec<Interaction>,
}

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route(
            "/applications/{application}/guilds/{guild}/commands",
            get(commands).put(overwrite),
        )
        .route("/interactions/{id}/{token}/callback", post(callback))
        .route(
            "/webhooks/{id}/{token}/messages/@original",
            get(original).patch(edit).delete(delete),
        )
}

impl Content {
    /// Sends an interaction to every session, whatever its intents are.
    pub fn interact(&mut self, kind: u64, guild: Option<u64>, person: u64, data: &Value) -> String {
        let id = self.snowflake().to_string();
        let token = format!("interaction-{id}");
        let user = json!({
            "id": person.to_string(), "username": format!("person{person}"), "avatar": null, "discriminator": "0",
            "public_flags": 0, "global_name": null,
        });
        let mut interaction = json!({
            "id": id, "application_id": BOT_ID.to_string(), "type": kind, "token": token, "version": 1,
            "channel_id": self.channel_id.to_string(),
            "channel": { "id": self.channel_id.to_string(), "type": 0 },
            "app_permissions": "2147483647", "locale": "en-US", "entitlements": [],
            "authorizing_integration_owners": { "0": GUILD_ID.to_string() }, "attachment_size_limit": 10_485_760,
            "data": data,
        });
        match guild {
            Some(guild) => {
                interaction["guild_id"] = guild.to_string().into();
                interaction["guild"] =
                    json!({ "id": guild.to_string(), "locale": "en-US", "features": [] });
                interaction["guild_locale"] = "en-US".into();
                interaction["context"] = 0.into();
                interaction["member"] = json!({
                    "user": user, "roles": [], "joined_at": "2020-01-01T00:00:00.000000+00:00", "deaf": false,
                    "mute": false, "nick": null, "avatar": null, "premium_since": null, "pending": false, "flags": 0,
                    "permissions": "2147483647", "communication_disabled_until": null,
                });
            }
            None => {
                interaction["context"] = 1.into();
                interaction["user"] = user;
            }
        }
        self.commands.interactions.push(Interaction {
            id,
            token: token.clone(),
            sent: Instant::now(),
            response: Value::Null,
            message: Value::Null,
            followups: Vec::new(),
            is_deleted: false,
        });
        self.dispatch_raw("INTERACTION_CREATE", &interaction);
        token
    }

    /// The data of a command as Discord sends it.
    pub fn command_data(&self, name: &str, options: &[(&str, &str)], focused: bool) -> Value {
        let registered = self.commands.registered.get(&GUILD_ID);
        let mut registered = registered.into_iter().flatten();
        let command = registered.find(|command| command["name"] == name);
        let id = command.map_or_else(|| json!("1"), |command| command["id"].clone());
        let options: Vec<Value> = options
            .iter()
            .map(|(name, value)| {
                let mut option = json!({ "type": 3, "name": name, "value": value });
                if focused {
                    option["focused"] = true.into();
                }
                option
            })
            .collect();
        json!({ "id": id, "name": name, "type": 1, "guild_id": GUILD_ID.to_string(), "options": options })
    }

    fn interaction(&mut self, token: &str) -> Option<&mut Interaction> {
        let mut interactions = self.commands.interactions.iter_mut();
        interactions.find(|interaction| interaction.token == token)
    }
}

fn unknown_webhook() -> Response {
    error(StatusCode::NOT_FOUND, 10015, "Unknown Webhook")
}

fn bad(what: &str) -> Response {
    error(
        StatusCode::BAD_REQUEST,
        50035,
        &format!("Invalid Form Body: {what}"),
    )
}

/// Fails if the application may not have commands in the guild.
fn may_register(
    state: &Shared,
    headers: &HeaderMap,
    application: u64,
    guild: u64,
) -> Result<(), Box<Response>> {
    authorized(headers)?;
    if application != BOT_ID {
        let text = "You do not have access to that application";
        return Err(Box::new(error(StatusCode::FORBIDDEN, 20012, text)));
    }
    if guild != GUILD_ID || state.lock().commands.no_scope {
        return Err(Box::new(error(
            StatusCode::FORBIDDEN,
            50001,
            "Missing Access",
        )));
    }
    Ok(())
}

async fn commands(
    State(state): App,
    headers: HeaderMap,
    Path((application, guild)): Path<(u64, u64)>,
) -> Response {
    if let Err(response) = may_register(&state, &headers, application, guild) {
        return *response;
    }
    let registered = state.lock().commands.registered.get(&guild).cloned();
    axum::Json(registered.unwrap_or_default()).into_response()
}

/// Replaces all commands of the guild. Those with a name that exists keep its id.
async fn overwrite(
    State(state): App,
    headers: HeaderMap,
    Path((application, guild)): Path<(u64, u64)>,
    axum::Json(wanted): axum::Json<Vec<Value>>,
) -> Response {
    if let Err(response) = may_register(&state, &headers, application, guild) {
        return *response;
    }
    if let Err(what) = wanted.iter().try_for_each(check_command) {
        return bad(&what);
    }
    let mut state = state.lock();
    let before = state.commands.registered.remove(&guild).unwrap_or_default();
    let mut stored = Vec::new();
    for command in wanted {
        let known = before.iter().find(|old| old["name"] == command["name"]);
        let id = match known {
            Some(old) => old["id"].clone(),
            None => state.snowflake().to_string().into(),
        };
        let version = state.snowflake().to_string();
        stored.push(json!({
            "id": id, "application_id": BOT_ID.to_string(), "guild_id": guild.to_string(), "version": version,
            "type": command["type"].as_u64().unwrap_or(1), "name": command["name"],
            "description": command["description"], "options": as_stored(&command["options"]),
            "default_member_permissions": null, "dm_permission": true, "contexts": null, "integration_types": [0],
            "nsfw": false,
        }));
    }
    state.commands.writes += 1;
    state.commands.registered.insert(guild, stored.clone());
    axum::Json(stored).into_response()
}

/// Options as Discord returns them: without what is false or empty.
fn as_stored(options: &Value) -> Value {
    let mut options = options.as_array().cloned().unwrap_or_default();
    for option in options.iter_mut().filter_map(Value::as_object_mut) {
        option.retain(|_, value| !value.is_null() && *value != json!(false) && *value != json!([]));
    }
    options.into()
}

fn check_text(what: &str, text: &Value, most: usize) -> Result<(), String> {
    let length = text.as_str().map_or(0, |text| text.chars().count());
    if (1..=most).contains(&length) {
        return Ok(());
    }
    Err(format!(
        "{what}: Must be between 1 and {most} in length, is {length}"
    ))
}

fn check_name(name: &Value) -> Result<(), String> {
    check_text("name", name, 32)?;
    let name = name.as_str().unwrap_or_default();
    let is_allowed = |c: char| c.is_alphanumeric() || "-_'".contains(c);
    match name.chars().all(is_allowed) && name == name.to_lowercase() {
        true => Ok(()),
        false => Err(format!("name: Command name is invalid: {name}")),
    }
}

fn check_command(command: &Value) -> Result<(), String> {
    check_name(&command["name"])?;
    check_text("description", &command["description"], 100)?;
    let none = Vec::new();
    let options = command["options"].as_array().unwrap_or(&none);
    if options.len() > 25 {
        return Err("options: Must be 25 or fewer in length.".into());
    }
    let mut may_be_required = true;
    for option in options {
        check_name(&option["name"])?;
        check_text("description", &option["description"], 100)?;
        if option["required"] == true && !may_be_required {
            return Err(
                "options: Required options must be placed before non-required options".into(),
            );
        }
        may_be_required = option["required"] == true;
        let choices = option["choices"].as_array();
        if choices.is_some_and(|list| !list.is_empty()) && option["autocomplete"] == true {
            return Err("options: Options with choices cannot have autocomplete".into());
        }
        check_choices(&option["choices"])?;
    }
    Ok(())
}

fn check_choices(choices: &Value) -> Result<(), String> {
    let choices = choices.as_array().cloned().unwrap_or_default();
    if choices.len() > 25 {
        return Err("choices: Must be 25 or fewer in length.".into());
    }
    choices.iter().try_for_each(|choice| {
        check_text("choices.name", &choice["name"], 100)?;
        check_text("choices.value", &choice["value"], 100)
    })
}

async fn callback(
    State(state): App,
    Path((id, token)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let Ok(response) = serde_json::from_slice::<Value>(&body) else {
        return bad("not JSON");
    };
    let mut state = state.lock();
    let message_id = state.snowflake();
    let found = state.interaction(&token);
    let Some(interaction) = found.filter(|i| i.id == id && i.sent.elapsed() < PATIENCE) else {
        return error(StatusCode::NOT_FOUND, 10062, "Unknown interaction");
    };
    if !interaction.response.is_null() {
        return error(
            StatusCode::BAD_REQUEST,
            40060,
            "Interaction has already been acknowledged.",
        );
    }
    let data = &response["data"];
    let checked = match response["type"].as_u64() {
        Some(MESSAGE) => within_limits(data),
        Some(DEFERRED) => Ok(()),
        Some(SUGGESTIONS) => check_choices(&data["choices"]),
        _ => Err("type: unknown".into()),
    };
    if let Err(what) = checked {
        return bad(&what);
    }
    if response["type"] == MESSAGE {
        interaction.message = as_message(message_id, data);
    }
    interaction.response = response;
    StatusCode::NO_CONTENT.into_response()
}

fn as_message(id: u64, data: &Value) -> Value {
    json!({
        "id": id.to_string(), "channel_id": "1", "type": 20, "content": data["content"].as_str().unwrap_or_default(),
        "author": {
            "id": BOT_ID.to_string(), "username": "gametimes", "avatar": null, "discriminator": "0", "public_flags": 0,
            "bot": true, "global_name": null,
        },
        "embeds": data["embeds"].as_array().cloned().unwrap_or_default(), "attachments": [],
        "timestamp": "2026-11-20T12:00:00.000000+00:00", "edited_timestamp": null, "tts": false,
        "mention_everyone": false, "mentions": [], "mention_roles": [], "pinned": false, "components": [],
        "flags": data["flags"].as_u64().unwrap_or(0), "allowed_mentions": data["allowed_mentions"],
    })
}

/// The response of an interaction; an error before there is one, and after it was deleted.
fn responded<'a>(
    state: &'a mut Content,
    application: u64,
    token: &str,
) -> Result<&'a mut Interaction, Box<Response>> {
    let found = state.interaction(token).filter(|_| application == BOT_ID);
    let found = found.filter(|interaction| !interaction.response.is_null());
    let interaction = found.ok_or_else(|| Box::new(unknown_webhook()))?;
    if interaction.is_deleted {
        let response = error(StatusCode::NOT_FOUND, 10008, "Unknown Message");
        return Err(Box::new(response));
    }
    Ok(interaction)
}

async fn original(State(state): App, Path((application, token)): Path<(u64, String)>) -> Response {
    let mut state = state.lock();
    match responded(&mut state, application, &token) {
        Ok(interaction) => axum::Json(interaction.message.clone()).into_response(),
        Err(response) => *response,
    }
}

async fn edit(
    State(state): App,
    Path((application, token)): Path<(u64, String)>,
    body: Bytes,
) -> Response {
    let Ok(data) = serde_json::from_slice::<Value>(&body) else {
        return bad("not JSON");
    };
    if let Err(what) = within_limits(&data) {
        return bad(&what);
    }
    let mut state = state.lock();
    let id = state.snowflake();
    match responded(&mut state, application, &token) {
        Ok(interaction) => {
            interaction.message = as_message(id, &data);
            axum::Json(interaction.message.clone()).into_response()
        }
        Err(response) => *response,
    }
}

async fn delete(State(state): App, Path((application, token)): Path<(u64, String)>) -> Response {
    let mut state = state.lock();
    match responded(&mut state, application, &token) {
        Ok(interaction) => {
            interaction.is_deleted = true;
            interaction.message = Value::Null;
            StatusCode::NO_CONTENT.into_response()
        }
        Err(response) => *response,
    }
}

/// Adds a message to an interaction: the same address as posting through a webhook, with the application's id.
pub(crate) fn follow_up(state: &Shared, token: &str, body: &Value) -> Response {
    if let Err(what) = within_limits(body) {
        return bad(&what);
    }
    let mut state = state.lock();
    let id = state.snowflake();
    let found = state.interaction(token);
    let Some(interaction) = found.filter(|interaction| !interaction.response.is_null()) else {
        return unknown_webhook();
    };
    let message = as_message(id, body);
    interaction.followups.push(message.clone());
    axum::Json(message).into_response()
}
