//! The match in the file: who won the map, which rounds belong together, who paused, who played from the start.

use std::path::{Path, PathBuf};

use gametimes_format::matches::PauseKind;
use gametimes_format::{GametimesFile, Meta};
use gametimes_standin::recorded;
use gametimes_standin::stopwatch::{CASES, Case, Ending};
use gametimes_standin::{Server, Step};
use gametimes_test_support::calls::{
    BEGIN, COMMAND, CONNECT, CONSOLE, FRAME, join, server, start, stop,
};
use gametimes_test_support::game::{gametimes_files, play_in, play_tape};
use gametimes_test_support::played::{compare_stored, python};
use serde_json::{Value, json};

fn play(case: &Case) -> Vec<GametimesFile> {
    let home = tempfile::tempdir().unwrap();
    let console = play_tape(home.path(), &case.tape());
    let files = gametimes_files(home.path());
    assert_eq!(files.len(), case.rounds(), "{}\n{console}", case.name);
    files
}

#[test]
fn map_result_is_right_for_every_kind_of_stopwatch_match() {
    for case in CASES {
        let files = play(&case);
        let (second, firsts) = files.split_last().unwrap();
        let expected = &case.result;
        let found = serde_json::to_value(second.meta.map_result).unwrap();
        let expected = json!({
            "winner": expected.winner, "reason": expected.reason,
            "team_a_ms": expected.team_a_ms, "team_b_ms": expected.team_b_ms,
        });
        assert_eq!(found, expected, "{}", case.name);
        for first in firsts {
            assert_eq!(first.meta.map_result, None, "{}: round 1", case.name);
        }
        for file in &files {
            let problems = gametimes_format::check::check(file);
            assert!(problems.is_empty(), "{}: {problems:?}", case.name);
        }
    }
}

#[test]
fn both_rounds_of_a_match_have_its_id_and_a_new_round_1_begins_another() {
    for case in CASES {
        let files = play(&case);
        let (second, firsts) = files.split_last().unwrap();
        let first = firsts.last().unwrap();
        let ids = |meta: &Meta| (meta.match_uid.clone(), meta.round_1_event_id.clone());
        let id = first.meta.event_id.clone();
        assert_eq!(ids(&second.meta), (id.clone(), Some(id)), "{}", case.name);
        for first in firsts {
            assert_eq!(
                ids(&first.meta),
                (first.meta.event_id.clone(), None),
                "{}",
                case.name
            );
        }
        // The game moves both teams to the other side.
        let sides = |meta: &Meta| meta.sides.map(|s| (s.team_a.number(), s.team_b.number()));
        assert_eq!(sides(&first.meta), Some((2, 1)), "{}", case.name);
        assert_eq!(sides(&second.meta), Some((1, 2)), "{}", case.name);
    }
}

#[test]
fn time_limits_of_stopwatch_are_those_of_the_game() {
    for case in CASES {
        let files = play(&case);
        let (second, firsts) = files.split_last().unwrap();
        let stopwatch = |meta: &Meta| serde_json::to_value(meta.stopwatch).unwrap();
        let held = |ending| match ending {
            Ending::TimeLimit | Ending::AttackersGiveUp => Some(true),
            Ending::Objective | Ending::DefendersGiveUp => Some(false),
            Ending::CutOff => None,
        };
        let next = |ending, played_ms| match held(ending) {
            Some(true) => Some(120_000),
            Some(false) => Some(played_ms),
            None => None,
        };
        let mut target = None;
        for (first, ending) in firsts.iter().zip(case.first) {
            target = next(*ending, 55_000);
            let expected = json!({"limit_ms": 120_000, "target_ms": null, "next_limit_ms": target, "held": held(*ending)});
            assert_eq!(stopwatch(&first.meta), expected, "{}", case.name);
        }
        let expected = json!({
            "limit_ms": target, "target_ms": target,
            "next_limit_ms": next(case.second, 39_950), "held": held(case.second),
        });
        assert_eq!(stopwatch(&second.meta), expected, "{}", case.name);
    }
}

/// What `tests/expected/matches.py` reads out of a tape.
fn expected_path(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expected");
    folder.join(format!("{name}.matches.json"))
}

/// `UPDATE_EXPECTED=1` stores them.
#[test]
fn stored_results_are_those_of_the_program() {
    for name in recorded::NAMES {
        let Some(output) = python("matches.py", &[recorded::tape_path(name)]) else {
            return;
        };
        compare_stored(&expected_path(name), &output);
    }
}

#[test]
fn lineups_pauses_and_settings_are_those_of_the_tape() {
    for name in recorded::NAMES {
        let expected = std::fs::read(expected_path(name)).unwrap();
        let expected: Vec<Value> = serde_json::from_slice(&expected).unwrap();
        let home = tempfile::tempdir().unwrap();
        play_in(home.path(), name);
        let files = gametimes_files(home.path());
        assert_eq!(files.len(), expected.len(), "{name}");
        for (n, (file, expected)) in files.iter().zip(&expected).enumerate() {
            assert_eq!(&found(&file.meta), expected, "{name} round {n}");
        }
    }
}

/// What a file says, in the form of the expected values.
fn found(meta: &Meta) -> Value {
    let guids = |team: &[gametimes_format::PlayerRef]| {
        let mut guids: Vec<&str> = team.iter().map(|player| player.guid.as_str()).collect();
        guids.sort_unstable();
        json!(guids)
    };
    let substitutions: Vec<Value> = meta
        .substitutions
        .iter()
        .map(|s| json!({"t_ms": s.t_ms, "team": s.team, "out": s.out.guid, "in": s.joined.guid}))
        .collect();
    let pauses: Vec<_> = meta
        .pauses
        .iter()
        .map(|p| p.by.as_ref().map(|by| by.kind))
        .collect();
    json!({
        "config": meta.config,
        "mod_version": meta.mod_version,
        "start": {"axis": guids(&meta.teams_start.axis), "allies": guids(&meta.teams_start.allies)},
        "substitutions": substitutions,
        "pauses": pauses,
        "bots": meta.bots,
    })
}

/// The pause bit of configstring 32 is set inside the call that asks for the pause.
#[test]
fn pauses_name_the_player_referee_vote_or_server_that_called_them() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    start(&mut server);
    for slot in 1..4 {
        join(&mut server, slot, 1 + slot / 3);
    }
    let toggles = |bits: &str| Step::configstring(32, bits);
    let mut now_ms = 2000;
    let mut resume = |server: &mut Server| {
        now_ms += 1000;
        server.call(FRAME, &[now_ms], [toggles("0")]);
    };
    server.call(COMMAND, &[1], [toggles("16")]);
    resume(&mut server);
    let referee = Step::configstring(689 + 3, "n\\p3\\t\\2\\c\\0\\ref\\1");
    server.call(COMMAND, &[3], [referee]);
    server.call(COMMAND, &[3], [toggles("16")]);
    resume(&mut server);
    server.call(CONSOLE, &[], [toggles("16")]);
    resume(&mut server);
    let called = [
        Step::print("callvote: 2 pause\n"),
        Step::configstring(7, "pause"),
    ];
    server.call(COMMAND, &[2], called);
    let passed = [
        Step::print("Vote Passed: (Y:4-N:0) pause (Required:3, Voting Clients:6)\n"),
        toggles("16"),
        Step::configstring(6, ""),
    ];
    server.call(FRAME, &[7000], passed);
    server.call(FRAME, &[8000], [toggles("0")]);
    server.call(FRAME, &[9000], Step::exit("Timelimit hit."));
    let console = stop(&mut server);
    let file = &gametimes_files(home.path())[0];
    let by: Vec<_> = file
        .meta
        .pauses
        .iter()
        .map(|p| p.by.clone().unwrap())
        .collect();
    let by: Vec<_> = by
        .iter()
        .map(|by| (by.kind, by.name.as_str(), by.team.number()))
        .collect();
    assert_eq!(
        by,
        [
            (PauseKind::Player, "p1", 1),
            (PauseKind::Referee, "p3", 2),
            (PauseKind::Server, "", 0),
            (PauseKind::Vote, "p2", 1),
        ],
        "{console}"
    );
    let first = file.meta.pauses[0].by.as_ref().unwrap();
    assert_eq!(first.guid, format!("GUID{:028}", 1));
}

#[test]
fn clients_inside_the_server_and_omni_bots_are_bots() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    start(&mut server);
    for (slot, userinfo) in [
        (1, "\\name\\p1\\ip\\127.0.0.1:27960\\cl_guid\\GUID1"),
        (2, "\\name\\p2\\ip\\localhost\\cl_guid\\GUID2"),
        (3, "\\name\\p3\\cl_guid\\OMNIBOT01"),
    ] {
        server.set_userinfo(slot as usize, userinfo);
        let info = Step::configstring(689 + slot, format!("n\\p{slot}\\t\\1\\c\\0"));
        server.call(CONNECT, &[slot, 1, 0], [info]);
        server.call(BEGIN, &[slot], []);
    }
    server.call(FRAME, &[5000], Step::exit("Timelimit hit."));
    stop(&mut server);
    let meta = &gametimes_files(home.path())[0].meta;
    let bots: Vec<_> = meta.spawn_stats.iter().map(|s| s.is_bot).collect();
    assert_eq!((bots, meta.bots), (vec![false, true, true], 2));
}

#[test]
fn a_player_without_a_guid_who_took_no_part_is_in_the_lineup_by_name() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    start(&mut server);
    server.set_userinfo(1, "\\name\\p1");
    let info = Step::configstring(690, "n\\p1\\t\\1\\c\\0");
    server.call(CONNECT, &[1, 1, 0], [info]);
    server.call(BEGIN, &[1], Step::exit("Timelimit hit."));
    stop(&mut server);
    let meta = &gametimes_files(home.path())[0].meta;
    assert!(meta.spawn_stats.is_empty());
    let found = serde_json::to_value(&meta.teams_start).unwrap();
    let expected = json!({ "axis": [{ "guid": "", "name": "p1" }], "allies": [] });
    assert_eq!(found, expected);
}

/// The module leaves round 1 in the cvar for the recorder of round 2, and takes it from there.
#[test]
fn round_1_is_handed_over_in_a_cvar() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    server.set_cvar("g_gametype", "3");
    server.set_cvar("mapname", "supply");
    let play = |server: &mut Server, round: &str| {
        server.set_cvar("g_currentRound", round);
        start(server);
        join(server, 1, 2);
        let lost = [
            Step::configstring(13, "d\\0"),
            Step::configstring(14, "w\\1"),
        ];
        server.call(
            FRAME,
            &[5000],
            lost.into_iter().chain(Step::exit("Wolf EndRound.")),
        );
        stop(server);
        server.cvar("gametimes_match")
    };
    let handed_over = play(&mut server, "0");
    let files = gametimes_files(home.path());
    let id = files[0].meta.event_id.clone();
    assert_eq!(handed_over, format!("1 {id} 2 lost 4000 supply"));
    server.set_unix_ms(1_795_000_060_000);
    assert_eq!(play(&mut server, "1"), "", "the match is over");
    let files = gametimes_files(home.path());
    assert_eq!(files[1].meta.round_1_event_id, Some(id));

    // The script may have recorded it.
    let other = "01a1f902-36f7-77cd-bd21-923ae6b7c58c";
    server.set_cvar("gametimes_match", format!("1 {other} 2 held 600000 supply"));
    server.set_unix_ms(1_795_000_120_000);
    play(&mut server, "1");
    let files = gametimes_files(home.path());
    assert_eq!(files[2].meta.match_uid, other);
    // A round 1 that is not recorded clears the cvar.
    server.set_cvar("gametimes_match", format!("1 {other} 2 held 600000 supply"));
    server.set_cvar("gametimes_enabled", "0");
    assert_eq!(play(&mut server, "0"), "");
}
