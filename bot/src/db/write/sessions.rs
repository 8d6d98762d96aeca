//! `rounds.gaming_session_id`: the number of the evening that a round belongs to, over all servers.

use gametimes_rounds::matches::{began_unix, is_same_evening};
use gametimes_rounds::rows::RoundTarget;
use jiff::tz::TimeZone;

use super::{PendingRound, Writer};
use crate::args;
use crate::db::DbError;
use crate::db::play_order::{ORDER, ended_unix};
use crate::db::value::{Row, Value};

/// A round that has no number yet.
struct Unnumbered {
    id: i64,
    order: String,
    began_unix: i64,
    end_unix: i64,
}

impl Writer<'_, '_> {
    /// Numbers the evenings of rounds that have no number yet. A number never changes, so a file that comes late joins the evening
    /// of the rounds around it.
    pub(super) async fn assign_sessions(
        &mut self,
        pending: &[PendingRound<'_>],
        zone: &TimeZone,
    ) -> Result<(), DbError> {
        if !self.columns["rounds"].contains("gaming_session_id")
            || !self.columns["rounds"].contains("gametimes_order")
        {
            return Ok(());
        }
        let ids = pending.iter().filter_map(|round| match &round.rows.round {
            Some(RoundTarget::Own(_)) => round.round_id.map(Value::from),
            _ => None,
        });
        let ids: Vec<Value> = ids.collect();
        let sql = "SELECT id, gametimes_order AS play_order, round_start_unix, round_end_unix, actual_duration_seconds FROM rounds \
                   WHERE gaming_session_id IS NULL AND id";
        let mut rounds: Vec<Unnumbered> = Vec::new();
        for row in self.transaction.rows_in(sql, &ids).await? {
            let Some(end_unix) = ended_unix(&row, zone) else {
                continue;
            };
            rounds.push(Unnumbered {
                id: row.get("id"),
                order: row.get("play_order"),
                began_unix: began(&row, end_unix),
                end_unix,
            });
        }
        rounds.sort_by_key(|round| (round.end_unix, round.id));
        let mut numbered: Vec<(i64, i64)> = Vec::new();
        let mut last: Option<(i64, i64)> = None;
        for round in rounds {
            let before = last.filter(|(end, _)| is_same_evening(*end, round.began_unix));
            let session = match before {
                Some((_, session)) => session,
                None => {
                    self.save_sessions(&mut numbered).await?;
                    self.session(&round, zone).await?
                }
            };
            numbered.push((round.id, session));
            last = Some((round.end_unix, session));
        }
        self.save_sessions(&mut numbered).await
    }

    /// Saves ids of rounds and their numbers.
    async fn save_sessions(&mut self, numbered: &mut Vec<(i64, i64)>) -> Result<(), DbError> {
        let numbered = std::mem::take(numbered);
        self.transaction
            .update_each("rounds", "gaming_session_id", &numbered)
            .await
    }

    /// The evening of the round before, else of the round after, if they are near enough; else a new one.
    async fn session(&mut self, round: &Unnumbered, zone: &TimeZone) -> Result<i64, DbError> {
        for (comparison, direction) in [("<=", "DESC"), (">", "ASC")] {
            let sql = format!(
                "SELECT r.gaming_session_id, {ORDER} AS play_order, r.round_start_unix, r.round_end_unix, \
                 r.actual_duration_seconds FROM rounds r WHERE {ORDER} {comparison} $1 AND r.gaming_session_id IS NOT NULL \
                 AND r.id <> $2 ORDER BY {ORDER} {direction}, r.id {direction} LIMIT 1"
            );
            let values = args![&round.order, round.id];
            let Some(other) = self.transaction.rows(&sql, values).await?.pop() else {
                continue;
            };
            let Some(end) = ended_unix(&other, zone) else {
                continue;
            };
            let is_near = if comparison == ">" {
                is_same_evening(round.end_unix, began(&other, end))
            } else {
                is_same_evening(end, round.began_unix)
            };
            if is_near {
                return Ok(other.get("gaming_session_id"));
            }
        }
        let sql = "SELECT COALESCE(MAX(gaming_session_id), 0) + 1 AS next FROM rounds";
        let row = self.transaction.rows(sql, &[]).await?.pop();
        Ok(row.map(|row| row.get("next")).unwrap_or_default())
    }
}

/// When the round of a row began.
fn began(row: &Row, end_unix: i64) -> i64 {
    let start: Option<i64> = row.get("round_start_unix");
    began_unix(start, end_unix, row.get("actual_duration_seconds"))
}
