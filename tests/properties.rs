//! The checks of the fuzz targets on their seeds, whole and damaged at random: what `cargo xtask fuzz` does for minutes with
//! the code's coverage for a guide, and without it, so that a check that no longer holds is seen at once.

#[path = "../fuzz/checks/boundary.rs"]
mod boundary;
mod common;
#[path = "../fuzz/checks/damage.rs"]
mod damage;
#[path = "../fuzz/checks/outbox.rs"]
mod outbox;
#[path = "../fuzz/checks/prints.rs"]
mod prints;
#[path = "../fuzz/checks/settings.rs"]
mod settings;

use std::path::Path;

use damage::{damage, damaged};
use gametimes_standin::Server;
use proptest::prelude::*;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let files = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = files.map(|f| f.unwrap().path()).collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

fn run(target: &str, cases: u32, mut check: impl FnMut(&[u8])) {
    let seeds = seeds(target);
    assert!(!seeds.is_empty());
    seeds.iter().for_each(|seed| check(seed));
    let strategy = (0..seeds.len(), prop::collection::vec(damage(), 1..6));
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let check = std::cell::RefCell::new(check);
    proptest!(config, |((seed, damages) in strategy)| {
        check.borrow_mut()(&damaged(seeds[seed].clone(), &damages));
    });
}

#[test]
fn no_print_configstring_or_userinfo_is_misread() {
    run("prints", 20_000, prints::prints);
}

#[test]
fn no_settings_break_the_server_or_show_a_secret() {
    run("settings", 1000, settings::settings);
}

#[test]
fn no_foreign_file_in_the_outbox_costs_one_of_ours_or_is_lost_itself() {
    run("outbox", 150, outbox::outbox);
}

#[test]
fn no_sequence_of_calls_breaks_the_door_or_a_file() {
    let home = tempfile::tempdir().unwrap();
    let base = home.path().join("base");
    let mut server = Server::new(&common::module(), home.path(), &base).unwrap();
    run("boundary", 60, |script| boundary::play(&mut server, script));
}
