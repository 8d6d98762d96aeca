//! Spawn waves, classes and objectives of recorded matches, compared with what `tests/expected/play.py` computes from the tapes
//! alone: every death and spawn, no tolerance. `UPDATE_EXPECTED=1 cargo test --test waves_and_objectives` runs the program again
//! and stores its results.

use std::collections::HashMap;

use gametimes_format::check::check;
use gametimes_format::{EventKind, GametimesFile, Team, TeamNumber};
use gametimes_standin::Tape;
use gametimes_standin::recorded::{self, folder};
use gametimes_test_support::game::{gametimes_files, play_tape};
use gametimes_test_support::played::{
    MATCHES, compare_stored, compare_waves, objectives, path, played, python, run,
};

fn tape(name: &str) -> Tape {
    Tape::read(&folder().join(format!("../{name}.tape.jsonl.gz"))).unwrap()
}

fn play(name: &str) -> (Vec<GametimesFile>, String) {
    let home = tempfile::tempdir().unwrap();
    let console = play_tape(home.path(), &tape(name));
    let files = gametimes_files(home.path());
    for file in &files {
        assert_eq!(check(file), [], "{name}");
    }
    (files, console)
}

#[test]
fn stored_results_are_those_of_the_program() {
    for (name, hooks) in MATCHES {
        let Some(output) = run(name, hooks) else {
            return;
        };
        compare_stored(&path(name), &output);
    }
}

/// `tests/expected/make_cases.py` edits recorded matches. Compressed, they differ from one zlib to another.
#[test]
fn edited_tapes_are_those_of_the_program() {
    let made_in = tempfile::tempdir().unwrap();
    if python("make_cases.py", &[made_in.path().to_owned()]).is_none() {
        return;
    }
    let mut names: Vec<_> = std::fs::read_dir(made_in.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["objectives.tape.jsonl.gz", "wave-interval.tape.jsonl.gz"]
    );
    for name in names {
        let made = Tape::read(&made_in.path().join(&name)).unwrap();
        let stored = Tape::read(&folder().join("../cases").join(&name)).unwrap();
        assert!(
            made.lines == stored.lines,
            "{name}: the program makes another tape"
        );
    }
}

#[test]
fn every_spawn_and_death_has_the_waves_and_classes_of_the_tape() {
    for (name, _) in MATCHES {
        let (files, console) = play(name);
        let expected = played(name);
        assert_eq!(files.len(), expected.rounds.len(), "{name}: {console}");
        for (n, (file, round)) in files.iter().zip(&expected.rounds).enumerate() {
            compare_waves(&format!("{name} round {n}"), file, round);
        }
    }
}

#[test]
fn objectives_are_those_of_the_tape_and_lines_that_no_game_prints_are_refused() {
    for (name, _) in MATCHES {
        let (files, console) = play(name);
        let expected = played(name);
        for (n, (file, round)) in files.iter().zip(&expected.rounds).enumerate() {
            assert_eq!(objectives(file), round.objectives, "{name} round {n}");
        }
        let refused: usize = expected.rounds.iter().map(|round| round.refused).sum();
        assert_eq!(
            console.contains("contradicts the game's state")
                || console.contains("a slot that this server does not have"),
            refused > 0,
            "{name}: {console}"
        );
    }
}

/// The waves in a file are all that is needed to compute every wave.
#[test]
fn every_spawn_comes_within_100_ms_of_a_wave_that_the_file_predicts() {
    let mut spawns = 0;
    for name in recorded::NAMES {
        let name = format!("tapes/{name}");
        let expected = played(&name);
        assert_eq!(expected.spawns_in_waves, expected.spawns_to_check, "{name}");
        for file in play(&name).0 {
            let waves = file.meta.waves.as_ref().unwrap();
            let mut teams: HashMap<&str, Team> = HashMap::new();
            for event in &file.meta.events {
                match (event.kind, event.team.and_then(TeamNumber::team)) {
                    (EventKind::Join | EventKind::Team, Some(team)) => {
                        teams.insert(&event.guid, team);
                    }
                    (EventKind::Spawn, _) if event.t_ms > 1000 => {
                        let waves = waves.of(teams[event.guid.as_str()]).unwrap();
                        let before = waves.next_in_ms(event.t_ms - 100).unwrap();
                        assert!(before <= 100, "{name}: {event:?}, {before}");
                        spawns += 1;
                    }
                    _ => {}
                }
            }
        }
    }
    assert_eq!(spawns, 353);
}
