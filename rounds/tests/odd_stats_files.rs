//! Stats files of real servers whose numbers are not what they seem.

use gametimes_rounds::reconcile::{Document, Fact, reconcile, unix_of_civil};
use gametimes_rounds::rows::{RoundRow, RoundRows, RoundTarget, build};
use gametimes_rounds::stats_file::StatsFile;
use jiff::tz::TimeZone;

/// The rows of these files of a folder in `tests/data`, in the order of their names.
fn rows_of(folder: &str, names: &[&str]) -> Vec<RoundRows> {
    let facts: Vec<Fact> = names
        .iter()
        .map(|name| {
            let path = format!(
                "{}/../tests/data/{folder}/{name}",
                env!("CARGO_MANIFEST_DIR")
            );
            let file = StatsFile::parse(name, &std::fs::read(path).unwrap()).unwrap();
            Fact {
                id: 0,
                identity: (*name).to_owned(),
                server: String::new(),
                webhook: None,
                at_unix: unix_of_civil(file.name.written, &TimeZone::UTC),
                document: Document::Stats(Box::new(file)),
                foreign: None,
            }
        })
        .collect();
    let rounds = reconcile(&facts, &TimeZone::UTC);
    let mut rows = build(&facts, &rounds, &TimeZone::UTC);
    rows.sort_by(|a, b| a.match_id.cmp(&b.match_id));
    rows
}

fn own(rows: &RoundRows) -> &RoundRow {
    match &rows.round {
        Some(RoundTarget::Own(round)) => round,
        other => panic!("no row of ours: {other:?}"),
    }
}

#[test]
fn next_limit_of_zero_gives_no_duration() {
    let rows = rows_of(
        "round2-zero-limit",
        &["2025-01-06-221847-supply-round-2.txt"],
    );
    let round = own(&rows[0]);
    assert_eq!(round.time_limit.as_deref(), Some("9:28"));
    assert_eq!(round.actual_time, None);
    assert_eq!(round.stats_duration_seconds, None);
    assert_eq!(round.times.actual_duration_seconds, None);
    assert!(
        !round.gametimes_flags.contains("impossible"),
        "{}",
        round.gametimes_flags
    );
    assert_eq!(rows[0].players.as_ref().unwrap().len(), 6);
}

#[test]
fn counters_of_the_last_map_are_stored_and_flagged() {
    let rows = rows_of(
        "stats-not-reset",
        &[
            "2025-10-21-213321-supply-round-1.txt",
            "2025-10-21-214433-etl_adlernest-round-1.txt",
        ],
    );
    assert_eq!(own(&rows[0]).gametimes_flags, "");
    let [first, second] = [0, 1].map(|i| rows[i].players.as_ref().unwrap());
    assert!(first.iter().all(|p| p.gametimes_flags.is_empty()));
    assert_eq!(own(&rows[1]).stats_duration_seconds, Some(285));
    assert!(
        own(&rows[1])
            .gametimes_flags
            .starts_with("counters exceed the round: 6 players "),
        "{}",
        own(&rows[1]).gametimes_flags
    );
    let player = second.iter().find(|p| p.player_guid == "A0000001").unwrap();
    assert_eq!(player.time_played_minutes, 16.8);
    assert_eq!(player.damage_given, 4133);
    assert!(
        second
            .iter()
            .all(|p| p.gametimes_flags == "counters_exceed_round")
    );
}
