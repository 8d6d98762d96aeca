//! The folder of the gametimes files: unusable, removed, or changed during a round.

use std::path::{Path, PathBuf};

use gametimes_format::GametimesFile;
use gametimes_test_support::game::{Match, gametimes_files};
use gametimes_test_support::wait_for;
use gametimes_test_support::webhook::{Reply, Webhook};

#[test]
fn unusable_folder_is_reported_and_nothing_is_lost_once_it_works() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([]);
    let blocked = home.path().join("legacy/gametimes");
    std::fs::create_dir_all(home.path().join("legacy")).unwrap();
    std::fs::write(&blocked, "a file where the folder should be").unwrap();
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
    let console = game.round();
    assert!(
        console.contains("kept in memory and written later"),
        "{console}"
    );
    std::fs::remove_file(&blocked).unwrap();
    game.start();
    game.console_with("file written");
    assert_eq!(gametimes_files(home.path()).len(), 1);
    hook.wait(1);
    game.stop();
}

#[test]
fn folder_removed_during_a_round_is_created_again() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([]);
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
    game.start();
    game.frame(5000, []);
    let folder = home.path().join("legacy/gametimes");
    let journal = folder.join("outbox/127.0.0.1_27960/round.journal");
    wait_for("the journal", || journal.exists());
    std::fs::remove_dir_all(folder).unwrap();
    game.finish();
    game.stop();
    assert_eq!(gametimes_files(home.path()).len(), 1);
    hook.wait(1);
}

#[test]
fn folder_changed_during_a_round_is_used_from_the_next_map() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([Reply::Answer(401, "", "")]);
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
    game.start();
    game.frame(5000, []);
    game.server.set_cvar("gametimes_dir", "elsewhere");
    assert!(game.server.console_command("gametimes reload"));
    let console = game.console_with("gametimes_dir take effect with the next map");
    game.frame(5000, []);
    game.finish();
    let console = console + &game.stop();
    let old = gametimes_files(home.path());
    assert_eq!(old.len(), 1, "{console}");
    assert_eq!(old[0].meta.duration_ms, 11_000);
    hook.wait(1);
    let instance = home.path().join("legacy/gametimes/outbox/127.0.0.1_27960");
    assert!(!instance.join("round.journal").exists());

    let console = console + &game.round();
    let console = console.replace(&home.path().display().to_string(), "");
    // The log reports the messages that wait in the old folder.
    let left = "no server uses /legacy/gametimes/outbox/127.0.0.1_27960; it contains 1 message;";
    assert!(console.contains(left), "{console}");
    assert!(!console.contains("recovered"), "{console}");
    assert_eq!(gametimes_files(home.path()).len(), 1);
    let new = home.path().join("legacy/elsewhere");
    let is_round = |name: &str| name.starts_with("gametime-");
    let names = std::fs::read_dir(new).unwrap();
    let names = names.map(|e| e.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| is_round(name)).count(), 1);
    hook.wait(2);
}

/// Writes a file about a round that ended so many days before the first round of a [`Match`].
fn file_of(folder: &Path, days_ago: i64) -> PathBuf {
    let sample = include_str!("data/native/surrender/gametime-room1-R1-1795179043.json");
    let mut file: GametimesFile = serde_json::from_str(sample).unwrap();
    file.meta.round_start_unix = 1_794_999_900 - days_ago * 86_400;
    file.meta.round_end_unix = file.meta.round_start_unix + 70;
    let path = folder.join(file.file_name());
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(&path, serde_json::to_vec(&file).unwrap()).unwrap();
    path
}

#[test]
fn old_files_are_removed_only_on_request_and_never_by_a_clock_that_they_contradict() {
    let year_ms = 365 * 86_400_000;
    for (setting, clock_ms, line, left) in [
        ("", 0, "round start", 4),
        ("90", 0, "gametimes files older than 90 days removed: 1", 3),
        (
            "90",
            year_ms,
            "the system clock seems to be wrong: the newest file",
            4,
        ),
        ("90", -year_ms, "is from the future", 4),
    ] {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("legacy/gametimes");
        let files = [0, 89, 100, 200].map(|days_ago| file_of(&folder, days_ago));
        let mut game = Match::new(home.path(), &[("gametimes_keep_days", setting)]);
        game.at(1_795_000_000_000 + clock_ms);
        game.start();
        game.console_with(line);
        let exist = files.iter().filter(|path| path.exists()).count();
        assert_eq!(exist, left, "{setting:?} {line}");
        assert_eq!(files[3].exists(), left == 4, "the oldest first");
        game.stop();
    }
}
