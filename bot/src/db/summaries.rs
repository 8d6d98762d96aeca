//! The post log: which round was posted to the stats channel, as which message. With it a restart repeats no post, and
//! several bots on one database post each round once.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::connection::Transaction;
use super::matches::AROUND_SECONDS;
use super::value::Row;
use super::{Db, DbError};
use crate::args;

/// A round whose rows have changed since the post log last looked at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRound {
    /// `rounds.id`.
    pub round_id: i64,
    /// A hash of the round's rows.
    pub content: String,
    /// The round's entry in the post log, if it has one.
    pub entry: Option<LogEntry>,
    /// The content of the round when the post log last looked at it; [`look_again`] changes it.
    seen: String,
}

/// A message in a stats channel, as the log knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The channel of the message, or the one that was tried last.
    pub channel_id: u64,
    /// The message; `None` while it is unknown whether it was posted.
    pub message_id: Option<u64>,
    /// A hash of what the message shows.
    pub shown: String,
    /// How many attempts in a row have failed.
    pub attempts: u32,
    /// No bot may try before this time.
    pub not_before_unix: i64,
}

/// Which rounds are posted and edited now. All times are unix times.
#[derive(Debug, Clone, Copy)]
pub struct PostWindow {
    /// Rounds that may not be tried before a later time than this are left out.
    pub now: i64,
    /// Rounds whose report arrived later wait for their stats file.
    pub received_until: i64,
    /// Rounds that ended earlier are not posted.
    pub post_from: i64,
    /// Messages of rounds that ended earlier are not edited.
    pub edit_from: i64,
}

/// How an attempt to post or edit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostOutcome {
    /// The message shows the round as it is stored.
    Shown {
        /// The message.
        message_id: u64,
        /// A hash of what it shows.
        shown: String,
    },
    /// The message exists, but shows an older state of the round.
    Outdated {
        /// The message.
        message_id: u64,
    },
    /// There was nothing to post or edit.
    Unchanged,
    /// The message was deleted in Discord. The round is not posted again.
    Deleted,
    /// Discord did not accept the message.
    Failed {
        /// When to try again, unix time.
        retry_unix: i64,
    },
}

impl LogEntry {
    pub(super) fn from_row(row: &Row) -> Self {
        Self {
            channel_id: row.get("channel_id"),
            message_id: row.get("message_id"),
            shown: row.get("shown"),
            attempts: row.get::<u64>("attempts").try_into().unwrap_or(u32::MAX),
            not_before_unix: row.get("not_before_unix"),
        }
    }
}

impl PendingRound {
    fn from_row(row: &Row) -> Self {
        let is_known = row.get::<Option<u64>>("channel_id").is_some();
        Self {
            round_id: row.get("round_id"),
            content: row.get("content"),
            entry: is_known.then(|| LogEntry::from_row(row)),
            seen: row.get::<Option<String>>("seen").unwrap_or_default(),
        }
    }
}

impl Db {
    /// The rounds with a recorder's report whose rows have changed since the post log last looked at them, in the order in
    /// which they were played.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn pending_posts(&self, window: PostWindow) -> Result<Vec<PendingRound>, DbError> {
        let sql = "SELECT g.round_id, g.content, s.channel_id, s.message_id, s.shown, s.seen, s.attempts, s.not_before_unix \
                   FROM gametimes_facts f JOIN gametimes_groups g ON g.id = f.group_id \
                   LEFT JOIN gametimes_summaries s ON s.round_id = g.round_id \
                   WHERE f.kind = 'report' AND f.at_unix >= $1 AND g.round_id IS NOT NULL AND (s.round_id IS NULL OR \
                   (s.state <> 'deleted' AND s.seen <> g.content AND s.not_before_unix <= $2)) \
                   GROUP BY g.round_id, g.content, s.channel_id, s.message_id, s.shown, s.seen, s.attempts, s.not_before_unix \
                   HAVING MIN(f.received_unix) <= $3 AND (s.message_id IS NOT NULL OR MAX(f.at_unix) >= $4) \
                   ORDER BY MAX(f.at_unix), g.round_id";
        let values = args![
            window.edit_from,
            window.now,
            window.received_until,
            window.post_from
        ];
        let rows = self.database.rows(sql, values).await?;
        Ok(rows.iter().map(PendingRound::from_row).collect())
    }

    /// Reserves a round for this bot until `until_unix`. Returns false if another bot has reserved it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn claim_post(
        &self,
        round: &PendingRound,
        channel_id: u64,
        until_unix: i64,
    ) -> Result<bool, DbError> {
        let mut transaction = self.database.begin().await?;
        let claimed = match &round.entry {
            None => {
                let sql = "INSERT INTO gametimes_summaries (round_id, state, channel_id, seen, shown, attempts, not_before_unix) \
                           VALUES ($1, 'claimed', $2, '', '', 0, $3) ON CONFLICT (round_id) DO NOTHING";
                let values = args![round.round_id, snowflake(channel_id), until_unix];
                transaction.execute(sql, values).await?
            }
            Some(entry) => {
                // The setting may name another channel than at the first attempt.
                let sql = "UPDATE gametimes_summaries SET not_before_unix = $1, \
                           channel_id = CASE WHEN message_id IS NULL THEN $4 ELSE channel_id END \
                           WHERE round_id = $2 AND not_before_unix = $3";
                let values = args![
                    until_unix,
                    round.round_id,
                    entry.not_before_unix,
                    snowflake(channel_id)
                ];
                transaction.execute(sql, values).await?
            }
        };
        transaction.commit().await?;
        Ok(claimed == 1)
    }

    /// Records how an attempt ended, and releases the round.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn record_post(
        &self,
        round: &PendingRound,
        outcome: &PostOutcome,
    ) -> Result<(), DbError> {
        let (id, content) = (round.round_id, &round.content);
        // Data that arrived during the attempt must be looked at, too.
        let seen = &round.seen;
        let (sql, values) = match outcome {
            PostOutcome::Shown { message_id, shown } => (
                "UPDATE gametimes_summaries SET state = 'posted', message_id = $2, shown = $3, \
                 seen = CASE WHEN seen = $5 THEN $4 ELSE seen END, attempts = 0, not_before_unix = 0 WHERE round_id = $1",
                args![id, snowflake(*message_id), shown, content, seen].to_vec(),
            ),
            PostOutcome::Outdated { message_id } => (
                "UPDATE gametimes_summaries SET state = 'posted', message_id = $2, attempts = 0, not_before_unix = 0 \
                 WHERE round_id = $1",
                args![id, snowflake(*message_id)].to_vec(),
            ),
            PostOutcome::Unchanged => (
                "UPDATE gametimes_summaries SET seen = CASE WHEN seen = $3 THEN $2 ELSE seen END, attempts = 0, \
                 not_before_unix = 0 WHERE round_id = $1",
                args![id, content, seen].to_vec(),
            ),
            PostOutcome::Deleted => (
                "UPDATE gametimes_summaries SET state = 'deleted', seen = $2 WHERE round_id = $1",
                args![id, content].to_vec(),
            ),
            PostOutcome::Failed { retry_unix } => (
                "UPDATE gametimes_summaries SET attempts = attempts + 1, not_before_unix = $2 WHERE round_id = $1",
                args![id, *retry_unix].to_vec(),
            ),
        };
        let mut transaction = self.database.begin().await?;
        transaction.execute(sql, &values).await?;
        transaction.commit().await
    }
}

/// Has the post log look again at rounds that were played after one of these times: their messages show the result of the match and
/// the score of the series, which earlier rounds decide.
pub(super) async fn look_again(
    transaction: &mut Transaction,
    times: &BTreeSet<i64>,
) -> Result<(), DbError> {
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return Ok(());
    };
    let sql = "UPDATE gametimes_summaries SET seen = $1 WHERE state <> 'deleted' AND round_id IN \
               (SELECT g.round_id FROM gametimes_facts f JOIN gametimes_groups g ON g.id = f.group_id \
               WHERE f.at_unix > $2 AND f.at_unix <= $3 AND f.kind = 'report')";
    // A value that no round's content has, and that differs each time.
    let seen = format!("late {}", Timestamp::now().as_nanosecond());
    let values = args![&seen, *first, last.saturating_add(AROUND_SECONDS)];
    transaction.execute(sql, values).await?;
    Ok(())
}

/// A Discord id as the databases store it.
pub(super) fn snowflake(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}
