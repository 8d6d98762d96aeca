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
mod sources;
pub mod website;

use std::collections::BTreeSet;

use gametimes_format::digest::{hex, sha256};
use jiff::tz::TimeZone;
use serde::Serialize;

use self::sources::Sources;
use crate::per_round;
use crate::reconcile::{Document, Fact, ReconciledRound, arrival, number};

pub use outcome::Outcome;
pub use player::PlayerRow;
pub use recorded::{SpawnRow, TeamsRow};
pub use round::{RecordedTimes, RoundRow, local_time};

/// All rows of one round.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoundRows {
    /// The server's local time in the name of the stats file of round 1, `YYYY-MM-DD-HHMMSS`: a round 2 has the `match_id` of its
    /// round 1, an orphan has its own. Without a stats file, it is the end of the round.
    pub match_id: String,
    /// The server's local time at the end of the round: the `match_id` of `teams` and `spawns`. Empty without a report.
    pub recorded_match_id: String,
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
    /// Rows of tables that only a website has; see [`website::add`].
    pub website: Option<Box<website::WebsiteRows>>,
    /// A log line that compares recorder and stats file, if both are there.
    pub comparison: Option<String>,
}

/// The row of `rounds` that a round is written to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum RoundTarget {
    /// A row that we make.
    Own(Box<RoundRow>),
    /// A row that another bot made: only its times are updated.
    Foreign {
        /// `rounds.id`.
        round_id: i64,
        /// The times that the recorder reported, if it did.
        times: Option<RecordedTimes>,
    },
}

/// Makes the rows of all rounds. Where two rounds would get the same id, all but one get a suffix, the same one every time.
pub fn build(facts: &[Fact], rounds: &[ReconciledRound], zone: &TimeZone) -> Vec<RoundRows> {
    let mut rows: Vec<RoundRows> = rounds
        .iter()
        .map(|round| build_one(facts, round, zone))
        .collect();
    // Other programs know a round by the name of its stats file, so a round with a stats file keeps the id.
    let mut order: Vec<usize> = (0..rounds.len()).collect();
    order.sort_by_cached_key(|&i| {
        let round = &rounds[i];
        let arrival = arrival(facts, &round.reports);
        (round.stats.is_none(), arrival, identities(facts, round))
    });
    // A round 2 follows its round 1, so the rounds 1 get their ids first, and the rounds 2 without one last.
    let (seconds, others): (Vec<usize>, Vec<usize>) =
        order.iter().partition(|&&i| rows[i].round_number == 2);
    let (followers, orphans): (Vec<usize>, Vec<usize>) = seconds
        .into_iter()
        .partition(|&i| rounds[i].first.is_some());
    let mut taken: BTreeSet<(String, u8)> = BTreeSet::new();
    for i in others.into_iter().chain(followers).chain(orphans) {
        let match_id = match rounds[i].first {
            Some(first) if !is_of_other_bot(facts, &rounds[i]) => rows[first].match_id.clone(),
            _ => rows[i].match_id.clone(),
        };
        let number = rows[i].round_number;
        rows[i].rename(&free(&match_id, |id| taken.insert((id.to_owned(), number))));
    }
    let mut taken: BTreeSet<(String, u8)> = BTreeSet::new();
    let mut canonical_ids: BTreeSet<String> = BTreeSet::new();
    // No stats file has this id. A report that came later through another webhook must not take it away.
    order.sort_by_cached_key(|&i| arrival(facts, &rounds[i].reports));
    for i in order {
        let number = rows[i].round_number;
        if rows[i].teams.is_some() {
            let recorded = rows[i].recorded_match_id.clone();
            let id = free(&recorded, |id| taken.insert((id.to_owned(), number)));
            rows[i].rename_recorded(&id);
        }
        if let Some(RoundTarget::Own(round)) = &mut rows[i].round {
            let id = &mut round.round_canonical_id;
            *id = id.take().filter(|id| canonical_ids.insert(id.clone()));
        }
    }
    rows
}

/// An id, with the first suffix `.2`, `.3`... that `takes` takes if it does not take the id itself.
pub fn free(id: &str, mut takes: impl FnMut(&str) -> bool) -> String {
    let suffixed = (2..).map(|n: u64| format!("{id}.{n}"));
    std::iter::once(id.to_owned())
        .chain(suffixed)
        .find(|id| takes(id))
        .unwrap_or_default()
}

impl RoundRows {
    /// Gives the round another `match_id`.
    pub fn rename(&mut self, match_id: &str) {
        match_id.clone_into(&mut self.match_id);
        if let Some(RoundTarget::Own(round)) = &mut self.round {
            match_id.clone_into(&mut round.match_id);
        }
    }

    /// Gives the rows that only the recorder knows another `match_id`.
    pub fn rename_recorded(&mut self, match_id: &str) {
        match_id.clone_into(&mut self.recorded_match_id);
        if let Some(teams) = &mut self.teams {
            match_id.clone_into(&mut teams.match_id);
        }
        for spawn in &mut self.spawns {
            match_id.clone_into(&mut spawn.match_id);
        }
    }

    /// A hash over all rows: equal hashes mean that nothing needs to be written.
    pub fn content_hash(&self) -> String {
        /// Enough for most rounds.
        const ABOUT_BYTES: usize = 64 * 1024;
        let mut json = Vec::with_capacity(ABOUT_BYTES);
        // Rows contain nothing that cannot be written.
        let written = serde_json::to_writer(&mut json, self);
        debug_assert!(written.is_ok(), "{written:?}");
        hex(&sha256([json.as_slice()]))
    }
}

/// Whether the round has a row of another bot, which keeps its `match_id`.
fn is_of_other_bot(facts: &[Fact], round: &ReconciledRound) -> bool {
    let stats = round.stats.map(|stats| &facts[stats]);
    stats
        .is_some_and(|fact| fact.foreign.is_some() || matches!(fact.document, Document::Foreign(_)))
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
    let of_other_bot = stats_fact.and_then(|fact| fact.foreign.as_deref());
    // The time in the name of the round's own stats file.
    let written = match (file, foreign, report) {
        (Some(file), ..) => file.name.match_id.clone(),
        (_, Some(foreign), _) => foreign.name.chars().take(17).collect(),
        (.., Some(report)) => round::local_time(report, zone),
        _ => String::new(),
    };
    let match_id = foreign.or(of_other_bot).map(|other| &other.match_id);
    let match_id = match_id.unwrap_or(&written).clone();
    let round_number = number(facts, round);
    let player_rounds = file.map(|file| per_round::per_round(file, base, round.orphan));
    let sources = Sources {
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
    // Without round 1, the other bot's counters of a round 2 are better than ours.
    let foreign = foreign.or(of_other_bot.filter(|_| round.orphan));
    let target = match foreign {
        _ if is_ambiguous_report => None,
        Some(foreign) => Some(RoundTarget::Foreign {
            round_id: foreign.round_id,
            times: report.map(|report| RecordedTimes::of(report, zone)),
        }),
        None => Some(RoundTarget::Own(Box::new(RoundRow::new(
            &sources,
            &written,
            round_number,
            zone,
        )))),
    };
    let map_name = match &target {
        Some(RoundTarget::Own(round)) => round.map_name.as_str(),
        _ => "",
    };
    let own_players = player_rounds.as_deref().filter(|_| foreign.is_none());
    let players = own_players.map(|players| {
        let row = |p| PlayerRow::new(p, &written, map_name, round_number);
        players.iter().map(row).collect()
    });
    let comparison = if is_ambiguous_report {
        None
    } else {
        round::comparison(&sources)
    };
    let ended = report.map_or_else(String::new, |report| round::local_time(report, zone));
    RoundRows {
        teams: report.map(|report| TeamsRow::new(report, &ended)),
        spawns: report.map_or_else(Vec::new, |report| SpawnRow::of_report(report, &ended)),
        round: target,
        players,
        website: None,
        comparison,
        match_id,
        recorded_match_id: ended,
        round_number,
    }
}

/// Clamps a number to the range of an INTEGER column.
fn int4(n: i64) -> i64 {
    n.clamp(i32::MIN.into(), i32::MAX.into())
}
