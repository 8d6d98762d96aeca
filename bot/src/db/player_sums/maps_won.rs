//! How many maps each player has played and won: the results of the matches of a day.

use std::collections::{BTreeMap, BTreeSet};

use gametimes_format::rules::is_bot_guid;
use gametimes_rounds::matches::{Match, Outcome, evenings};
use gametimes_rounds::play_order::{end_of_order_key, order_key};

use crate::args;
use crate::db::Db;
use crate::db::connection::{Reader, Transaction};
use crate::db::error::DbError;
use crate::db::matches::AROUND_SECONDS;
use crate::db::value::{Columns, FromValue, Value};

/// More rounds than any day has.
const ROUNDS_MAX: usize = 100_000;

/// The decided matches of a player on one day and map.
pub(super) struct MapCounts {
    day: String,
    player: String,
    map_name: String,
    /// Played, won, drawn.
    counts: [i64; 3],
}

impl MapCounts {
    /// The row of `gametimes_player_days`, if the player has no other.
    pub(super) fn into_row(self) -> Columns {
        let [played, won, drawn] = self.counts;
        let mut row: Columns = super::SUMS.iter().map(|sum| (*sum, 0.into())).collect();
        for (name, value) in &mut row {
            match *name {
                "maps_played" => *value = played.into(),
                "maps_won" => *value = won.into(),
                "maps_drawn" => *value = drawn.into(),
                _ => {}
            }
        }
        row.extend([
            ("day", self.day.into()),
            ("player", self.player.into()),
            ("map_name", self.map_name.into()),
        ]);
        row
    }
}

impl Db {
    /// Counts the decided matches whose first known round is of a day, without those in which a round does not count.
    pub(super) async fn maps_of_day(
        &self,
        transaction: &mut Transaction,
        day: &Value,
    ) -> Result<Vec<MapCounts>, DbError> {
        let order = self.play_order();
        let of_day = format!(
            "SELECT r.id, {order} AS play_order FROM rounds r \
             WHERE SUBSTR(r.match_id, 1, 10) = $1 AND r.round_number IN (1, 2)"
        );
        let rows = transaction.rows(&of_day, std::slice::from_ref(day)).await?;
        let of_day: BTreeSet<i64> = rows.iter().map(|row| row.get("id")).collect();
        let orders = rows.iter().map(|row| row.get::<String>("play_order"));
        let ends: BTreeSet<i64> = orders
            .filter_map(|order| end_of_order_key(&order, self.zone()))
            .collect();
        let (Some(first), Some(last)) = (ends.first(), ends.last()) else {
            return Ok(Vec::new());
        };
        let from = order_key(first - AROUND_SECONDS, self.zone());
        let until = order_key(last + AROUND_SECONDS, self.zone());
        let sql = format!(
            "SELECT r.id FROM rounds r WHERE {order} >= $1 AND {order} < $2 AND NOT {}",
            self.counts()
        );
        let rows = transaction.rows(&sql, args![&from, &until]).await?;
        let excluded: BTreeSet<i64> = rows.iter().map(|row| row.get("id")).collect();
        let mut reader = Reader::Transaction(transaction);
        let (mut rounds, _) = self
            .rounds_between(&mut reader, &from, Some(&until), ROUNDS_MAX)
            .await?;
        self.add_players(&mut reader, &mut rounds).await?;
        let day: String = FromValue::from_value(day).unwrap_or_default();
        let series = evenings(&rounds).into_iter().flat_map(|e| e.series);
        let matches = series.flat_map(|series| series.matches).map(|m| m.played);
        let matches = matches.filter(|m| {
            of_day.contains(&m.id) && m.rounds.iter().all(|r| !excluded.contains(&r.id))
        });
        Ok(count(&day, matches))
    }
}

fn count(day: &str, matches: impl Iterator<Item = Match>) -> Vec<MapCounts> {
    let mut counts: BTreeMap<(String, String), [i64; 3]> = BTreeMap::new();
    for played in matches {
        let winner = played.result.winner;
        if winner == Outcome::Undecided {
            continue;
        }
        for (team, wins) in [
            (&played.team_a, Outcome::TeamA),
            (&played.team_b, Outcome::TeamB),
        ] {
            for player in team.players.iter().filter(|p| !is_bot_guid(&p.guid)) {
                let key = (player.guid.clone(), played.map_name.clone());
                let [all, won, drawn] = counts.entry(key).or_default();
                *all += 1;
                *won += i64::from(winner == wins);
                *drawn += i64::from(winner == Outcome::Draw);
            }
        }
    }
    let row = |((player, map_name), counts)| MapCounts {
        day: day.to_owned(),
        player,
        map_name,
        counts,
    };
    counts.into_iter().map(row).collect()
}
