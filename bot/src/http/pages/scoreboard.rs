//! The scoreboard of a round, and of a match: who killed, revived, waited and denied how much.

use std::collections::BTreeSet;

use super::format::{dash, ms, player_link};
use crate::db::scores::Score;

/// A column: its heading, and how it shows the figures of a player.
pub type Column = (&'static str, fn(&Score) -> Option<String>);

fn text(n: Option<i64>) -> Option<String> {
    n.map(|n| n.to_string())
}

fn clock(n: Option<i64>) -> Option<String> {
    n.map(|n| ms(Some(n)))
}

/// Kills per death; without deaths, the kills.
fn kills_per_death(score: &Score) -> Option<String> {
    let ratio = score.kills? as f64 / score.deaths?.max(1) as f64;
    Some(format!("{ratio:.2}"))
}

/// The columns of a match.
pub const OF_MATCH: &[Column] = &[
    ("Kills", |s| text(s.kills)),
    ("Deaths", |s| text(s.deaths)),
    ("K/D", kills_per_death),
    ("DPM", |s| text(s.damage_per_minute())),
    ("Headshots", |s| text(s.headshots)),
    ("Revives", |s| text(s.revives)),
    ("Dead", |s| clock(s.dead_ms)),
    ("Denied", |s| clock(s.denied_ms)),
];

/// The columns of a round.
pub const OF_ROUND: &[Column] = &[
    ("Kills", |s| text(s.kills)),
    ("Deaths", |s| text(s.deaths)),
    ("K/D", kills_per_death),
    ("DPM", |s| text(s.damage_per_minute())),
    ("Accuracy", |s| s.accuracy.map(|n| format!("{n:.0} %"))),
    ("Headshots", |s| text(s.headshots)),
    ("Revives", |s| text(s.revives)),
    ("Given", |s| text(s.damage_given)),
    ("Received", |s| text(s.damage_received)),
    ("Dead", |s| clock(s.dead_ms)),
    ("Denied", |s| clock(s.denied_ms)),
];

/// A cell: the number of all rounds together, and of each.
pub struct Cell {
    pub label: &'static str,
    pub sum: String,
    pub rounds: Option<String>,
    is_known: bool,
}

/// A row.
pub struct Line {
    pub name: String,
    pub link: String,
    pub cells: Vec<Cell>,
    pub kills: i64,
}

/// A team with its players.
pub struct ScoredTeam {
    pub name: String,
    pub won: bool,
    pub lines: Vec<Line>,
}

/// The row of a player with these figures in each round.
pub fn line(name: &str, guid: &str, rounds: &[Score], columns: &[Column]) -> Line {
    let sum = Score::sum(rounds.iter().copied());
    let cell = |(label, show): &Column| {
        let each: Vec<String> = rounds
            .iter()
            .map(|s| show(s).unwrap_or_else(dash))
            .collect();
        let shown = show(&sum);
        Cell {
            label,
            is_known: shown.is_some(),
            sum: shown.unwrap_or_else(dash),
            rounds: (each.len() > 1).then(|| each.join(" / ")),
        }
    };
    Line {
        name: name.to_owned(),
        link: player_link(guid),
        cells: columns.iter().map(cell).collect(),
        kills: sum.kills.unwrap_or_default(),
    }
}

/// Most kills first.
pub fn sort(lines: &mut [Line]) {
    lines.sort_by(|a, b| b.kills.cmp(&a.kills).then_with(|| a.name.cmp(&b.name)));
}

/// Omits the columns that no player has a value for: without a stats file the damage is unknown.
pub fn omit_unknown(teams: &mut [ScoredTeam]) {
    let cells = teams.iter().flat_map(|team| &team.lines);
    let known = cells
        .flat_map(|line| &line.cells)
        .filter(|cell| cell.is_known);
    let known: BTreeSet<&'static str> = known.map(|cell| cell.label).collect();
    for line in teams.iter_mut().flat_map(|team| &mut team.lines) {
        line.cells.retain(|cell| known.contains(cell.label));
    }
}
