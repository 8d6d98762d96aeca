//! What must hold for any bytes: no panic, and rows that fit into their columns. Used by the fuzz targets and by the
//! property tests.

#![allow(dead_code, reason = "each target uses one function")]

use gametimes_bot::files::stats::StatsFile;
use gametimes_bot::link::rows::{Columns, build};
use gametimes_bot::link::{Document, Fact, assemble};
use gametimes_bot::report::Report;
use gametimes_bot::store::value::Value;
use gametimes_format::Message;
use jiff::tz::TimeZone;

/// A stats file of any content, alone and as the round 2 of itself.
pub fn stats_file(bytes: &[u8]) {
    let parse = |name: &str| StatsFile::parse(name, bytes).ok();
    let Some(first) = parse("2026-11-20-123344-room2-round-1.txt") else {
        return;
    };
    let Some(second) = parse("2026-11-20-123531-room2-round-2.txt") else {
        unreachable!("the name has no say in whether the content is readable");
    };
    rows_fit(vec![
        fact(Document::Stats(Box::new(first)), 1_795_178_024),
        fact(Document::Stats(Box::new(second)), 1_795_178_131),
    ]);
}

/// A gametimes file of any content. What was read can be stored and read again.
pub fn gametimes_file(bytes: &[u8]) {
    if let Ok(report) = Report::from_file(bytes) {
        report_fits(report);
    }
}

/// A message of any content, which came without a file.
pub fn message(bytes: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<Message>(bytes)
        && let Ok(report) = Report::from_message(&message)
    {
        report_fits(report);
    }
}

fn report_fits(report: Report) {
    let stored = serde_json::to_vec(&report).expect("a report can be stored");
    let again: Report = serde_json::from_slice(&stored).expect("a stored report can be read");
    assert_eq!(again.meta, report.meta);
    let at_unix = report.meta.round_end_unix;
    rows_fit(vec![fact(Document::Report(Box::new(report)), at_unix)]);
}

fn fact(document: Document, at_unix: i64) -> Fact {
    Fact {
        id: 1,
        identity: format!("{at_unix}"),
        server: String::new(),
        at_unix,
        document,
    }
}

fn rows_fit(facts: Vec<Fact>) {
    let rounds = assemble(&facts);
    for rows in build(&facts, &rounds, &TimeZone::UTC) {
        assert!(rows.match_id.chars().count() <= 64, "{}", rows.match_id);
        let players = rows.players.iter().flatten();
        for row in rows
            .round
            .iter()
            .chain(&rows.teams)
            .chain(&rows.spawns)
            .chain(players)
        {
            columns_fit(row);
        }
    }
}

/// Columns that are BIGINT; every other whole number goes into an INTEGER.
const BIG: [&str; 12] = [
    "round_start_unix",
    "round_end_unix",
    "lua_warmup_start_unix",
    "stats_playtime_ms",
    "duration_ms",
    "denied_seconds",
    "dead_ms",
    "max_dead_ms",
    "denied_ms",
    "alive_ms",
    "played_ms",
    "event_id",
];
/// Columns of bounded texts.
const LENGTHS: [(&str, usize); 12] = [
    ("match_id", 64),
    ("end_reason", 20),
    ("round_status", 20),
    ("lua_version", 16),
    ("surrender_caller_guid", 32),
    ("surrender_caller_name", 64),
    ("server_address", 128),
    ("server_name", 256),
    ("stats_file", 256),
    ("recorder", 16),
    ("recorder_version", 32),
    ("exit_text", 256),
];

fn columns_fit(row: &Columns) {
    for (name, value) in row {
        match value {
            Value::Int(Some(n)) if !BIG.contains(name) => {
                assert!(i32::try_from(*n).is_ok(), "{name} is {n}");
            }
            Value::Text(Some(text)) => {
                if let Some((_, most)) = LENGTHS.iter().find(|(column, _)| column == name) {
                    assert!(text.chars().count() <= *most, "{name} is {text:?}");
                }
            }
            Value::Real(Some(n)) => assert!(n.is_finite() && n.abs() < 1e30, "{name} is {n}"),
            _ => {}
        }
    }
}
