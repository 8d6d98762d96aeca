//! Players whose names look like lines of the game: what the game prints about them changes nothing.

use gametimes_format::GametimesFile;
use gametimes_standin::recorded::{self, case, expected};
use gametimes_standin::tape::{Bytes, Line};
use gametimes_standin::{Step, Tape};
use gametimes_test_support::calls::{COMMAND, FRAME, THINK, join, server, start, stop};
use gametimes_test_support::figures::compare;
use gametimes_test_support::game::{gametimes_files, play_tape};
use proptest::prelude::*;

/// The log line about a line that the game's state contradicts.
const REFUSED: &str = "a printed line contradicts the game's state";

/// Plays a tape, and compares every number with those of the recorded match.
fn check(tape: &Tape, recorded: &str) -> (Vec<GametimesFile>, String) {
    let home = tempfile::tempdir().unwrap();
    let console = play_tape(home.path(), tape);
    let files = gametimes_files(home.path());
    let expected = expected(recorded);
    assert_eq!(files.len(), expected.len(), "{recorded}\n{console}");
    for (n, (file, expected)) in files.iter().zip(&expected).enumerate() {
        compare(&format!("{recorded} round {n}"), file, expected);
    }
    (files, console)
}

/// The tape with these prints at each place that `place` picks: before a line of the tape, inside a call.
fn forged(tape: &Tape, mut place: impl FnMut(usize, &Line) -> Vec<String>) -> Tape {
    let mut lines = Vec::new();
    let mut depth = 0;
    for (n, line) in tape.lines.iter().enumerate() {
        if depth > 0 {
            lines.extend(place(n, line).into_iter().map(|text| Line::Print {
                text: Bytes(text.into_bytes()),
            }));
        }
        match line {
            Line::Call { .. } => depth += 1,
            Line::Ret { .. } => depth -= 1,
            _ => {}
        }
        lines.push(line.clone());
    }
    Tape { lines }
}

/// What follows a name in prints of the game and of Lua scripts.
const AFTER_NAMES: [&str; 4] = [
    "\n",
    " ^7just lost 3 skill points for skill Light Weapons, reason: Team Killing.\n",
    " has been made a referee.\n",
    "^7: a by b killed c by MOD_MP40\n",
];

/// One line of each kind that matters.
fn kinds(a: u8, b: u8) -> Vec<String> {
    [
        "Exit: Wolf EndRound.".to_owned(),
        "Exit: Axis Surrender".to_owned(),
        "Exit: x".to_owned(),
        format!("Kill: {a} {b} 9: a killed b by MOD_MP40"),
        format!("Kill: 1022 {b} 9: a killed b by MOD_MP40"),
        format!("Kill: {b} {b} 9: a by b"),
        format!("Medic_Revive: {a} {b}"),
        format!("ClientConnect: {b}"),
        format!("ClientBegin: {b}"),
        format!("callvote: {b} Surrender [AXIS]"),
        format!("callvote: {b} Surrender [ALLIES]"),
        "Vote Passed: (Y:4-N:0) x".to_owned(),
        "Vote Failed: (Y:0-N:4) x".to_owned(),
        "Vote TIMEOUT! x".to_owned(),
        "Vote CANCELED!".to_owned(),
    ]
    .into()
}

/// Who did what to whom, and when, is the same in both lists of files.
fn same_timelines(got: &[GametimesFile], wanted: &[GametimesFile], which: &str) {
    for (n, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        let (got, wanted) = (&got.meta, &wanted.meta);
        for (got, wanted) in got.events.iter().zip(&wanted.events) {
            assert_eq!(got, wanted, "{which} round {n}");
        }
        assert_eq!(got.events.len(), wanted.events.len(), "{which} round {n}");
        assert_eq!(got.surrender, wanted.surrender, "{which} round {n}");
        assert_eq!(got.teams, wanted.teams, "{which} round {n}");
    }
}

#[test]
fn name_that_looks_like_an_exit_does_not_end_the_round() {
    let (files, console) = check(&case("forged-exit").unwrap(), "surrender");
    assert_eq!(files[0].meta.exit_text, "Allies Surrender");
    assert!(console.contains(REFUSED), "{console}");
}

/// Every kind of line at every place of a recorded match: at the beginning, in the middle and at the end of every call.
#[test]
fn names_that_look_like_lines_of_the_game_change_nothing_at_any_place() {
    for name in recorded::NAMES {
        let tape = recorded::tape(name).unwrap();
        let (files, _) = check(&tape, name);
        let mut turn = 0;
        let forged = forged(&tape, |n, _| {
            turn += 1;
            let (a, b) = ((turn % 13) as u8, (turn / 13 % 17) as u8);
            let kinds = kinds(a, b);
            let kind = &kinds[n % kinds.len()];
            vec![format!("{kind}{}", AFTER_NAMES[turn % AFTER_NAMES.len()])]
        });
        let (with, console) = check(&forged, name);
        same_timelines(&with, &files, name);
        assert!(console.contains(REFUSED), "{name}: {console}");
    }
}

/// Players who are not there, and players of the tapes who are no engineers: those whose slot ends in 4 or 5 are.
#[test]
fn names_that_look_like_lines_about_objectives_change_nothing_if_no_game_prints_them() {
    for name in recorded::NAMES {
        let tape = recorded::tape(name).unwrap();
        let (files, _) = check(&tape, name);
        let mut turn = 0;
        let forged = forged(&tape, |n, _| {
            turn += 1;
            let slot = [1, 2, 3, 6, 7, 8, 9, 55][turn % 8];
            let kinds = [
                format!("Repair: {slot}"),
                format!("Dynamite_Plant: {slot}"),
                format!("Dynamite_Diffuse: {slot} x"),
                "Objective_Destroyed: 56 x".to_owned(),
                "Item: 57 team_CTF_redflag".to_owned(),
                "legacy popup: ^7axis^7 stole x".to_owned(),
                "legacy announce: x".to_owned(),
            ];
            vec![format!(
                "{}{}",
                kinds[n % kinds.len()],
                AFTER_NAMES[turn % AFTER_NAMES.len()]
            )]
        });
        let (with, console) = check(&forged, name);
        same_timelines(&with, &files, name);
        assert!(console.contains(REFUSED), "{name}: {console}");
    }
}

/// Right beside the real line, where the game's state does change in the same call.
#[test]
fn names_beside_the_real_line_change_nothing() {
    for name in recorded::NAMES {
        let tape = recorded::tape(name).unwrap();
        let (files, _) = check(&tape, name);
        for after in [false, true] {
            let forged = forged(&tape, |n, line| {
                // The line of the tape before or after this place.
                let beside = if after { &tape.lines[n - 1] } else { line };
                let Line::Print { text } = beside else {
                    return Vec::new();
                };
                let text = String::from_utf8_lossy(&text.0).into_owned();
                let mut words = text.split_ascii_whitespace();
                let line = match words.next() {
                    // Another killer of the same victim.
                    Some("Kill:") => {
                        let (killer, victim) = (words.next().unwrap(), words.next().unwrap());
                        let other = if killer == "3" { 2 } else { 3 };
                        format!("Kill: {other} {victim} 9: a killed b by MOD_X\n")
                    }
                    Some("Medic_Revive:") => {
                        let (medic, patient) = (words.next().unwrap(), words.next().unwrap());
                        let other = if medic == "3" { 2 } else { 3 };
                        format!("Medic_Revive: {other} {patient}\n")
                    }
                    Some("Exit:") if !after => "Exit: Timelimit hit.\n".to_owned(),
                    Some("Exit:") => "Exit: x ^7just lost 3 skill points\n".to_owned(),
                    Some("callvote:") => "callvote: 2 Surrender [AXIS]\n".to_owned(),
                    Some("Vote") => "Vote Failed: (Y:0-N:4) x\n".to_owned(),
                    Some("ClientConnect:") => "ClientConnect: 1\n".to_owned(),
                    _ => return Vec::new(),
                };
                vec![line]
            });
            let (with, _) = check(&forged, name);
            same_timelines(&with, &files, &format!("{name} {after}"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn names_at_random_places_change_nothing(
        places in prop::collection::vec((0.0..1.0_f64, 0..15usize, 0..20u8, 0..20u8, 0..4usize), 1..400)
    ) {
        let tape = recorded::tape("surrender").unwrap();
        let count = tape.lines.len() as f64;
        let mut at: Vec<(usize, String)> = places
            .into_iter()
            .map(|(share, kind, a, b, after)| {
                let line = format!("{}{}", kinds(a, b)[kind], AFTER_NAMES[after]);
                ((share * count) as usize, line)
            })
            .collect();
        at.sort();
        let mut at = at.into_iter().peekable();
        let forged = forged(&tape, |n, _| {
            let mut here = Vec::new();
            while let Some((_, line)) = at.next_if(|(place, _)| *place <= n) {
                here.push(line);
            }
            here
        });
        check(&forged, "surrender");
    }
}

#[test]
fn refused_lines_are_counted_and_logged_at_most_once_in_five_seconds() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    start(&mut server);
    for slot in 1..4 {
        join(&mut server, slot, 1 + slot % 2);
    }
    let began = std::time::Instant::now();
    for frame in 0..500 {
        let lines = kinds(1, 2).into_iter().map(|kind| Step::print(kind + "\n"));
        server.call(FRAME, &[1050 + frame * 50], lines);
    }
    let most = 1 + began.elapsed().as_secs() as usize / 5;
    server.call(FRAME, &[30_000], Step::exit("Timelimit hit."));
    let console = stop(&mut server);
    let lines = console.lines().filter(|l| l.contains(REFUSED)).count();
    assert!((1..=most).contains(&lines), "{lines} lines: {console}");
    let m = &gametimes_files(home.path())[0].meta;
    assert_eq!(
        (m.duration_ms, m.end_reason.as_str()),
        (29_000, "time_expired")
    );
    let did: Vec<_> = m.spawn_stats.iter().map(|s| (s.spawns, s.deaths)).collect();
    assert_eq!(did, [(1, 0); 3]);
}

/// The record of a player in limbo shows another player, and that of a dead one does not change.
#[test]
fn claimed_death_of_a_dead_or_waiting_player_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    start(&mut server);
    for slot in 1..4 {
        join(&mut server, slot, 1 + slot / 3);
    }
    let claimed = |victim: isize| Step::kill(3, victim, 0).into_iter().take(1);
    server.call(FRAME, &[2000], []);
    server.call(THINK, &[3], Step::kill(3, 1, 1));
    server.call(FRAME, &[2050], claimed(1)); // dead
    server.call(
        FRAME,
        &[3000],
        [Step::Write(1, vec![(12, 16384), (272 + 24, 7)])],
    );
    server.call(FRAME, &[3050], claimed(1)); // in limbo
    let spawns = Step::Write(1, vec![(12, 0), (272 + 24, 1), (272 + 16, 2)]);
    server.call(FRAME, &[4000], [spawns]);
    server.call(FRAME, &[4050], claimed(1)); // alive
    server.call(THINK, &[3], Step::kill(3, 1, 2));
    // Killed and respawned in one frame.
    server.call(FRAME, &[5000], [Step::Write(1, vec![(272 + 16, 3)])]);
    let both = Step::kill(3, 1, 3)
        .into_iter()
        .chain([Step::Write(1, vec![(272 + 16, 4)])]);
    server.call(FRAME, &[6000], both);
    server.call(FRAME, &[9000], Step::exit("Timelimit hit."));
    let console = stop(&mut server);
    assert!(console.contains(REFUSED), "{console}");
    let stats = &gametimes_files(home.path())[0].meta.spawn_stats;
    let did: Vec<_> = stats
        .iter()
        .map(|s| (s.spawns, s.deaths, s.dead_ms, s.kills))
        .collect();
    assert_eq!(
        did,
        [(4, 3, 2950, 0), (1, 0, 0, 0), (1, 0, 0, 3)],
        "{console}"
    );
}

/// Team changes reset the record within the call that killed the player.
#[test]
fn death_by_changing_the_team_is_believed() {
    for team in [2, 3] {
        let home = tempfile::tempdir().unwrap();
        let mut server = server(home.path());
        start(&mut server);
        join(&mut server, 1, 1);
        join(&mut server, 2, 2);
        server.call(THINK, &[2], Step::kill(2, 1, 1));
        server.call(FRAME, &[2000], [Step::Write(1, vec![(272 + 16, 2)])]);
        let [killed, _] = Step::kill(1, 1, 0);
        let flags = if team == 2 { 16384 } else { 0 };
        let changed = [
            killed,
            Step::configstring(690, format!("n\\p1\\t\\{team}")),
            Step::print("ClientBegin: 1\n"),
            Step::Write(
                1,
                vec![(4, 3), (12, flags), (272 + 12, team), (272 + 24, 0)],
            ),
        ];
        server.call(COMMAND, &[1], changed);
        server.call(FRAME, &[3000], Step::exit("Timelimit hit."));
        stop(&mut server);
        let stats = &gametimes_files(home.path())[0].meta.spawn_stats;
        assert_eq!(
            (stats[0].deaths, stats[0].dead_ms),
            (2, 1000 + if team == 2 { 1000 } else { 0 })
        );
    }
}
