//! Which rows were made from which facts: read before writing, remembered after.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Group, Plan, Work, Writer};
use crate::db::DbError;
use crate::db::facts::placeholders;
use crate::db::value::Value;
use gametimes_rounds::reconcile::ReconciledRound;

impl Writer<'_, '_> {
    /// Gives each round the group that its facts had; returns the groups that no round has any more.
    pub(super) async fn claim<'p>(
        &mut self,
        plan: &Plan<'p>,
    ) -> Result<(Vec<Work<'p>>, Vec<Group>), DbError> {
        let ids_of = |round: &ReconciledRound| -> BTreeSet<i64> {
            round
                .members()
                .filter_map(|i| plan.facts[i].group_id)
                .collect()
        };
        let of_core: BTreeSet<i64> = plan
            .rounds
            .iter()
            .zip(plan.core)
            .filter(|(_, core)| **core)
            .flat_map(|(r, _)| ids_of(r))
            .collect();
        let of_edge: BTreeSet<i64> = plan
            .rounds
            .iter()
            .zip(plan.core)
            .filter(|(_, core)| !**core)
            .flat_map(|(r, _)| ids_of(r))
            .collect();
        let mut groups = self.load_groups(&of_core).await?;
        let mut works = Vec::new();
        for (index, round) in plan
            .rounds
            .iter()
            .enumerate()
            .filter(|(i, _)| plan.core[*i])
        {
            let claimed = ids_of(round)
                .into_iter()
                .find(|id| !of_edge.contains(id) && groups.contains_key(id));
            let group = claimed.and_then(|id| groups.remove(&id));
            let received = round
                .members()
                .map(|i| plan.facts[i].received_unix)
                .filter(|t| *t > 0)
                .min();
            works.push(Work {
                index,
                rows: &plan.rows[index],
                content: plan.rows[index].content_hash(),
                round_id: group.as_ref().and_then(|g| g.round_id),
                adopted: group.as_ref().is_some_and(|g| g.adopted),
                group,
                captured_unix: received.unwrap_or_default(),
            });
        }
        let leftovers = groups
            .into_values()
            .filter(|g| !of_edge.contains(&g.id))
            .collect();
        Ok((works, leftovers))
    }

    pub(super) async fn load_groups(
        &mut self,
        ids: &BTreeSet<i64>,
    ) -> Result<BTreeMap<i64, Group>, DbError> {
        let mut groups = BTreeMap::new();
        let ids: Vec<Value> = ids.iter().map(|id| (*id).into()).collect();
        for chunk in ids.chunks(500) {
            let sql = format!(
                "SELECT id, round_id, match_id, round_number, content, adopted FROM gametimes_groups WHERE id IN ({})",
                placeholders(chunk.len())
            );
            for row in self.transaction.rows(&sql, chunk).await? {
                let id = row.int(0).unwrap_or_default();
                groups.insert(
                    id,
                    Group {
                        id,
                        round_id: row.int(1),
                        match_id: row.string(2),
                        round_number: row.int(3).unwrap_or_default(),
                        content: row.string(4),
                        adopted: row.int(5) == Some(1),
                    },
                );
            }
        }
        Ok(groups)
    }

    /// Remembers which rows were made from which facts.
    pub(super) async fn groups(
        &mut self,
        plan: &Plan<'_>,
        works: &[Work<'_>],
        settled: &[Work<'_>],
    ) -> Result<(), DbError> {
        const COLUMNS: [&str; 6] = [
            "round_id",
            "match_id",
            "round_number",
            "content",
            "tie",
            "adopted",
        ];
        let row = |w: &Work<'_>| -> Vec<Value> {
            vec![
                w.round_id.into(),
                w.rows.match_id.as_str().into(),
                w.rows.round_number.into(),
                w.content.as_str().into(),
                plan.rounds[w.index].tie.into(),
                w.adopted.into(),
            ]
        };
        let mut group_of: Vec<(usize, i64)> = Vec::new();
        for work in works {
            if let Some(group) = &work.group {
                self.transaction
                    .update_by_id("gametimes_groups", &COLUMNS, &row(work), group.id)
                    .await?;
                group_of.push((work.index, group.id));
            }
        }
        group_of.extend(
            settled
                .iter()
                .filter_map(|w| Some((w.index, w.group.as_ref()?.id))),
        );
        let new: Vec<&Work<'_>> = works.iter().filter(|w| w.group.is_none()).collect();
        let values: Vec<Vec<Value>> = new.iter().map(|w| row(w)).collect();
        let tail = "RETURNING match_id, round_number, content, id";
        let returned = self
            .transaction
            .insert("gametimes_groups", &COLUMNS, &values, tail)
            .await?;
        let mut ids: HashMap<(String, i64, String), Vec<i64>> = HashMap::new();
        for row in &returned {
            let key = (row.string(0), row.int(1).unwrap_or_default(), row.string(2));
            ids.entry(key)
                .or_default()
                .push(row.int(3).unwrap_or_default());
        }
        for work in new {
            let (match_id, round_number) = work.key();
            let id = ids
                .get_mut(&(match_id, round_number, work.content.clone()))
                .and_then(Vec::pop);
            group_of.extend(id.map(|id| (work.index, id)));
        }
        let mut pairs: Vec<Value> = Vec::new();
        for (index, group) in group_of {
            for i in plan.rounds[index].members() {
                let stored = &plan.facts[i];
                if stored.fact.id > 0 && stored.group_id != Some(group) {
                    pairs.extend([Value::from(stored.fact.id), Value::from(group)]);
                }
            }
        }
        for chunk in pairs.chunks(1000) {
            let rows: Vec<String> = (0..chunk.len() / 2)
                .map(|i| {
                    format!(
                        "(CAST(${} AS BIGINT), CAST(${} AS BIGINT))",
                        2 * i + 1,
                        2 * i + 2
                    )
                })
                .collect();
            let sql = format!(
                "UPDATE gametimes_facts SET group_id = v.column2 FROM (VALUES {}) AS v \
                 WHERE gametimes_facts.id = v.column1",
                rows.join(", ")
            );
            self.transaction.execute(&sql, chunk).await?;
        }
        Ok(())
    }
}
