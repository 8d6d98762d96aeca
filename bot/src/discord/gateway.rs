//! The connection to Discord's gateway. twilight resumes it, reconnects, backs off and notices dead connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time;
use tracing::{debug, error, info, warn};
use twilight_gateway::error::ReceiveMessageErrorType;
use twilight_gateway::{
    ConfigBuilder, Event, EventTypeFlags, Intents, Shard, ShardId, StreamExt as _,
};

use super::commands::CommandEvent;
use super::message::Incoming;
use crate::backoff::Backoff;
use crate::config::Discord;
use crate::status::Status;

const EVENTS: EventTypeFlags = EventTypeFlags::MESSAGE_CREATE
    .union(EventTypeFlags::READY)
    .union(EventTypeFlags::RESUMED)
    .union(EventTypeFlags::INTERACTION_CREATE)
    .union(EventTypeFlags::GATEWAY_INVALIDATE_SESSION);

/// What the connection passes on.
pub(super) enum GatewayEvent {
    /// A message in the control channel.
    Message(Box<Incoming>),
    /// A new or resumed session: messages may have been missed before it.
    Connected,
}

/// Where events go.
pub(super) struct Receivers {
    /// The control channel.
    pub messages: mpsc::Sender<GatewayEvent>,
    /// The commands.
    pub commands: mpsc::Sender<CommandEvent>,
}

/// Stays connected until dropped. Sets `missed` when an event is lost because the queue is full.
pub(super) async fn hold_connection(
    settings: Discord,
    receivers: Receivers,
    status: Arc<Status>,
    missed: Arc<AtomicBool>,
) {
    let intents = Intents::GUILD_MESSAGES | Intents::MESSAGE_CONTENT;
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));
    loop {
        let mut builder = ConfigBuilder::new(settings.token.reveal().to_owned(), intents);
        if let Some(url) = &settings.gateway_url {
            builder = builder.proxy_url(url.clone());
        }
        let mut shard = Shard::with_config(ShardId::ONE, builder.build());
        while let Some(event) = shard.next_event(EVENTS).await {
            if let Ok(Event::Ready(ready)) = &event {
                let ready = CommandEvent::Ready(ready.application.id);
                // The queue is empty before the first session. After that, the application is known.
                drop(receivers.commands.try_send(ready));
            }
            match event {
                Ok(Event::Ready(_) | Event::Resumed) => {
                    backoff.reset();
                    info!("connected to Discord");
                    status.set_discord_connected(true);
                    if receivers
                        .messages
                        .try_send(GatewayEvent::Connected)
                        .is_err()
                    {
                        missed.store(true, Ordering::Release);
                    }
                }
                Ok(Event::MessageCreate(message)) => {
                    let message = Incoming::from(message.message);
                    if message.channel_id == settings.channel_id
                        && receivers
                            .messages
                            .try_send(GatewayEvent::Message(Box::new(message)))
                            .is_err()
                    {
                        // Set before any later message is queued, so that none is processed before the lost ones.
                        missed.store(true, Ordering::Release);
                        warn!(
                            "the queue of messages is full; the rest is read from the control channel's history"
                        );
                    }
                }
                Ok(Event::InteractionCreate(interaction)) => {
                    let interaction = CommandEvent::Interaction(Box::new(interaction.0));
                    if receivers.commands.try_send(interaction).is_err() {
                        warn!("the queue of commands is full; one is not answered");
                    }
                }
                Ok(Event::GatewayClose(frame)) => {
                    status.set_discord_connected(false);
                    let reason = frame
                        .map(|f| format!("{} {}", f.code, f.reason))
                        .unwrap_or_default();
                    info!("Discord closed the connection: {reason}");
                }
                Ok(_) => {}
                Err(error) => {
                    // An event that twilight cannot parse does not end the connection.
                    if !matches!(error.kind(), ReceiveMessageErrorType::Deserializing { .. }) {
                        status.set_discord_connected(false);
                    }
                    debug!("gateway: {error}");
                }
            }
        }
        // The stream ends only after a fatal close: a wrong token, or an intent that is not enabled.
        status.set_discord_connected(false);
        let wait = backoff.next_wait();
        error!(
            "Discord refuses the connection: check discord.token, and that the bot has the Message Content intent \
             (Developer Portal, Bot); trying again in {} s",
            wait.as_secs()
        );
        time::sleep(wait).await;
    }
}
