//! Sends answers to Discord.

use std::time::Duration;

use serde_json::Value as Json;
use tokio::time;
use tracing::{debug, warn};
use twilight_http::Client;
use twilight_http::api_error::ApiError;
use twilight_http::error::ErrorType;
use twilight_model::application::interaction::Interaction;
use twilight_model::channel::message::{AllowedMentions, Embed, MessageFlags};
use twilight_model::http::interaction::{
    InteractionResponse, InteractionResponseData, InteractionResponseType,
};

use super::answer::{answer, suggestions};
use super::request::{Partial, Refusal, Request};
use crate::db::Db;

/// Discord waits three seconds for the first response. An answer that takes longer than this is announced.
const DIRECT: Duration = Duration::from_millis(1500);
/// How long an announced answer may take.
const DEFERRED: Duration = Duration::from_secs(60);
/// Discord's error codes for an interaction that is too old, and one that another bot has answered.
const LATE: [u64; 2] = [10_062, 40_060];

/// Answers commands.
#[derive(Debug)]
pub(super) struct Responder {
    pub client: Client,
    pub db: Db,
    /// Where people open the pages.
    pub public_url: Option<String>,
}

impl Responder {
    /// Answers a command. A refusal is shown to the person alone.
    pub async fn answer(&self, interaction: &Interaction, request: Result<Request, Refusal>) {
        let answer = async {
            let embed = answer(&self.db, &request?, self.public_url.as_deref()).await?;
            embed_of(embed)
        };
        tokio::pin!(answer);
        let Ok(direct) = time::timeout(DIRECT, &mut answer).await else {
            let kind = InteractionResponseType::DeferredChannelMessageWithSource;
            if self.respond(interaction, kind, None).await {
                let late = time::timeout(DEFERRED, answer).await;
                let late = late.unwrap_or(Err(Refusal::Unavailable));
                self.complete(interaction, late).await;
            }
            return;
        };
        let data = match direct {
            Ok(embed) => InteractionResponseData {
                embeds: Some(vec![embed]),
                ..no_mentions()
            },
            Err(refusal) => InteractionResponseData {
                content: Some(refusal.to_string()),
                flags: Some(MessageFlags::EPHEMERAL),
                ..no_mentions()
            },
        };
        let kind = InteractionResponseType::ChannelMessageWithSource;
        self.respond(interaction, kind, Some(data)).await;
    }

    /// Suggests how to complete what is being typed.
    pub async fn suggest(&self, interaction: &Interaction, partial: &Partial) {
        // Suggestions for what was typed more than three seconds ago are of no use.
        let Ok(choices) = time::timeout(2 * DIRECT, suggestions(&self.db, partial)).await else {
            return;
        };
        let kind = InteractionResponseType::ApplicationCommandAutocompleteResult;
        let data = InteractionResponseData {
            choices: Some(choices),
            ..InteractionResponseData::default()
        };
        self.respond(interaction, kind, Some(data)).await;
    }

    /// Sends the first response. Returns whether Discord accepted it.
    async fn respond(
        &self,
        interaction: &Interaction,
        kind: InteractionResponseType,
        data: Option<InteractionResponseData>,
    ) -> bool {
        let response = InteractionResponse { kind, data };
        let client = self.client.interaction(interaction.application_id);
        let sent = client.create_response(interaction.id, &interaction.token, &response);
        accepted(sent.await)
    }

    /// Replaces the announcement with the answer. A refusal is shown to the person alone.
    async fn complete(&self, interaction: &Interaction, answer: Result<Embed, Refusal>) {
        let client = self.client.interaction(interaction.application_id);
        let (token, mentions) = (&interaction.token, AllowedMentions::default());
        match answer {
            Ok(embed) => {
                let embeds = [embed];
                let edit = client.update_response(token).embeds(Some(&embeds));
                accepted(edit.allowed_mentions(Some(&mentions)).await);
            }
            Err(refusal) => {
                accepted(client.delete_response(token).await);
                let text = refusal.to_string();
                let message = client.create_followup(token).content(&text);
                let message = message.flags(MessageFlags::EPHEMERAL);
                accepted(message.allowed_mentions(Some(&mentions)).await);
            }
        }
    }
}

fn no_mentions() -> InteractionResponseData {
    InteractionResponseData {
        allowed_mentions: Some(AllowedMentions::default()),
        ..InteractionResponseData::default()
    }
}

/// An embed in the form that the client takes.
fn embed_of(mut embed: Json) -> Result<Embed, Refusal> {
    embed["type"] = "rich".into();
    serde_json::from_value(embed).map_err(|error| {
        warn!("commands: the answer cannot be written: {error}");
        Refusal::Unavailable
    })
}

fn accepted<T>(result: Result<T, twilight_http::Error>) -> bool {
    let Err(error) = result else {
        return true;
    };
    match error.kind() {
        ErrorType::Response {
            error: ApiError::General(error),
            ..
        } if LATE.contains(&error.code) => {
            debug!("commands: answered too late, or by another bot: {error}");
        }
        _ => warn!("commands: {error}"),
    }
    false
}
