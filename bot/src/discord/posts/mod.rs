//! The message for players in the stats channel: posted once a round, edited when late data changes it.
//!
//! Every few seconds the database is asked for rounds whose rows have changed since they were last looked at. A round is
//! claimed in the database before anything is sent, so that two bots on one database post once. If the bot dies between
//! Discord's answer and noting it, the claim runs out and the message is posted again with the same nonce, for which
//! Discord gives back the message that is there. Nothing here pause_marks the import: it only reads what is stored.

mod message;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value as Json;
use tokio::time;
use tracing::{info, warn};
use twilight_http::Client;
use twilight_http::api_error::ApiError;
use twilight_http::error::ErrorType;
use twilight_model::http::attachment::Attachment;
use twilight_model::id::Id;

pub use self::message::{FILE_NAME, Summary, nonce};
use crate::chart::{self, Chart, PNG_SCALE, png};
use crate::config::StatsChannel;
use crate::db::players::Player;
use crate::db::summaries::{Due, Noted, Window};
use crate::db::{Db, DbError};
use crate::status::Status;

/// How often the database is asked.
const POLL: Duration = Duration::from_secs(2);
/// How long a claim holds: longer than an attempt can take, and well within the minutes for which Discord remembers nonces.
const CLAIM_SECONDS: i64 = 60;
/// How long an attempt may take, waiting for rate limits included.
const ATTEMPT: Duration = Duration::from_secs(45);
/// Messages of rounds that ended earlier are not edited any more.
const EDIT_SECONDS: i64 = 7 * 24 * 3600;
/// Shorter rounds are not posted: the recorder's own limit (`gametimes_min_seconds`).
const MIN_SECONDS: i64 = 30;
/// Discord's code for a message that is not there any more.
const UNKNOWN_MESSAGE: u64 = 10_008;
/// The name of this part among the sources.
const SOURCE: &str = "stats channel";

/// Posts until dropped.
pub async fn run(settings: StatsChannel, client: Client, store: Db, status: Arc<Status>) {
    let poster = Poster {
        settings,
        client,
        store,
        status,
    };
    let mut wait = POLL;
    loop {
        wait = match poster.look().await {
            Ok(()) => POLL,
            Err(error) => {
                poster.status.failed(SOURCE, &error.to_string());
                warn!(
                    "stats channel: {error}; looking again in {} s",
                    wait.as_secs()
                );
                (wait * 2).min(Duration::from_secs(60))
            }
        };
        time::sleep(wait).await;
    }
}

struct Poster {
    settings: StatsChannel,
    client: Client,
    store: Db,
    status: Arc<Status>,
}

/// Why a message was not posted or edited.
#[derive(Debug, thiserror::Error)]
enum SendError {
    /// It was there, and somebody has deleted it.
    #[error("the message was deleted")]
    Deleted,
    /// Discord, or the way to it, failed.
    #[error("{0}")]
    Failed(String),
}

impl Poster {
    /// Posts and edits everything that is due.
    async fn look(&self) -> Result<(), DbError> {
        let now = Timestamp::now().as_second();
        let seconds = |d: Duration| i64::try_from(d.as_secs()).unwrap_or(i64::MAX);
        let post_from = now.saturating_sub(seconds(self.settings.max_age));
        let window = Window {
            now,
            received_until: now.saturating_sub(seconds(self.settings.settle)),
            post_from,
            edit_from: post_from.min(now - EDIT_SECONDS),
        };
        for due in self.store.due_summaries(window).await? {
            let until = Timestamp::now().as_second() + CLAIM_SECONDS;
            if self
                .store
                .claim_summary(&due, self.settings.channel_id, until)
                .await?
            {
                let noted = self.show(&due).await?;
                self.store.note_summary(&due, &noted).await?;
            }
        }
        Ok(())
    }

    /// Brings the message of a round up to date.
    async fn show(&self, due: &Due) -> Result<Noted, DbError> {
        let Some(detail) = self.store.round(due.round_id).await? else {
            return Ok(Noted::Left);
        };
        let round = &detail.round;
        let entry = due.entry.as_ref();
        let posted = entry.and_then(|e| Some((e.channel_id, e.message_id?)));
        let is_short = round
            .actual_duration_seconds
            .is_some_and(|s| s < MIN_SECONDS);
        let is_bot = |p: &Player| p.guid.to_ascii_uppercase().starts_with("OMNIBOT");
        let only_bots = !detail.players.is_empty() && detail.players.iter().all(is_bot);
        if posted.is_none() && (is_short || only_bots) {
            return Ok(Noted::Left);
        }
        let events = chart::events(&self.store, due.round_id).await?;
        let stats = self.store.stats_file_header(due.round_id).await?;
        let summary = Summary::new(&detail, stats.as_ref(), &Chart::new(&detail, &events));
        let shown = summary.hash();
        if entry.is_some_and(|e| e.message_id.is_some() && e.shown == shown) {
            return Ok(Noted::Left);
        }
        let nonce = nonce(self.settings.channel_id, &detail);
        let sent = time::timeout(ATTEMPT, self.send(&summary, posted, &nonce)).await;
        let sent = sent.unwrap_or_else(|_| Err(SendError::Failed("no answer in time".into())));
        let what = format!("{} round {}", round.map_name, round.round_number);
        Ok(match sent {
            Ok((message_id, message)) => {
                let done = if posted.is_some() { "edited" } else { "posted" };
                info!("stats channel: {what} {done} (round {})", due.round_id);
                self.status.posted(SOURCE, done);
                // For a nonce that it knows Discord gives back what is there, which may show an older state.
                let retried = posted.is_none() && entry.is_some();
                if retried && !summary.is_shown_by(&message) {
                    Noted::Stale { message_id }
                } else {
                    Noted::Shown { message_id, shown }
                }
            }
            Err(SendError::Deleted) => {
                info!("stats channel: the message of {what} was deleted, so it is left alone");
                Noted::Deleted
            }
            Err(SendError::Failed(why)) => {
                let wait = backoff_seconds(entry.map_or(0, |e| e.attempts));
                warn!("stats channel: {what}: {why}; again in {wait} s");
                self.status.failed(SOURCE, &why);
                Noted::Failed {
                    again_unix: Timestamp::now().as_second() + wait,
                }
            }
        })
    }

    /// Posts, or edits what is posted; returns the message's id and the message as it is now.
    async fn send(
        &self,
        summary: &Summary,
        posted: Option<(u64, u64)>,
        nonce: &str,
    ) -> Result<(u64, Json), SendError> {
        let mut files = Vec::new();
        if let Some(svg) = summary.svg.clone() {
            // Drawing takes tens of milliseconds, too long for the threads that answer requests.
            let drawn = tokio::task::spawn_blocking(move || png::render(&svg, PNG_SCALE)).await;
            let picture = drawn
                .map_err(|e| SendError::Failed(e.to_string()))?
                .map_err(|e| SendError::Failed(e.to_string()))?;
            files.push(Attachment::from_bytes(FILE_NAME.to_owned(), picture, 0));
        }
        let broken = || SendError::Failed("discord.stats_channel_id is 0".into());
        let response = match posted {
            None => {
                let channel = Id::new_checked(self.settings.channel_id).ok_or_else(broken)?;
                let body = summary.body(Some(nonce)).to_string();
                self.client
                    .create_message(channel)
                    .attachments(&files)
                    .payload_json(body.as_bytes())
                    .await
            }
            Some((channel, message)) => {
                let channel = Id::new_checked(channel).ok_or_else(broken)?;
                let message = Id::new_checked(message).ok_or_else(broken)?;
                let body = summary.body(None).to_string();
                self.client
                    .update_message(channel, message)
                    .attachments(&files)
                    .payload_json(body.as_bytes())
                    .await
            }
        };
        // Only the id must be there: what Discord adds to its messages one day must not make them come again.
        let answer = response.map_err(|e| told(&e))?.bytes().await;
        let answer = answer.map_err(|e| SendError::Failed(e.to_string()))?;
        let message: Json = serde_json::from_slice(&answer).unwrap_or_default();
        let id = message["id"].as_str().and_then(|id| id.parse().ok());
        let id = id.ok_or_else(|| SendError::Failed("Discord's answer has no id".into()))?;
        Ok((id, message))
    }
}

fn told(error: &twilight_http::Error) -> SendError {
    match error.kind() {
        ErrorType::Response {
            error: ApiError::General(error),
            ..
        } if error.code == UNKNOWN_MESSAGE => SendError::Deleted,
        ErrorType::Response { error, status, .. } => SendError::Failed(format!(
            "Discord answers {status}: {error}; gametimes-bot doctor tells what the bot lacks there"
        )),
        _ => SendError::Failed(error.to_string()),
    }
}

/// 2 s after the first failure, twice as long after each further one, 10 minutes at most.
fn backoff_seconds(attempts: i64) -> i64 {
    (2 << attempts.clamp(0, 9)).min(600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stop_growing() {
        let waits: Vec<i64> = [0, 1, 2, 7, 8, 9, i64::MAX].map(backoff_seconds).into();
        assert_eq!(waits, [2, 4, 8, 256, 512, 600, 600]);
    }
}
