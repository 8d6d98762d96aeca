//! The scoreboard of a round, and of a match: who killed, revived, waited and denied how much.

use std::collections::BTreeSet;

use super::format::{dash, ms, player_link};
use crate::db::players::{Player, damage_per_minute};

/// What a player did in one round, or in several together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    pub kills: Option<i64>,
    deaths: Option<i64>,
    damage_given: Option<i64>,
    damage_received: Option<i64>,
    headshots: Option<i64>,
    /// Hits per hundred shots; only of one round.
    accuracy: Option<f64>,
    revives: Option<i64>,
    dead_ms: Option<i64>,
    denied_ms: Option<i64>,
    played_ms: Option<i64>,
}

impl Figures {
    /// The figures of one round: those of the recorder, and those that only the stats file contains.
    pub fn of(p: &Player) -> Self {
        let in_ms = |seconds: Option<i64>| seconds.map(|s| s.saturating_mul(1000));
        Self {
            kills: p.kills.or(p.stats_kills),
            deaths: p.deaths.or(p.stats_deaths),
            damage_given: p.damage_given,
            damage_received: p.damage_received,
            headshots: p.headshots,
            accuracy: p.accuracy,
            revives: p.revives_given,
            dead_ms: p.dead_ms().or(in_ms(p.stats_time_dead_seconds)),
            denied_ms: p.denied_ms.or(in_ms(p.denied_seconds)),
            played_ms: p.played_ms.or(in_ms(p.stats_time_played_seconds)),
        }
    }

    /// The figures of several rounds together.
    pub fn sum(rounds: &[Self]) -> Self {
        if let [only] = rounds {
            return *only;
        }
        let sum = |of: fn(&Self) -> Option<i64>| {
            let known: Vec<i64> = rounds.iter().filter_map(of).collect();
            (!known.is_empty()).then(|| known.iter().sum())
        };
        Self {
            kills: sum(|f| f.kills),
            deaths: sum(|f| f.deaths),
            damage_given: sum(|f| f.damage_given),
            damage_received: sum(|f| f.damage_received),
            headshots: sum(|f| f.headshots),
            accuracy: None,
            revives: sum(|f| f.revives),
            dead_ms: sum(|f| f.dead_ms),
            denied_ms: sum(|f| f.denied_ms),
            played_ms: sum(|f| f.played_ms),
        }
    }

    /// Kills per death; the kills if there is no death.
    fn kills_per_death(&self) -> Option<String> {
        let ratio = self.kills? as f64 / self.deaths?.max(1) as f64;
        Some(format!("{ratio:.2}"))
    }

    /// Damage per minute played.
    fn damage_per_minute(&self) -> Option<String> {
        text(damage_per_minute(self.damage_given, self.played_ms))
    }
}

/// A column: its heading, and how it shows the figures of a player.
pub type Column = (&'static str, fn(&Figures) -> Option<String>);

fn text(n: Option<i64>) -> Option<String> {
    n.map(|n| n.to_string())
}

fn clock(n: Option<i64>) -> Option<String> {
    n.map(|n| ms(Some(n)))
}

/// The columns of a match.
pub const OF_MATCH: &[Column] = &[
    ("Kills", |f| text(f.kills)),
    ("Deaths", |f| text(f.deaths)),
    ("K/D", Figures::kills_per_death),
    ("DPM", Figures::damage_per_minute),
    ("Headshots", |f| text(f.headshots)),
    ("Revives", |f| text(f.revives)),
    ("Dead", |f| clock(f.dead_ms)),
    ("Denied", |f| clock(f.denied_ms)),
];

/// The columns of a round.
pub const OF_ROUND: &[Column] = &[
    ("Kills", |f| text(f.kills)),
    ("Deaths", |f| text(f.deaths)),
    ("K/D", Figures::kills_per_death),
    ("DPM", Figures::damage_per_minute),
    ("Accuracy", |f| f.accuracy.map(|n| format!("{n:.0} %"))),
    ("Headshots", |f| text(f.headshots)),
    ("Revives", |f| text(f.revives)),
    ("Given", |f| text(f.damage_given)),
    ("Received", |f| text(f.damage_received)),
    ("Dead", |f| clock(f.dead_ms)),
    ("Denied", |f| clock(f.denied_ms)),
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
pub fn line(name: &str, guid: &str, rounds: &[Figures], columns: &[Column]) -> Line {
    let sum = Figures::sum(rounds);
    let cell = |(label, show): &Column| {
        let each: Vec<String> = rounds
            .iter()
            .map(|f| show(f).unwrap_or_else(dash))
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
