//! Sends messages to the stats channel, and edits them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value as Json;
use tokio::time;
use tracing::{debug, info, warn};
use twilight_http::Client;
use twilight_http::api_error::ApiError;
use twilight_http::error::ErrorType;
use twilight_model::http::attachment::Attachment;
use twilight_model::id::Id;

use super::post::{FILE_NAME, Post};
use crate::backoff::Backoff;
use crate::chart::{PNG_SCALE, png};
use crate::db::summaries::{LogEntry, PostOutcome};
use crate::status::Status;

/// How long a claim is valid: longer than an attempt can take, and well within the minutes for which Discord remembers
/// a nonce.
pub const CLAIM_SECONDS: i64 = 60;
/// How long an attempt may take, including waits for Discord's rate limits.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(45);
/// How long the bot waits after Discord did not accept a message.
const SEND_BACKOFF: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(600));
/// Discord's error code for a message that does not exist any more.
const UNKNOWN_MESSAGE: u64 = 10_008;

/// Sends messages to one channel.
#[derive(Debug)]
pub struct Sender {
    /// Discord's REST API.
    pub client: Client,
    /// The channel for new messages.
    pub channel_id: u64,
    /// Where successes and failures are counted.
    pub status: Arc<Status>,
    /// The channel's name in log and status.
    pub source: &'static str,
}

/// A message in Discord.
#[derive(Debug, Clone, Copy)]
struct PostedMessage {
    channel_id: u64,
    message_id: u64,
}

/// Why a message was not posted or edited.
#[derive(Debug, thiserror::Error)]
enum SendError {
    /// It had been posted, and was deleted in Discord.
    #[error("the message was deleted")]
    Deleted,
    /// Discord did not accept it, or could not be reached.
    #[error("{0}")]
    Failed(String),
}

impl SendError {
    fn failed(error: impl ToString) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Sender {
    /// Posts a message, or edits it if `entry` knows it and it shows something else. `label` names it in the log.
    pub async fn update(
        &self,
        post: &Post,
        entry: Option<&LogEntry>,
        nonce: &str,
        label: &str,
    ) -> PostOutcome {
        let posted = entry.and_then(|entry| {
            Some(PostedMessage {
                channel_id: entry.channel_id,
                message_id: entry.message_id?,
            })
        });
        let shown = post.hash();
        if posted.is_some() && entry.is_some_and(|entry| entry.shown == shown) {
            return PostOutcome::Unchanged;
        }
        let sent = time::timeout(ATTEMPT_TIMEOUT, self.send(post, posted, nonce)).await;
        let sent = sent.unwrap_or_else(|_| Err(SendError::failed("no answer in time")));
        match sent {
            Ok((message_id, message)) => {
                let done = if posted.is_some() { "edited" } else { "posted" };
                if done == "edited" && self.source != super::SOURCE {
                    // A round is edited many times while it is played.
                    debug!("{}: {label} {done}", self.source);
                } else {
                    info!("{}: {label} {done}", self.source);
                }
                self.status.posted(self.source, done);
                // If an earlier attempt was posted after all, Discord returns that message, which may show an older state.
                let is_retry = posted.is_none() && entry.is_some();
                if is_retry && !post.is_shown_by(&message) {
                    PostOutcome::Outdated { message_id }
                } else {
                    PostOutcome::Shown { message_id, shown }
                }
            }
            Err(SendError::Deleted) => {
                info!(
                    "{}: the message of {label} was deleted; it is not posted again",
                    self.source
                );
                PostOutcome::Deleted
            }
            Err(SendError::Failed(why)) => {
                let failures = entry.map_or(0, |entry| entry.attempts);
                let wait = SEND_BACKOFF.after(failures).next_wait().as_secs();
                warn!("{}: {label}: {why}; trying again in {wait} s", self.source);
                self.status.failed(self.source, &why);
                PostOutcome::Failed {
                    retry_unix: Timestamp::now().as_second().saturating_add_unsigned(wait),
                }
            }
        }
    }

    /// Posts a message, or edits the posted one. Returns its id and the message as Discord has it now.
    async fn send(
        &self,
        post: &Post,
        posted: Option<PostedMessage>,
        nonce: &str,
    ) -> Result<(u64, Json), SendError> {
        let mut files = Vec::new();
        if let Some(svg) = post.svg().map(str::to_owned) {
            // Rendering takes tens of milliseconds, too long for the threads that answer requests.
            let rendered = tokio::task::spawn_blocking(move || png::render(&svg, PNG_SCALE)).await;
            let picture = rendered
                .map_err(SendError::failed)?
                .map_err(SendError::failed)?;
            files.push(Attachment::from_bytes(FILE_NAME.to_owned(), picture, 0));
        }
        let no_id = || SendError::failed("the id of the channel is 0");
        let response = match posted {
            None => {
                let channel = Id::new_checked(self.channel_id).ok_or_else(no_id)?;
                let body = post.body(Some(nonce)).to_string();
                self.client
                    .create_message(channel)
                    .attachments(&files)
                    .payload_json(body.as_bytes())
                    .await
            }
            Some(posted) => {
                let channel = Id::new_checked(posted.channel_id).ok_or_else(no_id)?;
                let message = Id::new_checked(posted.message_id).ok_or_else(no_id)?;
                let body = post.body(None).to_string();
                self.client
                    .update_message(channel, message)
                    .attachments(&files)
                    .payload_json(body.as_bytes())
                    .await
            }
        };
        let answer = response.map_err(|e| send_error(&e))?.bytes().await;
        let answer = answer.map_err(SendError::failed)?;
        // Only the id is required. If a future field of Discord's messages could not be parsed, the post would be repeated.
        let message: Json = serde_json::from_slice(&answer).unwrap_or_default();
        let id = message["id"].as_str().and_then(|id| id.parse().ok());
        let id = id.ok_or_else(|| SendError::failed("Discord's answer has no id"))?;
        Ok((id, message))
    }
}

fn send_error(error: &twilight_http::Error) -> SendError {
    match error.kind() {
        ErrorType::Response {
            error: ApiError::General(error),
            ..
        } if error.code == UNKNOWN_MESSAGE => SendError::Deleted,
        ErrorType::Response { error, status, .. } => SendError::Failed(format!(
            "Discord answers {status}: {error}; run gametimes-bot doctor to see which permission is missing"
        )),
        _ => SendError::failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_of_a_message_wait_2_seconds_to_10_minutes() {
        let waits = [0, 1, 2, 7, 8, 9, u32::MAX];
        let waits = waits.map(|failures| SEND_BACKOFF.after(failures).next_wait().as_secs());
        assert_eq!(waits, [2, 4, 8, 256, 512, 600, 600]);
    }
}
