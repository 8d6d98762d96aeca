//! Slash commands: people ask in Discord, and the bot answers from the database.
//!
//! * [`definitions`] are the commands, and [`register`] registers them on the bot's own Discord server. Only there
//!   they are answered.
//! * [`request`] is what a command asks for, [`answer`] what the bot answers, [`limits`] how often.
//!
//! Commands arrive over the gateway, and must be answered within three seconds. An answer that takes longer is announced first. Each
//! is answered in its own task, so a slow one holds up nothing; their number is bounded.

mod answer;
mod definitions;
mod limits;
pub mod register;
mod request;
mod respond;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time;
use tracing::{debug, info, warn};
use twilight_http::Client;
use twilight_model::application::interaction::{Interaction, InteractionData, InteractionType};
use twilight_model::id::Id;
use twilight_model::id::marker::{ApplicationMarker, GuildMarker};

use self::limits::{Kind, Limits, Verdict};
use self::request::{Partial, Refusal, Request};
use self::respond::Responder;
use crate::backoff::Backoff;
use crate::config::Discord;
use crate::db::Db;

/// Interactions that are answered at a time; further ones are dropped, and Discord tells the person that the bot did not answer.
const ANSWERS: usize = 32;
/// How long the bot waits after the commands could not be registered.
const REGISTER_BACKOFF: Backoff = Backoff::new(Duration::from_secs(30), Duration::from_secs(3600));

/// What the gateway passes on.
#[derive(Debug)]
pub(super) enum CommandEvent {
    /// A new session, of this application.
    Ready(Id<ApplicationMarker>),
    /// A command or a request for suggestions.
    Interaction(Box<Interaction>),
}

/// Registers the commands and answers them until dropped.
pub(super) async fn run(
    settings: Discord,
    public_url: Option<String>,
    client: Client,
    db: Db,
    mut events: mpsc::Receiver<CommandEvent>,
) {
    let mut commands = Commands {
        responder: Arc::new(Responder {
            client,
            db,
            public_url,
        }),
        settings,
        application: None,
        guild: None,
        register_at: None,
        backoff: REGISTER_BACKOFF,
        limits: Limits::default(),
        answers: JoinSet::new(),
    };
    loop {
        let register_at = commands.register_at;
        tokio::select! {
            event = events.recv() => match event {
                None => return,
                Some(CommandEvent::Ready(application)) => {
                    commands.application = Some(application);
                    if commands.guild.is_none() {
                        commands.register_at = Some(time::Instant::now());
                    }
                }
                Some(CommandEvent::Interaction(interaction)) => commands.begin(*interaction),
            },
            () = time::sleep_until(register_at.unwrap_or_else(time::Instant::now)), if register_at.is_some() => {
                commands.register().await;
            }
            Some(ended) = commands.answers.join_next() => {
                if let Err(error) = ended {
                    warn!("commands: an answer failed: {error}");
                }
            }
        }
    }
}

struct Commands {
    settings: Discord,
    responder: Arc<Responder>,
    application: Option<Id<ApplicationMarker>>,
    /// The Discord server on which commands are answered.
    guild: Option<Id<GuildMarker>>,
    /// When to register the commands; `None` once they are, or before the first session.
    register_at: Option<time::Instant>,
    backoff: Backoff,
    limits: Limits,
    answers: JoinSet<()>,
}

impl Commands {
    async fn register(&mut self) {
        self.register_at = None;
        let Some(application) = self.application else {
            return;
        };
        let (client, are_on) = (&self.responder.client, self.settings.commands);
        let registered = async {
            let guild = register::guild(client, &self.settings).await?;
            // Commands that were registered before are answered, even if they cannot be registered now.
            self.guild = Some(guild);
            register::register(client, application, guild, are_on).await
        };
        match registered.await {
            Ok(true) if are_on => info!("commands: registered"),
            Ok(true) => info!("commands: removed, because discord.commands is off"),
            Ok(false) => {}
            Err(error) => {
                let wait = self.backoff.next_wait();
                warn!(
                    "commands: cannot be registered: {error}; trying again in {} s",
                    wait.as_secs()
                );
                self.register_at = Some(time::Instant::now() + wait);
            }
        }
    }

    /// Begins to answer an interaction, if it is one of our commands from our server.
    fn begin(&mut self, interaction: Interaction) {
        if !self.settings.commands || self.guild.is_none() || interaction.guild_id != self.guild {
            debug!("commands: an interaction from elsewhere is ignored");
            return;
        }
        let (Some(person), Some(InteractionData::ApplicationCommand(data))) =
            (interaction.author_id(), &interaction.data)
        else {
            return;
        };
        let kind = match interaction.kind {
            InteractionType::ApplicationCommand => Kind::Command,
            InteractionType::ApplicationCommandAutocomplete => Kind::Suggestions,
            _ => return,
        };
        let (request, partial) = (Request::of(data), Partial::of(data));
        // Another program may use the same application.
        let is_ours = match kind {
            Kind::Command => request.is_some(),
            Kind::Suggestions => partial.is_some(),
        };
        if !is_ours {
            return;
        }
        if self.answers.len() >= ANSWERS {
            warn!("commands: {ANSWERS} are being answered; one more is dropped");
            return;
        }
        let mut request = request;
        match self.limits.count(person.get(), kind, Instant::now()) {
            Verdict::Answer => {}
            Verdict::Refuse { wait } if kind == Kind::Command => {
                let seconds = wait.as_secs() + 1;
                request = Some(Err(Refusal::TooMany { seconds }));
            }
            Verdict::Refuse { .. } | Verdict::Ignore => return,
        }
        let responder = Arc::clone(&self.responder);
        self.answers.spawn(async move {
            match (kind, request, partial) {
                (Kind::Command, Some(request), _) => {
                    responder.answer(&interaction, request).await;
                }
                (Kind::Suggestions, _, Some(partial)) => {
                    responder.suggest(&interaction, &partial).await;
                }
                _ => {}
            }
        });
    }
}
