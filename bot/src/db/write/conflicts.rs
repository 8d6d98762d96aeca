//! Makes way for what is to be written: deletes the rows of rounds that no longer exist, resolves conflicts between ids, and finds
//! rows of another bot.

use std::collections::{BTreeSet, HashMap};

use super::{PendingRound, RoundRecord, Writer};
use crate::args;
use crate::db::facts::StoredFact;
use crate::db::value::Value;
use crate::db::{DbError, connection::Transaction};
use gametimes_rounds::reconcile::ReconciledRound;
use gametimes_rounds::rows::{RoundRows, RoundTarget};

/// Renames a round (`.2`, `.3`... after its `match_id`) if another round has the id already. [`gametimes_rounds::rows::build`] did
/// so among the rounds that were loaded; the other round can also be one that was not loaded, because servers in two time zones have
/// the same local time hours apart.
pub(in crate::db) async fn resolve_match_id_conflicts(
    transaction: &mut Transaction,
    facts: &[StoredFact],
    rounds: &[ReconciledRound],
    affected: &[bool],
    rows: &mut [RoundRows],
) -> Result<(), DbError> {
    let written: Vec<usize> = (0..rounds.len()).filter(|i| affected[*i]).collect();
    let ours: BTreeSet<i64> = written
        .iter()
        .flat_map(|i| rounds[*i].members())
        .filter_map(|fact| facts[fact].record_id)
        .collect();
    let names: BTreeSet<&str> = written.iter().map(|i| rows[*i].match_id.as_str()).collect();
    let names: Vec<Value> = names.into_iter().map(Value::from).collect();
    let sql = "SELECT id, match_id, round_number FROM gametimes_groups WHERE match_id IN";
    let records = transaction.rows_in(sql, &names).await?;
    let taken: BTreeSet<(String, i64)> = records
        .iter()
        .filter(|row| !ours.contains(&row.get::<i64>("id")))
        .map(|row| (row.get("match_id"), row.get("round_number")))
        .collect();
    for i in written {
        let (name, round) = (rows[i].match_id.clone(), i64::from(rows[i].round_number));
        if !taken.contains(&(name.clone(), round)) {
            continue;
        }
        for n in 2.. {
            let other = format!("{name}.{n}");
            let sql = "SELECT id FROM gametimes_groups WHERE match_id = $1 AND round_number = $2";
            let records = transaction.rows(sql, args![&other, round]).await?;
            let is_free = records
                .iter()
                .all(|row| ours.contains(&row.get::<i64>("id")));
            if is_free && !rows.iter().any(|r| r.match_id == other) {
                rows[i].rename(&other);
                break;
            }
        }
    }
    Ok(())
}

impl Writer<'_, '_> {
    /// Deletes the rows of rounds that no longer exist, but not those of another bot.
    pub(super) async fn delete_rounds(&mut self, records: &[RoundRecord]) -> Result<(), DbError> {
        for record in records {
            for table in ["lua_spawn_stats", "lua_round_teams"] {
                if self.has(table) {
                    let sql =
                        format!("DELETE FROM {table} WHERE match_id = $1 AND round_number = $2");
                    let values = args![&record.match_id, record.round_number];
                    self.transaction.execute(&sql, values).await?;
                }
            }
            if let Some(round_id) = record.round_id.filter(|_| !record.adopted) {
                self.delete_round(round_id).await?;
            }
            let sql = "DELETE FROM gametimes_groups WHERE id = $1";
            self.transaction.execute(sql, args![record.id]).await?;
        }
        Ok(())
    }

    /// Takes the ids away from rows whose round is about to get another one, so that rounds can exchange ids.
    pub(super) async fn release_match_ids(
        &mut self,
        pending: &[PendingRound<'_>],
    ) -> Result<(), DbError> {
        for round in pending {
            let Some(record) = &round.record else {
                continue;
            };
            if (record.match_id.clone(), record.round_number) == round.key() {
                continue;
            }
            let temporary = record.temporary_match_id();
            if let Some(round_id) = round.round_id.filter(|_| !round.adopted) {
                let sql = "UPDATE rounds SET match_id = $1 WHERE id = $2";
                let values = args![&temporary, round_id];
                self.transaction.execute(sql, values).await?;
            }
            if self.has("lua_round_teams") {
                let sql = "UPDATE lua_round_teams SET match_id = $1 WHERE match_id = $2 AND round_number = $3";
                let values = args![&temporary, &record.match_id, record.round_number];
                self.transaction.execute(sql, values).await?;
            }
            if self.has("lua_spawn_stats") && !round.rows.spawns.is_empty() {
                let sql = "DELETE FROM lua_spawn_stats WHERE match_id = $1 AND round_number = $2";
                let values = args![&record.match_id, record.round_number];
                self.transaction.execute(sql, values).await?;
            }
        }
        Ok(())
    }

    async fn delete_round(&mut self, round_id: i64) -> Result<(), DbError> {
        for sql in [
            "UPDATE lua_round_teams SET round_id = NULL WHERE round_id = $1",
            "DELETE FROM player_comprehensive_stats WHERE round_id = $1",
            "DELETE FROM rounds WHERE id = $1",
        ] {
            self.transaction.execute(sql, args![round_id]).await?;
        }
        Ok(())
    }

    /// Keeps the message in the stats channel with its round when the round gets another `rounds.id`.
    async fn move_summary(&mut self, from: i64, to: i64) -> Result<(), DbError> {
        let sql = "UPDATE gametimes_summaries SET round_id = $2 WHERE round_id = $1 \
                   AND NOT EXISTS (SELECT 1 FROM gametimes_summaries WHERE round_id = $2)";
        self.transaction.execute(sql, args![from, to]).await?;
        Ok(())
    }

    /// Decides which row of `rounds` each round is written to: a row of another bot for the same round replaces our own.
    pub(super) async fn adopt_rounds(
        &mut self,
        pending: &mut [PendingRound<'_>],
    ) -> Result<(), DbError> {
        let match_ids: BTreeSet<&str> = pending.iter().map(|p| p.rows.match_id.as_str()).collect();
        let match_ids: Vec<Value> = match_ids.into_iter().map(Value::from).collect();
        let sql = "SELECT match_id, round_number, id FROM rounds WHERE match_id IN";
        let existing = self.transaction.rows_in(sql, &match_ids).await?;
        let existing: HashMap<(String, i64), i64> = existing
            .iter()
            .map(|row| {
                (
                    (row.get("match_id"), row.get("round_number")),
                    row.get("id"),
                )
            })
            .collect();
        for round in pending {
            let Some(target) = &round.rows.round else {
                // It became ambiguous which stats file the report belongs to.
                if let Some(round_id) = round.round_id.take().filter(|_| !round.adopted) {
                    self.delete_round(round_id).await?;
                }
                continue;
            };
            let found = match target {
                RoundTarget::Foreign { round_id, .. } => Some(*round_id),
                RoundTarget::Own(_) => existing.get(&round.key()).copied(),
            };
            if let Some(found) = found.filter(|id| Some(*id) != round.round_id) {
                if let Some(before) = round.round_id {
                    self.move_summary(before, found).await?;
                }
                if let Some(own) = round.round_id.filter(|_| !round.adopted) {
                    self.delete_round(own).await?;
                }
                (round.round_id, round.adopted) = (Some(found), true);
            }
        }
        Ok(())
    }
}
