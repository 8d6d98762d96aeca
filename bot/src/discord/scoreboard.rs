//! The scoreboard of one or more rounds, as messages show it.

use std::collections::BTreeMap;

use gametimes_format::Team;
use gametimes_format::rules::is_bot_guid;
use gametimes_rounds::matches::MatchTeam;
use gametimes_rounds::player_id::short_guid;

use super::text::{TableRow, table};
use crate::db::players::{Player, damage_per_minute};
use crate::db::rounds::RoundDetail;
use crate::display;

/// The columns of a scoreboard. The last two are how long the player and the enemies that the player killed were dead.
const LABELS: [&str; 6] = ["K", "D", "Rev", "DPM", "Dead", "Deny"];
/// How a stats file's numbers are marked that include round 1.
const CUMULATIVE: &str = "cumulative";

/// What a player did in one or more rounds. What no round contains is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Score {
    /// The first 8 digits of the guid, or `name:...`.
    pub guid: String,
    /// The name in the last of the rounds.
    pub name: String,
    /// Enemies killed.
    pub kills: Option<i64>,
    /// Deaths.
    pub deaths: Option<i64>,
    /// Team mates revived.
    pub revives: Option<i64>,
    /// Damage given.
    pub damage: Option<i64>,
    /// Time dead.
    pub dead_ms: Option<i64>,
    /// Time that the killed enemies were dead.
    pub denied_ms: Option<i64>,
    /// Time on a team.
    pub played_ms: Option<i64>,
}

impl Score {
    fn of(player: &Player) -> Self {
        let ms = |seconds: Option<i64>| seconds.map(|s| s.saturating_mul(1000));
        let flags = player.flags.as_deref().unwrap_or_default();
        let in_file = |value: Option<i64>| value.filter(|_| !flags.contains(CUMULATIVE));
        let played_ms = player.played_ms.filter(|played| *played > 0);
        Self {
            guid: short_guid(&player.guid),
            name: player.name.clone(),
            kills: player.kills.or(in_file(player.stats_kills)),
            deaths: player.deaths.or(in_file(player.stats_deaths)),
            revives: in_file(player.revives_given),
            damage: in_file(player.damage_given),
            dead_ms: player
                .dead_ms()
                .or(in_file(ms(player.stats_time_dead_seconds))),
            denied_ms: player.denied_ms.or(ms(player.denied_seconds)),
            played_ms: played_ms.or(in_file(ms(player.stats_time_played_seconds))),
        }
    }

    fn add(&mut self, other: Self) {
        let sum = |a: &mut Option<i64>, b: Option<i64>| {
            if let Some(b) = b {
                *a = Some(a.unwrap_or(0).saturating_add(b));
            }
        };
        sum(&mut self.kills, other.kills);
        sum(&mut self.deaths, other.deaths);
        sum(&mut self.revives, other.revives);
        sum(&mut self.damage, other.damage);
        sum(&mut self.dead_ms, other.dead_ms);
        sum(&mut self.denied_ms, other.denied_ms);
        sum(&mut self.played_ms, other.played_ms);
        self.name = other.name;
    }

    fn row(&self) -> TableRow {
        let number = |n: Option<i64>| n.map_or_else(String::new, |n| n.to_string());
        let time = |ms: Option<i64>| ms.map_or_else(String::new, |ms| display::clock(ms / 1000));
        TableRow {
            name: self.name.clone(),
            values: vec![
                number(self.kills),
                number(self.deaths),
                number(self.revives),
                number(damage_per_minute(self.damage, self.played_ms)),
                time(self.dead_ms),
                time(self.denied_ms),
            ],
        }
    }
}

/// The sums of every player over these rounds, by guid. Bots are left out.
pub fn totals(rounds: &[RoundDetail]) -> BTreeMap<String, Score> {
    let mut totals: BTreeMap<String, Score> = BTreeMap::new();
    let players = rounds.iter().flat_map(|round| &round.players);
    for player in players.filter(|player| !is_bot_guid(&player.guid)) {
        let score = Score::of(player);
        match totals.get_mut(&score.guid) {
            Some(total) => total.add(score),
            None => drop(totals.insert(score.guid.clone(), score)),
        }
    }
    totals
}

/// The players of a side in a round, most kills first; `None` if the side had none.
pub fn of_side(detail: &RoundDetail, side: Team, characters: usize) -> Option<String> {
    let players = detail.players.iter().filter(|p| p.team() == Some(side));
    scoreboard(players.map(Score::of).collect(), characters)
}

/// The players of a team over these rounds, most kills first; `None` if none of them is known.
pub fn of_team(team: &MatchTeam, rounds: &[RoundDetail], characters: usize) -> Option<String> {
    let mut totals = totals(rounds);
    let players = team.players.iter();
    let scores = players.filter_map(|player| totals.remove(&player.guid));
    scoreboard(scores.collect(), characters)
}

fn scoreboard(mut scores: Vec<Score>, characters: usize) -> Option<String> {
    scores.sort_by(|a, b| {
        let key = |score: &Score| (std::cmp::Reverse(score.kills), score.deaths);
        let names = |score: &Score| (score.name.clone(), score.guid.clone());
        key(a).cmp(&key(b)).then_with(|| names(a).cmp(&names(b)))
    });
    let rows: Vec<TableRow> = scores.iter().map(Score::row).collect();
    (!rows.is_empty()).then(|| table(&LABELS, &rows, "player", characters))
}
