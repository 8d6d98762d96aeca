//! The season is what it claims to be.

use std::collections::{BTreeMap, BTreeSet};

use gametimes_format::check::{check, check_file_name};
use gametimes_format::matches::{MapReason, MapWinner};
use gametimes_format::{EndReason, Meta};
use gametimes_rounds::stats_file::StatsFile;
use jiff::Timestamp;

use super::{RoundFiles, Season, files};

/// A season that is quick to make: as the usual one, but shorter.
fn season() -> Season {
    Season {
        evenings: 100,
        rounds: 1000,
        ..Season::default()
    }
}

fn rounds(season: &Season) -> Vec<RoundFiles> {
    season.evenings().flatten().collect()
}

fn metas(rounds: &[RoundFiles]) -> impl Iterator<Item = &Meta> {
    rounds
        .iter()
        .filter_map(|round| Some(&round.gametimes.as_ref()?.meta))
}

#[test]
fn files_are_faultless_and_the_same_on_every_run() {
    let season = Season {
        evenings: 20,
        rounds: 200,
        ..Season::default()
    };
    let (one, other) = (rounds(&season), rounds(&season));
    assert_eq!(one.len(), 200);
    let mut names = BTreeSet::new();
    for (round, again) in one.iter().zip(&other) {
        assert!(round.contents().eq(again.contents()));
        if let Some(file) = &round.gametimes {
            assert_eq!(check(file), []);
            assert_eq!(check_file_name(&file.file_name(), &file.meta), None);
        }
        if let Some((name, text)) = &round.stats {
            let read = StatsFile::parse(name, text.as_bytes()).unwrap();
            assert_eq!(read.problems, Vec::<String>::new());
            let recorded = round.gametimes.as_ref();
            let players = recorded.map_or(read.players.len(), |file| file.meta.spawn_stats.len());
            assert_eq!(read.players.len(), players);
        }
        for (name, _) in round.contents() {
            assert!(names.insert(name.clone()), "{name} is there twice");
        }
    }
    let other_seed = rounds(&Season { seed: 2, ..season });
    assert!(!one[0].contents().eq(other_seed[0].contents()));
}

#[test]
fn season_has_everything_that_happens_in_one() {
    let all = rounds(&season());
    assert_eq!(all.len(), 1000);
    let with = |holds: &dyn Fn(&Meta) -> bool| metas(&all).filter(|meta| holds(meta)).count();
    let ends = |reason| with(&|meta: &Meta| meta.end_reason == reason);
    assert!(ends(EndReason::Surrender) > 5);
    assert!(with(&|m| !m.end_reason.is_finished()) > 5);
    assert!(ends(EndReason::TimeExpired) > 100 && ends(EndReason::Objective) > 100);
    let result = |winner| with(&move |m: &Meta| m.map_result.is_some_and(|r| r.winner == winner));
    for winner in [MapWinner::TeamA, MapWinner::TeamB, MapWinner::Draw] {
        assert!(result(Some(winner)) > 20, "{winner:?}");
    }
    let reason =
        |reason| with(&move |m: &Meta| m.map_result.is_some_and(|r| r.reason == Some(reason)));
    assert!(reason(MapReason::Faster) > 20 && reason(MapReason::Held) > 20);
    assert!(with(&|m| !m.substitutions.is_empty()) > 10);
    assert!(with(&|m| m.pause_count > 0) > 10);
    assert!(all.iter().any(|r| r.stats.is_none()) && all.iter().any(|r| r.gametimes.is_none()));
    let servers: BTreeSet<&str> = metas(&all).map(|m| m.server_port.as_str()).collect();
    assert!(servers.len() > 1);
    let mut players = BTreeMap::new();
    for player in metas(&all).flat_map(|m| &m.spawn_stats) {
        players
            .entry(player.guid.clone())
            .or_insert(player.name.clone());
    }
    assert_eq!(players.len(), 40);
    assert!(
        players
            .values()
            .filter(|name| name.starts_with("eA."))
            .count()
            >= 5
    );
}

#[test]
fn evenings_last_over_midnight_and_over_the_change_of_the_clocks() {
    let zone = files::zone();
    let (mut over_midnight, mut over_change) = (0, 0);
    for evening in season().evenings() {
        let starts: Vec<i64> = metas(&evening).map(|m| m.round_start_unix).collect();
        let ends: Vec<i64> = metas(&evening).map(|m| m.round_end_unix).collect();
        let (first, last) = (starts.iter().min().unwrap(), ends.iter().max().unwrap());
        let at = |unix: i64| Timestamp::from_second(unix).unwrap().to_zoned(zone.clone());
        over_midnight += usize::from(at(*first).date() != at(*last).date());
        over_change += usize::from(at(*first).offset() != at(*last).offset());
        // One evening: no hour without a round.
        let mut all: Vec<i64> = starts.iter().chain(&ends).copied().collect();
        all.sort_unstable();
        assert!(
            all.windows(2).all(|pair| pair[1] - pair[0] < 3600),
            "{all:?}"
        );
    }
    assert!(
        over_midnight > 5 && over_change == 1,
        "{over_midnight} {over_change}"
    );
}
