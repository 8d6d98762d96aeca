//! What was posted, in the database: so that a restart repeats nothing, and two bots on one database post once.

use crate::args;
use crate::db::value::Row;
use crate::db::{Db, DbError};

/// A round that should be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// `rounds.id`.
    pub round_id: i64,
    /// Tells one state of the round's rows from another.
    pub seen: String,
    /// What is there of it.
    pub entry: Option<Entry>,
}

/// A row of `gametimes_summaries`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it was posted.
    pub channel_id: u64,
    /// The message; none while it is not known to be posted.
    pub message_id: Option<u64>,
    /// Hash over what the message shows.
    pub shown: String,
    /// How often posting has failed since it last went well.
    pub attempts: i64,
    /// Nobody may try before.
    not_before_unix: i64,
}

/// When a round is due.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub now: i64,
    /// Rounds whose report came later are left to settle.
    pub received_until: i64,
    /// Rounds that ended earlier are not posted.
    pub post_from: i64,
    /// Rounds that ended earlier are not edited.
    pub edit_from: i64,
}

fn snowflake(row: &Row, i: usize) -> Option<u64> {
    row.int(i).and_then(|id| u64::try_from(id).ok())
}

fn number(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

impl Db {
    /// The rounds with a recorder's report whose rows have changed since they were last looked at, in the order in which
    /// they were played.
    pub async fn due_summaries(&self, window: Window) -> Result<Vec<Due>, DbError> {
        let sql = "SELECT g.round_id, g.content, s.channel_id, s.message_id, s.shown, s.attempts, s.not_before_unix \
                   FROM gametimes_facts f JOIN gametimes_groups g ON g.id = f.group_id \
                   LEFT JOIN gametimes_summaries s ON s.round_id = g.round_id \
                   WHERE f.kind = 'report' AND f.at_unix >= $1 AND g.round_id IS NOT NULL AND (s.round_id IS NULL OR \
                   (s.state <> 'deleted' AND s.seen <> g.content AND s.not_before_unix <= $2)) \
                   GROUP BY g.round_id, g.content, s.channel_id, s.message_id, s.shown, s.attempts, s.not_before_unix \
                   HAVING MIN(f.received_unix) <= $3 AND (s.message_id IS NOT NULL OR MAX(f.at_unix) >= $4) \
                   ORDER BY MAX(f.at_unix), g.round_id";
        let values = args![
            window.edit_from,
            window.now,
            window.received_until,
            window.post_from
        ];
        let due = |row: &Row| Due {
            round_id: row.int(0).unwrap_or_default(),
            seen: row.string(1),
            entry: snowflake(row, 2).map(|channel_id| Entry {
                channel_id,
                message_id: snowflake(row, 3),
                shown: row.string(4),
                attempts: row.int(5).unwrap_or_default(),
                not_before_unix: row.int(6).unwrap_or_default(),
            }),
        };
        Ok(self
            .database
            .rows(sql, values)
            .await?
            .iter()
            .map(due)
            .collect())
    }

    /// Takes a round for this bot until `until_unix`; false when another bot was faster.
    pub async fn claim_summary(
        &self,
        due: &Due,
        channel_id: u64,
        until_unix: i64,
    ) -> Result<bool, DbError> {
        let mut transaction = self.database.begin().await?;
        let claimed = match &due.entry {
            None => {
                let sql = "INSERT INTO gametimes_summaries (round_id, state, channel_id, seen, shown, attempts, not_before_unix) \
                           VALUES ($1, 'claimed', $2, '', '', 0, $3) ON CONFLICT (round_id) DO NOTHING";
                let values = args![due.round_id, number(channel_id), until_unix];
                transaction.execute(sql, values).await?
            }
            Some(entry) => {
                // The channel may be another one than at the first try.
                let sql = "UPDATE gametimes_summaries SET not_before_unix = $1, \
                           channel_id = CASE WHEN message_id IS NULL THEN $4 ELSE channel_id END \
                           WHERE round_id = $2 AND not_before_unix = $3";
                let values = args![
                    until_unix,
                    due.round_id,
                    entry.not_before_unix,
                    number(channel_id)
                ];
                transaction.execute(sql, values).await?
            }
        };
        transaction.commit().await?;
        Ok(claimed == 1)
    }

    /// Notes how it went; the round is free again.
    pub async fn note_summary(&self, due: &Due, entry: &Noted) -> Result<(), DbError> {
        let mut transaction = self.database.begin().await?;
        let (sql, values) = match entry {
            Noted::Shown { message_id, shown } => (
                "UPDATE gametimes_summaries SET state = 'posted', message_id = $2, shown = $3, seen = $4, attempts = 0, \
                 not_before_unix = 0 WHERE round_id = $1",
                args![due.round_id, number(*message_id), shown, &due.seen].to_vec(),
            ),
            Noted::Stale { message_id } => (
                "UPDATE gametimes_summaries SET state = 'posted', message_id = $2, attempts = 0, not_before_unix = 0 \
                 WHERE round_id = $1",
                args![due.round_id, number(*message_id)].to_vec(),
            ),
            Noted::Left => (
                "UPDATE gametimes_summaries SET seen = $2, attempts = 0, not_before_unix = 0 WHERE round_id = $1",
                args![due.round_id, &due.seen].to_vec(),
            ),
            Noted::Deleted => (
                "UPDATE gametimes_summaries SET state = 'deleted', seen = $2 WHERE round_id = $1",
                args![due.round_id, &due.seen].to_vec(),
            ),
            Noted::Failed { again_unix } => (
                "UPDATE gametimes_summaries SET attempts = attempts + 1, not_before_unix = $2 WHERE round_id = $1",
                args![due.round_id, *again_unix].to_vec(),
            ),
        };
        transaction.execute(sql, &values).await?;
        transaction.commit().await
    }
}

/// How a round went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noted {
    /// The message shows it.
    Shown { message_id: u64, shown: String },
    /// The message is there, but shows something older.
    Stale { message_id: u64 },
    /// Nothing was to be done.
    Left,
    /// Somebody has deleted the message: it is not posted again.
    Deleted,
    /// Discord did not take it; again later.
    Failed { again_unix: i64 },
}
