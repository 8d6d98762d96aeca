//! Processing the messages of the control channel, in order.
//!
//! The id of the last processed message is stored as a checkpoint. At the start, at every new or resumed session, and every
//! few minutes, the channel's history since that message is read, so nothing is missed if the connection fails.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{self, Instant, MissedTickBehavior};
use tracing::{error, warn};
use twilight_http::Client;

use super::SOURCE;
use super::attachments::{DownloadError, Downloader};
use super::gateway::GatewayEvent;
use super::message::{Decision, Incoming, RateLimit, decide};
use crate::backoff::Backoff;
use crate::config::Discord;
use crate::db::{Checkpoint, Content, DbError, IngestItem};
use crate::writer::SourceContext;

/// How often the history is read although the connection seems to work.
const HISTORY_INTERVAL: Duration = Duration::from_secs(300);
/// How long the download of an attached file is retried while other messages wait. After that it is retried whenever the
/// history is read.
const DOWNLOAD_RETRY_TIME: Duration = Duration::from_secs(5);
/// Messages may arrive in another order than their ids. Within this distance of the last one, a minute, each id is checked.
const REORDER_WINDOW: u64 = 60_000 << 22;

/// Discord hides the content of a message. The message must be read again once the bot may see it.
#[derive(Debug, thiserror::Error)]
#[error(
    "messages arrive without their content: enable the Message Content intent (Developer Portal, Bot); the bot reads them \
     once it has the intent"
)]
pub(super) struct ContentHidden;

/// Processes the messages of the control channel.
pub(super) struct ControlChannel {
    pub(super) client: Client,
    downloader: Downloader,
    rate_limit: RateLimit,
    pub(super) settings: Discord,
    pub(super) context: SourceContext,
    /// Set when messages were dropped because the queue was full: only the history has them.
    missed: Arc<AtomicBool>,
    /// The highest id of a processed message; 0 before the first one.
    pub(super) last_id: u64,
    /// The ids of processed messages within [`REORDER_WINDOW`] of it.
    recent_ids: BTreeSet<u64>,
    /// Messages whose attached files could not be downloaded yet.
    pub(super) without_file: VecDeque<u64>,
}

impl ControlChannel {
    pub(super) fn new(settings: Discord, context: SourceContext, missed: Arc<AtomicBool>) -> Self {
        Self {
            client: super::client(&settings),
            downloader: Downloader::default(),
            rate_limit: RateLimit::default(),
            settings,
            context,
            missed,
            last_id: 0,
            recent_ids: BTreeSet::new(),
            without_file: VecDeque::new(),
        }
    }

    /// Runs until the connection's end of the queue is dropped.
    pub(super) async fn run(mut self, mut events: mpsc::Receiver<GatewayEvent>) {
        let backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        (self.last_id, self.without_file) = backoff
            .retry(
                || self.load_checkpoints(),
                |error, _| warn!("loading the id of the last message: {error}"),
            )
            .await;
        let mut history = time::interval(HISTORY_INTERVAL);
        history.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Hidden content was logged already; the history is read again until it is visible.
            let result = tokio::select! {
                event = events.recv() => match event {
                    None => return,
                    Some(GatewayEvent::Connected) => self.catch_up().await,
                    Some(GatewayEvent::Message(message)) => self.receive(*message).await,
                },
                _ = history.tick() => self.catch_up().await,
            };
            drop(result);
        }
    }

    /// The last message that was stored, and those whose files are still to be downloaded.
    async fn load_checkpoints(&self) -> Result<(u64, VecDeque<u64>), DbError> {
        let db = &self.context.db;
        let last_id = db.checkpoint(&self.checkpoint_name()).await?;
        let without_file = db.checkpoints(&self.file_checkpoint_name("")).await?;
        Ok((last_id, without_file.into()))
    }

    fn checkpoint_name(&self) -> String {
        format!("discord {}", self.settings.channel_id)
    }

    /// The name of the checkpoint that remembers a message whose file is still to be downloaded.
    pub(super) fn file_checkpoint_name(&self, id: &str) -> String {
        format!("{} open {id}", self.checkpoint_name())
    }

    fn checkpoint(&self, id: u64) -> Checkpoint {
        Checkpoint::Reached {
            name: self.checkpoint_name(),
            value: id,
        }
    }

    async fn receive(&mut self, message: Incoming) -> Result<(), ContentHidden> {
        self.context.status.seen(SOURCE);
        // Messages before this one must be stored before the checkpoint moves past them.
        if self.missed.swap(false, Ordering::Acquire) {
            self.catch_up().await?;
        }
        if self.is_new(message.id) {
            self.process(message).await?;
        }
        Ok(())
    }

    pub(super) fn is_new(&self, id: u64) -> bool {
        id > self.last_id.saturating_sub(REORDER_WINDOW) && !self.recent_ids.contains(&id)
    }

    /// The id after which the history is read.
    pub(super) fn history_start(&self) -> u64 {
        self.last_id.saturating_sub(REORDER_WINDOW)
    }

    fn set_processed(&mut self, id: u64) {
        self.last_id = self.last_id.max(id);
        self.recent_ids.insert(id);
        self.recent_ids = self.recent_ids.split_off(&self.history_start());
    }

    /// Processes a message: stores what it holds and moves the checkpoint. If its file cannot be downloaded now, its fields
    /// are used until the file is there; with a key, which only a file can prove, nothing is stored until then.
    pub(super) async fn process(&mut self, mut message: Incoming) -> Result<(), ContentHidden> {
        let started = Instant::now();
        let mut backoff = Backoff::new(Duration::from_millis(500), DOWNLOAD_RETRY_TIME);
        let mut is_without_file = false;
        let id = message.id;
        let decision = loop {
            let error = match self.decide(&message).await {
                Ok(decision) => break decision,
                Err(error) => error,
            };
            self.report(&format!("message {id}: {error}"));
            if started.elapsed() < DOWNLOAD_RETRY_TIME {
                let wait = backoff.next_wait();
                warn!(
                    "message {id}: {error}; trying again in {} ms",
                    wait.as_millis()
                );
                time::sleep(wait).await;
                continue;
            }
            is_without_file = true;
            if self.settings.hmac_key.is_some() {
                error!("message {id}: {error}; it is stored once its file can be downloaded");
                break Decision::Ignore;
            }
            error!("message {id}: {error}; its fields are used until its file can be downloaded");
            message.attachments.clear();
        };
        if decision == Decision::ContentHidden {
            // Not processed: the history is read from this message again.
            self.report(&ContentHidden.to_string());
            error!("{ContentHidden}");
            self.missed.store(true, Ordering::Release);
            return Err(ContentHidden);
        }
        self.set_processed(id);
        let mut checkpoints = vec![self.checkpoint(id)];
        if is_without_file {
            self.without_file.push_back(id);
            checkpoints.push(Checkpoint::Reached {
                name: self.file_checkpoint_name(&id.to_string()),
                value: id,
            });
        }
        self.submit(id, decision, checkpoints).await;
        Ok(())
    }

    /// Rejects a message that cannot be parsed, so that the ones after it are processed.
    pub(super) async fn reject(&mut self, id: u64, reason: String) {
        warn!("message {id} rejected: {reason}");
        self.set_processed(id);
        let item = IngestItem {
            source: SOURCE,
            origin: format!("message {id}"),
            server: String::new(),
            webhook: None,
            content: Content::Rejected {
                reason,
                excerpt: String::new(),
            },
            checkpoints: vec![self.checkpoint(id)],
        };
        self.context.writer.submit(item).await;
    }

    pub(super) async fn decide(&mut self, message: &Incoming) -> Result<Decision, DownloadError> {
        decide(
            message,
            &self.settings,
            &mut self.rate_limit,
            &self.downloader,
        )
        .await
    }

    /// Hands the writer what a message holds, and the checkpoints to store with it.
    pub(super) async fn submit(&self, id: u64, decision: Decision, checkpoints: Vec<Checkpoint>) {
        let mut item = match decision {
            Decision::Store(item) => *item,
            Decision::Ignore | Decision::ContentHidden => IngestItem {
                source: SOURCE,
                origin: String::new(),
                server: String::new(),
                webhook: None,
                content: Content::Nothing,
                checkpoints: Vec::new(),
            },
        };
        match &item.content {
            Content::Rejected { reason, .. } => warn!("message {id} rejected: {reason}"),
            Content::Report(report) => {
                let stats_file = report.meta.stats_file.clone().unwrap_or_default();
                // Without folders and servers there is no receiver.
                drop(self.context.expected_files.send(stats_file));
            }
            Content::Stats(..) | Content::Nothing => {}
        }
        item.checkpoints = checkpoints;
        self.context.writer.submit(item).await;
    }

    /// Shows an error in the status of the control channel.
    pub(super) fn report(&self, error: &str) {
        self.context.status.failed(SOURCE, error);
    }
}
