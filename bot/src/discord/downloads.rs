//! Reading messages whose files must be downloaded, several at a time, so that a slow download does not hold up the messages
//! after it.

use std::sync::Arc;

use gametimes_format::text::counted;
use jiff::Timestamp;
use tokio::task::{JoinError, JoinSet};
use tracing::warn;
use twilight_http::Client;
use twilight_http::error::ErrorType;
use twilight_model::id::Id;
use twilight_model::id::marker::ChannelMarker;

use super::attachments::{Attachment, DownloadError, Downloader};
use super::message::{AttachedFile, ContentHidden, Incoming, Verdict, check, item};
use crate::config::Discord;
use crate::db::IngestItem;

/// New messages whose files are downloaded at the same time.
const NEW_MAX: usize = 8;
/// Messages that are read again at the same time, because their files could not be downloaded before.
const AGAIN_MAX: usize = 4;
/// How long after it was posted the file of a message is tried.
const RETRY_FOR_MS: u64 = 7 * 24 * 3600 * 1000;

/// What was read of a message.
pub(super) struct Finished {
    pub(super) id: u64,
    pub(super) outcome: Outcome,
}

pub(super) enum Outcome {
    /// All of it; `None` if it contains nothing to store.
    Complete(Option<Box<IngestItem>>),
    /// Its file cannot be downloaded now.
    WithoutFile {
        /// The reason.
        error: String,
        /// The round from the fields of the message; `None` with a key, which only a file can prove.
        fields: Option<Box<IngestItem>>,
    },
}

/// The running downloads.
pub(super) struct Downloads {
    settings: Discord,
    client: Arc<Client>,
    downloader: Downloader,
    new: JoinSet<Finished>,
    again: JoinSet<Finished>,
}

impl Downloads {
    pub(super) fn new(settings: Discord, client: Arc<Client>) -> Self {
        Self {
            settings,
            client,
            downloader: Downloader::default(),
            new: JoinSet::new(),
            again: JoinSet::new(),
        }
    }

    /// Whether as many new messages are being read as may be.
    pub(super) fn is_full(&self) -> bool {
        self.new.len() >= NEW_MAX
    }

    /// Whether as many messages are being read again as may be.
    pub(super) fn is_full_again(&self) -> bool {
        self.again.len() >= AGAIN_MAX
    }

    /// How many messages are being read again.
    pub(super) fn again(&self) -> usize {
        self.again.len()
    }

    /// Begins to read a new message that has a file.
    pub(super) fn begin(&mut self, message: Incoming, file: Attachment) {
        let (settings, downloader) = (self.settings.clone(), self.downloader.clone());
        self.new.spawn(async move {
            let id = message.id;
            let retried = |error: &DownloadError, wait_ms| {
                warn!("message {id}: {error}; trying again in {wait_ms} ms");
            };
            let file = downloader.fetch(&file, &settings, retried).await;
            let outcome = read(&message, file, &settings);
            Finished { id, outcome }
        });
    }

    /// Begins to read a message again whose file could not be downloaded before. Its URL may have expired, so the message is
    /// requested from Discord.
    pub(super) fn begin_again(&mut self, id: u64, channel: Id<ChannelMarker>) {
        let (settings, downloader) = (self.settings.clone(), self.downloader.clone());
        let client = Arc::clone(&self.client);
        self.again.spawn(async move {
            let outcome = read_again(id, &client, channel, &settings, &downloader).await;
            let outcome = outcome.unwrap_or_else(|error| Outcome::WithoutFile {
                error,
                fields: None,
            });
            Finished { id, outcome }
        });
    }

    /// The next new message that was read; `None` if none is being read.
    pub(super) async fn next(&mut self) -> Option<Finished> {
        self.new.join_next().await.map(unwrap)
    }

    /// The next new message that was read, without waiting.
    pub(super) fn try_next(&mut self) -> Option<Finished> {
        self.new.try_join_next().map(unwrap)
    }

    /// The next of all messages that was read, and whether it is new; waits forever if none is being read.
    pub(super) async fn next_of_all(&mut self) -> (Finished, bool) {
        tokio::select! {
            Some(done) = self.new.join_next() => (unwrap(done), true),
            Some(done) = self.again.join_next() => (unwrap(done), false),
            else => std::future::pending().await,
        }
    }
}

/// A task that panicked has found a bug. Like any other part of the bot it ends the bot, which reads the message again after the
/// next start.
fn unwrap(done: Result<Finished, JoinError>) -> Finished {
    done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Reads a message, now that its file was downloaded or could not be.
fn read(message: &Incoming, file: Result<Vec<u8>, DownloadError>, settings: &Discord) -> Outcome {
    let store = |file| Some(Box::new(item(message, file, settings)));
    match file {
        Ok(bytes) => Outcome::Complete(store(AttachedFile::Bytes(bytes))),
        Err(DownloadError::Forbidden(why)) => {
            warn!("attachment of message {}: {why}", message.id);
            Outcome::Complete(store(AttachedFile::Forbidden(why)))
        }
        Err(DownloadError::Unreachable(error)) => Outcome::WithoutFile {
            error,
            fields: match settings.hmac_key {
                Some(_) => None,
                None => store(AttachedFile::None),
            },
        },
    }
}

async fn read_again(
    id: u64,
    client: &Client,
    channel: Id<ChannelMarker>,
    settings: &Discord,
    downloader: &Downloader,
) -> Result<Outcome, String> {
    let Some(message) = request_message(client, channel, id).await? else {
        return Ok(Outcome::Complete(None));
    };
    let store = |file| Some(Box::new(item(&message, file, settings)));
    let now_ms = Timestamp::now().as_millisecond().unsigned_abs();
    // It has been counted against the rate limit before.
    match check(&message, settings, None) {
        Verdict::ContentHidden => Err(ContentHidden.to_string()),
        Verdict::Ignore => Ok(Outcome::Complete(None)),
        Verdict::Reject(item) => Ok(Outcome::Complete(Some(item))),
        Verdict::Round(Some(file)) if posted_ms(id) + RETRY_FOR_MS >= now_ms => {
            let file = downloader.fetch(&file, settings, |_, _| {}).await;
            Ok(read(&message, file, settings))
        }
        Verdict::Round(None) => Ok(Outcome::Complete(store(AttachedFile::None))),
        Verdict::Round(Some(_)) => {
            let days = usize::try_from(RETRY_FOR_MS / (24 * 3600 * 1000)).unwrap_or_default();
            let why = format!("it could not be downloaded for {}", counted(days, "day"));
            Ok(Outcome::Complete(store(AttachedFile::Forbidden(why))))
        }
    }
}

/// One message of the channel; `None` if it was deleted.
async fn request_message(
    client: &Client,
    channel: Id<ChannelMarker>,
    id: u64,
) -> Result<Option<Incoming>, String> {
    let message = Id::new_checked(id).ok_or("the message has no id")?;
    match client.message(channel, message).await {
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

/// When a message was posted, unix time in ms. Its id contains that.
fn posted_ms(id: u64) -> u64 {
    /// The first second of 2015, from which Discord counts.
    const EPOCH_MS: u64 = 1_420_070_400_000;
    (id >> 22) + EPOCH_MS
}
