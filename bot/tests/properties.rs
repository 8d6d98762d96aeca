//! The checks of the fuzz targets on samples that are damaged at random.

use gametimes_fuzz_checks::bot as checks;
use gametimes_fuzz_checks::damage::check_damaged;
use gametimes_test_support::samples::{native_files, sample_files};

fn run(files: Vec<(String, Vec<u8>)>, check: fn(&[u8])) {
    let contents: Vec<_> = files.into_iter().map(|(_, bytes)| bytes).collect();
    check_damaged(&contents, 2000, check);
}

#[test]
fn damaged_stats_files_never_panic_and_fit_their_columns() {
    run(sample_files("gamestats"), checks::stats_file);
}

#[test]
fn damaged_gametimes_files_never_panic_and_fit_their_columns() {
    let mut files = sample_files("gametimes");
    files.extend(native_files("surrender"));
    run(files, checks::gametimes_file);
}

#[test]
fn damaged_messages_never_panic_and_fit_their_columns() {
    run(sample_files("messages"), checks::message);
}

#[test]
fn damaged_live_snapshots_never_panic_and_are_never_shown_early() {
    let seed = include_bytes!("../../fuzz/seeds/live_snapshot/stopwatch.json");
    let full = gametimes_bot::live::check::read(seed);
    assert_eq!(full.unwrap().players.len(), 3, "the seed is a snapshot");
    check_damaged(&[seed.to_vec()], 2000, checks::live_snapshot);
}

/// Found by the fuzz target.
#[test]
fn long_recorder_name_fits_its_column() {
    for (_, bytes) in native_files("surrender") {
        let text = String::from_utf8(bytes).unwrap();
        let named = text.replace(
            "\"source\":\"native\"",
            "\"source\":\"a name of more than sixteen\"",
        );
        assert_ne!(named, text);
        checks::gametimes_file(named.as_bytes());
    }
}
