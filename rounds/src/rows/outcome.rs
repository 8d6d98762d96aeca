//! The columns of `rounds` in which other programs look up what a round of stopwatch was, and whether it counts.

use gametimes_format::rules::{GAMETYPE_STOPWATCH, is_bot_guid};
use gametimes_format::{EndReason, TeamNumber};
use serde::Serialize;

use super::sources::Sources;
use crate::stats_file::minutes_seconds;

/// A round that was cut off before this does not count.
const SHORTEST_SECONDS: i64 = 60;

/// How a round of stopwatch ended: the fields are columns of `rounds`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Outcome {
    /// `Fullhold`, `Completed` or `Unknown`.
    pub round_outcome: &'static str,
    /// `FULL_HOLD` or `TIME_SET`.
    pub round_stopwatch_state: Option<&'static str>,
    /// The time that a round 1 set.
    pub time_to_beat_seconds: Option<i64>,
    /// The time limit that a round 1 set for its round 2, rounded up.
    pub next_timelimit_minutes: Option<i64>,
    /// `verified_header` if winner and defender are known.
    pub score_confidence: Option<&'static str>,
}

impl Outcome {
    pub(super) fn of(
        sources: &Sources<'_>,
        round_number: u8,
        winner: Option<TeamNumber>,
        defender: TeamNumber,
        played_seconds: Option<i64>,
    ) -> Self {
        let unknown = Self {
            round_outcome: "Unknown",
            ..Self::default()
        };
        let meta = sources.report.map(|report| &report.meta);
        if meta.is_some_and(|meta| ![0, GAMETYPE_STOPWATCH].contains(&meta.gametype)) {
            return unknown;
        }
        let winner = winner.unwrap_or(TeamNumber::NONE);
        if !is_finished(sources) || winner == TeamNumber::NONE || defender == TeamNumber::NONE {
            return unknown;
        }
        let held = winner == defender;
        let of_header = Self {
            round_outcome: if held { "Fullhold" } else { "Completed" },
            score_confidence: Some("verified_header"),
            ..unknown
        };
        // A round that a surrender or a vote ended has set no time, and was not held.
        let reason = meta.map(|meta| meta.end_reason);
        if matches!(reason, Some(EndReason::Surrender | EndReason::Vote)) {
            return of_header;
        }
        let limit = match (meta, sources.file) {
            (Some(meta), _) => Some((meta.timelimit_minutes * 60.0).round() as i64),
            (None, Some(file)) => minutes_seconds(&file.header.timelimit),
            (None, None) => None,
        };
        // Without a recorder, the time that the game set is more exact than the clock of the scripts.
        let time = match sources.file.filter(|_| meta.is_none()) {
            Some(file) => file.target_seconds().or(played_seconds),
            None => played_seconds,
        };
        let next = if held { limit } else { time };
        let is_first = round_number == 1;
        let minutes = |seconds: i64| seconds.saturating_add(59) / 60;
        Self {
            round_stopwatch_state: Some(if held { "FULL_HOLD" } else { "TIME_SET" }),
            time_to_beat_seconds: time.filter(|_| is_first && !held),
            next_timelimit_minutes: next.filter(|n| is_first && *n > 0).map(minutes),
            ..of_header
        }
    }
}

/// Whether the game itself ended the round.
pub(super) fn is_finished(sources: &Sources<'_>) -> bool {
    match (sources.report, sources.file) {
        (Some(report), _) => report.meta.end_reason.is_finished(),
        (None, Some(file)) => !file.is_cut_off(),
        (None, None) => true,
    }
}

/// How many bots and how many humans played; `None` if neither source lists players.
pub(super) fn count_bots(sources: &Sources<'_>) -> Option<(i64, i64)> {
    let are_bots: Vec<bool> = match (sources.players, sources.report) {
        (Some(players), _) => {
            let players = players.iter();
            players.map(|p| is_bot_guid(&p.player.guid)).collect()
        }
        (None, Some(report)) if !report.meta.spawn_stats.is_empty() => {
            let players = report.meta.spawn_stats.iter();
            players.map(|p| p.is_bot || is_bot_guid(&p.guid)).collect()
        }
        _ => return None,
    };
    let bots = are_bots.iter().filter(|is_bot| **is_bot).count();
    Some((bots as i64, (are_bots.len() - bots) as i64))
}

/// Whether the round counts for statistics: no bot took part, the counters are those of this round, and it was not cut off at once.
pub(super) fn is_valid(
    sources: &Sources<'_>,
    bots: Option<i64>,
    played_seconds: Option<i64>,
) -> bool {
    let reported = sources.report.map_or(0, |report| report.meta.bots);
    let is_short = played_seconds.is_none_or(|seconds| seconds < SHORTEST_SECONDS);
    bots.unwrap_or_default() == 0
        && reported == 0
        && !sources.round.orphan
        && (is_finished(sources) || !is_short)
}
