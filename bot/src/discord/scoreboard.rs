//! The scoreboard of one or more rounds, as messages show it.

use std::collections::BTreeMap;

use gametimes_format::Team;
use gametimes_format::rules::is_bot_guid;
use gametimes_rounds::matches::MatchTeam;
use gametimes_rounds::player_id::short_guid;

use super::text::{TableRow, table};
use crate::db::players::Player;
use crate::db::rounds::RoundDetail;
use crate::db::scores::Score;
use crate::display;

/// The columns of a scoreboard. The last two are how long the player and the enemies that the player killed were dead.
const LABELS: [&str; 6] = ["K", "D", "Rev", "DPM", "Dead", "Deny"];

/// A player of a scoreboard.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredPlayer {
    /// The first 8 digits of the guid, or `name:...`.
    pub guid: String,
    /// The name in the last of the rounds.
    pub name: String,
    /// The figures of all rounds together.
    pub score: Score,
}

impl ScoredPlayer {
    fn of(player: &Player) -> Self {
        Self {
            guid: short_guid(&player.guid),
            name: player.name.clone(),
            score: Score::of(player),
        }
    }

    fn row(&self) -> TableRow {
        let number = |n: Option<i64>| n.map_or_else(String::new, |n| n.to_string());
        let time = |ms: Option<i64>| ms.map_or_else(String::new, |ms| display::clock(ms / 1000));
        let score = &self.score;
        TableRow {
            name: self.name.clone(),
            values: vec![
                number(score.kills),
                number(score.deaths),
                number(score.revives),
                number(score.damage_per_minute()),
                time(score.dead_ms),
                time(score.denied_ms),
            ],
        }
    }
}

/// The sums of every player over these rounds, by guid. Bots are left out.
pub fn totals(rounds: &[RoundDetail]) -> BTreeMap<String, ScoredPlayer> {
    let mut totals: BTreeMap<String, ScoredPlayer> = BTreeMap::new();
    let players = rounds.iter().flat_map(|round| &round.players);
    for player in players.filter(|player| !is_bot_guid(&player.guid)) {
        let scored = ScoredPlayer::of(player);
        match totals.get_mut(&scored.guid) {
            Some(total) => {
                total.score = Score::sum([total.score, scored.score]);
                total.name = scored.name;
            }
            None => drop(totals.insert(scored.guid.clone(), scored)),
        }
    }
    totals
}

/// The players of a side in a round, most kills first; `None` if the side had none.
pub fn of_side(detail: &RoundDetail, side: Team, characters: usize) -> Option<String> {
    let players = detail.players.iter().filter(|p| p.team() == Some(side));
    scoreboard(players.map(ScoredPlayer::of).collect(), characters)
}

/// The players of a team over these rounds, most kills first; `None` if none of them is known.
pub fn of_team(team: &MatchTeam, rounds: &[RoundDetail], characters: usize) -> Option<String> {
    let mut totals = totals(rounds);
    let players = team.players.iter();
    let players = players.filter_map(|player| totals.remove(&player.guid));
    scoreboard(players.collect(), characters)
}

fn scoreboard(mut players: Vec<ScoredPlayer>, characters: usize) -> Option<String> {
    players.sort_by(|a, b| {
        let key = |p: &ScoredPlayer| (std::cmp::Reverse(p.score.kills), p.score.deaths);
        let names = |p: &ScoredPlayer| (p.name.clone(), p.guid.clone());
        key(a).cmp(&key(b)).then_with(|| names(a).cmp(&names(b)))
    });
    let rows: Vec<TableRow> = players.iter().map(ScoredPlayer::row).collect();
    (!rows.is_empty()).then(|| table(&LABELS, &rows, "player", characters))
}
