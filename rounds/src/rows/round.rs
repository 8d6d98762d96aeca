//! The row of `rounds`: what recorder and stats file report about a round. Where they disagree, the recorder wins.

use gametimes_format::text::{counted, cut};
use gametimes_format::{EndReason, Meta, TeamNumber};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde::Serialize;

use super::int4;
use super::outcome::{Outcome, count_bots, is_finished, is_valid};
use super::sources::Sources;
use crate::per_round::{Flag, PlayerRound};
use crate::play_order::order_key;
use crate::report::{Completeness, Report};
use crate::stats_file::{MATCH_ID_FORMAT, StatsFile, minutes_seconds};

/// The columns of `rounds` that the recorder knows best.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(
    missing_docs,
    reason = "the columns of the table, named as other programs know them"
)]
pub struct RecordedTimes {
    pub round_start_unix: Option<i64>,
    pub round_end_unix: Option<i64>,
    pub actual_duration_seconds: Option<i64>,
    pub total_pause_seconds: i64,
    pub pause_count: i64,
    pub end_reason: Option<EndReason>,
    pub duration_ms: Option<i64>,
    /// `None` if the recorder does not know the winner: what the stats file says stays.
    pub winner_team: Option<TeamNumber>,
    /// The order in which rounds were played; see [`crate::play_order`].
    pub gametimes_order: String,
}

impl RecordedTimes {
    pub(super) fn of(report: &Report, zone: &TimeZone) -> Self {
        let meta = &report.meta;
        let is_exact = report.completeness == Completeness::File;
        // An old script that does not know the winner must not overwrite the winner of the stats file.
        let knows_winner = meta.winner != TeamNumber::NONE || !meta.end_reason.is_finished();
        Self {
            round_start_unix: (meta.round_start_unix > 0).then_some(meta.round_start_unix),
            round_end_unix: Some(meta.round_end_unix),
            actual_duration_seconds: Some(meta.actual_duration_seconds),
            total_pause_seconds: meta.pause_seconds,
            pause_count: meta.pause_count,
            end_reason: Some(meta.end_reason),
            duration_ms: is_exact.then_some(meta.duration_ms),
            winner_team: knows_winner.then_some(meta.winner),
            gametimes_order: order_key(meta.round_end_unix, zone),
        }
    }

    /// What a stats file alone allows: the duration and the winner, if it has them.
    fn of_stats_file(file: Option<&StatsFile>, end_unix: i64, zone: &TimeZone) -> Self {
        Self {
            round_start_unix: None,
            round_end_unix: None,
            actual_duration_seconds: file.and_then(StatsFile::played_seconds).map(int4),
            total_pause_seconds: 0,
            pause_count: 0,
            end_reason: None,
            duration_ms: None,
            winner_team: None,
            gametimes_order: order_key(end_unix, zone),
        }
    }
}

/// A row of `rounds`: the fields are its columns, those of `times` included.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(
    missing_docs,
    reason = "the columns of the table, named as other programs know them"
)]
pub struct RoundRow {
    pub match_id: String,
    pub round_number: u8,
    pub round_date: String,
    pub round_time: String,
    pub map_name: String,
    pub time_limit: Option<String>,
    pub actual_time: Option<String>,
    pub defender_team: TeamNumber,
    pub round_status: &'static str,
    pub outcome: Outcome,
    pub is_valid: bool,
    pub round_canonical_id: Option<String>,
    pub is_bot_round: bool,
    pub bot_player_count: Option<i64>,
    pub human_player_count: Option<i64>,
    pub server_address: String,
    pub server_name: Option<String>,
    pub stats_file: Option<String>,
    pub stats_duration_seconds: Option<i64>,
    pub stats_playtime_ms: Option<i64>,
    pub stats_winner_team: Option<TeamNumber>,
    pub stats_defender_team: Option<TeamNumber>,
    pub gametype: Option<i32>,
    pub recorder: Option<String>,
    pub recorder_version: Option<String>,
    pub engine_version: Option<String>,
    pub event_id: Option<String>,
    pub exit_text: Option<String>,
    pub gametimes_flags: String,
    pub times: RecordedTimes,
}

impl RoundRow {
    /// `written` is the time in the name of the round's own stats file, `YYYY-MM-DD-HHMMSS`.
    pub(super) fn new(
        sources: &Sources<'_>,
        written: &str,
        round_number: u8,
        zone: &TimeZone,
    ) -> Self {
        let header = sources.file.map(|f| &f.header);
        let meta = sources.report.map(|r| &r.meta);
        let (date, time) = written.split_at_checked(10).unwrap_or((written, ""));
        let text = |of: fn(&Meta) -> &str, most| meta.map(|m| cut(of(m), most));
        let (bots, humans) = count_bots(sources).unzip();
        let mut times = match sources.report {
            Some(report) => RecordedTimes::of(report, zone),
            None => RecordedTimes::of_stats_file(sources.file, sources.round.end_unix, zone),
        };
        // A stats file that was saved at a shutdown names a winner, although neither team won.
        let stats_winner = header.filter(|_| is_finished(sources)).map(|h| h.winner);
        times.winner_team = times
            .winner_team
            .or(Some(stats_winner.unwrap_or(TeamNumber::NONE)));
        let defender_team = meta
            .map(|m| m.defender)
            .filter(|d| *d != TeamNumber::NONE)
            .or(header.map(|h| h.defender))
            .unwrap_or(TeamNumber::NONE);
        let played = times.actual_duration_seconds;
        Self {
            match_id: written.to_owned(),
            round_number,
            round_date: date.to_owned(),
            round_time: cut(time.trim_start_matches('-'), 6),
            map_name: meta
                .map(|m| m.map.clone())
                .or(header.map(|h| h.map.clone()))
                .unwrap_or_default(),
            time_limit: header
                .map(|h| h.timelimit.clone())
                .or(meta.map(|m| clock((m.timelimit_minutes * 60.0).round() as i64))),
            actual_time: match header {
                // A limit that is not set is not a time of 0.
                Some(header) => Some(header.next_timelimit.clone())
                    .filter(|limit| minutes_seconds(limit) != Some(0)),
                None => meta.map(|m| clock(m.actual_duration_seconds)),
            },
            outcome: Outcome::of(
                sources,
                round_number,
                times.winner_team,
                defender_team,
                played,
            ),
            defender_team,
            round_status: match () {
                // Its counters are those of both rounds together.
                () if sources.round.orphan => "orphan_r2",
                () if is_finished(sources) => "completed",
                () => "cancelled",
            },
            is_valid: is_valid(sources, bots, played),
            round_canonical_id: meta
                .map(|m| m.round_canonical_id.clone())
                .filter(|id| !id.is_empty()),
            is_bot_round: bots > humans,
            bot_player_count: bots,
            human_player_count: humans,
            server_address: cut(sources.server, 128),
            server_name: server_name(sources).map(|name| cut(name, 256)),
            stats_file: sources.file.map(|f| cut(&f.name.name, 256)),
            stats_duration_seconds: sources.file.and_then(StatsFile::target_seconds).map(int4),
            stats_playtime_ms: header.and_then(|h| h.playtime_ms),
            stats_winner_team: header.map(|h| h.winner),
            stats_defender_team: header.map(|h| h.defender),
            gametype: meta.map(|m| m.gametype).filter(|g| *g != 0),
            recorder: sources.report.map(|r| cut(recorder(r), 16)),
            recorder_version: sources.report.map(|r| cut(&r.version, 32)),
            engine_version: text(|m| &m.engine_version, 64),
            event_id: text(|m| &m.event_id, 64),
            exit_text: text(|m| &m.exit_text, 256),
            gametimes_flags: flags(sources),
            times,
        }
    }
}

/// The server's local time at the end of the round, as in the names of stats files.
pub fn local_time(report: &Report, zone: &TimeZone) -> String {
    let end = Timestamp::from_second(report.meta.round_end_unix).unwrap_or_default();
    let zone = if report.completeness == Completeness::File {
        Offset::from_seconds(report.meta.utc_offset_seconds)
            .map_or_else(|_| zone.clone(), TimeZone::fixed)
    } else {
        zone.clone()
    };
    end.to_zoned(zone).strftime(MATCH_ID_FORMAT).to_string()
}

fn recorder(report: &Report) -> &str {
    match (report.completeness, report.meta.source.as_str()) {
        (Completeness::File, source) => source,
        (Completeness::OldFile, _) => "old script",
        (Completeness::Embed, _) => "message",
    }
}

fn server_name<'a>(sources: &Sources<'a>) -> Option<&'a str> {
    sources
        .report
        .map(|r| r.meta.server_hostname.as_str())
        .filter(|name| !name.is_empty())
        .or(sources.file.map(|f| f.header.server.as_str()))
}

/// Warnings about the row for its readers, separated by `; `.
fn flags(sources: &Sources<'_>) -> String {
    let mut flags = Vec::new();
    if sources.round.orphan {
        flags.push("orphan: round 1 of this round 2 is missing".to_owned());
    }
    if sources.round.ambiguous {
        flags.push("tie: several rounds fit equally well".to_owned());
    }
    if let Some(file) = sources.file {
        if file.is_cut_off() {
            flags.push("cut off: the stats file was saved at a shutdown".to_owned());
        }
        let header = &file.header;
        if file.target_seconds().is_none() && header.next_limit_seconds().is_some() {
            flags.push(format!(
                "impossible: the stats file sets a time of {} where the limit is {}",
                header.next_timelimit, header.timelimit
            ));
        }
        let exceeds = |p: &&PlayerRound| p.flags.contains(&Flag::ExceedsRound);
        let exceeding = sources.players.unwrap_or_default().iter().filter(exceeds);
        let exceeding = exceeding.count();
        if exceeding > 0 {
            flags.push(format!(
                "counters exceed the round: {} with more time played than the round lasted, so the stats file still counts an earlier map",
                counted(exceeding, "player")
            ));
        }
        flags.extend(file.problems.iter().map(|p| format!("stats file: {p}")));
    }
    if let Some(report) = sources.report {
        flags.extend(report.doubts.iter().map(|d| format!("report: {d}")));
    }
    flags.join("; ")
}

/// A log line that shows both sources side by side, in the words that admins know.
pub(super) fn comparison(sources: &Sources<'_>) -> Option<String> {
    let (report, file) = (sources.report?, sources.file?);
    let lua = report.meta.actual_duration_seconds;
    let (stats, verdict) = match file.target_seconds() {
        None => ("none".to_owned(), "nothing to compare".to_owned()),
        Some(stats) => {
            let difference = (stats - lua).abs();
            let verdict = if difference > 60 {
                "surrender fix applied"
            } else {
                "within tolerance"
            };
            (
                format!("{stats}s"),
                format!("difference {difference}s, {verdict}"),
            )
        }
    };
    Some(format!(
        "timing [{}]: stats file duration={stats} limit={} winner={}; recorder duration={lua}s winner={} \
         end_reason={}; {verdict}",
        file.name.name,
        file.header.timelimit,
        file.header.winner,
        report.meta.winner,
        report.meta.end_reason.as_str(),
    ))
}

/// Seconds as `M:SS`.
fn clock(seconds: i64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
