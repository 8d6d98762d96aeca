//! What the matches of a day add: how many maps each player has played and won, and what was played on each map.

use std::collections::{BTreeMap, BTreeSet};

use gametimes_format::rules::is_bot_guid;
use gametimes_rounds::matches::{Match, Outcome, evenings};
use gametimes_rounds::play_order::{end_of_order_key, order_key};

use crate::args;
use crate::db::Db;
use crate::db::connection::{Reader, Transaction};
use crate::db::error::DbError;
use crate::db::matches::AROUND_SECONDS;
use crate::db::play_order::PLAYED;
use crate::db::value::{Columns, FromValue, Value};

/// More rounds than any day has.
const ROUNDS_MAX: usize = 100_000;

/// The decided matches of a player on one day and map.
pub(super) struct PlayerDay {
    day: String,
    player: String,
    map_name: String,
    /// Played, won, drawn.
    counts: [i64; 3],
}

impl PlayerDay {
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

/// What was played on one day and map, in the rounds that count.
pub(super) struct MapDay {
    day: String,
    map_name: String,
    rounds: i64,
    matches: i64,
    times_set: i64,
    held: i64,
    /// The fastest time in ms, the round, and the team.
    fastest: Option<(i64, i64, String)>,
}

impl MapDay {
    /// The row of `gametimes_map_days`.
    pub(super) fn into_row(self) -> Columns {
        let (ms, round, by) = match self.fastest {
            Some((ms, round, by)) => (Some(ms), Some(round), Some(by)),
            None => (None, None, None),
        };
        vec![
            ("day", self.day.into()),
            ("map_name", self.map_name.into()),
            ("rounds", self.rounds.into()),
            ("matches", self.matches.into()),
            ("times_set", self.times_set.into()),
            ("held", self.held.into()),
            ("fastest_ms", ms.into()),
            ("fastest_round_id", round.into()),
            ("fastest_by", by.into()),
        ]
    }
}

impl Db {
    /// Counts the matches whose first known round is of a day.
    pub(super) async fn matches_of_day(
        &self,
        transaction: &mut Transaction,
        day: &Value,
    ) -> Result<(Vec<PlayerDay>, Vec<MapDay>), DbError> {
        let order = self.play_order();
        let of_day = format!(
            "SELECT r.id, {order} AS play_order FROM rounds r \
             WHERE SUBSTR(r.match_id, 1, 10) = $1 AND {PLAYED}"
        );
        let rows = transaction.rows(&of_day, std::slice::from_ref(day)).await?;
        let of_day: BTreeSet<i64> = rows.iter().map(|row| row.get("id")).collect();
        let orders = rows.iter().map(|row| row.get::<String>("play_order"));
        let ends: BTreeSet<i64> = orders
            .filter_map(|order| end_of_order_key(&order, self.zone()))
            .collect();
        let (Some(first), Some(last)) = (ends.first(), ends.last()) else {
            return Ok((Vec::new(), Vec::new()));
        };
        let from = order_key(first - AROUND_SECONDS, self.zone());
        let until = order_key(last + AROUND_SECONDS, self.zone());
        let sql = format!(
            "SELECT r.id, CASE WHEN {} THEN 1 ELSE 0 END AS counts, {} FROM rounds r WHERE {order} >= $1 AND {order} < $2",
            self.counts(),
            self.select("rounds", "r", &["round_stopwatch_state"]),
        );
        let rows = transaction.rows(&sql, args![&from, &until]).await?;
        let counted = rows.iter().filter(|row| row.get("counts"));
        let counted: Counted = counted
            .map(|row| (row.get("id"), row.get("round_stopwatch_state")))
            .collect();
        let mut reader = Reader::Transaction(transaction);
        let (mut rounds, _) = self
            .rounds_between(&mut reader, &from, Some(&until), ROUNDS_MAX)
            .await?;
        self.add_players(&mut reader, &mut rounds).await?;
        let day: String = FromValue::from_value(day).unwrap_or_default();
        let series = evenings(&rounds).into_iter().flat_map(|e| e.series);
        let matches = series.flat_map(|series| series.matches).map(|m| m.played);
        let matches: Vec<Match> = matches.filter(|m| of_day.contains(&m.id)).collect();
        Ok((
            players(&day, &matches, &counted),
            maps(&day, &matches, &counted),
        ))
    }
}

/// The rounds that count, with their `round_stopwatch_state`.
type Counted = BTreeMap<i64, String>;

/// The decided matches of each player, without those in which a round does not count.
fn players(day: &str, matches: &[Match], counted: &Counted) -> Vec<PlayerDay> {
    let mut counts: BTreeMap<(&str, &str), [i64; 3]> = BTreeMap::new();
    for played in matches {
        let winner = played.result.winner;
        let mut rounds = played.rounds.iter();
        if winner == Outcome::Undecided || rounds.any(|r| !counted.contains_key(&r.id)) {
            continue;
        }
        for (team, wins) in [
            (&played.team_a, Outcome::TeamA),
            (&played.team_b, Outcome::TeamB),
        ] {
            for player in team.players.iter().filter(|p| !is_bot_guid(&p.guid)) {
                let key = (player.guid.as_str(), played.map_name.as_str());
                let [all, won, drawn] = counts.entry(key).or_default();
                *all += 1;
                *won += i64::from(winner == wins);
                *drawn += i64::from(winner == Outcome::Draw);
            }
        }
    }
    let row = |((player, map_name), counts): ((&str, &str), _)| PlayerDay {
        day: day.to_owned(),
        player: player.to_owned(),
        map_name: map_name.to_owned(),
        counts,
    };
    counts.into_iter().map(row).collect()
}

/// What was played on each map.
fn maps(day: &str, matches: &[Match], counted: &Counted) -> Vec<MapDay> {
    let mut maps: BTreeMap<&str, MapDay> = BTreeMap::new();
    for played in matches {
        let rounds = played.rounds.iter();
        let rounds = rounds.filter_map(|round| Some((round, counted.get(&round.id)?)));
        for (i, (round, state)) in rounds.enumerate() {
            let map = maps.entry(&played.map_name).or_insert_with(|| MapDay {
                day: day.to_owned(),
                map_name: played.map_name.clone(),
                rounds: 0,
                matches: 0,
                times_set: 0,
                held: 0,
                fastest: None,
            });
            map.matches += i64::from(i == 0);
            map.rounds += 1;
            map.held += i64::from(state == "FULL_HOLD");
            let Some(ms) = round.played_ms.filter(|_| state == "TIME_SET") else {
                continue;
            };
            map.times_set += 1;
            let attackers = match round.round_number {
                1 => &played.team_a,
                _ => &played.team_b,
            };
            // The first of two that are as fast.
            if map
                .fastest
                .as_ref()
                .is_none_or(|(fastest, ..)| ms < *fastest)
            {
                map.fastest = Some((ms, round.id, attackers.name.clone()));
            }
        }
    }
    maps.into_values().collect()
}
