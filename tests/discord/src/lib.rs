//! A stand-in for Discord on a loopback port, for tests and the demo: webhooks, channel messages, attachments, slash commands and
//! the gateway, as far as recorders and the bot use them, with their limits, error codes and failures (unreachable, silent,
//! slow).
//!
//! It runs on a separate thread, so it serves blocking and async callers:
//!
//! ```
//! let discord = gametimes_discord_standin::Discord::start().unwrap();
//! println!("post to {}", discord.webhook_url());
//! assert!(discord.messages().is_empty());
//! ```

#![forbid(unsafe_code)]

mod gateway;
mod guild;
mod interactions;
mod rest;
mod state;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::serve::{Listener, ListenerExt};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

pub use interactions::Interaction;
use state::Shared;
pub use state::{FileAnswer, GUILD_ID, Message, TOKEN};

/// A running stand-in. Dropping it ends it.
#[derive(Debug)]
pub struct Discord {
    address: SocketAddr,
    state: Arc<Shared>,
    webhook: Webhook,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A webhook of the stand-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id, which is also the author's id of its messages.
    pub id: u64,
    /// The secret half of its URL.
    pub token: String,
    /// The channel it posts to.
    pub channel_id: u64,
}

impl Discord {
    /// Starts on a free loopback port with one channel and one webhook.
    ///
    /// # Errors
    /// When no loopback port can be bound.
    pub fn start() -> std::io::Result<Self> {
        Self::start_on(0)
    }

    /// Like [`Discord::start`] on a given port.
    ///
    /// # Errors
    /// When the port cannot be bound.
    pub fn start_on(port: u16) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let state = Arc::new(Shared::new(address));
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&state);
        let thread = std::thread::Builder::new()
            .name("discord-standin".into())
            .spawn(move || serve(listener, shared, stopped))?;
        let channel_id = state.lock().channel_id;
        let webhook = state.lock().add_webhook(channel_id);
        Ok(Self {
            address,
            state,
            webhook,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `host:port`, as twilight's `proxy` takes it.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// `ws://host:port`, as twilight's `proxy_url` takes it.
    pub fn gateway_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// The URL of the first webhook.
    pub fn webhook_url(&self) -> String {
        self.url_of(&self.webhook)
    }

    /// The first webhook.
    pub fn webhook(&self) -> Webhook {
        self.webhook.clone()
    }

    /// The URL of a webhook.
    pub fn url_of(&self, webhook: &Webhook) -> String {
        format!(
            "http://{}/api/webhooks/{}/{}",
            self.address, webhook.id, webhook.token
        )
    }

    /// The token that the bot must present.
    pub fn token(&self) -> &'static str {
        TOKEN
    }

    /// The channel of the first webhook.
    pub fn channel_id(&self) -> u64 {
        self.webhook.channel_id
    }

    /// Adds a webhook in any channel.
    pub fn add_webhook(&self, channel_id: u64) -> Webhook {
        self.state.lock().add_webhook(channel_id)
    }

    /// Denies the bot these permissions in a channel, in Discord's bits.
    pub fn deny(&self, channel_id: u64, permissions: u64) {
        self.state.lock().denied.insert(channel_id, permissions);
    }

    /// Adds a channel.
    pub fn add_channel(&self) -> u64 {
        self.state.lock().add_channel()
    }

    /// Deletes a message, as a person would: editing it answers 404 with code 10008 from now on.
    pub fn delete_message(&self, id: u64) {
        self.state.lock().messages.retain(|m| m.id != id);
    }

    /// The messages of one channel, oldest first.
    pub fn messages_in(&self, channel_id: u64) -> Vec<Message> {
        let mut messages = self.messages();
        messages.retain(|m| m.channel_id == channel_id);
        messages
    }

    /// Answers the bot's next posts and edits with these statuses instead of accepting them.
    pub fn fail_bot(&self, statuses: &[u16]) {
        self.state.lock().bot_failures.extend(statuses);
    }

    /// Accepts the bot's next post, but answers with an error, as if the connection were lost in between.
    pub fn lose_next_answer(&self) {
        self.state.lock().loses_answer = true;
    }

    /// Deletes a webhook: posting to it answers 404 with code 10015 from now on.
    pub fn remove_webhook(&self, id: u64) {
        self.state.lock().webhooks.remove(&id);
    }

    /// Everything that was posted, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.state.lock().messages.clone()
    }

    /// The bytes of a message's attachment.
    pub fn attachment(&self, message: &Message, index: usize) -> Option<Vec<u8>> {
        let id = message.json["attachments"][index]["id"].as_str()?;
        self.state
            .lock()
            .attachments
            .get(id)
            .map(|file| file.bytes.clone())
    }

    /// Posts as a webhook would, without HTTP: `body` is the webhook's JSON, `files` are name and bytes.
    pub fn post(&self, webhook_id: u64, body: &Value, files: &[(&str, &[u8])]) -> Option<Message> {
        let files = files
            .iter()
            .map(|(name, bytes)| (name.to_string(), bytes.to_vec()))
            .collect();
        self.state.lock().execute_webhook(webhook_id, body, files)
    }

    /// An id for [`Discord::post_late`].
    pub fn reserve_id(&self) -> u64 {
        self.state.lock().snowflake()
    }

    /// Posts with an id that was reserved earlier, as if Discord were slow with one of several messages.
    pub fn post_late(&self, id: u64, webhook_id: u64, body: &Value) -> Option<Message> {
        let mut state = self.state.lock();
        state.reserved = Some(id);
        state.execute_webhook(webhook_id, body, Vec::new())
    }

    /// Posts a message of a person.
    pub fn post_as_user(&self, channel_id: u64, username: &str, content: &str) -> Message {
        self.state
            .lock()
            .post_as_user(channel_id, username, content)
    }

    /// Cuts every gateway connection without a close frame. The sessions remain and can be resumed.
    pub fn drop_connections(&self) {
        self.state.lock().drop_connections();
    }

    /// Cuts every gateway connection and forgets the sessions: a resume answers "invalid session".
    pub fn forget_sessions(&self) {
        let mut state = self.state.lock();
        state.drop_connections();
        state.sessions.clear();
    }

    /// Sets whether gateway connections stay open without acknowledged heartbeats and without events.
    pub fn set_zombie(&self, zombie: bool) {
        self.state.lock().zombie = zombie;
    }

    /// Sets whether every connection is cut and nothing is answered. Messages posted with [`Discord::post`] meanwhile are in
    /// the history.
    pub fn set_gone(&self, gone: bool) {
        let mut state = self.state.lock();
        state.gone = gone;
        if gone {
            state.drop_connections();
        }
    }

    /// Answers downloads of attachments with this status; with `None`, serves them again.
    pub fn fail_attachments(&self, status: Option<u16>) {
        self.state.lock().cdn_failure = status;
    }

    /// Sets how downloads of attachments of this name are answered; until then they are served.
    pub fn set_file(&self, name: &str, answer: FileAnswer) {
        self.state
            .lock()
            .file_answers
            .insert(name.to_owned(), answer);
    }

    /// The number of downloads that are dripping now, see [`FileAnswer::Dripping`].
    pub fn dripping(&self) -> usize {
        Arc::strong_count(&self.state.lock().drips) - 1
    }

    /// Sets whether the bot has the Message Content intent in the Developer Portal, as it has at the start. Without it, the
    /// gateway refuses a client that asks for it, and the history returns the messages of others blank.
    pub fn set_message_content(&self, on: bool) {
        let mut state = self.state.lock();
        state.message_content = on;
        if !on {
            state.drop_connections();
            state.sessions.clear();
        }
    }

    /// Sets the interval of heartbeats from the next gateway connection on. Discord's value is 41,250 ms.
    pub fn set_heartbeat_interval(&self, interval: Duration) {
        self.state.lock().heartbeat_ms = interval.as_millis() as u64;
    }

    /// Answers the next `count` webhook posts with this status instead of accepting them.
    pub fn fail_next(&self, count: usize, status: u16) {
        self.state
            .lock()
            .failures
            .extend((0..count).map(|_| status));
    }

    /// Sets whether Discord's rate limits apply (5 posts per 2 s and webhook, 30 per 60 s and channel). Off at the start.
    pub fn enforce_rate_limits(&self, on: bool) {
        self.state.lock().rate_limits = on;
    }

    /// The commands that the bot has registered, and how often it has overwritten them.
    pub fn registered_commands(&self) -> (Vec<Value>, usize) {
        let state = self.state.lock();
        let registered = state.commands.registered.get(&GUILD_ID).cloned();
        (registered.unwrap_or_default(), state.commands.writes)
    }

    /// Registers a command of another program that uses the same application.
    pub fn add_foreign_command(&self, command: Value) {
        let mut state = self.state.lock();
        let registered = state.commands.registered.entry(GUILD_ID);
        registered.or_default().push(command);
    }

    /// Sets whether the bot was invited with the scope `applications.commands`, as it was at the start.
    pub fn set_commands_scope(&self, on: bool) {
        self.state.lock().commands.no_scope = !on;
    }

    /// A person uses a command on the guild. Returns a token for [`Discord::interaction`].
    pub fn use_command(&self, person: u64, name: &str, options: &[(&str, &str)]) -> String {
        let mut state = self.state.lock();
        let data = state.command_data(name, options, false);
        state.interact(2, Some(GUILD_ID), person, &data)
    }

    /// A person types in an option of a command on the guild.
    pub fn type_option(&self, person: u64, name: &str, option: &str, typed: &str) -> String {
        let mut state = self.state.lock();
        let data = state.command_data(name, &[(option, typed)], true);
        state.interact(4, Some(GUILD_ID), person, &data)
    }

    /// Sends any interaction: `kind` is its type, and without a guild it comes from a private chat.
    pub fn interact(&self, kind: u64, guild: Option<u64>, person: u64, data: &Value) -> String {
        self.state.lock().interact(kind, guild, person, data)
    }

    /// Sends an event that is not as Discord sends them.
    pub fn send_event(&self, kind: &str, data: &Value) {
        self.state.lock().dispatch_raw(kind, data);
    }

    /// What became of an interaction.
    pub fn interaction(&self, token: &str) -> Option<Interaction> {
        let state = self.state.lock();
        let mut interactions = state.commands.interactions.iter();
        interactions
            .find(|interaction| interaction.token == token)
            .cloned()
    }

    /// The number of gateway connections so far, and of those that resumed a session.
    pub fn connection_counts(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.identified + state.resumed, state.resumed)
    }
}

impl Drop for Discord {
    fn drop(&mut self) {
        self.state.lock().drop_connections();
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has already been printed.
            drop(thread.join());
        }
    }
}

fn serve(listener: std::net::TcpListener, state: Arc<Shared>, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime for the stand-in");
    runtime.block_on(async {
        let listener = Doorkeeper {
            listener: TcpListener::from_std(listener).expect("a bound listener"),
            state: Arc::clone(&state),
        };
        let app = rest::router(Arc::clone(&state)).merge(gateway::router(state));
        let server = axum::serve(
            listener.tap_io(|stream| drop(stream.set_nodelay(true))),
            app,
        );
        // Open connections end with the runtime.
        tokio::select! {
            result = server => result.expect("the stand-in serves"),
            _ = stopped => {}
        }
    });
    runtime.shutdown_background();
}

/// Cuts new connections while the stand-in is unreachable.
struct Doorkeeper {
    listener: TcpListener,
    state: Arc<Shared>,
}

impl Listener for Doorkeeper {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if !self.state.lock().gone {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
