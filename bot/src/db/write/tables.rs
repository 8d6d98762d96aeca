//! The rows of the shared tables: updated if they exist, else inserted.

use std::collections::{BTreeMap, HashMap};

use super::{PendingRound, RoundRecord, Writer};
use crate::args;
use crate::db::DbError;
use crate::db::columns;
use crate::db::value::{Columns, Value, set_excluded};
use gametimes_rounds::rows::RoundTarget;

impl Writer<'_, '_> {
    pub(super) async fn write_rounds(
        &mut self,
        pending: &mut [PendingRound<'_>],
    ) -> Result<(), DbError> {
        let mut new: Vec<(usize, Columns)> = Vec::new();
        for (i, round) in pending.iter().enumerate() {
            let Some(target) = &round.rows.round else {
                continue;
            };
            let row = match target {
                RoundTarget::Own(row) => columns::round(row),
                RoundTarget::Foreign { times, .. } => {
                    times.as_ref().map(columns::times).unwrap_or_default()
                }
            };
            let row = self.known("rounds", row);
            match round.round_id {
                Some(id) if !row.is_empty() => {
                    self.transaction.update_by_id("rounds", &row, id).await?;
                }
                Some(_) => {}
                None => new.push((i, row)),
            }
        }
        let (places, rows): (Vec<usize>, Vec<Columns>) = new.into_iter().unzip();
        let tail = "RETURNING match_id, round_number, id";
        let returned = self.transaction.insert("rounds", &rows, tail).await?;
        let ids: HashMap<(String, i64), i64> = returned
            .iter()
            .map(|row| {
                (
                    (row.get("match_id"), row.get("round_number")),
                    row.get("id"),
                )
            })
            .collect();
        for i in places {
            pending[i].round_id = ids.get(&pending[i].key()).copied();
        }
        Ok(())
    }

    pub(super) async fn write_teams(
        &mut self,
        pending: &[PendingRound<'_>],
    ) -> Result<(), DbError> {
        let table = "lua_round_teams";
        if !self.has(table) {
            return Ok(());
        }
        let mut new: Vec<Columns> = Vec::new();
        for round in pending {
            let Some(teams) = &round.rows.teams else {
                continue;
            };
            let mut row = columns::teams(teams);
            row.push(("round_id", round.round_id.into()));
            if let Some(id) = self.existing_teams(round).await? {
                let row = self.known(table, row);
                self.transaction.update_by_id(table, &row, id).await?;
            } else {
                row.push(("captured_at", Value::Time(round.captured_unix)));
                new.push(self.known(table, row));
            }
        }
        self.transaction.insert(table, &new, "").await?;
        Ok(())
    }

    /// The row that exists already, ours or another bot's. If there are several, those of another bot are kept, but lose their
    /// link to the round.
    async fn existing_teams(&mut self, round: &PendingRound<'_>) -> Result<Option<i64>, DbError> {
        let (match_id, round_number) = round.recorded_key();
        let temporary = round.record.as_ref().map(RoundRecord::temporary_match_id);
        let temporary = temporary.unwrap_or_default();
        let sql = "SELECT id, match_id FROM lua_round_teams WHERE (match_id IN ($1, $2) AND round_number = $3) OR round_id = $4 \
                   ORDER BY CASE WHEN match_id = $1 THEN 0 WHEN match_id = $2 THEN 2 ELSE 1 END, id";
        let values = args![match_id, &temporary, round_number, round.round_id];
        let found = self.transaction.rows(sql, values).await?;
        for other in found.iter().skip(1) {
            let match_id: Option<String> = other.get("match_id");
            let sql = if match_id.as_ref() == Some(&temporary) {
                "DELETE FROM lua_round_teams WHERE id = $1"
            } else {
                "UPDATE lua_round_teams SET round_id = NULL WHERE id = $1"
            };
            let values = args![other.get::<i64>("id")];
            self.transaction.execute(sql, values).await?;
        }
        Ok(found.first().map(|row| row.get("id")))
    }

    pub(super) async fn write_spawns(
        &mut self,
        pending: &[PendingRound<'_>],
    ) -> Result<(), DbError> {
        let table = "lua_spawn_stats";
        if !self.has(table) {
            return Ok(());
        }
        let mut new: Vec<Columns> = Vec::new();
        // A message alone contains no times of players, so what another bot stored about them stays.
        for round in pending.iter().filter(|p| !p.rows.spawns.is_empty()) {
            if round.may_have_rows() {
                let sql = "DELETE FROM lua_spawn_stats WHERE (match_id = $1 AND round_number = $2) OR round_id = $3";
                let (match_id, round_number) = round.recorded_key();
                let values = args![match_id, round_number, round.round_id];
                self.transaction.execute(sql, values).await?;
            }
            for spawn in &round.rows.spawns {
                let mut row = columns::spawn(spawn);
                row.push(("round_id", round.round_id.into()));
                row.push(("captured_at", Value::Time(round.captured_unix)));
                new.push(self.known(table, row));
            }
        }
        // Another bot may have stored players of the round without linking them to it.
        let key = ["match_id", "round_number", "player_guid"];
        let names = new.first().into_iter().flatten().map(|(name, _)| *name);
        let sets: Vec<&str> = names.filter(|name| !key.contains(name)).collect();
        let tail = format!(
            "ON CONFLICT ({}) DO UPDATE SET {}",
            key.join(", "),
            set_excluded(&sets)
        );
        self.transaction.insert(table, &new, &tail).await?;
        Ok(())
    }

    pub(super) async fn write_players(
        &mut self,
        pending: &[PendingRound<'_>],
    ) -> Result<(), DbError> {
        let table = "player_comprehensive_stats";
        let mut new: Vec<Columns> = Vec::new();
        for round in pending {
            let (Some(players), Some(round_id)) = (&round.rows.players, round.round_id) else {
                continue;
            };
            let mut existing: BTreeMap<String, i64> = BTreeMap::new();
            if round.may_have_rows() {
                self.remember_names(round_id).await?;
                let sql =
                    "SELECT player_guid, id FROM player_comprehensive_stats WHERE round_id = $1";
                for row in self.transaction.rows(sql, args![round_id]).await? {
                    let guid: String = row.get("player_guid");
                    existing.insert(guid.to_ascii_uppercase(), row.get("id"));
                }
            }
            for player in players {
                let mut row = columns::player(player);
                row.push(("round_id", round_id.into()));
                let row = self.known(table, row);
                match existing.remove(&player.player_guid.to_ascii_uppercase()) {
                    Some(id) => {
                        self.transaction.update_by_id(table, &row, id).await?;
                    }
                    None => new.push(row),
                }
            }
            // Another bot's copy of the file may have more players; their rows stay.
            for id in existing.into_values().filter(|_| !round.adopted) {
                let sql = "DELETE FROM player_comprehensive_stats WHERE id = $1";
                self.transaction.execute(sql, args![id]).await?;
            }
        }
        self.transaction.insert(table, &new, "").await?;
        Ok(())
    }
}
