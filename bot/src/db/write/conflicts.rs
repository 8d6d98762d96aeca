//! Room for what is to be written: rows that are no more, ids that change, rows of another bot.

use std::collections::{BTreeSet, HashMap};

use super::{Group, Work, Writer};
use crate::args;
use crate::db::facts::{Stored, placeholders};
use crate::db::value::Value;
use crate::db::{DbError, connection::Transaction};
use gametimes_rounds::reconcile::ReconciledRound;
use gametimes_rounds::rows::{RoundRows, RoundTarget};

/// Gives a round another `match_id` (`.2`, `.3`... behind it) where a round that is too far away in time to be loaded has it
/// already: servers in two time zones have the same local time at different times.
pub(in crate::db) async fn keep_clear(
    transaction: &mut Transaction,
    facts: &[Stored],
    rounds: &[ReconciledRound],
    core: &[bool],
    rows: &mut [RoundRows],
) -> Result<(), DbError> {
    let written: Vec<usize> = (0..rounds.len()).filter(|i| core[*i]).collect();
    let ours: BTreeSet<i64> = written
        .iter()
        .flat_map(|i| rounds[*i].members())
        .filter_map(|fact| facts[fact].group_id)
        .collect();
    let names: BTreeSet<&str> = written.iter().map(|i| rows[*i].match_id.as_str()).collect();
    let names: Vec<Value> = names.into_iter().map(Value::from).collect();
    let mut taken: BTreeSet<(String, i64)> = BTreeSet::new();
    for chunk in names.chunks(500) {
        let sql = format!(
            "SELECT id, match_id, round_number FROM gametimes_groups WHERE match_id IN ({})",
            placeholders(chunk.len())
        );
        for row in transaction.rows(&sql, chunk).await? {
            if row.int(0).is_some_and(|id| !ours.contains(&id)) {
                taken.insert((row.string(1), row.int(2).unwrap_or_default()));
            }
        }
    }
    for i in written {
        let (name, round) = (rows[i].match_id.clone(), i64::from(rows[i].round_number));
        if !taken.contains(&(name.clone(), round)) {
            continue;
        }
        for n in 2.. {
            let other = format!("{name}.{n}");
            let sql = "SELECT id FROM gametimes_groups WHERE match_id = $1 AND round_number = $2";
            let has = transaction.rows(sql, args![&other, round]).await?;
            let is_free = has
                .iter()
                .all(|row| row.int(0).is_some_and(|id| ours.contains(&id)));
            if is_free && !rows.iter().any(|r| r.match_id == other) {
                rows[i].rename(&other);
                break;
            }
        }
    }
    Ok(())
}

impl Writer<'_, '_> {
    /// Takes away rows whose round is no more, and the ids that rounds are about to change.
    pub(super) async fn make_room(
        &mut self,
        works: &[Work<'_>],
        leftovers: &[Group],
    ) -> Result<(), DbError> {
        for group in leftovers {
            self.delete_recorded(&group.match_id, group.round_number)
                .await?;
            if let Some(round_id) = group.round_id.filter(|_| !group.adopted) {
                self.delete_round(round_id).await?;
            }
            self.transaction
                .execute(
                    "DELETE FROM gametimes_groups WHERE id = $1",
                    args![group.id],
                )
                .await?;
        }
        for work in works {
            let Some(group) = &work.group else { continue };
            if (group.match_id.clone(), group.round_number) == work.key() {
                continue;
            }
            let moving = format!("moving {}", group.id);
            if let Some(round_id) = work.round_id.filter(|_| !work.adopted) {
                let sql = "UPDATE rounds SET match_id = $1 WHERE id = $2";
                self.transaction
                    .execute(sql, args![moving.as_str(), round_id])
                    .await?;
            }
            if self.has("lua_round_teams") {
                let sql = "UPDATE lua_round_teams SET match_id = $1 WHERE match_id = $2 AND round_number = $3";
                let values = args![moving.as_str(), group.match_id.as_str(), group.round_number];
                self.transaction.execute(sql, values).await?;
            }
            if self.has("lua_spawn_stats") && !work.rows.spawns.is_empty() {
                let sql = "DELETE FROM lua_spawn_stats WHERE match_id = $1 AND round_number = $2";
                self.transaction
                    .execute(sql, args![group.match_id.as_str(), group.round_number])
                    .await?;
            }
        }
        Ok(())
    }

    pub(super) async fn delete_recorded(
        &mut self,
        match_id: &str,
        round_number: i64,
    ) -> Result<(), DbError> {
        for table in ["lua_spawn_stats", "lua_round_teams"] {
            if self.has(table) {
                let sql = format!("DELETE FROM {table} WHERE match_id = $1 AND round_number = $2");
                self.transaction
                    .execute(&sql, args![match_id, round_number])
                    .await?;
            }
        }
        Ok(())
    }

    pub(super) async fn delete_round(&mut self, round_id: i64) -> Result<(), DbError> {
        for sql in [
            "UPDATE lua_round_teams SET round_id = NULL WHERE round_id = $1",
            "DELETE FROM player_comprehensive_stats WHERE round_id = $1",
            "DELETE FROM rounds WHERE id = $1",
        ] {
            self.transaction.execute(sql, args![round_id]).await?;
        }
        Ok(())
    }

    /// What was posted of a round stays posted of it, whatever its id.
    async fn move_summary(&mut self, from: i64, to: i64) -> Result<(), DbError> {
        let sql = "UPDATE gametimes_summaries SET round_id = $2 WHERE round_id = $1 \
                   AND NOT EXISTS (SELECT 1 FROM gametimes_summaries WHERE round_id = $2)";
        self.transaction.execute(sql, args![from, to]).await?;
        Ok(())
    }

    /// Rows of another bot that tell of the same round.
    pub(super) async fn find_adoptable(&mut self, works: &mut [Work<'_>]) -> Result<(), DbError> {
        let match_ids: BTreeSet<&str> = works.iter().map(|w| w.rows.match_id.as_str()).collect();
        let match_ids: Vec<Value> = match_ids.into_iter().map(Value::from).collect();
        let mut there: HashMap<(String, i64), i64> = HashMap::new();
        for chunk in match_ids.chunks(500) {
            let sql = format!(
                "SELECT match_id, round_number, id FROM rounds WHERE match_id IN ({})",
                placeholders(chunk.len())
            );
            for row in self.transaction.rows(&sql, chunk).await? {
                let key = (row.string(0), row.int(1).unwrap_or_default());
                there.insert(key, row.int(2).unwrap_or_default());
            }
        }
        for work in works {
            let Some(target) = &work.rows.round else {
                // A tie came up: the round is not one any more.
                if let Some(round_id) = work.round_id.take().filter(|_| !work.adopted) {
                    self.delete_round(round_id).await?;
                }
                continue;
            };
            let found = match target {
                RoundTarget::Foreign { round_id, .. } => Some(*round_id),
                RoundTarget::Own(_) => there.get(&work.key()).copied(),
            };
            if let Some(found) = found.filter(|id| Some(*id) != work.round_id) {
                if let Some(before) = work.round_id {
                    self.move_summary(before, found).await?;
                }
                if let Some(own) = work.round_id.filter(|_| !work.adopted) {
                    self.delete_round(own).await?;
                }
                (work.round_id, work.adopted) = (Some(found), true);
            }
        }
        Ok(())
    }
}
