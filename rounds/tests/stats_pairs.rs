//! Pairs of stats files from real servers, and what each player did in each round according to an independent reader.

use std::collections::BTreeMap;

use gametimes_rounds::reconcile::{Document, Fact, reconcile, unix_of_civil};
use gametimes_rounds::rows::{PlayerRow, RoundTarget, build};
use gametimes_rounds::stats_file::StatsFile;
use jiff::tz::TimeZone;
use serde::Deserialize;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/stats-pairs");

#[derive(Debug, PartialEq, Deserialize)]
struct Expected {
    kills: i64,
    deaths: i64,
    damage_given: f64,
    damage_received: f64,
    time_played_minutes: f64,
    time_dead_minutes: f64,
}

impl From<&PlayerRow> for Expected {
    fn from(row: &PlayerRow) -> Self {
        Self {
            kills: row.kills,
            deaths: row.deaths,
            damage_given: row.damage_given as f64,
            damage_received: row.damage_received as f64,
            time_played_minutes: row.time_played_minutes,
            time_dead_minutes: row.time_dead_minutes,
        }
    }
}

/// The rows of all players of all pairs, by the name of the stats file.
fn rows_of_all_pairs() -> BTreeMap<String, Vec<PlayerRow>> {
    let mut facts = Vec::new();
    for entry in std::fs::read_dir(FOLDER).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if !name.ends_with(".txt") {
            continue;
        }
        let file = StatsFile::parse(name, &std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(file.problems, Vec::<String>::new(), "{name}");
        facts.push(Fact {
            id: facts.len() as i64,
            identity: name.to_owned(),
            server: String::new(),
            webhook: None,
            at_unix: unix_of_civil(file.name.written, &TimeZone::UTC),
            document: Document::Stats(Box::new(file)),
            foreign: None,
        });
    }
    let rounds = build(&facts, &reconcile(&facts, &TimeZone::UTC), &TimeZone::UTC);
    let with_name = rounds.into_iter().map(|round| {
        let Some(RoundTarget::Own(row)) = round.round else {
            unreachable!("there is no other bot");
        };
        (row.stats_file.unwrap(), round.players.unwrap())
    });
    with_name.collect()
}

#[test]
fn knife_swings_that_fell_are_no_counter_reset_and_all_rows_are_right() {
    let expected: BTreeMap<String, BTreeMap<String, Expected>> =
        serde_json::from_slice(&std::fs::read(format!("{FOLDER}/expected.json")).unwrap()).unwrap();
    let rows = rows_of_all_pairs();
    assert_eq!(rows.len(), expected.len());
    let mut wrong = Vec::new();
    let mut compared = 0;
    for (name, players) in &expected {
        assert_eq!(rows[name].len(), players.len(), "{name}");
        for row in &rows[name] {
            compared += 1;
            if Expected::from(row) != players[&row.player_guid] {
                wrong.push(format!("{name} {}: {row:?}", row.player_guid));
            }
        }
    }
    assert_eq!(compared, 164);
    assert!(wrong.is_empty(), "{} rows: {wrong:#?}", wrong.len());
}

#[test]
fn no_row_of_a_real_pair_is_negative_or_flagged() {
    for (name, players) in rows_of_all_pairs() {
        for row in players {
            let text = format!("{row:?}");
            assert!(!text.contains(": -"), "{name}: {text}");
            let flags = &row.gametimes_flags;
            assert!(
                !flags.contains("counter_reset") && !flags.contains("exceed"),
                "{name}: {text}"
            );
        }
    }
}
