//! From an assembled round to the rows of the tables.
//!
//! Here the rounds get their ids; [`round`] makes the row of `rounds` from both sides, [`recorded`] what the recorder alone
//! tells (`lua_round_teams`, `lua_spawn_stats`), [`player`] what the stats file alone tells (`player_comprehensive_stats`).

mod player;
mod recorded;
mod round;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use ring::digest;

use super::{Assembled, Document, Fact};
use crate::files::subtract;
use crate::store::value::Value;

pub use recorded::player_key;

/// Columns and values of one row.
pub type Columns = Vec<(&'static str, Value)>;

/// All rows of one round.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundRows {
    /// `YYYY-MM-DD-HHMMSS`.
    pub match_id: String,
    /// 1 or 2.
    pub round_number: u8,
    /// The row of `rounds`; `None` for a report that is tied.
    pub round: Option<Columns>,
    /// The row of `lua_round_teams`, without `round_id`.
    pub teams: Option<Columns>,
    /// The rows of `lua_spawn_stats`, without `round_id`.
    pub spawns: Vec<Columns>,
    /// The rows of `player_comprehensive_stats`, without `round_id`. `None` leaves the table alone.
    pub players: Option<Vec<Columns>>,
    /// The row of `rounds` belongs to another bot: only times are written.
    pub foreign_id: Option<i64>,
    /// The comparison that admins read in the log, where there is something to compare.
    pub comparison: Option<String>,
}

/// The rows of all rounds. Two rounds that would get the same id get different ones, the same ones every time.
pub fn build(facts: &[Fact], rounds: &[Assembled], zone: &TimeZone) -> Vec<RoundRows> {
    let mut rows: Vec<RoundRows> = rounds
        .iter()
        .map(|round| build_one(facts, round, zone))
        .collect();
    let mut taken: BTreeMap<(String, u8), Vec<usize>> = BTreeMap::new();
    let mut canonical: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate() {
        taken
            .entry((row.match_id.clone(), row.round_number))
            .or_default()
            .push(i);
        if let Some(Value::Text(Some(id))) = row
            .round
            .as_ref()
            .and_then(|r| get(r, "round_canonical_id"))
        {
            canonical.entry(id.clone()).or_default().push(i);
        }
    }
    // A stats file's name is known to others, so its round keeps the id.
    let order = |i: &usize| {
        (
            rounds[*i].stats.is_none(),
            first_identity(facts, &rounds[*i]),
        )
    };
    for ((match_id, _), mut same) in taken {
        same.sort_by_key(order);
        for (n, i) in same.into_iter().enumerate().skip(1) {
            rows[i].rename(&format!("{match_id}.{}", n + 1));
        }
    }
    for mut same in canonical.into_values() {
        same.sort_by_key(order);
        for i in same.into_iter().skip(1) {
            set(
                rows[i].round.as_mut(),
                "round_canonical_id",
                Value::Text(None),
            );
        }
    }
    rows
}

impl RoundRows {
    /// Gives the round another `match_id`.
    pub(crate) fn rename(&mut self, match_id: &str) {
        self.match_id = match_id.to_owned();
        set(self.round.as_mut(), "match_id", match_id.into());
        set(self.teams.as_mut(), "match_id", match_id.into());
        for row in &mut self.spawns {
            set(Some(row), "match_id", match_id.into());
        }
    }

    /// Tells two contents apart.
    pub fn content(&self) -> String {
        let hash = digest::digest(&digest::SHA256, format!("{self:?}").as_bytes());
        hash.as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }
}

fn first_identity(facts: &[Fact], round: &Assembled) -> Vec<String> {
    let mut ids: Vec<String> = round.members().map(|i| facts[i].identity.clone()).collect();
    ids.sort();
    ids
}

fn get<'a>(row: &'a Columns, column: &str) -> Option<&'a Value> {
    row.iter()
        .find(|(name, _)| *name == column)
        .map(|(_, value)| value)
}

fn set(row: Option<&mut Columns>, column: &str, value: Value) {
    if let Some(cell) = row.and_then(|row| row.iter_mut().find(|(name, _)| *name == column)) {
        cell.1 = value;
    }
}

fn build_one(facts: &[Fact], round: &Assembled, zone: &TimeZone) -> RoundRows {
    let report = round.report.map(|i| match &facts[i].document {
        Document::Report(report) => (report.as_ref(), facts[i].server.as_str()),
        _ => unreachable!("a round's report is a report"),
    });
    let stats_file = round.stats.map(|i| &facts[i]);
    let file = stats_file.and_then(|fact| match &fact.document {
        Document::Stats(file) => Some(file.as_ref()),
        _ => None,
    });
    let foreign = stats_file.and_then(|fact| match &fact.document {
        Document::Foreign(foreign) => Some(foreign.as_ref()),
        _ => None,
    });
    let base = round.base.and_then(|i| match &facts[i].document {
        Document::Stats(file) => Some(file.as_ref()),
        _ => None,
    });
    let match_id = match (file, foreign, report) {
        (Some(file), ..) => file.name.match_id.clone(),
        (_, Some(foreign), _) => foreign.match_id.clone(),
        (.., Some((report, _))) => round::local_time(report, zone),
        _ => String::new(),
    };
    let round_number = match (report, file, foreign) {
        (Some((report, _)), ..) => report.meta.round,
        (_, Some(file), _) => file.header.round,
        (_, _, Some(foreign)) => foreign.round,
        _ => 0,
    };
    let tied_report = round.tie && report.is_some();
    let players = file.map(|file| subtract::per_round(file, base, round.orphan));
    let mut rows = RoundRows {
        round: None,
        teams: report.map(|(report, _)| recorded::teams_row(report, &match_id)),
        spawns: report
            .map(|(report, _)| recorded::spawn_rows(report, &match_id))
            .unwrap_or_default(),
        players: None,
        foreign_id: foreign.map(|f| f.round_id),
        comparison: None,
        match_id,
        round_number,
    };
    if !tied_report {
        let server = report
            .map(|(_, server)| server)
            .or(stats_file.map(|f| f.server.as_str()))
            .unwrap_or_default();
        let known = round::Known {
            report: report.map(|(report, _)| report),
            file,
            server,
            round,
            players: players.as_deref(),
        };
        rows.round = Some(if foreign.is_some() {
            round::times(&known)
        } else {
            round::round_row(&known, &rows)
        });
        rows.comparison = round::comparison(&known);
    }
    rows.players = players.map(|players| {
        players
            .iter()
            .map(|p| player::player_row(p, &rows))
            .collect()
    });
    rows
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Into the range of an INTEGER column.
fn int4(n: i64) -> i64 {
    n.clamp(i32::MIN.into(), i32::MAX.into())
}

/// Seconds as `M:SS`.
fn clock(seconds: i64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

fn minutes(minutes: f64) -> String {
    clock((minutes * 60.0).round() as i64)
}
