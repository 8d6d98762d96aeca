//! The state of the stand-in, and the shapes of Discord's objects.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use crate::Webhook;
use crate::interactions::Commands;

/// The bot's token.
pub const TOKEN: &str = "MTA.standin.token";
/// The one guild.
pub const GUILD_ID: u64 = 1_000;
pub(crate) const BOT_ID: u64 = 1_001;
/// How long Discord remembers nonces: "the past few minutes".
const NONCE_KEPT: Duration = Duration::from_secs(180);
pub(crate) const INTENT_MESSAGE_CONTENT: u64 = 1 << 15;
const INTENT_GUILD_MESSAGES: u64 = 1 << 9;

/// A message in a channel.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its snowflake.
    pub id: u64,
    /// The channel.
    pub channel_id: u64,
    /// The object as Discord's REST API returns it.
    pub json: Value,
    /// The JSON body as it was posted.
    pub body: Value,
}

/// How the download of an attachment is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileAnswer {
    /// With the file.
    Whole,
    /// With 200 and an endless body that arrives byte by byte.
    Dripping,
    /// With 404.
    Missing,
}

/// A file in the stand-in's CDN.
#[derive(Debug)]
pub(crate) struct File {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// A gateway session. It survives the loss of its connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub intents: u64,
    pub events: Vec<Value>,
    pub connection: Option<UnboundedSender<Value>>,
}

/// The state behind its lock.
#[derive(Debug)]
pub(crate) struct Shared(Mutex<State>);

#[derive(Debug)]
pub(crate) struct State {
    pub address: SocketAddr,
    pub channel_id: u64,
    pub webhooks: BTreeMap<u64, Webhook>,
    pub messages: Vec<Message>,
    pub attachments: HashMap<String, File>,
    pub sessions: HashMap<String, Session>,
    pub zombie: bool,
    pub gone: bool,
    pub message_content: bool,
    pub cdn_failure: Option<u16>,
    pub file_answers: HashMap<String, FileAnswer>,
    /// Cloned for every dripping download.
    pub drips: Arc<()>,
    pub reserved: Option<u64>,
    pub heartbeat_ms: u64,
    pub failures: VecDeque<u16>,
    pub bot_failures: VecDeque<u16>,
    pub loses_answer: bool,
    pub channels: BTreeSet<u64>,
    /// The permissions that the bot does not have in a channel.
    pub denied: BTreeMap<u64, u64>,
    pub rate_limits: bool,
    pub identified: usize,
    pub resumed: usize,
    pub commands: Commands,
    nonces: HashMap<String, (Instant, u64)>,
    posts: VecDeque<(Instant, u64, u64)>,
    last_id: u64,
}

impl Shared {
    pub fn new(address: SocketAddr) -> Self {
        let mut state = State {
            address,
            channel_id: 0,
            webhooks: BTreeMap::new(),
            messages: Vec::new(),
            attachments: HashMap::new(),
            sessions: HashMap::new(),
            zombie: false,
            gone: false,
            message_content: true,
            cdn_failure: None,
            file_answers: HashMap::new(),
            drips: Arc::new(()),
            reserved: None,
            heartbeat_ms: 41_250,
            failures: VecDeque::new(),
            bot_failures: VecDeque::new(),
            loses_answer: false,
            channels: BTreeSet::new(),
            denied: BTreeMap::new(),
            rate_limits: false,
            identified: 0,
            resumed: 0,
            commands: Commands::default(),
            nonces: HashMap::new(),
            posts: VecDeque::new(),
            last_id: 0,
        };
        state.channel_id = state.add_channel();
        Self(Mutex::new(state))
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A new id, later than every one before it.
    pub fn snowflake(&mut self) -> u64 {
        let unix_ms = jiff::Timestamp::now().as_millisecond().unsigned_abs();
        let fresh = unix_ms.saturating_sub(1_420_070_400_000) << 22;
        self.last_id = fresh.max(self.last_id + 1);
        self.last_id
    }

    pub fn add_channel(&mut self) -> u64 {
        let id = self.snowflake();
        self.channels.insert(id);
        id
    }

    pub fn knows_channel(&self, id: u64) -> bool {
        self.channels.contains(&id)
    }

    pub fn add_webhook(&mut self, channel_id: u64) -> Webhook {
        self.channels.insert(channel_id);
        let id = self.snowflake();
        let webhook = Webhook {
            id,
            token: format!("standin-{id:x}"),
            channel_id,
        };
        self.webhooks.insert(id, webhook.clone());
        webhook
    }

    pub fn drop_connections(&mut self) {
        for session in self.sessions.values_mut() {
            session.connection = None;
        }
    }

    /// How long the next post to this webhook must wait, if a rate limit applies.
    pub fn rate_limited(&mut self, webhook: &Webhook) -> Option<Duration> {
        if !self.rate_limits {
            return None;
        }
        let now = Instant::now();
        let minute = Duration::from_secs(60);
        while self
            .posts
            .front()
            .is_some_and(|(at, ..)| now - *at > minute)
        {
            self.posts.pop_front();
        }
        let wait = |window: Duration, most: usize, times: Vec<Instant>| {
            (times.len() >= most).then(|| (times[times.len() - most] + window) - now)
        };
        let two_seconds = Duration::from_secs(2);
        let of_webhook = self
            .posts
            .iter()
            .filter(|(at, id, _)| *id == webhook.id && now - *at < two_seconds);
        let of_channel = self
            .posts
            .iter()
            .filter(|(.., channel)| *channel == webhook.channel_id);
        let wait = wait(two_seconds, 5, of_webhook.map(|p| p.0).collect()).max(wait(
            minute,
            30,
            of_channel.map(|p| p.0).collect(),
        ));
        if wait.is_none() {
            self.posts.push_back((now, webhook.id, webhook.channel_id));
        }
        wait
    }

    pub fn execute_webhook(
        &mut self,
        id: u64,
        body: &Value,
        files: Vec<(String, Vec<u8>)>,
    ) -> Option<Message> {
        let webhook = self.webhooks.get(&id)?.clone();
        let author = json!({
            "id": id.to_string(),
            "username": body["username"].as_str().unwrap_or("Webhook"),
            "avatar": null, "discriminator": "0000", "public_flags": 0, "flags": 0, "bot": true,
            "global_name": null,
        });
        Some(self.store(webhook.channel_id, author, Some(id), body, files))
    }

    pub fn post_as_user(&mut self, channel_id: u64, username: &str, content: &str) -> Message {
        let author = json!({
            "id": "4242", "username": username, "avatar": null, "discriminator": "0", "public_flags": 0,
            "global_name": username,
        });
        self.store(
            channel_id,
            author,
            None,
            &json!({ "content": content }),
            Vec::new(),
        )
    }

    pub fn post_as_bot(
        &mut self,
        channel_id: u64,
        body: &Value,
        files: Vec<(String, Vec<u8>)>,
    ) -> Message {
        let nonce = body["nonce"].as_str().map(str::to_owned);
        if let Some(nonce) = &nonce
            && body["enforce_nonce"] == true
            && let Some((at, id)) = self.nonces.get(nonce)
            && at.elapsed() < NONCE_KEPT
            && let Some(message) = self.messages.iter().find(|m| m.id == *id)
        {
            return message.clone();
        }
        let author = json!({
            "id": BOT_ID.to_string(), "username": "gametimes", "avatar": null, "discriminator": "0",
            "public_flags": 0, "bot": true, "global_name": null,
        });
        let message = self.store(channel_id, author, None, body, files);
        if let Some(nonce) = nonce {
            self.nonces.insert(nonce, (Instant::now(), message.id));
        }
        message
    }

    fn store(
        &mut self,
        channel_id: u64,
        author: Value,
        webhook_id: Option<u64>,
        body: &Value,
        files: Vec<(String, Vec<u8>)>,
    ) -> Message {
        let id = match self.reserved.take() {
            Some(id) => id,
            None => self.snowflake(),
        };
        let attachments = self.keep_files(channel_id, files);
        let mut json = json!({
            "id": id.to_string(), "channel_id": channel_id.to_string(), "type": 0,
            "content": body["content"].as_str().unwrap_or_default(),
            "author": author, "embeds": as_shown(&body["embeds"]), "attachments": attachments,
            "timestamp": timestamp(), "edited_timestamp": null, "tts": false, "mention_everyone": false,
            "mentions": [], "mention_roles": [], "pinned": false, "components": [], "flags": 0,
        });
        if let Some(webhook_id) = webhook_id {
            json["webhook_id"] = webhook_id.to_string().into();
        }
        let message = Message {
            id,
            channel_id,
            json,
            body: body.clone(),
        };
        self.messages.push(message.clone());
        self.dispatch("MESSAGE_CREATE", &message);
        message
    }

    /// Edits a message of the bot as PATCH does: missing keys remain unchanged.
    pub fn edit(
        &mut self,
        channel_id: u64,
        id: u64,
        body: &Value,
        files: Vec<(String, Vec<u8>)>,
    ) -> Option<Message> {
        let attachments = self.keep_files(channel_id, files);
        let message = self
            .messages
            .iter_mut()
            .find(|m| m.id == id && m.channel_id == channel_id)?;
        if let Some(content) = body.get("content") {
            message.json["content"] = content.clone();
        }
        if let Some(embeds) = body.get("embeds") {
            message.json["embeds"] = as_shown(embeds);
        }
        if !attachments.is_empty() || body.get("attachments").is_some() {
            message.json["attachments"] = attachments.into();
        }
        message.json["edited_timestamp"] = timestamp().into();
        message.body = body.clone();
        let message = message.clone();
        self.dispatch("MESSAGE_UPDATE", &message);
        Some(message)
    }

    fn keep_files(&mut self, channel_id: u64, files: Vec<(String, Vec<u8>)>) -> Vec<Value> {
        let mut attachments = Vec::new();
        for (name, bytes) in files {
            let id = self.snowflake().to_string();
            let url = format!(
                "http://{}/attachments/{channel_id}/{id}/{name}",
                self.address
            );
            attachments.push(json!({
                "id": id, "filename": name, "size": bytes.len(), "url": url, "proxy_url": url,
                "content_type": content_type(&name),
            }));
            self.attachments.insert(id, File { name, bytes });
        }
        attachments
    }

    fn dispatch(&mut self, kind: &str, message: &Message) {
        for session in self.sessions.values_mut() {
            if session.intents & INTENT_GUILD_MESSAGES == 0 {
                continue;
            }
            let mut data = message.json.clone();
            data["guild_id"] = GUILD_ID.to_string().into();
            if session.intents & INTENT_MESSAGE_CONTENT == 0 {
                hide_content(&mut data);
            }
            session.send(kind, data, self.zombie);
        }
    }

    /// Sends an event to every session, whatever its intents are.
    pub fn dispatch_raw(&mut self, kind: &str, data: &Value) {
        for session in self.sessions.values_mut() {
            session.send(kind, data.clone(), self.zombie);
        }
    }

    /// The payload of READY.
    pub fn ready(&self, session_id: &str) -> Value {
        json!({
            "v": 10, "session_id": session_id, "resume_gateway_url": format!("ws://{}", self.address),
            "user": {
                "id": BOT_ID.to_string(), "username": "gametimes", "discriminator": "0", "avatar": null, "bot": true,
                "mfa_enabled": false, "flags": 0, "verified": true, "email": null, "global_name": null,
            },
            "guilds": [{ "id": GUILD_ID.to_string(), "unavailable": true }],
            "application": { "id": BOT_ID.to_string(), "flags": 0 },
            "shard": [0, 1],
        })
    }

    /// The object of `GET /users/@me`.
    pub fn me(&self) -> Value {
        self.ready("")["user"].clone()
    }
}

impl Session {
    /// Records an event for a later resume, and sends it unless the stand-in is silent.
    pub fn send(&mut self, kind: &str, data: Value, zombie: bool) {
        let event = json!({ "op": 0, "t": kind, "s": self.events.len() + 1, "d": data });
        self.events.push(event.clone());
        if let Some(connection) = self.connection.as_ref().filter(|_| !zombie)
            && connection.send(event).is_err()
        {
            self.connection = None;
        }
    }
}

/// A message of another author as a bot without the Message Content intent sees it.
pub(crate) fn hide_content(message: &mut Value) {
    message["content"] = "".into();
    for list in ["embeds", "attachments", "components"] {
        message[list] = json!([]);
    }
}

/// The content type that Discord derives from a file name.
pub(crate) fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "png")) => "image/png",
        _ => "application/json; charset=utf-8",
    }
}

/// Embeds as Discord returns them.
fn as_shown(embeds: &Value) -> Value {
    let mut embeds = embeds.as_array().cloned().unwrap_or_default();
    for embed in &mut embeds {
        if embed.is_object() {
            embed["type"] = "rich".into();
            let time = embed["timestamp"].as_str().and_then(|t| t.parse().ok());
            if let Some(time) = time {
                embed["timestamp"] = shown_time(time).into();
            }
        }
    }
    embeds.into()
}

fn timestamp() -> String {
    shown_time(jiff::Timestamp::now())
}

fn shown_time(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string()
}
