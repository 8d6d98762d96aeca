//! The rows of the shared tables: updated if they exist, else inserted.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{PendingRound, RoundRecord, Writer, known};
use crate::args;
use crate::db::DbError;
use crate::db::columns;
use crate::db::value::{Columns, Value, set_excluded};
use gametimes_rounds::rows::{RoundTarget, SpawnRow};

/// A row of `lua_round_teams`.
struct ExistingTeams {
    id: i64,
    match_id: String,
    round_number: i64,
    round_id: Option<i64>,
}

impl ExistingTeams {
    /// Whether the row has an id of the round, or is linked to it.
    fn is_of(&self, round: &PendingRound<'_>) -> bool {
        let (match_id, round_number) = round.recorded_key();
        let temporary = round.record.as_ref().map(RoundRecord::temporary_match_id);
        let has_id = self.match_id == match_id || Some(&self.match_id) == temporary.as_ref();
        (has_id && self.round_number == round_number)
            || (self.round_id.is_some() && self.round_id == round.round_id)
    }
}

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
            let row = known(self.columns, "rounds", row);
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
        let returned = self.transaction.insert("rounds", rows, tail).await?;
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
        let mut existing = self.existing_teams(pending).await?;
        let mut new: Vec<Columns> = Vec::new();
        for round in pending {
            let Some(teams) = &round.rows.teams else {
                continue;
            };
            let mut row = columns::teams(teams);
            row.push(("round_id", round.round_id.into()));
            if let Some(id) = self.choose_teams(&mut existing, round).await? {
                let row = known(self.columns, table, row);
                self.transaction.update_by_id(table, &row, id).await?;
            } else {
                row.push(("captured_at", Value::Time(round.captured_unix)));
                new.push(known(self.columns, table, row));
            }
        }
        self.transaction.insert(table, new, "").await?;
        Ok(())
    }

    /// The rows that exist already for any of these rounds, ours or another bot's.
    async fn existing_teams(
        &mut self,
        pending: &[PendingRound<'_>],
    ) -> Result<Vec<ExistingTeams>, DbError> {
        let mut match_ids: BTreeSet<String> = BTreeSet::new();
        let mut round_ids: BTreeSet<i64> = BTreeSet::new();
        for round in pending.iter().filter(|round| round.rows.teams.is_some()) {
            match_ids.insert(round.rows.recorded_match_id.clone());
            match_ids.extend(round.record.as_ref().map(RoundRecord::temporary_match_id));
            // No row can be linked to a round that is new.
            round_ids.extend(round.round_id.filter(|_| round.may_have_rows()));
        }
        let sql = "SELECT id, match_id, round_number, round_id FROM lua_round_teams WHERE";
        let match_ids: Vec<Value> = match_ids.into_iter().map(Value::from).collect();
        let by_match = format!("{sql} match_id");
        let mut rows = self.transaction.rows_in(&by_match, &match_ids).await?;
        let round_ids: Vec<Value> = round_ids.into_iter().map(Value::from).collect();
        let by_round = format!("{sql} round_id");
        rows.extend(self.transaction.rows_in(&by_round, &round_ids).await?);
        let mut existing: BTreeMap<i64, ExistingTeams> = BTreeMap::new();
        for row in rows {
            let found = ExistingTeams {
                id: row.get("id"),
                match_id: row.get("match_id"),
                round_number: row.get("round_number"),
                round_id: row.get("round_id"),
            };
            existing.insert(found.id, found);
        }
        Ok(existing.into_values().collect())
    }

    /// Takes the row of the round. If there are several, those of another bot are kept, but lose their link to the round.
    async fn choose_teams(
        &mut self,
        existing: &mut Vec<ExistingTeams>,
        round: &PendingRound<'_>,
    ) -> Result<Option<i64>, DbError> {
        if existing.is_empty() {
            return Ok(None);
        }
        let mut found: Vec<ExistingTeams> = existing.extract_if(.., |e| e.is_of(round)).collect();
        let temporary = round.record.as_ref().map(RoundRecord::temporary_match_id);
        let is_temporary = |e: &ExistingTeams| temporary.as_ref() == Some(&e.match_id);
        found.sort_by_key(|e| match () {
            () if e.match_id == round.rows.recorded_match_id => (0, e.id),
            () if is_temporary(e) => (2, e.id),
            () => (1, e.id),
        });
        let mut found = found.into_iter();
        let chosen = found.next().map(|e| e.id);
        for other in found {
            let sql = if is_temporary(&other) {
                "DELETE FROM lua_round_teams WHERE id = $1"
            } else {
                "UPDATE lua_round_teams SET round_id = NULL WHERE id = $1"
            };
            self.transaction.execute(sql, args![other.id]).await?;
            if !is_temporary(&other) {
                let round_id = None;
                existing.push(ExistingTeams { round_id, ..other });
            }
        }
        Ok(chosen)
    }

    pub(super) async fn write_spawns(
        &mut self,
        pending: &[PendingRound<'_>],
    ) -> Result<(), DbError> {
        let table = "lua_spawn_stats";
        if !self.has(table) {
            return Ok(());
        }
        let mut new = Vec::new();
        // A message alone contains no times of players, so what another bot stored about them stays.
        for round in pending.iter().filter(|p| !p.rows.spawns.is_empty()) {
            if round.may_have_rows() {
                let sql = "DELETE FROM lua_spawn_stats WHERE (match_id = $1 AND round_number = $2) OR round_id = $3";
                let (match_id, round_number) = round.recorded_key();
                let values = args![match_id, round_number, round.round_id];
                self.transaction.execute(sql, values).await?;
            }
            new.extend(round.rows.spawns.iter().map(|spawn| (round, spawn)));
        }
        let table_columns = self.columns;
        let row = |&(round, spawn): &(&PendingRound<'_>, &SpawnRow)| {
            let mut row = columns::spawn(spawn);
            row.push(("round_id", round.round_id.into()));
            row.push(("captured_at", Value::Time(round.captured_unix)));
            known(table_columns, table, row)
        };
        // Another bot may have stored players of the round without linking them to it.
        let key = ["match_id", "round_number", "player_guid"];
        let names = new.first().into_iter().flat_map(row).map(|(name, _)| name);
        let sets: Vec<&str> = names.filter(|name| !key.contains(name)).collect();
        let tail = format!(
            "ON CONFLICT ({}) DO UPDATE SET {}",
            key.join(", "),
            set_excluded(&sets)
        );
        self.transaction
            .insert_each(table, Box::new(new.iter().map(row)), &tail)
            .await?;
        Ok(())
    }

    pub(super) async fn write_players(
        &mut self,
        pending: &[PendingRound<'_>],
    ) -> Result<(), DbError> {
        let table = "player_comprehensive_stats";
        let mut new = Vec::new();
        let table_columns = self.columns;
        let columns_of = |player, round_id: i64| {
            let mut row = columns::player(player);
            row.push(("round_id", round_id.into()));
            known(table_columns, table, row)
        };
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
                match existing.remove(&player.player_guid.to_ascii_uppercase()) {
                    Some(id) => {
                        let row = columns_of(player, round_id);
                        self.transaction.update_by_id(table, &row, id).await?;
                    }
                    None => new.push((player, round_id)),
                }
            }
            // Another bot's copy of the file may have more players; their rows stay.
            for id in existing.into_values().filter(|_| !round.adopted) {
                let sql = "DELETE FROM player_comprehensive_stats WHERE id = $1";
                self.transaction.execute(sql, args![id]).await?;
            }
        }
        let rows = new
            .iter()
            .map(|(player, round_id)| columns_of(player, *round_id));
        self.transaction
            .insert_each(table, Box::new(rows), "")
            .await?;
        Ok(())
    }
}
