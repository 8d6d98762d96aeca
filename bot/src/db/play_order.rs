//! The order in which rounds were played.

use gametimes_rounds::play_order::{end_of_order_key, order_key};
use jiff::tz::TimeZone;

use super::value::Row;
use super::{Db, DbError};
use crate::args;

/// How many rows are completed in one transaction.
const BATCH: i64 = 5_000;

/// SQL for whether the row `r` of `rounds` is a round that was played. Round 0 is the sum of both rounds of a match.
pub(super) const PLAYED: &str = "r.round_number IN (1, 2)";

/// SQL for the order in which rounds were played, for a row `r` of `rounds` with our columns.
///
/// A row of another bot, or of an earlier version whose end is unknown, has only a `match_id`. The two databases sort NULL to
/// different ends; compared as an empty text it comes first in both.
pub(super) const ORDER: &str = "COALESCE(r.gametimes_order, r.match_id, '')";

/// When a round ended: as its recorder reports, else worked out from `play_order`, for a row with both.
pub(super) fn ended_unix(row: &Row, zone: &TimeZone) -> Option<i64> {
    let recorded = row.get::<Option<i64>>("round_end_unix");
    recorded.or_else(|| end_of_order_key(&row.get::<String>("play_order"), zone))
}

impl Db {
    /// SQL for the order in which rounds were played, for a row `r` of `rounds`: [`ORDER`] if the table has our columns.
    pub fn play_order(&self) -> &'static str {
        let rounds = self.columns.get("rounds");
        if rounds.is_some_and(|columns| columns.contains("gametimes_order")) {
            ORDER
        } else {
            "COALESCE(r.match_id, '')"
        }
    }

    /// Adds the order to rows that have none: those of earlier versions, and of other bots. Without an end, a round 2 of another bot
    /// has only the `match_id` of its round 1, but its own date and time.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn complete_play_order(&self) -> Result<(), DbError> {
        self.order_rounds_2().await?;
        let sql = "SELECT id, round_end_unix FROM rounds WHERE gametimes_order IS NULL AND round_end_unix > 0 LIMIT $1";
        loop {
            let rows = self.database.rows(sql, args![BATCH]).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let mut transaction = self.database.begin().await?;
            let mut completed = 0;
            for row in rows {
                let order = order_key(row.get("round_end_unix"), &self.zone);
                let order = vec![("gametimes_order", order.into())];
                completed += transaction
                    .update_by_id("rounds", &order, row.get("id"))
                    .await?;
            }
            transaction.commit().await?;
            // The role may not change rows of others.
            if completed == 0 {
                return Ok(());
            }
        }
    }

    async fn order_rounds_2(&self) -> Result<(), DbError> {
        let time = "REPLACE(round_time, ':', '')";
        let which = format!(
            "WHERE gametimes_order IS NULL AND round_number = 2 AND COALESCE(round_end_unix, 0) = 0 \
             AND round_date LIKE '____-__-__' AND {time} LIKE '______'"
        );
        let sql = format!("SELECT 1 AS found FROM rounds {which} LIMIT 1");
        if self.database.row(&sql, &[]).await?.is_some() {
            let mut transaction = self.database.begin().await?;
            let sql =
                format!("UPDATE rounds SET gametimes_order = round_date || '-' || {time} {which}");
            transaction.execute(&sql, &[]).await?;
            transaction.commit().await?;
        }
        Ok(())
    }
}
