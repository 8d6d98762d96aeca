//! Discord: messages of the control channel come in, messages for players go out, and commands are answered.
//!
//! * [`gateway`] holds the connection over which new messages arrive.
//! * [`channel`] processes them in order, and [`history`] reads what was missed from the control channel's history. [`progress`] knows
//!   which messages are finished.
//! * [`message`] decides whether a message is a round to store; [`attachments`] downloads its file, and [`downloads`] reads
//!   several messages with files at a time.
//! * [`access`] knows what the bot's account may do, for `doctor` and `init`.
//! * [`commands`] answers slash commands.
//! * [`posts`] keeps a message of each round in the stats channel, and of each evening. [`text`], [`scoreboard`], [`match_text`] and
//!   [`evening_text`] write what they show.

pub mod access;
mod attachments;
mod channel;
pub mod commands;
mod downloads;
mod evening_text;
mod gateway;
mod history;
mod match_text;
mod message;
mod player_text;
pub mod posts;
mod progress;
mod scoreboard;
mod text;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::error;
use twilight_http::Client;

use self::channel::ControlChannel;
use crate::config::Discord;
use crate::db::rounds::RoundDetail;
use crate::db::{Db, DbError};
use crate::writer::SourceContext;

/// The name of the control channel in the status, and the source of its items.
const SOURCE: &str = "discord";
/// Messages that can wait to be processed; further ones are read from the history later.
const QUEUE: usize = 1000;
/// Commands that can wait to be answered; further ones are dropped.
const COMMAND_QUEUE: usize = 100;

/// The client for Discord's REST API.
pub fn client(settings: &Discord) -> Client {
    client_with(settings.token.reveal(), settings.proxy.as_deref())
}

/// The client for Discord's REST API, with a token that is not in the settings yet. `proxy` is `host:port`.
pub fn client_with(token: &str, proxy: Option<&str>) -> Client {
    let builder = Client::builder()
        .token(token.to_owned())
        .timeout(Duration::from_secs(15));
    match proxy {
        Some(proxy) => builder
            .proxy(proxy.to_owned(), true)
            .ratelimiter(None)
            .build(),
        None => builder.build(),
    }
}

/// Receives the messages of the control channel and answers commands until dropped. `public_url` is where people open the pages.
pub async fn run(settings: Discord, public_url: Option<String>, context: SourceContext) {
    if settings.webhook_ids.is_empty() {
        error!(
            "discord.webhook_ids is empty, so all messages are rejected; add the ids of your webhooks"
        );
    }
    let (sender, receiver) = mpsc::channel(QUEUE);
    let (commands, command_events) = mpsc::channel(COMMAND_QUEUE);
    let missed = Arc::new(AtomicBool::new(false));
    let connection = gateway::hold_connection(
        settings.clone(),
        gateway::Receivers {
            messages: sender,
            commands,
        },
        Arc::clone(&context.status),
        Arc::clone(&missed),
    );
    let (client, db) = (client(&settings), context.db.clone());
    let commands = commands::run(settings.clone(), public_url, client, db, command_events);
    let channel = ControlChannel::new(settings, context, missed);
    tokio::join!(connection, channel.run(receiver), commands);
}

/// The rounds with these ids, as far as they exist.
async fn rounds_of(db: &Db, ids: Vec<i64>) -> Result<Vec<RoundDetail>, DbError> {
    let mut rounds = Vec::new();
    for id in ids {
        rounds.extend(db.round(id).await?);
    }
    Ok(rounds)
}
