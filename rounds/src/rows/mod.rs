//! From a reconciled round to the rows of the database tables.
//!
//! Each row is a struct whose fields are the columns that this project writes. [`build`] gives the rounds their ids;
//! [`round`] makes the row of `rounds` from both sources, [`recorded`] the rows that only the recorder knows
//! (`lua_round_teams`, `lua_spawn_stats`), [`player`] the rows that only the stats file knows
//! (`player_comprehensive_stats`).

mod outcome;
mod player;
mod recorded;
mod round;

use std::collections::BTreeMap;

use gametimes_format::digest::{hex, sha256};
use jiff::tz::TimeZone;

use crate::per_round;
use crate::reconcile::{Document, Fact, ReconciledRound, arrival};

pub use outcome::Outcome;
pub use player::PlayerRow;
pub use recorded::{SpawnRow, TeamsRow, player_key};
pub use round::{RecordedTimes, RoundRow, local_time};

/// All rows of one round.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundRows {
    /// `YYYY-MM-DD-HHMMSS`.
    pub match_id: String,
    /// 1 or 2.
    pub round_number: u8,
    /// The row of `rounds`; `None` for a report whose stats file is ambiguous.
    pub round: Option<RoundTarget>,
    /// The row of `lua_round_teams`.
    pub teams: Option<TeamsRow>,
    /// The rows of `lua_spawn_stats`.
    pub spawns: Vec<SpawnRow>,
    /// The rows of `player_comprehensive_stats`. `None` leaves the table alone.
    pub players: Option<Vec<PlayerRow>>,
    /// A log line that compares recorder and stats file, if both are there.
    pub comparison: Option<String>,
}

/// The row of `rounds` that a round is written to.
#[derive(Debug, Clone, PartialEq)]
pub enum RoundTarget {
    /// A row that we make.
    Own(Box<RoundRow>),
    /// A row that another bot made: only its times are updated.
    Foreign {
        /// `rounds.id`.
        round_id: i64,
        /// The times that the recorder reported.
        times: RecordedTimes,
    },
}

/// Makes the rows of all rounds. Where two rounds would get the same id, all but one get a suffix, the same one every time.
pub fn build(facts: &[Fact], rounds: &[ReconciledRound], zone: &TimeZone) -> Vec<RoundRows> {
    let mut rows: Vec<RoundRows> = rounds
        .iter()
        .map(|round| build_one(facts, round, zone))
        .collect();
    let mut same_match_id: BTreeMap<(String, u8), Vec<usize>> = BTreeMap::new();
    let mut same_canonical_id: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate() {
        same_match_id
            .entry((row.match_id.clone(), row.round_number))
            .or_default()
            .push(i);
        if let Some(id) = row.own_round().and_then(|r| r.round_canonical_id.clone()) {
            same_canonical_id.entry(id).or_default().push(i);
        }
    }
    // Other programs know a round by the name of its stats file, so a round with a stats file keeps the id.
    let order = |i: &usize| {
        let round = &rounds[*i];
        let arrival = arrival(facts, &round.reports);
        (round.stats.is_none(), arrival, identities(facts, round))
    };
    for ((match_id, _), mut same) in same_match_id {
        same.sort_by_key(order);
        for (n, i) in same.into_iter().enumerate().skip(1) {
            rows[i].rename(&format!("{match_id}.{}", n + 1));
        }
    }
    for mut same in same_canonical_id.into_values() {
        same.sort_by_key(order);
        for i in same.into_iter().skip(1) {
            if let Some(RoundTarget::Own(round)) = &mut rows[i].round {
                round.round_canonical_id = None;
            }
        }
    }
    rows
}

impl RoundRows {
    /// Gives the round another `match_id`.
    pub fn rename(&mut self, match_id: &str) {
        match_id.clone_into(&mut self.match_id);
        if let Some(RoundTarget::Own(round)) = &mut self.round {
            match_id.clone_into(&mut round.match_id);
        }
        if let Some(teams) = &mut self.teams {
            match_id.clone_into(&mut teams.match_id);
        }
        for spawn in &mut self.spawns {
            match_id.clone_into(&mut spawn.match_id);
        }
    }

    /// A hash over all rows: equal hashes mean that nothing needs to be written.
    pub fn content_hash(&self) -> String {
        hex(&sha256([format!("{self:?}").as_bytes()]))
    }

    fn own_round(&self) -> Option<&RoundRow> {
        match &self.round {
            Some(RoundTarget::Own(round)) => Some(round),
            _ => None,
        }
    }
}

fn identities(facts: &[Fact], round: &ReconciledRound) -> Vec<String> {
    let mut ids: Vec<String> = round.members().map(|i| facts[i].identity.clone()).collect();
    ids.sort();
    ids
}

fn build_one(facts: &[Fact], round: &ReconciledRound, zone: &TimeZone) -> RoundRows {
    let report_fact = round.report.map(|i| &facts[i]);
    let report = report_fact.and_then(Fact::report);
    let stats_fact = round.stats.map(|i| &facts[i]);
    let file = stats_fact.and_then(Fact::stats_file);
    let foreign = stats_fact.and_then(|fact| match &fact.document {
        Document::Foreign(foreign) => Some(foreign.as_ref()),
        _ => None,
    });
    let base = round.base.and_then(|i| facts[i].stats_file());
    let match_id = match (file, foreign, report) {
        (Some(file), ..) => file.name.match_id.clone(),
        (_, Some(foreign), _) => foreign.match_id.clone(),
        (.., Some(report)) => round::local_time(report, zone),
        _ => String::new(),
    };
    let round_number = match (report, file, foreign) {
        (Some(report), ..) => report.meta.round,
        (_, Some(file), _) => file.header.round,
        (_, _, Some(foreign)) => foreign.round,
        _ => 0,
    };
    let player_rounds = file.map(|file| per_round::per_round(file, base, round.orphan));
    let sources = round::Sources {
        report,
        file,
        server: report_fact
            .or(stats_fact)
            .map(|fact| fact.server.as_str())
            .unwrap_or_default(),
        round,
        players: player_rounds.as_deref(),
    };
    let is_ambiguous_report = round.ambiguous && report.is_some();
    let target = match (foreign, report) {
        _ if is_ambiguous_report => None,
        (Some(foreign), Some(report)) => Some(RoundTarget::Foreign {
            round_id: foreign.round_id,
            times: RecordedTimes::of(report, zone),
        }),
        _ => Some(RoundTarget::Own(Box::new(RoundRow::new(
            &sources,
            &match_id,
            round_number,
            zone,
        )))),
    };
    let map_name = match &target {
        Some(RoundTarget::Own(round)) => round.map_name.as_str(),
        _ => "",
    };
    let players = player_rounds.as_deref().map(|players| {
        let row = |p| PlayerRow::new(p, &match_id, map_name, round_number);
        players.iter().map(row).collect()
    });
    let comparison = if is_ambiguous_report {
        None
    } else {
        round::comparison(&sources)
    };
    RoundRows {
        teams: report.map(|report| TeamsRow::new(report, &match_id)),
        spawns: report.map_or_else(Vec::new, |report| SpawnRow::of_report(report, &match_id)),
        round: target,
        players,
        comparison,
        match_id,
        round_number,
    }
}

/// Clamps a number to the range of an INTEGER column.
fn int4(n: i64) -> i64 {
    n.clamp(i32::MIN.into(), i32::MAX.into())
}
