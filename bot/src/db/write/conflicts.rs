//! Makes way for what is to be written: deletes the rows of rounds that no longer exist, resolves conflicts between ids, and finds
//! rows of another bot.

use std::collections::{BTreeSet, HashMap};

use super::{PendingRound, RoundRecord, Writer};
use crate::args;
use crate::db::facts::FactRecord;
use crate::db::schema::WEAPONS;
use crate::db::value::Value;
use crate::db::{DbError, connection::Transaction};
use gametimes_rounds::reconcile::ReconciledRound;
use gametimes_rounds::rows::{RoundRows, RoundTarget};

/// Renames rounds (`.2`, `.3`... after the id) whose ids another round has already. [`gametimes_rounds::rows::build`] did so among
/// the rounds that were loaded; the other round can also be one that was not loaded, because servers in two time zones have the same
/// local time hours apart. A round 2 follows its round 1.
pub(in crate::db) async fn resolve_match_id_conflicts(
    transaction: &mut Transaction,
    facts: &[FactRecord],
    rounds: &[ReconciledRound],
    affected: &[bool],
    rows: &mut [RoundRows],
) -> Result<(), DbError> {
    let records = |i: usize| rounds[i].members().filter_map(|fact| facts[fact].record_id);
    let written: Vec<usize> = (0..rounds.len()).filter(|i| affected[*i]).collect();
    let first_of = |i: usize| {
        rounds[i]
            .first
            .filter(|f| rows[*f].match_id == rows[i].match_id)
    };
    let followers: Vec<(usize, usize)> = written
        .iter()
        .filter_map(|&i| Some((i, first_of(i)?)))
        .collect();
    // A round 1 that is not written has the id that is stored.
    let kept: Vec<usize> = followers.iter().map(|(_, first)| *first).collect();
    let kept: Vec<usize> = kept.into_iter().filter(|i| !affected[*i]).collect();
    let ids: Vec<Value> = kept
        .iter()
        .flat_map(|&i| records(i))
        .map(Value::from)
        .collect();
    let sql = "SELECT id, match_id FROM gametimes_groups WHERE id";
    let stored = transaction.rows_in(sql, &ids).await?;
    let stored: HashMap<i64, String> = stored
        .iter()
        .map(|row| (row.get("id"), row.get("match_id")))
        .collect();
    for i in kept {
        let suffixed = format!("{}.", rows[i].match_id);
        let id = records(i).find_map(|id| stored.get(&id));
        if let Some(id) = id.filter(|id| id.starts_with(&suffixed)) {
            rows[i].rename(id);
        }
    }
    let ours: BTreeSet<i64> = written.iter().flat_map(|&i| records(i)).collect();
    let follow: BTreeSet<usize> = followers.iter().map(|(i, _)| *i).collect();
    let mut conflicts = Conflicts { transaction, ours };
    let others = written.iter().copied().filter(|i| !follow.contains(i));
    conflicts.rename(rows, others.collect(), &MATCH_ID).await?;
    for &(i, first) in &followers {
        let match_id = rows[first].match_id.clone();
        rows[i].rename(&match_id);
    }
    let follow = follow.into_iter().collect();
    conflicts.rename(rows, follow, &MATCH_ID).await?;
    conflicts.rename(rows, written, &RECORDED).await
}

/// An id that only one round may have, beside its number.
struct UniqueId {
    /// The column of `gametimes_groups`.
    column: &'static str,
    get: fn(&RoundRows) -> &str,
    set: fn(&mut RoundRows, &str),
}

const MATCH_ID: UniqueId = UniqueId {
    column: "match_id",
    get: |rows| &rows.match_id,
    set: RoundRows::rename,
};

const RECORDED: UniqueId = UniqueId {
    column: "recorded_match_id",
    get: |rows| &rows.recorded_match_id,
    set: RoundRows::rename_recorded,
};

struct Conflicts<'t> {
    transaction: &'t mut Transaction,
    /// The records of the rounds that are written.
    ours: BTreeSet<i64>,
}

impl Conflicts<'_> {
    /// Renames those of the rounds `written` whose id a round has that is not written.
    async fn rename(
        &mut self,
        rows: &mut [RoundRows],
        written: Vec<usize>,
        id: &UniqueId,
    ) -> Result<(), DbError> {
        let ids: BTreeSet<&str> = written.iter().map(|i| (id.get)(&rows[*i])).collect();
        let taken = self
            .taken(id, ids.into_iter().filter(|id| !id.is_empty()))
            .await?;
        for i in written {
            let (before, number) = ((id.get)(&rows[i]).to_owned(), rows[i].round_number);
            if !taken.contains(&(before.clone(), number.into())) {
                continue;
            }
            for n in 2.. {
                let other = format!("{before}.{n}");
                let taken = self.taken(id, std::iter::once(other.as_str())).await?;
                let is_free = !taken.contains(&(other.clone(), number.into()));
                if is_free && !rows.iter().any(|r| (id.get)(r) == other) {
                    (id.set)(&mut rows[i], &other);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Which of these ids, with which round numbers, other rounds have.
    async fn taken(
        &mut self,
        id: &UniqueId,
        ids: impl Iterator<Item = &str>,
    ) -> Result<BTreeSet<(String, i64)>, DbError> {
        let ids: Vec<Value> = ids.map(Value::from).collect();
        let column = id.column;
        let sql = format!("SELECT id, {column}, round_number FROM gametimes_groups WHERE {column}");
        let records = self.transaction.rows_in(&sql, &ids).await?;
        let others = records
            .iter()
            .filter(|row| !self.ours.contains(&row.get::<i64>("id")));
        Ok(others
            .map(|row| (row.get(column), row.get("round_number")))
            .collect())
    }
}

impl Writer<'_, '_> {
    /// Deletes the rows of rounds that no longer exist, but not those of another bot.
    pub(super) async fn delete_rounds(&mut self, records: &[RoundRecord]) -> Result<(), DbError> {
        for record in records {
            for table in ["lua_spawn_stats", "lua_round_teams"] {
                if self.has(table) {
                    let sql =
                        format!("DELETE FROM {table} WHERE match_id = $1 AND round_number = $2");
                    let values = args![&record.recorded_match_id, record.round_number];
                    self.transaction.execute(&sql, values).await?;
                }
            }
            if let Some(round_id) = record.round_id.filter(|_| !record.adopted) {
                self.delete_round(round_id).await?;
            }
            self.delete_both_rounds(record).await?;
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
            let temporary = record.temporary_match_id();
            if (record.match_id.clone(), record.round_number) != round.key()
                && let Some(round_id) = round.round_id.filter(|_| !round.adopted)
            {
                let sql = "UPDATE rounds SET match_id = $1 WHERE id = $2";
                let values = args![&temporary, round_id];
                self.transaction.execute(sql, values).await?;
                self.release_both_rounds(record).await?;
            }
            let recorded = (record.recorded_match_id.clone(), record.round_number);
            if recorded == round.recorded_key() {
                continue;
            }
            if self.has("lua_round_teams") {
                let sql = "UPDATE lua_round_teams SET match_id = $1 WHERE match_id = $2 AND round_number = $3";
                let values = args![&temporary, &record.recorded_match_id, record.round_number];
                self.transaction.execute(sql, values).await?;
            }
            if self.has("lua_spawn_stats") && !round.rows.spawns.is_empty() {
                let sql = "DELETE FROM lua_spawn_stats WHERE match_id = $1 AND round_number = $2";
                let values = args![&record.recorded_match_id, record.round_number];
                self.transaction.execute(sql, values).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn delete_round(&mut self, round_id: i64) -> Result<(), DbError> {
        self.remember_names(round_id).await?;
        if self.has(WEAPONS) {
            let sql = format!("DELETE FROM {WEAPONS} WHERE round_id = $1");
            self.transaction.execute(&sql, args![round_id]).await?;
        }
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
        let sql = "SELECT match_id, round_number, id FROM rounds WHERE match_id";
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
