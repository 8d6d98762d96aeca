//! The connection to Discord.
//!
//! Two tasks: one holds the gateway connection (twilight resumes, reconnects, backs off and notices zombies), the other
//! works through what it hands over, in order. At the start, at every new or resumed session, and every few minutes, the
//! channel's history since the last stored message is read, so nothing is missed whatever happened to the connection.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{self, Instant, MissedTickBehavior};
use tracing::{debug, error, info, warn};
use twilight_gateway::{
    ConfigBuilder, Event, EventTypeFlags, Intents, Shard, ShardId, StreamExt as _,
};
use twilight_http::Client;
use twilight_http::error::ErrorType;
use twilight_model::channel::Message;
use twilight_model::id::Id;

use super::attachments::{DownloadError, Downloader};
use super::message::{Incoming, RateLimit, Verdict, judge};
use crate::config::Discord;
use crate::db::{Checkpoint, Content, Db, IngestItem};
use crate::files::poller::ExpectedFiles;
use crate::status::Status;
use crate::writer::Writer;

/// How many messages wait at most; more are found in the history again.
const QUEUE: usize = 1000;
/// How often the history is looked at although the connection seems to be well.
const HISTORY_EVERY: Duration = Duration::from_secs(300);
/// Messages in a page of the history: Discord's most.
const PAGE: u16 = 100;
/// How long an attachment that cannot be fetched is waited for while other messages wait. Then it is asked for again at
/// each look at the history.
const ATTACHMENT_PATIENCE: Duration = Duration::from_secs(5);
/// For how long it is asked for.
const ATTACHMENT_LAST_MS: u64 = 7 * 24 * 3600 * 1000;
/// Messages may turn up in another order than their ids tell: so far back, ids are looked at one by one.
const OVERLAP: u64 = 60_000 << 22;
/// What to do when messages come blank.
const NO_CONTENT: &str = "messages come without their content: enable the Message Content intent (Developer Portal, Bot); \
                          they are read once it is on";

/// What the connection hands over.
enum Handed {
    Message(Box<Incoming>),
    CatchUp,
}

/// The client for Discord's REST API.
pub fn client(settings: &Discord) -> Client {
    let builder = Client::builder()
        .token(settings.token.reveal().to_owned())
        .timeout(Duration::from_secs(15));
    match &settings.proxy {
        Some(proxy) => builder.proxy(proxy.clone(), true).ratelimiter(None).build(),
        None => builder.build(),
    }
}

/// Receives until dropped.
pub async fn run(
    settings: Discord,
    store: Db,
    keeper: Writer,
    status: Arc<Status>,
    awaited: ExpectedFiles,
) {
    if settings.webhook_ids.is_empty() {
        error!(
            "discord.webhook_ids is empty: every message will be refused until webhooks are listed there"
        );
    }
    let (sender, receiver) = mpsc::channel(QUEUE);
    let missed = Arc::new(AtomicBool::new(false));
    let connection = hold_connection(
        settings.clone(),
        sender,
        Arc::clone(&status),
        Arc::clone(&missed),
    );
    let worker = Worker {
        client: client(&settings),
        downloader: Downloader::default(),
        limit: RateLimit::default(),
        settings,
        store,
        keeper,
        status,
        awaited,
        missed,
        reached: 0,
        recent: BTreeSet::new(),
        open: VecDeque::new(),
    };
    tokio::join!(connection, worker.work(receiver));
}

async fn hold_connection(
    settings: Discord,
    sender: mpsc::Sender<Handed>,
    status: Arc<Status>,
    missed: Arc<AtomicBool>,
) {
    let intents = Intents::GUILD_MESSAGES | Intents::MESSAGE_CONTENT;
    let mut backoff = Duration::from_secs(1);
    loop {
        let mut builder = ConfigBuilder::new(settings.token.reveal().to_owned(), intents);
        if let Some(url) = &settings.gateway_url {
            builder = builder.proxy_url(url.clone());
        }
        let mut shard = Shard::with_config(ShardId::ONE, builder.build());
        let wanted = EventTypeFlags::MESSAGE_CREATE
            | EventTypeFlags::READY
            | EventTypeFlags::RESUMED
            | EventTypeFlags::GATEWAY_INVALIDATE_SESSION;
        while let Some(event) = shard.next_event(wanted).await {
            match event {
                Ok(Event::Ready(_) | Event::Resumed) => {
                    backoff = Duration::from_secs(1);
                    info!("connected to Discord");
                    status.discord_connected(true);
                    if sender.try_send(Handed::CatchUp).is_err() {
                        missed.store(true, Ordering::Release);
                    }
                }
                Ok(Event::MessageCreate(message)) => {
                    let incoming = Incoming::from(message.message);
                    if incoming.channel_id == settings.channel_id
                        && sender
                            .try_send(Handed::Message(Box::new(incoming)))
                            .is_err()
                    {
                        // Told before any later message is handed over, so that none overtakes the missed ones.
                        missed.store(true, Ordering::Release);
                        warn!("too many messages wait; the rest is taken from the history");
                    }
                }
                Ok(Event::GatewayClose(frame)) => {
                    status.discord_connected(false);
                    let reason = frame
                        .map(|f| format!("{} {}", f.code, f.reason))
                        .unwrap_or_default();
                    info!("Discord closed the connection: {reason}");
                }
                Ok(_) => {}
                Err(error) => {
                    if !matches!(
                        error.kind(),
                        twilight_gateway::error::ReceiveMessageErrorType::Deserializing { .. }
                    ) {
                        status.discord_connected(false);
                    }
                    debug!("gateway: {error}");
                }
            }
        }
        // Only a fatal close ends the stream: a wrong token or an intent that is not enabled.
        status.discord_connected(false);
        error!(
            "Discord refuses the connection: check discord.token, and that the bot has the Message Content intent \
             (Developer Portal, Bot); trying again in {} s",
            backoff.as_secs()
        );
        time::sleep(backoff).await;
        backoff = (backoff * 2).min(Duration::from_secs(300));
    }
}

struct Worker {
    client: Client,
    downloader: Downloader,
    limit: RateLimit,
    settings: Discord,
    store: Db,
    keeper: Writer,
    status: Arc<Status>,
    /// Tells of stats files that should be there now.
    awaited: ExpectedFiles,
    /// Messages were let go because too many waited: only the history has them.
    missed: Arc<AtomicBool>,
    /// The highest message that was handed to the keeper.
    reached: u64,
    /// Those handed over that are not older than it by more than [`OVERLAP`].
    recent: BTreeSet<u64>,
    /// Messages whose attachments could not be fetched yet.
    open: VecDeque<u64>,
}

impl Worker {
    fn mark(&self) -> String {
        format!("discord {}", self.settings.channel_id)
    }

    async fn work(mut self, mut receiver: mpsc::Receiver<Handed>) {
        (self.reached, self.open) = self.reached_before().await;
        let mut history = time::interval(HISTORY_EVERY);
        history.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                handed = receiver.recv() => match handed {
                    None => return,
                    Some(Handed::CatchUp) => drop(self.catch_up().await),
                    Some(Handed::Message(message)) => {
                        self.status.seen("discord");
                        // What comes before this message must be stored before it moves the mark.
                        let missed = self.missed.swap(false, Ordering::Acquire);
                        if (!missed || self.catch_up().await)
                            && self.is_new(message.id)
                            && !self.take(*message).await
                        {
                            self.stop_at_hidden();
                        }
                    }
                },
                _ = history.tick() => drop(self.catch_up().await),
            }
        }
    }

    fn is_new(&self, id: u64) -> bool {
        id > self.reached.saturating_sub(OVERLAP) && !self.recent.contains(&id)
    }

    fn passed(&mut self, id: u64) {
        self.reached = self.reached.max(id);
        self.recent.insert(id);
        self.recent = self.recent.split_off(&self.reached.saturating_sub(OVERLAP));
    }

    /// A message that Discord hides is not passed: the history is read from there again, until it shows.
    fn stop_at_hidden(&self) {
        self.status.failed("discord", NO_CONTENT);
        error!("{NO_CONTENT}");
        self.missed.store(true, Ordering::Release);
    }

    /// The mark of a message whose attachment is to be fetched yet.
    fn open_mark(&self, id: &str) -> String {
        format!("{} open {id}", self.mark())
    }

    /// The last message that was stored, and those whose attachments are to be fetched yet.
    async fn reached_before(&self) -> (u64, VecDeque<u64>) {
        let mut wait = Duration::from_millis(500);
        loop {
            let reached = self.store.reached(&self.mark()).await;
            match (reached, self.store.all_reached(&self.open_mark("")).await) {
                (Ok(reached), Ok(open)) => return (reached, open.into()),
                (Err(error), _) | (_, Err(error)) => {
                    warn!("reading the last message's id: {error}");
                }
            }
            time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(30));
        }
    }

    /// Works through the history since the last message. Without one (the first start), the latest page counts. Whether
    /// all of it could be read.
    async fn catch_up(&mut self) -> bool {
        let mut wait = Duration::from_millis(500);
        let first = self.reached == 0;
        let mut after = self.reached.saturating_sub(OVERLAP);
        loop {
            let page = match self.page(after).await {
                Ok(page) => page,
                Err(error) => {
                    self.status.failed(
                        "discord",
                        &format!("reading the channel's history: {error}"),
                    );
                    warn!(
                        "reading the channel's history: {error}; trying again in {} ms",
                        wait.as_millis()
                    );
                    time::sleep(wait).await;
                    wait = (wait * 2).min(Duration::from_secs(30));
                    continue;
                }
            };
            wait = Duration::from_millis(500);
            let full = page.len() >= usize::from(PAGE);
            after = page.last().map_or(after, Posted::id);
            for message in page {
                if !self.is_new(message.id()) {
                    continue;
                }
                match message {
                    Posted::Readable(message) => {
                        if !self.take(*message).await {
                            self.stop_at_hidden();
                            return false;
                        }
                    }
                    Posted::Unreadable { id, why } => self.refuse(id, why).await,
                }
            }
            if !full || first {
                if self.fetch_open().await {
                    self.status.well("discord");
                }
                return true;
            }
        }
    }

    /// A page of the history, oldest first; after 0 comes the latest one.
    async fn page(&self, after: u64) -> Result<Vec<Posted>, String> {
        let channel = Id::new_checked(self.settings.channel_id).ok_or("discord.channel_id is 0")?;
        let request = self.client.channel_messages(channel);
        let response = match Id::new_checked(after) {
            Some(after) => request.after(after).limit(PAGE).await,
            None => request.limit(PAGE).await,
        };
        let text = response
            .map_err(|e| e.to_string())?
            .text()
            .await
            .map_err(|e| e.to_string())?;
        let list: Vec<serde_json::Value> =
            serde_json::from_str(&text).map_err(|e| e.to_string())?;
        let mut page: Vec<Posted> = list.into_iter().filter_map(Posted::read).collect();
        page.sort_by_key(Posted::id);
        Ok(page)
    }

    /// A message that cannot be read is told, and the ones behind it are read all the same.
    async fn refuse(&mut self, id: u64, reason: String) {
        warn!("message {id} refused: {reason}");
        self.passed(id);
        self.keeper
            .keep(IngestItem {
                source: "discord",
                origin: format!("message {id}"),
                server: String::new(),
                content: Content::Rejected {
                    reason,
                    excerpt: String::new(),
                },
                checkpoints: vec![Checkpoint::Reached {
                    name: self.mark(),
                    value: id,
                }],
            })
            .await;
    }

    /// Asks again for attachments that could not be fetched, until one still cannot, which then waits behind the others. The
    /// messages are read anew, because the URLs expire. Whether none is left.
    async fn fetch_open(&mut self) -> bool {
        while let Some(id) = self.open.pop_front() {
            let judged = match self.message(id).await {
                Ok(None) => Ok(Verdict::Ignored),
                Ok(Some(mut message)) => {
                    let now_ms = Timestamp::now().as_millisecond().unsigned_abs();
                    if posted_ms(id) + ATTACHMENT_LAST_MS < now_ms {
                        message.attachments.clear();
                    }
                    self.judge(&message).await.map_err(|e| e.to_string())
                }
                Err(error) => Err(error),
            };
            let verdict = match judged {
                Ok(Verdict::Hidden) => Err(NO_CONTENT.to_owned()),
                other => other,
            };
            match verdict {
                Ok(verdict) => {
                    let name = self.open_mark(&id.to_string());
                    self.hand_over(id, verdict, vec![Checkpoint::Forgotten { name }])
                        .await;
                }
                Err(why) => {
                    self.status
                        .failed("discord", &format!("message {id}: {why}"));
                    self.open.push_back(id);
                    return false;
                }
            }
        }
        true
    }

    /// One message; nothing if it was deleted.
    async fn message(&self, id: u64) -> Result<Option<Incoming>, String> {
        let channel = Id::new_checked(self.settings.channel_id).ok_or("discord.channel_id is 0")?;
        let message = Id::new_checked(id).ok_or("a message without an id")?;
        match self.client.message(channel, message).await {
            Ok(response) => {
                let message = response.model().await.map_err(|e| e.to_string())?;
                Ok(Some(message.into()))
            }
            Err(error) => match error.kind() {
                ErrorType::Response { status, .. } if status.get() == 404 => Ok(None),
                _ => Err(error.to_string()),
            },
        }
    }

    async fn judge(&mut self, message: &Incoming) -> Result<Verdict, DownloadError> {
        judge(message, &self.settings, &mut self.limit, &self.downloader).await
    }

    /// Hands a message to the keeper; not if Discord hides it.
    async fn take(&mut self, mut message: Incoming) -> bool {
        let started = Instant::now();
        let mut wait = Duration::from_millis(500);
        let mut is_open = false;
        let verdict = loop {
            let why = match self.judge(&message).await {
                Ok(verdict) => break verdict,
                Err(error) => error,
            };
            self.status
                .failed("discord", &format!("message {}: {why}", message.id));
            if started.elapsed() < ATTACHMENT_PATIENCE {
                warn!(
                    "message {}: {why}; trying again in {} ms",
                    message.id,
                    wait.as_millis()
                );
                time::sleep(wait).await;
                wait *= 2;
                continue;
            }
            is_open = true;
            if self.settings.hmac_key.is_some() {
                error!("message {}: {why}; it is tried again later", message.id);
                break Verdict::Ignored;
            }
            error!(
                "message {}: {why}; its fields are used until its file can be fetched",
                message.id
            );
            message.attachments.clear();
        };
        if verdict == Verdict::Hidden {
            return false;
        }
        self.passed(message.id);
        let reached = Checkpoint::Reached {
            name: self.mark(),
            value: message.id,
        };
        let mut marks = vec![reached];
        if is_open {
            self.open.push_back(message.id);
            marks.push(Checkpoint::Reached {
                name: self.open_mark(&message.id.to_string()),
                value: message.id,
            });
        }
        self.hand_over(message.id, verdict, marks).await;
        true
    }

    /// Hands to the keeper what a message holds, and what is to be remembered of it.
    async fn hand_over(&self, id: u64, verdict: Verdict, marks: Vec<Checkpoint>) {
        let mut arrival = match verdict {
            Verdict::Taken(arrival) => *arrival,
            Verdict::Ignored | Verdict::Hidden => IngestItem {
                source: "discord",
                origin: String::new(),
                server: String::new(),
                content: Content::Nothing,
                checkpoints: Vec::new(),
            },
        };
        if let Content::Rejected { reason, .. } = &arrival.content {
            warn!("message {id} refused: {reason}");
        }
        if let Content::Report(report) = &arrival.content {
            // Nobody listens where no folder and no server is set.
            drop(
                self.awaited
                    .send(report.meta.stats_file.clone().unwrap_or_default()),
            );
        }
        arrival.checkpoints = marks;
        self.keeper.keep(arrival).await;
    }
}

/// When a message was posted, unix time.
fn posted_ms(id: u64) -> u64 {
    /// The first second of 2015, from which Discord counts.
    const EPOCH_MS: u64 = 1_420_070_400_000;
    (id >> 22) + EPOCH_MS
}

/// A message as the history has it.
enum Posted {
    Readable(Box<Incoming>),
    Unreadable { id: u64, why: String },
}

impl Posted {
    /// Nothing for what has no id, so that nothing could be remembered of it.
    fn read(message: serde_json::Value) -> Option<Self> {
        let id = message.get("id")?.as_str()?.parse().ok()?;
        Some(match serde_json::from_value::<Message>(message) {
            Ok(message) => Self::Readable(Box::new(message.into())),
            Err(error) => Self::Unreadable {
                id,
                why: format!("Discord's message cannot be read: {error}"),
            },
        })
    }

    fn id(&self) -> u64 {
        match self {
            Self::Readable(message) => message.id,
            Self::Unreadable { id, .. } => *id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_message_of_the_history_keeps_its_place() {
        let read = |json: serde_json::Value| Posted::read(json).map(|p| p.id());
        let broken = serde_json::json!({"id": "77", "type": "what Discord may think of"});
        assert!(matches!(
            Posted::read(broken.clone()),
            Some(Posted::Unreadable { id: 77, .. })
        ));
        assert_eq!(read(broken), Some(77));
        assert_eq!(read(serde_json::json!({"type": 0})), None);
    }
}
