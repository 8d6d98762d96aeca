//! Processing the messages of the control channel: they are checked in order, and their files are downloaded side by side.
//!
//! The id before the first unfinished message, or else that of the last message, is stored as a checkpoint. At the start, at
//! every new or resumed session, and every few minutes, the control channel's history since the last message is read. So nothing is missed if
//! the connection fails or the bot is killed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{self, MissedTickBehavior};
use tracing::{error, warn};
use twilight_http::Client;

use super::SOURCE;
use super::downloads::{Downloads, Finished, Outcome};
use super::gateway::GatewayEvent;
use super::message::{AttachedFile, ContentHidden, Incoming, RateLimit, Verdict, check, item};
use super::progress::Progress;
use crate::backoff::Backoff;
use crate::config::Discord;
use crate::db::{Checkpoint, Content, DbError, IngestItem};
use crate::writer::SourceContext;

/// How often the history is read although the connection seems to work.
const HISTORY_INTERVAL: Duration = Duration::from_secs(300);

/// Processes the messages of the control channel.
pub(super) struct ControlChannel {
    pub(super) client: Arc<Client>,
    downloads: Downloads,
    rate_limit: RateLimit,
    pub(super) settings: Discord,
    pub(super) context: SourceContext,
    /// Set when messages were dropped because the queue was full: only the history has them.
    missed: Arc<AtomicBool>,
    pub(super) progress: Progress,
    /// Messages whose attached files could not be downloaded yet.
    pub(super) without_file: VecDeque<u64>,
    /// Those of them that are to be retried now.
    to_retry: VecDeque<u64>,
}

impl ControlChannel {
    pub(super) fn new(settings: Discord, context: SourceContext, missed: Arc<AtomicBool>) -> Self {
        let client = Arc::new(super::client(&settings));
        Self {
            downloads: Downloads::new(settings.clone(), Arc::clone(&client)),
            client,
            rate_limit: RateLimit::default(),
            settings,
            context,
            missed,
            progress: Progress::default(),
            without_file: VecDeque::new(),
            to_retry: VecDeque::new(),
        }
    }

    /// Runs until the connection's end of the queue is dropped.
    pub(super) async fn run(mut self, mut events: mpsc::Receiver<GatewayEvent>) {
        let backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        let (last_id, without_file) = backoff
            .retry(
                || self.load_checkpoints(),
                |error, _| warn!("loading the id of the last message: {error}"),
            )
            .await;
        (self.progress, self.without_file) = (Progress::after(last_id), without_file);
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
                (done, is_new) = self.downloads.next_of_all() => {
                    if is_new {
                        self.finish(done).await;
                    } else {
                        self.finish_retry(done).await;
                    }
                    Ok(())
                }
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

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint::Reached {
            name: self.checkpoint_name(),
            value: self.progress.checkpoint(),
        }
    }

    async fn receive(&mut self, message: Incoming) -> Result<(), ContentHidden> {
        self.context.status.seen(SOURCE);
        // Messages before this one must be stored before the checkpoint moves past them.
        if self.missed.swap(false, Ordering::Acquire) {
            self.catch_up().await?;
        }
        if self.progress.is_new(message.id) {
            self.process(message).await?;
        }
        Ok(())
    }

    /// Begins to process a message. One with a file is finished when the file was downloaded; the messages after it do not wait.
    pub(super) async fn process(&mut self, message: Incoming) -> Result<(), ContentHidden> {
        while let Some(done) = self.downloads.try_next() {
            self.finish(done).await;
        }
        let id = message.id;
        let content = match check(&message, &self.settings, Some(&mut self.rate_limit)) {
            Verdict::ContentHidden => {
                // Not begun: the history is read from this message again.
                self.report(&ContentHidden.to_string());
                error!("{ContentHidden}");
                self.missed.store(true, Ordering::Release);
                return Err(ContentHidden);
            }
            Verdict::Round(Some(file)) => {
                while self.downloads.is_full()
                    && let Some(done) = self.downloads.next().await
                {
                    self.finish(done).await;
                }
                self.progress.begin(id);
                self.downloads.begin(message, file);
                return Ok(());
            }
            Verdict::Round(None) => {
                let round = item(&message, AttachedFile::None, &self.settings);
                Some(Box::new(round))
            }
            Verdict::Reject(item) => Some(item),
            Verdict::Ignore => None,
        };
        self.progress.begin(id);
        self.progress.finish(id);
        self.submit(id, content, vec![self.checkpoint()]).await;
        Ok(())
    }

    /// Stores what a message holds and moves the checkpoint. If its file cannot be downloaded now, its fields are used until the
    /// file is there; with a key, which only a file can prove, nothing is stored until then.
    async fn finish(&mut self, done: Finished) {
        let Finished { id, outcome } = done;
        self.progress.finish(id);
        let mut checkpoints = vec![self.checkpoint()];
        let item = match outcome {
            Outcome::Complete(item) => item,
            Outcome::WithoutFile { error, fields } => {
                self.report(&format!("message {id}: {error}"));
                let until_then = if fields.is_some() {
                    "its fields are used until its file can be downloaded"
                } else {
                    "it is stored once its file can be downloaded"
                };
                error!("message {id}: {error}; {until_then}");
                self.without_file.push_back(id);
                checkpoints.push(Checkpoint::Reached {
                    name: self.file_checkpoint_name(&id.to_string()),
                    value: id,
                });
                fields
            }
        };
        self.submit(id, item, checkpoints).await;
    }

    /// Retries the messages whose files could not be downloaded yet, until one fails again.
    pub(super) fn retry_missing_files(&mut self) {
        if self.downloads.again() == 0 {
            self.to_retry = self.without_file.clone();
            self.begin_retries();
        }
    }

    fn begin_retries(&mut self) {
        let Ok(channel) = self.channel_id() else {
            return;
        };
        while !self.downloads.is_full_again()
            && let Some(id) = self.to_retry.pop_front()
        {
            self.downloads.begin_again(id, channel);
        }
    }

    async fn finish_retry(&mut self, done: Finished) {
        let Finished { id, outcome } = done;
        self.without_file.retain(|&other| other != id);
        match outcome {
            Outcome::Complete(item) => {
                let name = self.file_checkpoint_name(&id.to_string());
                self.submit(id, item, vec![Checkpoint::Forgotten { name }])
                    .await;
            }
            Outcome::WithoutFile { error, .. } => {
                self.report(&format!("message {id}: {error}"));
                // Behind the others, which are retried when the history is read again.
                self.without_file.push_back(id);
                self.to_retry.clear();
            }
        }
        self.begin_retries();
        if self.without_file.is_empty() {
            self.context.status.recovered(SOURCE);
        }
    }

    /// Rejects a message that cannot be parsed, so that the ones after it are processed.
    pub(super) async fn reject(&mut self, id: u64, reason: String) {
        self.progress.begin(id);
        self.progress.finish(id);
        let item = IngestItem {
            source: SOURCE,
            origin: format!("message {id}"),
            server: String::new(),
            webhook: None,
            content: Content::Rejected {
                reason,
                excerpt: String::new(),
            },
            checkpoints: Vec::new(),
        };
        self.submit(id, Some(Box::new(item)), vec![self.checkpoint()])
            .await;
    }

    /// Hands the writer what a message holds, and the checkpoints to store with it.
    async fn submit(&self, id: u64, item: Option<Box<IngestItem>>, checkpoints: Vec<Checkpoint>) {
        let mut item = item.map_or_else(
            || IngestItem {
                source: SOURCE,
                origin: String::new(),
                server: String::new(),
                webhook: None,
                content: Content::Nothing,
                checkpoints: Vec::new(),
            },
            |item| *item,
        );
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
