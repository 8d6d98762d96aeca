//! The checks of the fuzz targets on samples that are damaged at random.

#[path = "../../fuzz/checks/bot.rs"]
mod checks;
#[path = "../../fuzz/checks/damage.rs"]
mod damage;
mod support;

use damage::{damage, damaged};
use proptest::prelude::*;
use support::{native_files, sample_files};

fn run(files: Vec<(String, Vec<u8>)>, check: fn(&[u8])) {
    let strategy = (0..files.len(), prop::collection::vec(damage(), 0..4));
    let config = ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |((file, damages) in strategy)| check(&damaged(files[file].1.clone(), &damages)));
}

#[test]
fn no_stats_file_breaks_the_bot() {
    run(sample_files("gamestats"), checks::stats_file);
}

#[test]
fn no_gametimes_file_breaks_the_bot() {
    let mut files = sample_files("gametimes");
    files.extend(native_files("surrender"));
    run(files, checks::gametimes_file);
}

#[test]
fn no_message_breaks_the_bot() {
    run(sample_files("messages"), checks::message);
}

/// Found by the fuzz target.
#[test]
fn a_recorder_of_any_name_fits_its_column() {
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
