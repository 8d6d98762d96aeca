//! What the servers do now, shared by the processes on one PostgreSQL; and the log of messages in the live channel.

use gametimes_format::live::RESET_AFTER_MS;

use super::summaries::{LogEntry, PostOutcome, snowflake};
use super::value::Row;
use super::{Db, DbError};
use crate::args;

/// Rows that are older have no meaning any more.
const KEPT_MS: i64 = 24 * 3600 * 1000;
/// The clock of the database, in milliseconds.
const NOW: &str = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";

/// A snapshot as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedSnapshot {
    /// `ip:port`.
    pub server: String,
    /// Its `seq`.
    pub seq: u64,
    /// Its `unix_ms`.
    pub unix_ms: i64,
    /// How long ago it was taken.
    pub age_ms: i64,
    /// The live file.
    pub body: Vec<u8>,
}

/// A round that is shown in the live channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRound {
    /// `ip:port`.
    pub server: String,
    /// What tells this round from the others of the server.
    pub round: String,
    /// The map.
    pub map: String,
    /// 1 or 2.
    pub round_number: i64,
}

/// A row of `gametimes_live_messages` whose round is not known to be over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveMessage {
    /// Its id.
    pub id: i64,
    /// The round.
    pub round: LiveRound,
    /// When the message was posted.
    pub begun_unix: i64,
    /// When the round was last seen to be played.
    pub seen_unix: i64,
    /// The message.
    pub entry: LogEntry,
}

impl LiveMessage {
    fn from_row(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            round: LiveRound {
                server: row.get("server"),
                round: row.get("round"),
                map: row.get("map"),
                round_number: row.get("round_number"),
            },
            begun_unix: row.get("begun_unix"),
            seen_unix: row.get("seen_unix"),
            entry: LogEntry::from_row(row),
        }
    }
}

impl Db {
    /// Whether other processes may use the same database.
    pub fn is_shared(&self) -> bool {
        self.database.is_postgres()
    }

    /// Writes a snapshot if it is the newest of its server. Not in a transaction: it must not wait for a long writer.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn share_snapshot(&self, snapshot: &SharedSnapshot) -> Result<(), DbError> {
        let sql = format!(
            "INSERT INTO gametimes_live AS known (server, seq, unix_ms, taken_unix_ms, body) VALUES ($1, $2, $3, {NOW} - $4, $5) \
             ON CONFLICT (server) DO UPDATE SET seq = EXCLUDED.seq, unix_ms = EXCLUDED.unix_ms, \
             taken_unix_ms = EXCLUDED.taken_unix_ms, body = EXCLUDED.body \
             WHERE known.seq < EXCLUDED.seq OR known.taken_unix_ms < EXCLUDED.taken_unix_ms - {RESET_AFTER_MS} RETURNING server"
        );
        let seq = i64::try_from(snapshot.seq).unwrap_or(i64::MAX);
        let values = args![
            &snapshot.server,
            seq,
            snapshot.unix_ms,
            snapshot.age_ms,
            snapshot.body.clone()
        ];
        self.database.rows(&sql, values).await.map(drop)
    }

    /// The newest snapshot of each server that is younger than this.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn shared_snapshots(&self, age_ms: i64) -> Result<Vec<SharedSnapshot>, DbError> {
        let sql = format!(
            "SELECT server, seq, unix_ms, {NOW} - taken_unix_ms AS age_ms, body FROM gametimes_live \
             WHERE taken_unix_ms > {NOW} - $1 ORDER BY server"
        );
        let rows = self.database.rows(&sql, args![age_ms]).await?;
        let snapshot = |row: &Row| SharedSnapshot {
            server: row.get("server"),
            seq: row.get("seq"),
            unix_ms: row.get("unix_ms"),
            age_ms: row.get::<i64>("age_ms").max(0),
            body: row.get("body"),
        };
        Ok(rows.iter().map(snapshot).collect())
    }

    /// Removes the snapshots of servers that have not been there for a day.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn forget_snapshots(&self) -> Result<(), DbError> {
        let sql =
            format!("DELETE FROM gametimes_live WHERE taken_unix_ms < {NOW} - $1 RETURNING server");
        self.database.rows(&sql, args![KEPT_MS]).await.map(drop)
    }

    /// The messages in a channel whose rounds are not known to be over.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn live_messages(&self, channel_id: u64) -> Result<Vec<LiveMessage>, DbError> {
        let sql = "SELECT id, server, round, map, round_number, begun_unix, seen_unix, channel_id, message_id, shown, attempts, \
                   not_before_unix FROM gametimes_live_messages WHERE channel_id = $1 AND state = 'playing' ORDER BY id";
        let rows = self
            .database
            .rows(sql, args![snowflake(channel_id)])
            .await?;
        Ok(rows.iter().map(LiveMessage::from_row).collect())
    }

    /// Reserves a new message for this bot until `until_unix`. Returns its id; `None` if the round has a message already, or had one.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn begin_live_message(
        &self,
        channel_id: u64,
        round: &LiveRound,
        now_unix: i64,
        until_unix: i64,
    ) -> Result<Option<i64>, DbError> {
        let sql = "INSERT INTO gametimes_live_messages (channel_id, server, round, map, round_number, begun_unix, seen_unix, state, \
                   shown, attempts, not_before_unix) VALUES ($1, $2, $3, $4, $5, $6, $6, 'playing', '', 0, $7) \
                   ON CONFLICT (channel_id, server, round) DO NOTHING RETURNING id";
        let values = args![
            snowflake(channel_id),
            &round.server,
            &round.round,
            &round.map,
            round.round_number,
            now_unix,
            until_unix
        ];
        let mut transaction = self.database.begin().await?;
        let rows = transaction.rows(sql, values).await?;
        transaction.commit().await?;
        Ok(rows.first().map(|row| row.get("id")))
    }

    /// Reserves a known message for this bot until `until_unix`. Returns false if another bot was faster.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn claim_live_message(
        &self,
        message: &LiveMessage,
        until_unix: i64,
    ) -> Result<bool, DbError> {
        let sql = "UPDATE gametimes_live_messages SET not_before_unix = $1 WHERE id = $2 AND not_before_unix = $3 AND state = 'playing'";
        let before = message.entry.not_before_unix;
        let mut transaction = self.database.begin().await?;
        let claimed = transaction
            .execute(sql, args![until_unix, message.id, before])
            .await?;
        transaction.commit().await?;
        Ok(claimed == 1)
    }

    /// Records how an attempt ended. The next one may be at `next_unix`; `is_over` if the message shows the end of the round.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn record_live_message(
        &self,
        id: i64,
        outcome: &PostOutcome,
        seen_unix: i64,
        next_unix: i64,
        is_over: bool,
    ) -> Result<(), DbError> {
        let state = if is_over { "over" } else { "playing" };
        let (set, mut values) = match outcome {
            PostOutcome::Shown { message_id, shown } => (
                "state = $4, attempts = 0, not_before_unix = $3, message_id = $5, shown = $6",
                args![state, snowflake(*message_id), shown].to_vec(),
            ),
            PostOutcome::Outdated { message_id } => (
                "attempts = 0, not_before_unix = $3, message_id = $4",
                args![snowflake(*message_id)].to_vec(),
            ),
            PostOutcome::Unchanged => (
                "state = $4, attempts = 0, not_before_unix = $3",
                args![state].to_vec(),
            ),
            PostOutcome::Deleted => ("state = 'deleted', not_before_unix = $3", Vec::new()),
            PostOutcome::Failed { .. } => {
                ("attempts = attempts + 1, not_before_unix = $3", Vec::new())
            }
        };
        let next_unix = match outcome {
            PostOutcome::Failed { retry_unix } => *retry_unix,
            _ => next_unix,
        };
        values.splice(0..0, args![id, seen_unix, next_unix].iter().cloned());
        let sql = format!("UPDATE gametimes_live_messages SET seen_unix = $2, {set} WHERE id = $1");
        let mut transaction = self.database.begin().await?;
        transaction.execute(&sql, &values).await?;
        transaction.commit().await
    }
}
