//! The rows of the four tables that others read: updated where they are there, inserted where not.

use std::collections::{BTreeMap, HashMap};

use super::{Work, Writer, split};
use crate::args;
use crate::db::DbError;
use crate::db::columns::{self, Columns};
use crate::db::value::Value;
use gametimes_rounds::rows::RoundTarget;

impl Writer<'_, '_> {
    pub(super) async fn rounds(&mut self, works: &mut [Work<'_>]) -> Result<(), DbError> {
        let mut new: Vec<(usize, Columns)> = Vec::new();
        for (i, work) in works.iter().enumerate() {
            let Some(round) = &work.rows.round else {
                continue;
            };
            let row = match round {
                RoundTarget::Own(round) => columns::round(round),
                RoundTarget::Foreign { times, .. } => columns::times(times),
            };
            let row = self.known("rounds", &row);
            match work.round_id {
                Some(id) if !row.is_empty() => {
                    let (names, values) = split(&row);
                    self.transaction
                        .update_by_id("rounds", &names, &values, id)
                        .await?;
                }
                Some(_) => {}
                None => new.push((i, row)),
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

    pub(super) async fn teams(&mut self, works: &[Work<'_>]) -> Result<(), DbError> {
        if !self.has("lua_round_teams") {
            return Ok(());
        }
        let mut new: Vec<Columns> = Vec::new();
        for work in works {
            let Some(teams) = &work.rows.teams else {
                continue;
            };
            let mut row = columns::teams(teams);
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

    /// The row that is there already: ours from before, or another bot's. Of several, another bot's are kept, but belong to
    /// the round no more.
    pub(super) async fn existing_teams(&mut self, work: &Work<'_>) -> Result<Option<i64>, DbError> {
        let (match_id, round_number) = work.key();
        let moving = work
            .group
            .as_ref()
            .map(|g| format!("moving {}", g.id))
            .unwrap_or_default();
        let sql = "SELECT id, match_id FROM lua_round_teams WHERE (match_id IN ($1, $2) AND round_number = $3) OR round_id = $4 \
                   ORDER BY CASE WHEN match_id = $1 THEN 0 WHEN match_id = $2 THEN 2 ELSE 1 END, id";
        let values = args![match_id, moving.as_str(), round_number, work.round_id];
        let found = self.transaction.rows(sql, values).await?;
        for other in found.iter().skip(1) {
            let sql = if other.text(1) == Some(&moving) {
                "DELETE FROM lua_round_teams WHERE id = $1"
            } else {
                "UPDATE lua_round_teams SET round_id = NULL WHERE id = $1"
            };
            self.transaction.execute(sql, args![other.int(0)]).await?;
        }
        Ok(found.first().and_then(|row| row.int(0)))
    }

    pub(super) async fn spawns(&mut self, works: &[Work<'_>]) -> Result<(), DbError> {
        if !self.has("lua_spawn_stats") {
            return Ok(());
        }
        let mut new: Vec<Columns> = Vec::new();
        // A message alone tells nothing of the players: what another bot knows of them stays.
        for work in works.iter().filter(|w| !w.rows.spawns.is_empty()) {
            if work.group.is_some() || work.adopted {
                let sql = "DELETE FROM lua_spawn_stats WHERE (match_id = $1 AND round_number = $2) OR round_id = $3";
                let (match_id, round_number) = work.key();
                self.transaction
                    .execute(sql, args![match_id, round_number, work.round_id])
                    .await?;
            }
            for spawn in &work.rows.spawns {
                let mut row = columns::spawn(spawn);
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

    pub(super) async fn players(&mut self, works: &[Work<'_>]) -> Result<(), DbError> {
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
                    let guid = row.string(0).to_ascii_uppercase();
                    there.insert(guid, row.int(1).unwrap_or_default());
                }
            }
            for player in players {
                let mut row = columns::player(player);
                row.push(("round_id", round_id.into()));
                let row = self.known("player_comprehensive_stats", &row);
                match there.remove(&player.player_guid.to_ascii_uppercase()) {
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
            // What another bot has more than our copy of the file stays.
            for id in there.into_values().filter(|_| !work.adopted) {
                let sql = "DELETE FROM player_comprehensive_stats WHERE id = $1";
                self.transaction.execute(sql, args![id]).await?;
            }
        }
        self.insert_all("player_comprehensive_stats", &new).await
    }
}
