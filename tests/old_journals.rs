//! Journals of earlier versions: a server that crashed, and was updated before it started again, loses nothing of its round.
//!
//! Each folder of `tests/data/journals` is named after the version that wrote it: `before-matches` is the module before it
//! recorded matches, waves and objectives. Journals end as if the server had crashed before the gametimes file was written.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use gametimes_format::check::check;
use gametimes_format::{EventKind, GametimesFile};
use gametimes_standin::recorded::{built_module, case, expected, tape};
use gametimes_standin::{Player, Server, Tape};
use gametimes_test_support::figures::compare;
use gametimes_test_support::game::{Match, gametimes_files};
use gametimes_test_support::played::{compare_waves, objectives, played};
use gametimes_test_support::wait_for;
use gametimes_test_support::webhook::Webhook;

fn stored(name: &str) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/journals");
    data.join(format!("{name}.journal"))
}

/// Starts a server whose last one left this journal. Returns the file of the recovered round, and whether its message was sent.
fn recovered(name: &str) -> (GametimesFile, bool) {
    let home = tempfile::tempdir().unwrap();
    let instance = home.path().join("legacy/gametimes/outbox/127.0.0.1_27960");
    std::fs::create_dir_all(&instance).unwrap();
    std::fs::copy(stored(name), instance.join("round.journal")).unwrap();
    let hook = Webhook::start([]);
    let cvars = [
        ("gametimes_webhook_url", &*hook.url()),
        ("gametimes_backlog_seconds", "0"),
    ];
    let mut game = Match::new(home.path(), &cvars);
    game.at(1_900_000_000_000);
    game.recover();
    let [file, next] = <[GametimesFile; 2]>::try_from(gametimes_files(home.path())).unwrap();
    assert_eq!(check(&file), [], "{name}");
    // Messages are sent in order: that of the next round is the last.
    wait_for("the message of the next round", || {
        hook.accepted().contains(&next.meta.event_id)
    });
    let is_sent = hook.accepted().contains(&file.meta.event_id);
    (file, is_sent)
}

#[test]
fn journal_from_before_matches_and_waves_gives_every_figure_of_the_round() {
    let name = "before-matches/surrender-1";
    let (file, is_sent) = recovered(name);
    compare(name, &file, &expected("surrender")[0]);
    assert!(is_sent);
    let meta = &file.meta;
    assert_eq!(meta.match_uid, meta.event_id, "{name}: it is a round 1");
    // What that version did not see is unknown.
    assert_eq!(meta.waves, None);
    assert_eq!((&*meta.config, &*meta.mod_version), ("", ""));
    assert!(meta.events.iter().all(|event| event.class.is_none()));
    assert!(meta.pauses.iter().all(|pause| pause.by.is_none()));
}

#[test]
fn journal_of_0_2_0_gives_figures_waves_and_objectives() {
    let name = "0.2.0/objectives-1";
    let (file, is_sent) = recovered(name);
    compare(name, &file, &expected("stopwatch")[0]);
    let round = &played("cases/objectives").rounds[0];
    compare_waves(name, &file, round);
    assert_eq!(objectives(&file), round.objectives, "{name}");
    assert!(
        file.meta
            .events
            .iter()
            .any(|e| e.kind == EventKind::Objective)
    );
    assert!(file.meta.pauses.iter().all(|pause| pause.by.is_some()));
    assert!(is_sent);
}

#[test]
fn journal_of_0_2_0_keeps_the_match_and_that_the_message_was_queued() {
    let name = "0.2.0/stopwatch-2";
    let (file, is_sent) = recovered(name);
    compare(name, &file, &expected("stopwatch")[1]);
    let meta = &file.meta;
    assert_eq!(meta.round_1_event_id.as_ref(), Some(&meta.match_uid));
    assert_ne!(meta.match_uid, meta.event_id);
    assert!(meta.map_result.is_some());
    assert!(!is_sent, "{name}: its message was in the outbox");
}

/// Plays a match until the module has written this file. Returns the journal of its round, which is removed then: as it was before, so as
/// a server leaves it that crashes at the last moment.
fn journal(tape: &Tape, file: &str, url: &str) -> Vec<u8> {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("legacy/gametimes");
    let mut server = Server::new(&built_module(), home.path(), &home.path().join("base")).unwrap();
    server.set_cvar("gametimes_webhook_url", url);
    let mut player = Player::new(tape, false);
    let mut held: Option<File> = None;
    let mut command = String::new();
    while player
        .step(&mut server, |call| command = call.cmd.to_owned())
        .unwrap()
    {
        if command == "init" {
            // The worker writes once in a second. A file that is open can be read after it was removed.
            wait_for("the journal", || {
                let instances = std::fs::read_dir(folder.join("outbox"));
                let mut instances = instances.into_iter().flatten().flatten();
                held = instances.find_map(|dir| File::open(dir.path().join("round.journal")).ok());
                held.is_some()
            });
        }
        if command == "shutdown" && folder.join(file).exists() {
            let mut journal = Vec::new();
            held.unwrap().read_to_end(&mut journal).unwrap();
            return journal;
        }
    }
    panic!("{file}: its round is not in this match");
}

/// Stores what this version writes: `cargo test --test old_journals -- --ignored`, before a release that changes the journal.
#[test]
#[ignore = "stores new test data"]
fn store_journals_of_this_version() {
    let hook = Webhook::start([]);
    let tapes = [
        (
            "objectives-1",
            case("objectives"),
            "gametime-room2-R1-1795178021.json",
            "",
        ),
        (
            "stopwatch-2",
            tape("stopwatch"),
            "gametime-room2-R2-1795178128.json",
            &*hook.url(),
        ),
    ];
    for (name, tape, file, url) in tapes {
        let path = stored(&format!("{}/{name}", env!("CARGO_PKG_VERSION")));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, journal(&tape.unwrap(), file, url)).unwrap();
    }
}
