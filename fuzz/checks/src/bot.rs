//! Any bytes as a stats file, a gametimes file, a message or a live snapshot: no panic, rows that fit into their columns, and pages
//! without foreign markup.

use std::collections::HashMap;
use std::sync::OnceLock;

use gametimes_bot::db::columns::{self, Columns};
use gametimes_bot::db::schema::{Kind, shared_tables};
use gametimes_bot::db::value::Value;
use gametimes_bot::http::live_card;
use gametimes_bot::live::board::{Board, Moment};
use gametimes_bot::live::{self, Outcome, Transport};
use gametimes_format::Message;
use gametimes_rounds::reconcile::{Document, Fact, reconcile};
use gametimes_rounds::report::Report;
use gametimes_rounds::rows::{RoundTarget, build};
use gametimes_rounds::stats_file::StatsFile;
use jiff::tz::TimeZone;

/// A stats file with any content, alone and as round 2 of itself.
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

/// A gametimes file with any content. A report that was read can be stored and read again.
pub fn gametimes_file(bytes: &[u8]) {
    if let Ok(report) = Report::from_file(bytes) {
        report_fits(report);
    }
}

/// A message with any content and without a file.
pub fn message(bytes: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<Message>(bytes)
        && let Ok(report) = Report::from_message(&message)
    {
        report_fits(report);
    }
}

/// A live snapshot with any content: nobody sees it before the delay, and a card of it is one line of text without foreign markup.
pub fn live_snapshot(bytes: &[u8]) {
    let Ok(snapshot) = live::check::read(bytes) else {
        return;
    };
    let at = |now_ms| Moment {
        now_ms,
        unix_ms: 1_795_178_024_000 + now_ms,
    };
    for transport in [Transport::File, Transport::Posted, Transport::Shared(0)] {
        let mut board = Board::new(1000);
        if board.offer(snapshot.clone(), transport, at(0)) != Outcome::Taken {
            continue;
        }
        assert!(board.views_at(999).public.servers.is_empty());
        let views = board.views_at(1000);
        for view in views.public.servers.iter().chain(&views.undelayed.servers) {
            let card = live_card(view);
            let card = std::str::from_utf8(&card).expect("a card is text");
            assert!(
                card.contains("<article") && !card.contains(char::is_control),
                "{card:?}"
            );
            assert!(!card.contains("<script"), "{card:?}");
        }
        board.offer(snapshot.clone(), transport, at(5000));
        board.next_change_ms(5000);
    }
}

fn report_fits(report: Report) {
    let stored = serde_json::to_vec(&report).expect("a report can be stored");
    let mut again: Report = serde_json::from_slice(&stored).expect("a stored report can be read");
    // A number with 17 digits is read back with a difference in the last one.
    let (read, written) = (
        &mut again.meta.timelimit_minutes,
        report.meta.timelimit_minutes,
    );
    if (*read - written).abs() <= written.abs() * 4.0 * f64::EPSILON {
        *read = written;
    }
    assert_eq!(again.meta, report.meta);
    let at_unix = report.meta.round_end_unix;
    rows_fit(vec![fact(Document::Report(Box::new(report)), at_unix)]);
}

fn fact(document: Document, at_unix: i64) -> Fact {
    Fact {
        id: 1,
        identity: format!("{at_unix}"),
        server: String::new(),
        webhook: None,
        at_unix,
        document,
        foreign: None,
    }
}

fn rows_fit(facts: Vec<Fact>) {
    let rounds = reconcile(&facts, &TimeZone::UTC);
    for rows in build(&facts, &rounds, &TimeZone::UTC) {
        // The limit of gametimes_groups.match_id.
        assert!(rows.match_id.chars().count() <= 64, "{}", rows.match_id);
        match &rows.round {
            Some(RoundTarget::Own(row)) => columns_fit("rounds", &columns::round(row)),
            Some(RoundTarget::Foreign { times, .. }) => {
                let times = times.as_ref().map(columns::times);
                columns_fit("rounds", &times.unwrap_or_default());
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

/// The types of all columns, by table and name.
fn types() -> &'static HashMap<(&'static str, &'static str), Kind> {
    static TYPES: OnceLock<HashMap<(&str, &str), Kind>> = OnceLock::new();
    TYPES.get_or_init(|| {
        let tables = shared_tables();
        let columns = tables.iter().flat_map(|table| {
            let columns = table.columns();
            columns.map(|column| ((table.name, column.name), column.kind))
        });
        columns.collect()
    })
}

fn columns_fit(table: &str, row: &Columns) {
    for (name, value) in row {
        let kind = types().get(&(table, name)).copied();
        let kind = kind.unwrap_or_else(|| panic!("{table} has no column {name}"));
        match value {
            Value::Int(Some(n)) if kind == Kind::Int => {
                assert!(i32::try_from(*n).is_ok(), "{table}.{name} is {n}");
            }
            Value::Int(Some(_)) => assert_eq!(kind, Kind::BigInt, "{table}.{name}"),
            Value::Text(Some(text)) => {
                let most = match kind {
                    Kind::Varchar(length) => length.into(),
                    _ => usize::MAX,
                };
                assert!(text.chars().count() <= most, "{table}.{name} is {text:?}");
            }
            Value::Real(Some(n)) => {
                assert!(n.is_finite() && n.abs() < 1e30, "{table}.{name} is {n}");
            }
            _ => {}
        }
    }
}
