//! Discord: messages of the control channel come in, messages for players go out.
//!
//! * [`gateway`] holds the connection over which new messages arrive.
//! * [`channel`] processes them in order, and [`history`] reads what was missed from the channel's history. [`progress`] knows
//!   which messages are finished.
//! * [`message`] decides whether a message is a round to store; [`attachments`] downloads its file, and [`downloads`] reads
//!   several messages with files at a time.
//! * [`posts`] keeps a message per round in the stats channel. [`text`], [`scoreboard`] and [`match_text`] write it.
//! * [`access`] knows what the bot's account may do, for `doctor` and `init`.

pub mod access;
mod attachments;
mod channel;
mod downloads;
mod gateway;
mod history;
mod match_text;
mod message;
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
use crate::writer::SourceContext;

/// The name of the control channel in the status, and the source of its items.
const SOURCE: &str = "discord";
/// Messages that can wait to be processed; further ones are read from the history later.
const QUEUE: usize = 1000;

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

/// Receives the messages of the control channel until dropped.
pub async fn run(settings: Discord, context: SourceContext) {
    if settings.webhook_ids.is_empty() {
        error!(
            "discord.webhook_ids is empty, so all messages are rejected; add the ids of your webhooks"
        );
    }
    let (sender, receiver) = mpsc::channel(QUEUE);
    let missed = Arc::new(AtomicBool::new(false));
    let connection = gateway::hold_connection(
        settings.clone(),
        sender,
        Arc::clone(&context.status),
        Arc::clone(&missed),
    );
    let channel = ControlChannel::new(settings, context, missed);
    tokio::join!(connection, channel.run(receiver));
}
