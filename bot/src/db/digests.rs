//! The log of digests: which evening was posted to which stats channel, as which message. With it a restart repeats no digest, and
//! several bots on one database post each evening once.

use super::summaries::{LogEntry, PostOutcome, snowflake};
use super::value::Row;
use super::{Db, DbError};
use crate::args;

/// When an evening began and ended, unix times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When its first round began.
    pub started_unix: i64,
    /// When its last round ended.
    pub ended_unix: i64,
}

/// A row of `gametimes_digests`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedDigest {
    /// Its id.
    pub id: i64,
    /// When the evening began and ended when the digest was last tried.
    pub span: Span,
    /// Whether the message was deleted in Discord. The evening is not posted again.
    pub is_deleted: bool,
    /// The message.
    pub entry: LogEntry,
}

/// What arrived since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrivals {
    /// The id of the latest fact.
    pub last_fact: i64,
    /// The earliest time that a fact is about.
    pub earliest_unix: i64,
    /// When the latest fact was received.
    pub received_unix: i64,
}

impl Span {
    /// Whether two evenings have a time in common. Evenings of the same rounds always do.
    pub fn overlaps(self, other: Self) -> bool {
        self.started_unix <= other.ended_unix && other.started_unix <= self.ended_unix
    }
}

impl LoggedDigest {
    const COLUMNS: &str = "id, channel_id, started_unix, ended_unix, state, message_id, shown, attempts, not_before_unix";

    fn from_row(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            span: Span {
                started_unix: row.get("started_unix"),
                ended_unix: row.get("ended_unix"),
            },
            is_deleted: row.get::<String>("state") == "deleted",
            entry: LogEntry::from_row(row),
        }
    }
}

impl Db {
    /// What arrived after the fact with this id; `None` if nothing did.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn arrivals_since(&self, fact: i64) -> Result<Option<Arrivals>, DbError> {
        let sql = "SELECT MAX(id) AS last_fact, MIN(at_unix) AS earliest_unix, MAX(received_unix) AS received_unix \
                   FROM gametimes_facts WHERE id > $1";
        let row = self.database.row(sql, args![fact]).await?;
        Ok(row.and_then(|row| {
            Some(Arrivals {
                last_fact: row.get::<Option<i64>>("last_fact")?,
                earliest_unix: row.get("earliest_unix"),
                received_unix: row.get("received_unix"),
            })
        }))
    }

    /// The digests in a channel of evenings that ended at this time or later, oldest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn digests(
        &self,
        channel_id: u64,
        ended_from: i64,
    ) -> Result<Vec<LoggedDigest>, DbError> {
        let sql = format!(
            "SELECT {} FROM gametimes_digests WHERE channel_id = $1 AND ended_unix >= $2 ORDER BY id",
            LoggedDigest::COLUMNS
        );
        let values = args![snowflake(channel_id), ended_from];
        let rows = self.database.rows(&sql, values).await?;
        Ok(rows.iter().map(LoggedDigest::from_row).collect())
    }

    /// Reserves the digest of an evening for this bot until `until_unix`; `logged` is what [`Self::digests`] returned for it. Returns
    /// the id of the digest; `None` if another bot was faster.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn claim_digest(
        &self,
        channel_id: u64,
        span: Span,
        logged: Option<&LoggedDigest>,
        until_unix: i64,
    ) -> Result<Option<i64>, DbError> {
        // Its lock makes other bots wait, so none of them inserts the same evening.
        let mut transaction = self.database.begin().await?;
        let Span {
            started_unix,
            ended_unix,
        } = span;
        let claimed = match logged {
            None => {
                let sql = "INSERT INTO gametimes_digests (channel_id, started_unix, ended_unix, state, shown, attempts, \
                           not_before_unix) SELECT $1, $2, $3, 'claimed', '', 0, $4 WHERE NOT EXISTS (SELECT 1 FROM \
                           gametimes_digests WHERE channel_id = $1 AND started_unix <= $3 AND ended_unix >= $2) RETURNING id";
                let channel_id = snowflake(channel_id);
                let values = args![channel_id, started_unix, ended_unix, until_unix];
                transaction.rows(sql, values).await?
            }
            Some(logged) => {
                let sql = "UPDATE gametimes_digests SET not_before_unix = $1, started_unix = $2, ended_unix = $3 \
                           WHERE id = $4 AND not_before_unix = $5 RETURNING id";
                let before = logged.entry.not_before_unix;
                let values = args![until_unix, started_unix, ended_unix, logged.id, before];
                transaction.rows(sql, values).await?
            }
        };
        transaction.commit().await?;
        Ok(claimed.first().map(|row| row.get("id")))
    }

    /// Records how an attempt ended, and releases the digest.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn record_digest(&self, id: i64, outcome: &PostOutcome) -> Result<(), DbError> {
        let (set, mut values) = match outcome {
            PostOutcome::Shown { message_id, shown } => (
                "state = 'posted', attempts = 0, not_before_unix = 0, message_id = $2, shown = $3",
                args![snowflake(*message_id), shown].to_vec(),
            ),
            PostOutcome::Outdated { message_id } => (
                "state = 'posted', attempts = 0, not_before_unix = 0, message_id = $2",
                args![snowflake(*message_id)].to_vec(),
            ),
            PostOutcome::Unchanged => ("attempts = 0, not_before_unix = 0", Vec::new()),
            PostOutcome::Deleted => ("state = 'deleted', not_before_unix = 0", Vec::new()),
            PostOutcome::Failed { retry_unix } => (
                "attempts = attempts + 1, not_before_unix = $2",
                args![*retry_unix].to_vec(),
            ),
        };
        values.insert(0, id.into());
        let sql = format!("UPDATE gametimes_digests SET {set} WHERE id = $1");
        let mut transaction = self.database.begin().await?;
        transaction.execute(&sql, &values).await?;
        transaction.commit().await
    }
}
