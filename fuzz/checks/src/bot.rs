//! What must hold for any bytes: no panic, and rows that fit into their columns. Used by the fuzz targets and by the
//! property tests.

use std::collections::HashMap;
use std::sync::OnceLock;

use gametimes_bot::db::columns::{self, Columns};
use gametimes_bot::db::value::Value;
use gametimes_format::Message;
use gametimes_rounds::reconcile::{Document, Fact, reconcile};
use gametimes_rounds::report::Report;
use gametimes_rounds::rows::{RoundTarget, build};
use gametimes_rounds::stats_file::StatsFile;
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
    let rounds = reconcile(&facts);
    for rows in build(&facts, &rounds, &TimeZone::UTC) {
        // That of gametimes_groups.
        assert!(rows.match_id.chars().count() <= 64, "{}", rows.match_id);
        match &rows.round {
            Some(RoundTarget::Own(row)) => columns_fit("rounds", &columns::round(row)),
            Some(RoundTarget::Foreign { times, .. }) => {
                columns_fit("rounds", &columns::times(times));
            }
            None => {}
        }
        if let Some(row) = &rows.teams {
            columns_fit("lua_round_teams", &columns::teams(row));
        }
        for row in &rows.spawns {
            columns_fit("lua_spawn_stats", &columns::spawn(row));
        }
        for row in rows.players.iter().flatten() {
            columns_fit("player_comprehensive_stats", &columns::player(row));
        }
    }
}

/// The migrations that make the tables, with the types of their columns.
const MIGRATIONS: [&str; 5] = [
    include_str!("../../../bot/migrations/postgres/000_rounds.sql"),
    include_str!("../../../bot/migrations/postgres/001_timing_columns.sql"),
    include_str!("../../../bot/migrations/postgres/002_lua_round_teams.sql"),
    include_str!("../../../bot/migrations/postgres/008_lua_spawn_stats.sql"),
    include_str!("../../../bot/migrations/postgres/100_gametimes.sql"),
];

/// The types of all columns, by table and name.
fn types() -> &'static HashMap<(&'static str, &'static str), &'static str> {
    static TYPES: OnceLock<HashMap<(&str, &str), &str>> = OnceLock::new();
    TYPES.get_or_init(|| {
        let mut types = HashMap::new();
        let mut table = "";
        for line in MIGRATIONS.iter().flat_map(|sql| sql.lines()) {
            let mut column = line.trim();
            if let Some(name) = column.strip_prefix("CREATE TABLE IF NOT EXISTS ") {
                table = name.trim_end_matches(" (");
                continue;
            } else if let Some(added) = column.strip_prefix("ALTER TABLE ") {
                let (to, definition) = added
                    .split_once(" ADD COLUMN IF NOT EXISTS ")
                    .expect("a column");
                (table, column) = (to, definition);
            }
            let mut words = column.split([' ', ',', ';']);
            if let (Some(name), Some(kind)) = (words.next(), words.next()) {
                types.insert((table, name), kind);
            }
        }
        types
    })
}

fn columns_fit(table: &str, row: &Columns) {
    for (name, value) in row {
        let kind = types().get(&(table, name)).copied();
        let kind = kind.unwrap_or_else(|| panic!("{table} has no column {name}"));
        let length = kind
            .strip_prefix("VARCHAR(")
            .and_then(|rest| rest.strip_suffix(')'));
        match value {
            Value::Int(Some(n)) if kind == "INTEGER" => {
                assert!(i32::try_from(*n).is_ok(), "{table}.{name} is {n}");
            }
            Value::Int(Some(_)) => assert_eq!(kind, "BIGINT", "{table}.{name}"),
            Value::Text(Some(text)) => {
                let most = length.map_or(usize::MAX, |n| n.parse().expect("a length"));
                assert!(text.chars().count() <= most, "{table}.{name} is {text:?}");
            }
            Value::Real(Some(n)) => {
                assert!(n.is_finite() && n.abs() < 1e30, "{table}.{name} is {n}");
            }
            _ => {}
        }
    }
}
