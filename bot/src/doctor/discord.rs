//! Checks the bot's account, its channels and the webhooks.

use gametimes_format::message::CONTENT;
use gametimes_format::text::counted;
use twilight_http::Client;
use twilight_model::channel::Message;
use twilight_model::id::Id;
use twilight_model::id::marker::ApplicationMarker;

use super::{Findings, clock};
use crate::config::Discord;
use crate::discord::access::{self, CONTROL, STATS};
use crate::discord::client;
use crate::discord::commands::register;

/// Checks everything about Discord that the settings name.
pub(super) async fn examine(discord: &Discord, found: &mut Findings) {
    let client = client(discord);
    let account = match access::account(&client).await {
        Ok(account) => account,
        Err(error) => return found.bad("discord.token", error),
    };
    found.good("discord.token", format!("logged in as {}", account.name));
    if let Some(now) = account.now_unix {
        clock("Discord's clock", now, found);
    }
    match access::application(&client).await {
        Ok(application) => {
            if !application.reads_content {
                found.bad("discord.token", NO_CONTENT);
            }
            if discord.commands {
                commands(&client, discord, application.id, found).await;
            }
        }
        Err(error) => found.bad("discord.token", error),
    }
    let what = "discord.channel_id";
    match access::channel(&client, &account, discord.channel_id, CONTROL).await {
        Err(error) => found.bad(what, error),
        Ok(name) => match history(&client, discord.channel_id).await {
            Err(error) => found.bad(what, error),
            Ok(messages) => {
                found.good(what, format!("#{name}: its history can be read"));
                webhooks(discord, &messages, found);
            }
        },
    }
    let stats = discord.stats_channel.as_ref().map(|stats| stats.channel_id);
    for (what, channel_id) in [
        ("discord.stats_channel_id", stats),
        ("discord.live_channel_id", discord.live_channel_id),
    ] {
        let Some(channel_id) = channel_id else {
            continue;
        };
        match access::channel(&client, &account, channel_id, STATS).await {
            Ok(name) => found.good(what, format!("#{name} can be written to")),
            Err(error) => found.bad(what, error),
        }
    }
}

/// Checks that the commands can be registered, by asking for those that are.
async fn commands(
    client: &Client,
    settings: &Discord,
    application: Id<ApplicationMarker>,
    found: &mut Findings,
) {
    let registered = async {
        let guild = register::guild(client, settings).await?;
        register::registered(client, application, guild).await
    };
    let what = "discord.commands";
    match registered.await {
        Ok(commands) => found.good(
            what,
            format!(
                "{} registered; `run` and `receive` register the bot's",
                counted(commands.len(), "command")
            ),
        ),
        Err(error) => found.bad(what, format!("commands cannot be registered: {error}")),
    }
}

/// What to do if messages arrive without content.
const NO_CONTENT: &str =
    "messages arrive without content: enable the Message Content intent (Developer Portal, Bot)";

async fn history(client: &Client, id: u64) -> Result<Vec<Message>, String> {
    let response = client.channel_messages(Id::new(id)).limit(100).await;
    let response = response.map_err(|e| access::explain(&e))?;
    response.models().await.map_err(|e| e.to_string())
}

/// Compares the webhooks in the settings with those that posted to the control channel.
fn webhooks(discord: &Discord, messages: &[Message], found: &mut Findings) {
    let what = "discord.webhook_ids";
    let ready = messages.iter().filter(|m| m.content == CONTENT);
    let mut unknown: Vec<u64> = ready
        .filter_map(|m| Some(m.webhook_id?.get()))
        .filter(|id| !discord.webhook_ids.contains(id))
        .collect();
    unknown.sort_unstable();
    unknown.dedup();
    if discord.webhook_ids.is_empty() {
        let advice = if unknown.is_empty() {
            "add the first number in the URL of each of your webhooks".to_owned()
        } else {
            format!("add those of {unknown:?} that are yours")
        };
        found.bad(
            what,
            format!("empty, so all messages are rejected; {advice}"),
        );
    } else if unknown.is_empty() {
        found.good(what, counted(discord.webhook_ids.len(), "webhook"));
    } else {
        found.bad(what, format!("other webhooks posted STATS_READY: {unknown:?}; add those that are yours, and delete the others in Discord"));
    }
}
