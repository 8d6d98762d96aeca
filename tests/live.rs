//! The live file: at every moment of a match it shows what the gametimes file says later, and nothing that happens to it costs more than
//! a log line.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use gametimes_format::live::{Snapshot, State};
use gametimes_standin::recorded::{built_module, expected, tape};
use gametimes_standin::tape::Line;
use gametimes_standin::{Player, Server, Step};
use gametimes_test_support::game::{Match, gametimes_files};
use gametimes_test_support::live::{
    check_before_round, compare, compare_result, live_folder, played_ms, snapshot,
    wait_for_snapshot,
};

/// How many moments of a tape are compared.
const MOMENTS: usize = 100;

/// A moment of a tape: the level time of its last frame, and the snapshot.
struct Moment {
    level_ms: i64,
    snapshot: Snapshot,
}

/// Whether the game did something that a snapshot shows, so that the next one is written soon.
fn is_shown(line: &Line) -> bool {
    match line {
        Line::Print { text } => {
            text.0.starts_with(b"Kill: ") || text.0.starts_with(b"Medic_Revive: ")
        }
        Line::Configstring { n, .. } => *n >= 689,
        Line::CvarSet { name, .. } => name.0 == b"gamestate",
        _ => false,
    }
}

/// Plays a tape and stops before some of its frames, because all events of the frame before have happened then.
fn moments(home: &Path, name: &str) -> Vec<Moment> {
    let tape = tape(name).unwrap();
    let mut server = Server::new(&built_module(), home, &home.join("base")).unwrap();
    server.set_cvar("gametimes_live", "1");
    let shown = tape.lines.iter().filter(|line| is_shown(line)).count();
    let mut player = Player::new(&tape, false);
    let (mut seen, mut last, mut level_ms, mut last_unix_ms) = (0, 0, 0, 0);
    let mut moments = Vec::new();
    let mut goes_on = true;
    while goes_on {
        goes_on = player
            .step(&mut server, |call| {
                if matches!(call.cmd, "init" | "frame") {
                    level_ms = call.args[0];
                }
            })
            .unwrap();
        let played = &player.played()[last..];
        seen += played.iter().filter(|line| is_shown(line)).count();
        // A pause is never missed.
        let pauses = |line: &Line| matches!(line, Line::Configstring { n: 32, .. });
        seen += shown * usize::from(played.iter().any(pauses));
        last = player.played().len();
        // A time at which no call was made: a snapshot of this time was taken after the last call.
        let unix_ms = player.unix_ms() + 1;
        if seen > shown / MOMENTS && player.next_call() == Some("frame") && unix_ms > last_unix_ms {
            seen = 0;
            last_unix_ms = unix_ms;
            server.set_unix_ms(unix_ms);
            let snapshot = wait_for_snapshot(home, |s| s.unix_ms == unix_ms);
            moments.push(Moment { level_ms, snapshot });
        }
    }
    // The game's thread has waited for the worker.
    let last = snapshot(home).unwrap();
    assert_eq!((last.state, last.players.len()), (State::Idle, 0));
    moments
}

fn check(name: &str) {
    let home = tempfile::tempdir().unwrap();
    let moments = moments(home.path(), name);
    let files = gametimes_files(home.path());
    let rounds = expected(name);
    let mut compared = 0;
    let mut seq = 0;
    for Moment { level_ms, snapshot } in &moments {
        let which = format!("{name} at level time {level_ms}");
        assert!(snapshot.seq > seq, "{which}");
        seq = snapshot.seq;
        assert_eq!(snapshot.server.hostname, files[0].meta.server_hostname);
        // A map_restart begins a round in the frame in which another one ends.
        let round = rounds
            .iter()
            .zip(&files)
            .rev()
            .find(|(r, _)| (r.start_t..=r.end_t).contains(level_ms));
        match (snapshot.state, round) {
            (State::Playing | State::Paused, Some((round, file))) => {
                assert_eq!(snapshot.played_ms, played_ms(round, *level_ms), "{which}");
                compare(&which, snapshot, file);
                compared += 1;
            }
            (State::Intermission, _) => {
                let ended = rounds.iter().zip(&files).rev();
                let (_, file) = ended
                    .into_iter()
                    .find(|(r, _)| r.end_t <= *level_ms)
                    .unwrap();
                compare_result(&which, snapshot, file);
            }
            (State::Warmup | State::Countdown, _) => check_before_round(&which, snapshot),
            (state, round) => panic!("{which}: {state:?} in {round:?}"),
        }
    }
    assert!(
        compared > moments.len() / 2,
        "{compared} of {}",
        moments.len()
    );
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

/// Plays a few seconds of a round.
fn fight(game: &mut Match, kills: std::ops::Range<i64>) {
    for n in kills {
        game.frame(50, Step::kill(2, 1, n));
        game.frame(50, [Step::Write(1, vec![(288, 1 + n)])]);
    }
}

#[test]
fn nothing_is_written_unless_it_is_switched_on() {
    let home = tempfile::tempdir().unwrap();
    let mut game = Match::new(home.path(), &[]);
    game.round();
    assert!(!live_folder(home.path()).exists());
    game.server.set_cvar("gametimes_live", "yes");
    let console = game.round();
    assert!(
        console.contains("gametimes_live: \"yes\" is not a whole number from 0 to 1; 0 is used")
    );
    assert!(!live_folder(home.path()).exists());
}

#[test]
fn file_that_is_switched_off_shows_an_idle_server_and_is_not_written_again() {
    let home = tempfile::tempdir().unwrap();
    let mut game = Match::new(home.path(), &[("gametimes_live", "1")]);
    game.start();
    wait_for_snapshot(home.path(), |s| s.state == State::Playing);
    game.status_with("live file: ");
    game.server.set_cvar("gametimes_live", "0");
    game.server.console_command("gametimes reload");
    let last = wait_for_snapshot(home.path(), |s| s.state == State::Idle);
    fight(&mut game, 1..20);
    game.finish();
    game.stop();
    game.round();
    assert_eq!(snapshot(home.path()), Some(last));
    // And on again in mid-round.
    game.server.set_cvar("gametimes_live", "1");
    game.start();
    wait_for_snapshot(home.path(), |s| {
        s.state == State::Playing && s.players.len() == 2
    });
    game.stop();
}

#[test]
fn running_server_is_shown_again_and_again_even_if_nothing_happens() {
    let home = tempfile::tempdir().unwrap();
    let mut game = Match::new(home.path(), &[("gametimes_live", "1")]);
    game.start();
    let mut seq = wait_for_snapshot(home.path(), |s| s.state == State::Playing).seq;
    for _ in 0..2 {
        game.frame(2000, []);
        let next = wait_for_snapshot(home.path(), |s| s.seq > seq);
        seq = next.seq;
    }
    let last = wait_for_snapshot(home.path(), |s| s.played_ms == 4000);
    assert_eq!(last.unix_ms - 4000, 1_795_000_000_000);
    game.stop();
}

#[test]
fn seq_grows_over_restarts_even_if_the_clock_was_set_back() {
    let home = tempfile::tempdir().unwrap();
    let mut seq = 0;
    for unix_ms in [1_795_000_000_000, 1_795_000_100_000, 946_684_800_000] {
        let mut game = Match::new(home.path(), &[("gametimes_live", "1")]);
        game.at(unix_ms);
        game.start();
        let first = wait_for_snapshot(home.path(), |s| s.state == State::Playing);
        game.stop();
        let last = snapshot(home.path()).unwrap();
        assert_eq!(last.state, State::Idle);
        assert!(seq < first.seq && first.seq < last.seq);
        seq = last.seq;
    }
}

#[test]
fn removed_or_blocked_folder_costs_one_log_line_and_comes_back() {
    let home = tempfile::tempdir().unwrap();
    let folder = live_folder(home.path());
    let mut game = Match::new(home.path(), &[("gametimes_live", "1")]);
    game.start();
    wait_for_snapshot(home.path(), |s| s.state == State::Playing);
    std::fs::remove_dir_all(&folder).unwrap();
    fight(&mut game, 1..3);
    wait_for_snapshot(home.path(), |s| s.state == State::Playing);

    // Something is in the way: more than once, but logged once.
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "not a folder").unwrap();
    fight(&mut game, 3..5);
    let mut console = game.console_with("the live file");
    for _ in 0..5 {
        fight(&mut game, 5..7);
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
    std::fs::remove_file(&folder).unwrap();
    let dead_ms = |s: &Snapshot| s.players.iter().map(|p| p.dead_ms).sum::<i64>();
    wait_for_snapshot(home.path(), |s| s.state == State::Playing && dead_ms(s) > 0);
    game.finish();
    console += &game.stop();
    assert_eq!(console.matches("the live file").count(), 1, "{console}");
    assert_eq!(gametimes_files(home.path()).len(), 1);
}

#[test]
fn file_contains_no_secret_and_has_the_mode_of_the_other_files() {
    let home = tempfile::tempdir().unwrap();
    let secrets = [
        ("gametimes_hmac_key", "correct-horse-battery"),
        (
            "gametimes_webhook_url",
            "http://127.0.0.1:9/api/webhooks/1/staple-token",
        ),
    ];
    let mut game = Match::new(home.path(), &secrets);
    game.server.set_cvar("gametimes_live", "1");
    game.server.set_cvar("gametimes_file_mode", "0644");
    game.start();
    wait_for_snapshot(home.path(), |s| s.state == State::Playing);
    let path = live_folder(home.path()).join("127.0.0.1_27960.json");
    let text = std::fs::read_to_string(&path).unwrap();
    for secret in ["correct-horse", "staple-token", "webhooks", "secret"] {
        assert!(!text.contains(secret), "{text}");
    }
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(&path), mode(&live_folder(home.path()))),
        (0o644, 0o755)
    );
    game.stop();
}
