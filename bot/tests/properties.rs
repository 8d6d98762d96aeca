//! The checks of the fuzz targets on samples that are damaged at random.

use gametimes_fuzz_checks::bot as checks;
use gametimes_fuzz_checks::damage::{check_damaged, seeds};
use gametimes_fuzz_checks::http::WebServer;
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

#[test]
fn damaged_requests_never_panic_and_get_a_documented_status() {
    let server = WebServer::start();
    check_damaged(&seeds("http_parameters"), 500, |bytes| server.check(bytes));
}

/// Found by the fuzz target.
#[test]
fn part_of_an_address_that_is_not_utf8_is_answered_with_an_error_as_any_other() {
    let server = WebServer::start();
    for path in [
        "maps/%FF",
        "players/%FF",
        "rounds/%FF",
        "matches/%C3",
        "api/players/%FF",
    ] {
        server.check(format!("GET /{path}").as_bytes());
        server.check(format!("GET /{path}\nAccept: text/html").as_bytes());
    }
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
