//! The messages for players in the stats channel: one per round, edited when data that arrives later changes the round.
//!
//! Every few seconds the bot asks the database for rounds that have changed since it last looked at them. It claims a round
//! in the post log before it sends anything, so several bots on one database post each round once. If the bot is killed
//! between Discord's answer and storing it, the claim expires and the message is sent again with the same nonce, for which
//! Discord returns the existing message. Nothing here delays the import.

mod message;

use std::time::Duration;

use gametimes_format::rules::is_bot_guid;
use jiff::Timestamp;
use serde_json::Value as Json;
use tokio::time;
use tracing::{info, warn};
use twilight_http::Client;
use twilight_http::api_error::ApiError;
use twilight_http::error::ErrorType;
use twilight_model::http::attachment::Attachment;
use twilight_model::id::Id;

use self::message::{FILE_NAME, Summary, nonce};
use crate::backoff::Backoff;
use crate::chart::{Chart, PNG_SCALE, png};
use crate::config::StatsChannel;
use crate::db::DbError;
use crate::db::rounds::RoundDetail;
use crate::db::summaries::{PendingRound, PostOutcome, PostWindow};
use crate::writer::SourceContext;

/// How often the bot looks for changed rounds.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// How long it waits after the database failed.
const DATABASE_BACKOFF: Backoff = Backoff::new(Duration::from_secs(4), Duration::from_secs(60));
/// How long it waits after Discord did not accept a message.
const SEND_BACKOFF: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(600));
/// How long a claim is valid: longer than an attempt can take, and well within the minutes for which Discord remembers
/// a nonce.
const CLAIM_SECONDS: i64 = 60;
/// How long an attempt may take, including waits for Discord's rate limits.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(45);
/// Messages of rounds that ended earlier than this are not edited any more.
const EDIT_SECONDS: i64 = 7 * 24 * 3600;
/// Rounds shorter than this are not posted, like the module's `gametimes_min_seconds`.
const MIN_SECONDS: i64 = 30;
/// Discord's error code for a message that does not exist any more.
const UNKNOWN_MESSAGE: u64 = 10_008;
/// The name of the stats channel in the status.
const SOURCE: &str = "stats channel";

/// Posts and edits until dropped.
pub async fn run(settings: StatsChannel, client: Client, context: SourceContext) {
    let poster = Poster {
        settings,
        client,
        context,
    };
    let mut backoff = DATABASE_BACKOFF;
    loop {
        let wait = match poster.update_all().await {
            Ok(()) => {
                backoff.reset();
                POLL_INTERVAL
            }
            Err(error) => {
                let wait = backoff.next_wait();
                poster.context.status.failed(SOURCE, &error.to_string());
                warn!(
                    "stats channel: {error}; trying again in {} s",
                    wait.as_secs()
                );
                wait
            }
        };
        time::sleep(wait).await;
    }
}

struct Poster {
    settings: StatsChannel,
    client: Client,
    context: SourceContext,
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

impl Poster {
    /// Brings the messages of all rounds that have changed up to date.
    async fn update_all(&self) -> Result<(), DbError> {
        let now = Timestamp::now().as_second();
        let seconds = |d: Duration| i64::try_from(d.as_secs()).unwrap_or(i64::MAX);
        let post_from = now.saturating_sub(seconds(self.settings.max_age));
        let window = PostWindow {
            now,
            received_until: now.saturating_sub(seconds(self.settings.settle)),
            post_from,
            edit_from: post_from.min(now - EDIT_SECONDS),
        };
        let (db, channel_id) = (&self.context.db, self.settings.channel_id);
        for round in db.pending_posts(window).await? {
            let until = Timestamp::now().as_second() + CLAIM_SECONDS;
            if db.claim_post(&round, channel_id, until).await? {
                let outcome = self.update(&round).await?;
                db.record_post(&round, &outcome).await?;
            }
        }
        Ok(())
    }

    /// Brings the message of a round up to date.
    async fn update(&self, pending: &PendingRound) -> Result<PostOutcome, DbError> {
        let round_id = pending.round_id;
        let Some(page) = self.context.db.round_page(round_id).await? else {
            return Ok(PostOutcome::Unchanged);
        };
        let detail = &page.detail;
        let entry = pending.entry.as_ref();
        let posted = entry.and_then(|entry| {
            Some(PostedMessage {
                channel_id: entry.channel_id,
                message_id: entry.message_id?,
            })
        });
        if posted.is_none() && !is_worth_posting(detail) {
            return Ok(PostOutcome::Unchanged);
        }
        let chart = Chart::new(detail, &page.timeline);
        let summary = Summary::new(detail, page.stats_file.as_ref(), &chart);
        let shown = summary.hash();
        if posted.is_some() && entry.is_some_and(|entry| entry.shown == shown) {
            return Ok(PostOutcome::Unchanged);
        }
        let nonce = nonce(self.settings.channel_id, detail);
        let sent = time::timeout(ATTEMPT_TIMEOUT, self.send(&summary, posted, &nonce)).await;
        let sent = sent.unwrap_or_else(|_| Err(SendError::failed("no answer in time")));
        let round = &detail.round;
        let label = format!("{} round {}", round.map_name, round.round_number);
        Ok(match sent {
            Ok((message_id, message)) => {
                let done = if posted.is_some() { "edited" } else { "posted" };
                info!("stats channel: {label} {done} (round {round_id})");
                self.context.status.posted(SOURCE, done);
                // If an earlier attempt was posted after all, Discord returns that message, which may show an older state.
                let is_retry = posted.is_none() && entry.is_some();
                if is_retry && !summary.is_shown_by(&message) {
                    PostOutcome::Outdated { message_id }
                } else {
                    PostOutcome::Shown { message_id, shown }
                }
            }
            Err(SendError::Deleted) => {
                info!("stats channel: the message of {label} was deleted; it is not posted again");
                PostOutcome::Deleted
            }
            Err(SendError::Failed(why)) => {
                let failures = entry.map_or(0, |entry| entry.attempts);
                let wait = SEND_BACKOFF.after(failures).next_wait().as_secs();
                warn!("stats channel: {label}: {why}; trying again in {wait} s");
                self.context.status.failed(SOURCE, &why);
                PostOutcome::Failed {
                    retry_unix: Timestamp::now().as_second().saturating_add_unsigned(wait),
                }
            }
        })
    }

    /// Posts a message, or edits the posted one. Returns its id and the message as Discord has it now.
    async fn send(
        &self,
        summary: &Summary,
        posted: Option<PostedMessage>,
        nonce: &str,
    ) -> Result<(u64, Json), SendError> {
        let mut files = Vec::new();
        if let Some(svg) = summary.svg.clone() {
            // Rendering takes tens of milliseconds, too long for the threads that answer requests.
            let rendered = tokio::task::spawn_blocking(move || png::render(&svg, PNG_SCALE)).await;
            let picture = rendered
                .map_err(SendError::failed)?
                .map_err(SendError::failed)?;
            files.push(Attachment::from_bytes(FILE_NAME.to_owned(), picture, 0));
        }
        let no_id = || SendError::failed("discord.stats_channel_id is 0");
        let response = match posted {
            None => {
                let channel = Id::new_checked(self.settings.channel_id).ok_or_else(no_id)?;
                let body = summary.body(Some(nonce)).to_string();
                self.client
                    .create_message(channel)
                    .attachments(&files)
                    .payload_json(body.as_bytes())
                    .await
            }
            Some(posted) => {
                let channel = Id::new_checked(posted.channel_id).ok_or_else(no_id)?;
                let message = Id::new_checked(posted.message_id).ok_or_else(no_id)?;
                let body = summary.body(None).to_string();
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

/// Whether a round is posted at all: not if it was too short, or if only bots played.
fn is_worth_posting(detail: &RoundDetail) -> bool {
    let duration = detail.round.actual_duration_seconds;
    let is_short = duration.is_some_and(|seconds| seconds < MIN_SECONDS);
    let players = &detail.players;
    let only_bots = !players.is_empty() && players.iter().all(|p| is_bot_guid(&p.guid));
    !is_short && !only_bots
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
