//! Writing assembled rounds over the rows that are there.
//!
//! A group remembers which rows were made from which facts. A round takes over the group that its facts had before, so
//! that ids, which websites link to, stay when a stats file turns up late. Rows that another bot made are adopted where
//! they tell of the same round, and never deleted.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::apply::{Stored, placeholders};
use super::database::{StoreError, Transaction};
use super::migrate;
use super::value::Value;
use crate::args;
use crate::link::Assembled;
use crate::link::rows::{Columns, RoundRows};

/// Rounds to be written.
pub(super) struct Plan<'a> {
    pub facts: &'a [Stored],
    pub rounds: &'a [Assembled],
    pub rows: &'a [RoundRows],
    /// Which rounds are far enough from the edge of what was loaded to be right.
    pub core: &'a [bool],
}

/// A group as it lies in the database.
#[derive(Debug, Clone)]
struct Group {
    id: i64,
    round_id: Option<i64>,
    match_id: String,
    round_number: i64,
    content: String,
    adopted: bool,
}

/// A round on its way into the tables.
struct Work<'a> {
    index: usize,
    rows: &'a RoundRows,
    content: String,
    group: Option<Group>,
    round_id: Option<i64>,
    adopted: bool,
    captured_unix: i64,
}

/// Writes what differs; returns the ids of the rounds that changed and the comparisons to log.
pub(super) async fn write(
    transaction: &mut Transaction,
    columns: &migrate::Columns,
    plan: &Plan<'_>,
) -> Result<(Vec<i64>, Vec<String>), StoreError> {
    let mut writer = Writer {
        transaction,
        columns,
    };
    let (mut works, leftovers) = writer.claim(plan).await?;
    let settled: Vec<Work<'_>> = works.extract_if(.., |w| w.unchanged()).collect();
    writer.make_room(&works, &leftovers).await?;
    writer.find_adoptable(&mut works).await?;
    writer.rounds(&mut works).await?;
    writer.teams(&works).await?;
    writer.spawns(&works).await?;
    writer.players(&works).await?;
    writer.groups(plan, &works, &settled).await?;
    let changed = works.iter().filter_map(|w| w.round_id).collect();
    let comparisons = works
        .iter()
        .filter_map(|w| w.rows.comparison.clone())
        .collect();
    Ok((changed, comparisons))
}

impl Work<'_> {
    fn unchanged(&self) -> bool {
        self.group
            .as_ref()
            .is_some_and(|g| g.content == self.content)
    }

    fn key(&self) -> (String, i64) {
        (self.rows.match_id.clone(), self.rows.round_number.into())
    }
}

struct Writer<'t, 'c> {
    transaction: &'t mut Transaction,
    columns: &'c migrate::Columns,
}

impl Writer<'_, '_> {
    /// Gives each round the group that its facts had; returns the groups that no round has any more.
    async fn claim<'p>(
        &mut self,
        plan: &Plan<'p>,
    ) -> Result<(Vec<Work<'p>>, Vec<Group>), StoreError> {
        let ids_of = |round: &Assembled| -> BTreeSet<i64> {
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
                content: plan.rows[index].content(),
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

    async fn load_groups(
        &mut self,
        ids: &BTreeSet<i64>,
    ) -> Result<BTreeMap<i64, Group>, StoreError> {
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

    /// Takes away rows whose round is no more, and the ids that rounds are about to change.
    async fn make_room(
        &mut self,
        works: &[Work<'_>],
        leftovers: &[Group],
    ) -> Result<(), StoreError> {
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
            if self.has("lua_spawn_stats") {
                let sql = "DELETE FROM lua_spawn_stats WHERE match_id = $1 AND round_number = $2";
                self.transaction
                    .execute(sql, args![group.match_id.as_str(), group.round_number])
                    .await?;
            }
        }
        Ok(())
    }

    async fn delete_recorded(
        &mut self,
        match_id: &str,
        round_number: i64,
    ) -> Result<(), StoreError> {
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

    async fn delete_round(&mut self, round_id: i64) -> Result<(), StoreError> {
        for sql in [
            "UPDATE lua_round_teams SET round_id = NULL WHERE round_id = $1",
            "DELETE FROM player_comprehensive_stats WHERE round_id = $1",
            "DELETE FROM rounds WHERE id = $1",
        ] {
            self.transaction.execute(sql, args![round_id]).await?;
        }
        Ok(())
    }

    /// Rows of another bot that tell of the same round.
    async fn find_adoptable(&mut self, works: &mut [Work<'_>]) -> Result<(), StoreError> {
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
            if work.rows.round.is_none() {
                // A tie came up: the round is not one any more.
                if let Some(round_id) = work.round_id.take().filter(|_| !work.adopted) {
                    self.delete_round(round_id).await?;
                }
                continue;
            }
            let found = work
                .rows
                .foreign_id
                .or_else(|| there.get(&work.key()).copied());
            if let Some(found) = found.filter(|id| Some(*id) != work.round_id) {
                if let Some(own) = work.round_id.filter(|_| !work.adopted) {
                    self.delete_round(own).await?;
                }
                (work.round_id, work.adopted) = (Some(found), true);
            }
        }
        Ok(())
    }

    async fn rounds(&mut self, works: &mut [Work<'_>]) -> Result<(), StoreError> {
        let mut new: Vec<(usize, Columns)> = Vec::new();
        for (i, work) in works.iter().enumerate() {
            let Some(round) = &work.rows.round else {
                continue;
            };
            let mut row = self.known("rounds", round);
            match work.round_id {
                Some(id) if !row.is_empty() => {
                    let (names, values) = split(&row);
                    self.transaction
                        .update_by_id("rounds", &names, &values, id)
                        .await?;
                }
                Some(_) => {}
                None => {
                    row.sort_by_key(|(name, _)| *name);
                    new.push((i, row));
                }
            }
        }
        let Some((_, first)) = new.first() else {
            return Ok(());
        };
        let (names, _) = split(first);
        let values: Vec<Vec<Value>> = new.iter().map(|(_, row)| split(row).1).collect();
        let tail = "RETURNING match_id, round_number, id";
        let returned = self
            .transaction
            .insert("rounds", &names, &values, tail)
            .await?;
        let ids: HashMap<(String, i64), i64> = returned
            .iter()
            .map(|row| {
                (
                    (row.string(0), row.int(1).unwrap_or_default()),
                    row.int(2).unwrap_or_default(),
                )
            })
            .collect();
        for (i, _) in new {
            works[i].round_id = ids.get(&works[i].key()).copied();
        }
        Ok(())
    }

    async fn teams(&mut self, works: &[Work<'_>]) -> Result<(), StoreError> {
        if !self.has("lua_round_teams") {
            return Ok(());
        }
        let mut new: Vec<Columns> = Vec::new();
        for work in works {
            let Some(teams) = &work.rows.teams else {
                continue;
            };
            let mut row = teams.clone();
            row.push(("round_id", work.round_id.into()));
            let row = self.known("lua_round_teams", &row);
            if let Some(id) = self.existing_teams(work).await? {
                let (names, values) = split(&row);
                self.transaction
                    .update_by_id("lua_round_teams", &names, &values, id)
                    .await?;
            } else {
                let mut row = row;
                row.push(("captured_at", Value::Time(work.captured_unix)));
                new.push(self.known("lua_round_teams", &row));
            }
        }
        self.insert_all("lua_round_teams", &new).await
    }

    /// The row that is there already: ours from before, or another bot's.
    async fn existing_teams(&mut self, work: &Work<'_>) -> Result<Option<i64>, StoreError> {
        let (match_id, round_number) = work.key();
        let moving = work
            .group
            .as_ref()
            .map(|g| format!("moving {}", g.id))
            .unwrap_or_default();
        let sql = "SELECT id FROM lua_round_teams WHERE (match_id IN ($1, $2) AND round_number = $3) OR round_id = $4 \
                   ORDER BY CASE WHEN match_id = $2 THEN 0 WHEN round_id = $4 THEN 1 ELSE 2 END, id";
        let values = args![match_id, moving, round_number, work.round_id];
        let found = self.transaction.rows(sql, values).await?;
        let mut ids = found.iter().filter_map(|row| row.int(0));
        let first = ids.next();
        for other in ids {
            self.transaction
                .execute("DELETE FROM lua_round_teams WHERE id = $1", args![other])
                .await?;
        }
        Ok(first)
    }

    async fn spawns(&mut self, works: &[Work<'_>]) -> Result<(), StoreError> {
        if !self.has("lua_spawn_stats") {
            return Ok(());
        }
        let mut new: Vec<Columns> = Vec::new();
        for work in works.iter().filter(|w| w.rows.teams.is_some()) {
            if work.group.is_some() || work.adopted {
                let sql = "DELETE FROM lua_spawn_stats WHERE (match_id = $1 AND round_number = $2) OR round_id = $3";
                let (match_id, round_number) = work.key();
                self.transaction
                    .execute(sql, args![match_id, round_number, work.round_id])
                    .await?;
            }
            for row in &work.rows.spawns {
                let mut row = row.clone();
                row.push(("round_id", work.round_id.into()));
                row.push(("captured_at", Value::Time(work.captured_unix)));
                new.push(self.known("lua_spawn_stats", &row));
            }
        }
        let tail = "ON CONFLICT (match_id, round_number, player_guid) DO NOTHING";
        let Some(first) = new.first() else {
            return Ok(());
        };
        let (names, _) = split(first);
        let values: Vec<Vec<Value>> = new.iter().map(|row| split(row).1).collect();
        self.transaction
            .insert("lua_spawn_stats", &names, &values, tail)
            .await?;
        Ok(())
    }

    async fn players(&mut self, works: &[Work<'_>]) -> Result<(), StoreError> {
        let mut new: Vec<Columns> = Vec::new();
        for work in works {
            let (Some(players), Some(round_id)) = (&work.rows.players, work.round_id) else {
                continue;
            };
            let mut there: BTreeMap<String, i64> = BTreeMap::new();
            if work.group.is_some() || work.adopted {
                let sql =
                    "SELECT player_guid, id FROM player_comprehensive_stats WHERE round_id = $1";
                for row in self.transaction.rows(sql, args![round_id]).await? {
                    there.insert(row.string(0), row.int(1).unwrap_or_default());
                }
            }
            for player in players {
                let mut row = player.clone();
                row.push(("round_id", round_id.into()));
                let row = self.known("player_comprehensive_stats", &row);
                let guid = row.iter().find_map(|(name, value)| match value {
                    Value::Text(Some(guid)) if *name == "player_guid" => Some(guid.clone()),
                    _ => None,
                });
                match there.remove(&guid.unwrap_or_default()) {
                    Some(id) => {
                        let (names, values) = split(&row);
                        let table = "player_comprehensive_stats";
                        self.transaction
                            .update_by_id(table, &names, &values, id)
                            .await?;
                    }
                    None => new.push(row),
                }
            }
            for id in there.into_values() {
                let sql = "DELETE FROM player_comprehensive_stats WHERE id = $1";
                self.transaction.execute(sql, args![id]).await?;
            }
        }
        self.insert_all("player_comprehensive_stats", &new).await
    }

    /// Remembers which rows were made from which facts.
    async fn groups(
        &mut self,
        plan: &Plan<'_>,
        works: &[Work<'_>],
        settled: &[Work<'_>],
    ) -> Result<(), StoreError> {
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

    async fn insert_all(&mut self, table: &str, rows: &[Columns]) -> Result<(), StoreError> {
        let Some(first) = rows.first() else {
            return Ok(());
        };
        let (names, _) = split(first);
        let values: Vec<Vec<Value>> = rows.iter().map(|row| split(row).1).collect();
        self.transaction.insert(table, &names, &values, "").await?;
        Ok(())
    }

    fn has(&self, table: &str) -> bool {
        self.columns
            .get(table)
            .is_some_and(|columns| !columns.is_empty())
    }

    /// The part of a row that this database has columns for.
    fn known(&self, table: &str, row: &Columns) -> Columns {
        let columns = &self.columns[table];
        row.iter()
            .filter(|(name, _)| columns.contains(*name))
            .cloned()
            .collect()
    }
}

fn split(row: &Columns) -> (Vec<&'static str>, Vec<Value>) {
    row.iter().cloned().unzip()
}
