//! The row of `rounds`: what recorder and stats file say of a round, the recorder's word first.

use gametimes_format::{Meta, TeamNumber};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use super::{Columns, RoundRows, clock, cut, int4, minutes};
use crate::files::stats::{StatsFile, minutes_seconds};
use crate::files::subtract::PlayerRound;
use crate::link::Assembled;
use crate::report::{Completeness, Report};
use crate::store::value::Value;

/// What a round's row is made from.
pub(super) struct Known<'a> {
    pub(super) report: Option<&'a Report>,
    pub(super) file: Option<&'a StatsFile>,
    pub(super) server: &'a str,
    pub(super) round: &'a Assembled,
    pub(super) players: Option<&'a [PlayerRound]>,
}

/// The server's local time at the end of the round, as stats files are named.
pub(super) fn local_time(report: &Report, zone: &TimeZone) -> String {
    let end = Timestamp::from_second(report.meta.round_end_unix).unwrap_or_default();
    let zone = if report.completeness == Completeness::File {
        Offset::from_seconds(report.meta.utc_offset_seconds)
            .map_or_else(|_| zone.clone(), TimeZone::fixed)
    } else {
        zone.clone()
    };
    end.to_zoned(zone)
        .strftime(crate::link::MATCH_ID)
        .to_string()
}

/// The columns that come from the recorder; all of a foreign round that we touch.
pub(super) fn times(known: &Known<'_>) -> Columns {
    let Some(report) = known.report else {
        return Vec::new();
    };
    let meta = &report.meta;
    let mut row: Columns = vec![
        ("round_start_unix", known_start(meta).into()),
        ("round_end_unix", meta.round_end_unix.into()),
        (
            "actual_duration_seconds",
            meta.actual_duration_seconds.into(),
        ),
        ("total_pause_seconds", meta.pause_seconds.into()),
        ("pause_count", meta.pause_count.into()),
        ("end_reason", meta.end_reason.as_str().into()),
        (
            "duration_ms",
            (report.completeness == Completeness::File)
                .then_some(meta.duration_ms)
                .into(),
        ),
    ];
    // An old script that does not know the winner must not wipe out the file's.
    if meta.winner != TeamNumber::NONE || !meta.end_reason.is_finished() {
        row.push(("winner_team", meta.winner.number().into()));
    }
    row
}

fn known_start(meta: &Meta) -> Option<i64> {
    (meta.round_start_unix > 0).then_some(meta.round_start_unix)
}

pub(super) fn round_row(known: &Known<'_>, rows: &RoundRows) -> Columns {
    let header = known.file.map(|f| &f.header);
    let meta = known.report.map(|r| &r.meta);
    let (date, time) = rows
        .match_id
        .split_at_checked(10)
        .unwrap_or((&rows.match_id, ""));
    let finished = match (meta, known.file) {
        (Some(meta), _) => meta.end_reason.is_finished(),
        (None, Some(file)) => !file.is_cut_off(),
        _ => true,
    };
    let map = meta
        .map(|m| m.map.as_str())
        .or(header.map(|h| h.map.as_str()))
        .unwrap_or_default();
    let limit = header
        .map(|h| h.timelimit.clone())
        .or(meta.map(|m| minutes(m.timelimit_minutes)));
    let actual = header.map(|h| h.next_timelimit.clone());
    let actual = actual.or(meta.map(|m| clock(m.actual_duration_seconds)));
    let winner = header.map_or(0, |h| h.winner);
    let defender = meta
        .map(|m| m.defender.number())
        .filter(|d| *d != 0)
        .or(header.map(|h| h.defender))
        .unwrap_or(0);
    let bots = known.players.map(|players| {
        let bot = |p: &&PlayerRound| p.player.guid.to_ascii_uppercase().starts_with("OMNIBOT");
        players.iter().filter(bot).count()
    });
    let humans = known.players.map(|p| p.len() - bots.unwrap_or(0));
    let mut row: Columns = vec![
        ("match_id", rows.match_id.as_str().into()),
        ("round_number", rows.round_number.into()),
        ("round_date", date.into()),
        (
            "round_time",
            time.trim_start_matches('-')
                .chars()
                .take(6)
                .collect::<String>()
                .into(),
        ),
        ("map_name", map.into()),
        ("time_limit", limit.into()),
        ("actual_time", actual.into()),
        ("defender_team", defender.into()),
        (
            "round_status",
            if finished { "completed" } else { "cancelled" }.into(),
        ),
        (
            "round_canonical_id",
            meta.map(|m| m.round_canonical_id.clone())
                .filter(|id| !id.is_empty())
                .into(),
        ),
        (
            "is_bot_round",
            (bots.unwrap_or(0) > 0 && humans == Some(0)).into(),
        ),
        ("bot_player_count", bots.map(|n| n as i64).into()),
        ("human_player_count", humans.map(|n| n as i64).into()),
        ("server_address", cut(known.server, 128).into()),
        (
            "server_name",
            server_name(known).map(|s| cut(&s, 256)).into(),
        ),
        (
            "stats_file",
            known.file.map(|f| cut(&f.name.name, 256)).into(),
        ),
        (
            "stats_duration_seconds",
            known
                .file
                .and_then(StatsFile::target_seconds)
                .map(int4)
                .into(),
        ),
        (
            "stats_playtime_ms",
            header.and_then(|h| h.playtime_ms).into(),
        ),
        (
            "stats_winner_team",
            header.map(|h| i64::from(h.winner)).into(),
        ),
        (
            "stats_defender_team",
            header.map(|h| i64::from(h.defender)).into(),
        ),
        (
            "gametype",
            meta.map(|m| i64::from(m.gametype))
                .filter(|g| *g != 0)
                .into(),
        ),
        (
            "recorder",
            known.report.map(|r| cut(recorder(r), 16)).into(),
        ),
        (
            "recorder_version",
            known.report.map(|r| cut(&r.version, 32)).into(),
        ),
        (
            "engine_version",
            meta.map(|m| cut(&m.engine_version, 64)).into(),
        ),
        ("event_id", meta.map(|m| cut(&m.event_id, 64)).into()),
        ("exit_text", meta.map(|m| cut(&m.exit_text, 256)).into()),
        ("gametimes_flags", flags(known).into()),
    ];
    let times = times(known);
    if times.is_empty() {
        row.extend([
            ("round_start_unix", Value::Int(None)),
            ("round_end_unix", Value::Int(None)),
            (
                "actual_duration_seconds",
                known
                    .file
                    .and_then(StatsFile::played_seconds)
                    .map(int4)
                    .into(),
            ),
            ("total_pause_seconds", 0_i64.into()),
            ("pause_count", 0_i64.into()),
            ("end_reason", Value::Text(None)),
            ("duration_ms", Value::Int(None)),
        ]);
    }
    if !times.iter().any(|(column, _)| *column == "winner_team") {
        row.push(("winner_team", winner.into()));
    }
    row.extend(times);
    row
}

fn recorder(report: &Report) -> &str {
    match (report.completeness, report.meta.source.as_str()) {
        (Completeness::File, source) => source,
        (Completeness::OldFile, _) => "old script",
        (Completeness::Embed, _) => "message",
    }
}

fn server_name(known: &Known<'_>) -> Option<String> {
    let of_report = known
        .report
        .map(|r| r.meta.server_hostname.clone())
        .filter(|s| !s.is_empty());
    of_report.or(known.file.map(|f| f.header.server.clone()))
}

/// What a reader of the row should know, separated by `; `.
fn flags(known: &Known<'_>) -> String {
    let mut flags = Vec::new();
    if known.round.orphan {
        flags.push("orphan: round 1 of this round 2 is missing".to_owned());
    }
    if known.round.tie {
        flags.push("tie: several rounds fit equally well".to_owned());
    }
    if let Some(file) = known.file {
        if file.is_cut_off() {
            flags.push("cut off: the stats file was saved at a shutdown".to_owned());
        }
        let header = &file.header;
        if file.target_seconds().is_none() && minutes_seconds(&header.next_timelimit).is_some() {
            flags.push(format!(
                "impossible: the stats file sets a time of {} where the limit is {}",
                header.next_timelimit, header.timelimit
            ));
        }
        flags.extend(file.problems.iter().map(|p| format!("stats file: {p}")));
    }
    if let Some(report) = known.report {
        flags.extend(report.doubts.iter().map(|d| format!("report: {d}")));
    }
    flags.join("; ")
}

/// Both sources side by side, in the words admins know.
pub(super) fn comparison(known: &Known<'_>) -> Option<String> {
    let (report, file) = (known.report?, known.file?);
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
