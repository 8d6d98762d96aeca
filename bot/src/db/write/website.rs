//! The tables that only a website's schema has, if they exist: the numbers of each weapon, the names of players, and the sum of both
//! rounds of a match as round 0.

use std::collections::{BTreeSet, HashMap};

use gametimes_rounds::rows::website::{BOTH_ROUNDS, BothRounds};

use super::{PendingRound, RoundRecord, Writer, known};
use crate::args;
use crate::db::DbError;
use crate::db::columns;
use crate::db::connection::placeholders;
use crate::db::play_order::PLAYED;
use crate::db::schema::{ALIASES, WEAPONS};
use crate::db::value::{Columns, Value, set_excluded};

/// For how many players names are counted with one statement.
const PLAYERS_PER_QUERY: usize = 500;

impl Writer<'_, '_> {
    /// Whether this is the schema of a website. Otherwise nothing reads these rows.
    pub(super) fn has_website(&self) -> bool {
        self.has(WEAPONS) || self.has(ALIASES)
    }

    /// Writes the rows. A website's table that refuses them must not keep the round itself from being stored.
    pub(super) async fn write_website(
        &mut self,
        pending: &[PendingRound<'_>],
    ) -> Result<(), DbError> {
        if !self.has_website() {
            return Ok(());
        }
        self.transaction.execute("SAVEPOINT website", &[]).await?;
        let result = self.try_write_website(pending).await;
        if let Err(error) = &result {
            tracing::warn!(
                "a table of the website could not be written: {error}; when that is mended, run `gametimes-bot rebuild`"
            );
            let sql = "ROLLBACK TO SAVEPOINT website";
            self.transaction.execute(sql, &[]).await?;
        }
        let sql = "RELEASE SAVEPOINT website";
        self.transaction.execute(sql, &[]).await?;
        Ok(())
    }

    async fn try_write_website(&mut self, pending: &[PendingRound<'_>]) -> Result<(), DbError> {
        self.write_weapons(pending).await?;
        self.write_both_rounds(pending).await?;
        self.write_aliases(pending).await
    }

    async fn write_weapons(&mut self, pending: &[PendingRound<'_>]) -> Result<(), DbError> {
        if !self.has(WEAPONS) {
            return Ok(());
        }
        let mut new: Vec<Columns> = Vec::new();
        for round in pending {
            let (Some(website), Some(round_id)) = (&round.rows.website, round.round_id) else {
                continue;
            };
            // Another bot's copy of the file may have more players; their rows stay.
            if round.may_have_rows() && !round.adopted {
                let sql = format!("DELETE FROM {WEAPONS} WHERE round_id = $1");
                self.transaction.execute(&sql, args![round_id]).await?;
            }
            for weapon in &website.weapons {
                let mut row = columns::weapon(weapon);
                row.push(("round_id", round_id.into()));
                new.push(known(self.columns, WEAPONS, row));
            }
        }
        let numbers = ["kills", "deaths", "headshots", "shots", "hits", "accuracy"];
        let tail = format!(
            "ON CONFLICT (round_id, player_guid, weapon_name) DO UPDATE SET {}",
            set_excluded(&numbers)
        );
        self.transaction.insert(WEAPONS, new, &tail).await?;
        Ok(())
    }

    /// Writes round 0 of each match, and deletes that of a round 2 which has lost its round 1.
    async fn write_both_rounds(&mut self, pending: &[PendingRound<'_>]) -> Result<(), DbError> {
        let seconds = pending.iter().filter(|p| p.rows.round_number == 2);
        let seconds: Vec<&PendingRound<'_>> = seconds.collect();
        let mut names: BTreeSet<String> = BTreeSet::new();
        for round in &seconds {
            names.insert(round.rows.match_id.clone());
            names.extend(round.record.as_ref().map(RoundRecord::temporary_match_id));
        }
        let names: Vec<Value> = names.into_iter().map(Value::from).collect();
        let sql = "SELECT id, match_id FROM rounds WHERE round_number = 0 AND match_id";
        let existing = self.transaction.rows_in(sql, &names).await?;
        let mut existing: HashMap<String, i64> = existing
            .iter()
            .map(|row| (row.get("match_id"), row.get("id")))
            .collect();
        let mut written: Vec<(i64, &BothRounds)> = Vec::new();
        let mut new: Vec<(&BothRounds, Columns)> = Vec::new();
        for round in seconds {
            let website = round.rows.website.as_ref();
            let both = website.and_then(|website| website.both.as_ref());
            let temporary = round.record.as_ref().map(RoundRecord::temporary_match_id);
            let mut rows = vec![temporary.and_then(|id| existing.remove(&id))];
            let had_id = |record: &RoundRecord| record.match_id == round.rows.match_id;
            if both.is_some() || round.record.as_ref().is_some_and(had_id) {
                rows.push(existing.remove(&round.rows.match_id));
            }
            let mut rows = rows.into_iter().flatten().rev();
            if let Some(both) = both {
                let row = known(self.columns, "rounds", columns::both_rounds(&both.round));
                match rows.next() {
                    Some(id) => written.push((id, both)),
                    None => new.push((both, row)),
                }
            }
            // What is left is of a match that no longer exists.
            for id in rows.filter(|_| !round.adopted) {
                self.delete_round(id).await?;
            }
        }
        let delete = "DELETE FROM player_comprehensive_stats WHERE round_id = $1";
        for (id, both) in &written {
            let row = known(self.columns, "rounds", columns::both_rounds(&both.round));
            self.transaction.update_by_id("rounds", &row, *id).await?;
            self.transaction.execute(delete, args![*id]).await?;
        }
        let (new, rows): (Vec<&BothRounds>, Vec<Columns>) = new.into_iter().unzip();
        let tail = "RETURNING match_id, id";
        let returned = self.transaction.insert("rounds", rows, tail).await?;
        let ids: HashMap<String, i64> = returned
            .iter()
            .map(|row| (row.get("match_id"), row.get("id")))
            .collect();
        written.extend(new.into_iter().filter_map(|both| {
            let id = ids.get(&both.round.match_id)?;
            Some((*id, both))
        }));
        let mut players: Vec<Columns> = Vec::new();
        for (id, both) in &written {
            for player in &both.players {
                let mut row = columns::player(player);
                row.push(("round_id", (*id).into()));
                players.push(known(self.columns, "player_comprehensive_stats", row));
            }
        }
        let table = "player_comprehensive_stats";
        self.transaction.insert(table, players, "").await?;
        if self.columns["rounds"].contains("gaming_session_id") {
            let ids: Vec<Value> = written.iter().map(|(id, _)| (*id).into()).collect();
            let sql = "UPDATE rounds SET gaming_session_id = (SELECT s.gaming_session_id FROM rounds s \
                       WHERE s.match_id = rounds.match_id AND s.round_number = 2) WHERE id";
            self.transaction.rows_in(sql, &ids).await?;
        }
        Ok(())
    }

    /// Deletes round 0 of a match whose round 2 no longer exists.
    pub(super) async fn delete_both_rounds(&mut self, record: &RoundRecord) -> Result<(), DbError> {
        if !self.has_website() || record.round_number != 2 || record.adopted {
            return Ok(());
        }
        let sql = "SELECT id FROM rounds WHERE match_id = $1 AND round_number = $2";
        let values = args![&record.match_id, i64::from(BOTH_ROUNDS)];
        for row in self.transaction.rows(sql, values).await? {
            self.delete_round(row.get("id")).await?;
        }
        Ok(())
    }

    /// Takes the id away from round 0 of a round 2 that is about to get another one.
    pub(super) async fn release_both_rounds(
        &mut self,
        record: &RoundRecord,
    ) -> Result<(), DbError> {
        if self.has_website() && record.round_number == 2 && !record.adopted {
            let sql = "UPDATE rounds SET match_id = $1 WHERE match_id = $2 AND round_number = 0";
            let values = args![&record.temporary_match_id(), &record.match_id];
            self.transaction.execute(sql, values).await?;
        }
        Ok(())
    }

    /// Remembers the names in rows of a round that is about to change or to be deleted.
    pub(super) async fn remember_names(&mut self, round_id: i64) -> Result<(), DbError> {
        if self.has(ALIASES) {
            let sql = "SELECT player_guid, player_name FROM player_comprehensive_stats WHERE round_id = $1";
            let rows = self.transaction.rows(sql, args![round_id]).await?;
            let names = rows
                .iter()
                .map(|row| (row.get("player_guid"), row.get("player_name")));
            self.former_names.extend(names);
        }
        Ok(())
    }

    /// Counts the rounds in which each player of the changed rounds had each name. Bots whose guid is not unique have no names.
    async fn write_aliases(&mut self, pending: &[PendingRound<'_>]) -> Result<(), DbError> {
        if !self.has(ALIASES) {
            return Ok(());
        }
        let time = |date: &str| match self.transaction.is_postgres() {
            true => format!("CAST({date} AS TIMESTAMP)"),
            false => format!("{date} || ' 00:00:00'"),
        };
        let count = format!(
            "INSERT INTO {ALIASES} (guid, alias, first_seen, last_seen, times_seen) \
             SELECT r.player_guid, r.player_name, {}, {}, COUNT(*) FROM player_comprehensive_stats r \
             WHERE {PLAYED} AND r.player_guid NOT LIKE '%#%' AND r.round_date LIKE '____-__-__' \
             AND UPPER(SUBSTR(r.player_guid, 1, 8)) IN",
            time("MIN(r.round_date)"),
            time("MAX(r.round_date)"),
        );
        let tail = format!(
            "GROUP BY r.player_guid, r.player_name ON CONFLICT (guid, alias) DO UPDATE SET {}",
            set_excluded(&["first_seen", "last_seen", "times_seen"])
        );
        let former = std::mem::take(&mut self.former_names);
        let players = pending
            .iter()
            .filter_map(|round| round.rows.players.as_ref());
        let now = players
            .flatten()
            .map(|p| p.player_guid.to_ascii_uppercase());
        let before = former.iter().map(|(guid, _)| guid.to_ascii_uppercase());
        let guids: BTreeSet<String> = now.chain(before).collect();
        let guids: Vec<Value> = guids.into_iter().map(Value::from).collect();
        for guids in guids.chunks(PLAYERS_PER_QUERY) {
            let sql = format!("{count} ({}) {tail}", placeholders(guids.len()));
            self.transaction.execute(&sql, guids).await?;
        }
        let gone = format!(
            "DELETE FROM {ALIASES} WHERE guid = $1 AND alias = $2 AND NOT EXISTS (SELECT 1 FROM player_comprehensive_stats r \
             WHERE {PLAYED} AND UPPER(SUBSTR(r.player_guid, 1, 8)) = UPPER(SUBSTR($1, 1, 8)) AND r.player_guid = $1 \
             AND r.player_name = $2)"
        );
        for (guid, name) in former {
            self.transaction.execute(&gone, args![guid, name]).await?;
        }
        Ok(())
    }
}
