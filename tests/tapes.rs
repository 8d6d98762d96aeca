//! Matches of real servers, played through the built module: every number that the game itself reported must be in the file
//! that the module wrote.

use gametimes_standin::recorded;
use gametimes_standin::recorded::expected;
use gametimes_test_support::figures::compare;
use gametimes_test_support::game::{gametimes_files, play_in};

/// What really happened in a round, as the game itself reported it.
fn check(name: &str) {
    let home = tempfile::tempdir().unwrap();
    let console = play_in(home.path(), name);
    let files = gametimes_files(home.path());
    let expected = expected(name);
    assert_eq!(files.len(), expected.len(), "{name}: rounds\n{console}");
    for (n, (file, expected)) in files.iter().zip(&expected).enumerate() {
        compare(&format!("{name} round {n}"), file, expected);
    }
}

#[test]
fn stopwatch_is_recorded_exactly() {
    check("stopwatch");
}

#[test]
fn surrender_is_recorded_exactly() {
    check("surrender");
}

#[test]
fn timelimit_is_recorded_exactly() {
    check("timelimit");
}

#[test]
fn interrupted_is_recorded_exactly() {
    check("interrupted");
}

#[test]
fn public40_is_recorded_exactly() {
    check("public40");
}

/// The module's file passes the checks of its readers, and its message those of Discord.
#[test]
fn every_file_passes_the_checks_of_its_readers() {
    for name in recorded::NAMES {
        let home = tempfile::tempdir().unwrap();
        play_in(home.path(), name);
        for file in gametimes_files(home.path()) {
            let problems = gametimes_format::check::check(&file);
            assert!(problems.is_empty(), "{name}: {problems:?}");
        }
    }
}
