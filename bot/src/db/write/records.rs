//! Which rows were computed from which facts: read before writing, saved afterwards.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{PendingRound, Plan, RoundRecord, Writer};
use crate::db::DbError;
use crate::db::value::{Columns, Row, Value};
use crate::parallel;
use gametimes_rounds::reconcile::ReconciledRound;

impl Writer<'_, '_> {
    /// Gives each affected round the record that its facts had; returns also the records that no round has any more.
    pub(super) async fn assign_records<'p>(
        &mut self,
        plan: &Plan<'p>,
    ) -> Result<(Vec<PendingRound<'p>>, Vec<RoundRecord>), DbError> {
        let records_of = |round: &ReconciledRound| -> BTreeSet<i64> {
            let records = round.members().map(|i| &plan.records[i]);
            records.filter_map(|record| record.record_id).collect()
        };
        let records_where = |affected: bool| -> BTreeSet<i64> {
            let rounds = plan.rounds.iter().zip(plan.affected);
            rounds
                .filter(|(_, is_affected)| **is_affected == affected)
                .flat_map(|(round, _)| records_of(round))
                .collect()
        };
        // A record that another round has as well stays with that one, which is not written.
        let of_others = records_where(false);
        let mut records = self.load_records(&records_where(true)).await?;
        let affected = (0..plan.rounds.len()).filter(|index| plan.affected[*index]);
        let affected: Vec<usize> = affected.collect();
        let contents = parallel::map(&affected, |index| plan.rows[*index].content_hash());
        let mut pending = Vec::new();
        for (index, content) in affected.into_iter().zip(contents) {
            let round = &plan.rounds[index];
            let free = records_of(round)
                .into_iter()
                .find(|id| !of_others.contains(id) && records.contains_key(id));
            let record = free.and_then(|id| records.remove(&id));
            let received = round.members().map(|i| plan.records[i].received_unix);
            pending.push(PendingRound {
                index,
                rows: &plan.rows[index],
                content,
                round_id: record.as_ref().and_then(|r| r.round_id),
                adopted: record.as_ref().is_some_and(|r| r.adopted),
                record,
                captured_unix: received.filter(|t| *t > 0).min().unwrap_or_default(),
            });
        }
        let obsolete = records
            .into_values()
            .filter(|record| !of_others.contains(&record.id))
            .collect();
        Ok((pending, obsolete))
    }

    async fn load_records(
        &mut self,
        ids: &BTreeSet<i64>,
    ) -> Result<BTreeMap<i64, RoundRecord>, DbError> {
        let ids: Vec<Value> = ids.iter().map(|id| (*id).into()).collect();
        let sql = "SELECT id, round_id, match_id, COALESCE(recorded_match_id, match_id) AS recorded_match_id, \
                   round_number, content, adopted FROM gametimes_groups WHERE id";
        let rows = self.transaction.rows_in(sql, &ids).await?;
        let record = |row: &Row| RoundRecord {
            id: row.get("id"),
            round_id: row.get("round_id"),
            match_id: row.get("match_id"),
            recorded_match_id: row.get("recorded_match_id"),
            round_number: row.get("round_number"),
            content: row.get("content"),
            adopted: row.get("adopted"),
        };
        Ok(rows
            .iter()
            .map(|row| (row.get("id"), record(row)))
            .collect())
    }

    /// Saves which rows were computed from which facts.
    pub(super) async fn save_records(
        &mut self,
        plan: &Plan<'_>,
        pending: &[PendingRound<'_>],
        unchanged: &[PendingRound<'_>],
    ) -> Result<(), DbError> {
        let row = |round: &PendingRound<'_>| -> Columns {
            vec![
                ("round_id", round.round_id.into()),
                ("match_id", round.rows.match_id.as_str().into()),
                (
                    "recorded_match_id",
                    round.rows.recorded_match_id.as_str().into(),
                ),
                ("round_number", round.rows.round_number.into()),
                ("content", round.content.as_str().into()),
                ("tie", plan.rounds[round.index].ambiguous.into()),
                ("adopted", round.adopted.into()),
            ]
        };
        // The index of each round, and the id of its record.
        let mut saved: Vec<(usize, i64)> = Vec::new();
        for round in pending {
            if let Some(record) = &round.record {
                self.transaction
                    .update_by_id("gametimes_groups", &row(round), record.id)
                    .await?;
            }
        }
        for round in pending.iter().chain(unchanged) {
            saved.extend(round.record.as_ref().map(|record| (round.index, record.id)));
        }
        let new: Vec<&PendingRound<'_>> = pending.iter().filter(|p| p.record.is_none()).collect();
        let rows: Vec<Columns> = new.iter().map(|round| row(round)).collect();
        let tail = "RETURNING match_id, round_number, content, id";
        let returned = self
            .transaction
            .insert("gametimes_groups", rows, tail)
            .await?;
        let mut ids: HashMap<(String, i64, String), Vec<i64>> = HashMap::new();
        for row in &returned {
            let key = (
                row.get("match_id"),
                row.get("round_number"),
                row.get("content"),
            );
            ids.entry(key).or_default().push(row.get("id"));
        }
        for round in new {
            let (match_id, round_number) = round.key();
            let key = (match_id, round_number, round.content.clone());
            let id = ids.get_mut(&key).and_then(Vec::pop);
            saved.extend(id.map(|id| (round.index, id)));
        }
        self.save_members(plan, &saved).await
    }

    /// Saves for each fact the record of its round.
    async fn save_members(
        &mut self,
        plan: &Plan<'_>,
        saved: &[(usize, i64)],
    ) -> Result<(), DbError> {
        let mut pairs: Vec<(i64, i64)> = Vec::new();
        for (index, record_id) in saved {
            for i in plan.rounds[*index].members() {
                let fact_id = plan.facts[i].id;
                if fact_id > 0 && plan.records[i].record_id != Some(*record_id) {
                    pairs.push((fact_id, *record_id));
                }
            }
        }
        self.transaction
            .update_each("gametimes_facts", "group_id", &pairs)
            .await
    }
}
