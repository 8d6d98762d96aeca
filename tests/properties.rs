//! The checks of the fuzz targets on their seeds, whole and damaged at random. `cargo xtask fuzz` runs the same checks for
//! minutes, guided by coverage; here a check that no longer holds is seen at once.

use gametimes_fuzz_checks::damage::{check_damaged, seeds};
use gametimes_fuzz_checks::{boundary, outbox, prints, settings};
use gametimes_standin::Server;
use gametimes_standin::recorded::built_module;

fn run(target: &str, cases: u32, check: impl FnMut(&[u8])) {
    check_damaged(&seeds(target), cases, check);
}

#[test]
fn damaged_prints_and_strings_are_never_misread() {
    run("prints", 20_000, prints::prints);
}

#[test]
fn damaged_settings_never_panic_or_show_a_secret() {
    run("settings", 1000, settings::settings);
}

#[test]
fn foreign_files_in_the_outbox_lose_nothing_and_are_not_lost() {
    run("outbox", 150, outbox::outbox);
}

#[test]
fn damaged_sequences_of_calls_leave_files_consistent() {
    let home = tempfile::tempdir().unwrap();
    let base = home.path().join("base");
    let mut server = Server::new(&built_module(), home.path(), &base).unwrap();
    run("boundary", 60, |script| boundary::play(&mut server, script));
}
