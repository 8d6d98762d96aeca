//! The live file of the script: in every frame in which it is written, it shows what the gametimes file says later.

use std::cell::RefCell;
use std::rc::Rc;

use gametimes_format::live::{Snapshot, State};
use gametimes_lua_tests::SCRIPT;
use gametimes_lua_tests::results::rounds;
use gametimes_lua_tests::round::{Round, play_round};
use gametimes_lua_tests::tape::Player;
use gametimes_lua_tests::world::Server;
use gametimes_standin::recorded::expected;
use gametimes_test_support::live::{
    check_before_round, compare, compare_result, live_folder, played_ms, snapshot,
};

/// Plays a match. Returns the snapshots with the level times of their frames.
fn play(server: &mut Server, home: &std::path::Path, name: &str) -> Vec<(i64, Snapshot)> {
    let seen: Rc<RefCell<Vec<(i64, Snapshot)>>> = Rc::default();
    let (all, home) = (Rc::clone(&seen), home.to_owned());
    let watch = move |_: &Server, level_ms: i64| {
        let Some(now) = snapshot(&home) else { return };
        let mut all = all.borrow_mut();
        if all.last().is_none_or(|(_, last)| last.seq != now.seq) {
            all.push((level_ms, now));
        }
    };
    Player::new(name).watch(watch).play(server, &mut |_, _| {});
    seen.take()
}

fn check(name: &str) {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.set("gametimes_live", "1");
    let snapshots = play(&mut server, home.path(), name);
    let log = server.log();
    assert!(
        !log.contains("error in") && !log.contains("live file"),
        "{log}"
    );
    assert_eq!(snapshot(home.path()).unwrap().state, State::Idle);
    let files = rounds(&server.game_dir().join("gametimes"));
    let rounds = expected(name);
    let (mut compared, mut paused, mut seq) = (0, false, 0);
    for (level_ms, now) in &snapshots {
        let which = format!("{name} at level time {level_ms}");
        assert!(now.seq > seq, "{which}");
        seq = now.seq;
        let pairs = rounds.iter().zip(&files);
        let ended = pairs.clone().rev().find(|(r, _)| r.end_t <= *level_ms);
        match now.state {
            State::Playing | State::Paused => {
                // A map_restart begins a round in the frame in which another one ends.
                let running = pairs.rev().find(|(r, (_, file))| {
                    let is_match = file.meta.match_uid == now.match_uid;
                    is_match && (r.start_t..=r.end_t).contains(level_ms)
                });
                let (round, (_, file)) = running.unwrap();
                assert_eq!(now.played_ms, played_ms(round, *level_ms), "{which}");
                compare(&which, now, file);
                compared += 1;
                paused |= now.state == State::Paused;
            }
            State::Intermission => compare_result(&which, now, &ended.unwrap().1.1),
            State::Warmup | State::Countdown => check_before_round(&which, now),
            state => panic!("{which}: {state:?}"),
        }
    }
    assert!(compared > 20, "{compared} of {}", snapshots.len());
    assert_eq!(paused, rounds.iter().any(|r| !r.pauses.is_empty()));
}

#[test]
fn stopwatch_is_shown_as_it_is_recorded() {
    check("stopwatch");
}

#[test]
fn surrender_is_shown_as_it_is_recorded() {
    check("surrender");
}

#[test]
fn timelimit_is_shown_as_it_is_recorded() {
    check("timelimit");
}

#[test]
fn interrupted_is_shown_as_it_is_recorded() {
    check("interrupted");
}

#[test]
fn public40_is_shown_as_it_is_recorded() {
    check("public40");
}

#[test]
fn nothing_is_written_and_no_frame_does_more_unless_it_is_switched_on() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    play_round(&mut server, 0);
    assert!(!live_folder(home.path()).exists());
    // The engine's own function is wrapped only with a live file.
    let wrapped = |server: &mut Server| {
        server.load();
        let before: String = server.eval("tostring(et_RunFrame)");
        server.call("et_InitGame", (1000, 1, 0));
        before != server.eval::<String>("tostring(et_RunFrame)")
    };
    assert!(!wrapped(&mut server));
    server.set("gametimes_live", "1");
    assert!(wrapped(&mut server));
    server.set("gametimes_module", "native 0.1.0");
    assert!(!wrapped(&mut server), "the module writes it");
}

#[test]
fn file_is_written_every_two_seconds_in_every_state() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.set("gametimes_live", "1");
    let mut round = Round::start(&mut server, 0);
    let mut seen = std::collections::BTreeSet::new();
    let mut count = |round: &mut Round, frames: i64| {
        let before = seen.len();
        for _ in 0..frames {
            round.frames(1);
            seen.insert(snapshot(home.path()).unwrap().seq);
        }
        seen.len() - before
    };
    count(&mut round, 1);
    assert_eq!(count(&mut round, 400), 10);
    round.server.configstring(32, "16");
    assert_eq!(
        count(&mut round, 400),
        10,
        "the level time continues in a pause"
    );
    round.server.configstring(32, "0");
    round.exit("Wolf EndRound.");
    assert_eq!(count(&mut round, 200), 5);
    assert_eq!(snapshot(home.path()).unwrap().state, State::Intermission);
    round.shutdown(1);
    assert_eq!(snapshot(home.path()).unwrap().state, State::Idle);
}

#[test]
fn seq_grows_over_maps_and_restarts_even_if_the_clock_was_set_back() {
    let home = tempfile::tempdir().unwrap();
    let mut seq = 0;
    for unix_ms in [1_795_177_000_000, 1_795_178_000_000, 946_684_800_000] {
        let mut server = Server::new(home.path(), SCRIPT);
        server.set("gametimes_live", "1");
        server.world.borrow_mut().unix_ms = unix_ms;
        for _ in 0..2 {
            play_round(&mut server, 0);
            let now = snapshot(home.path()).unwrap();
            assert!(now.seq > seq);
            seq = now.seq;
        }
    }
}

#[test]
fn removed_folder_costs_one_log_line_and_comes_back_with_the_next_map() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.set("gametimes_live", "1");
    let mut round = Round::start(&mut server, 0);
    std::fs::remove_dir_all(live_folder(home.path())).unwrap();
    round.frames(400);
    round.play_to_the_end();
    round.shutdown(1);
    assert_eq!(
        server.log().matches("the live file").count(),
        1,
        "{}",
        server.log()
    );
    assert_eq!(rounds(&server.game_dir().join("gametimes")).len(), 1);
    play_round(&mut server, 1);
    assert!(snapshot(home.path()).is_some());
}

#[test]
fn file_contains_no_secret() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.set("gametimes_live", "1");
    server.set("gametimes_hmac_key", "correct-horse-battery");
    server.set(
        "gametimes_webhook_url",
        "http://127.0.0.1:9/api/webhooks/1/staple-token",
    );
    let mut round = Round::start(&mut server, 0);
    round.frames(100);
    let path = live_folder(home.path()).join("127.0.0.1_27960.json");
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains("Player0"), "{text}");
    for secret in ["correct-horse", "staple-token", "webhooks"] {
        assert!(!text.contains(secret), "{text}");
    }
    round.shutdown(1);
}
