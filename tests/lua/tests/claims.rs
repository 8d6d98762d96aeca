//! Printed lines that the script must not believe, deaths that another script hides, and servers whose rounds are not its own.

use gametimes_format::file::{EndReason, EventKind};
use gametimes_format::{GametimesFile, check};
use gametimes_lua_tests::SCRIPT;
use gametimes_lua_tests::results::{guid, of, record, rounds};
use gametimes_lua_tests::round::Round;
use gametimes_lua_tests::tape::Player;
use gametimes_lua_tests::world::Server;
use gametimes_standin::recorded::{self, expected};
use gametimes_test_support::figures::compare;

/// The log line about a line that the game's state contradicts.
const REFUSED: &str = "a printed line contradicts the game's state";
const HIDDEN: &str = "a script before this one returns a value from et_Obituary";

fn play(player: Player) -> (Vec<GametimesFile>, String) {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    player.play(&mut server, &mut |_, _| {});
    let log = server.log();
    assert!(!log.contains("error in"), "{log}");
    let files = rounds(&server.game_dir().join("gametimes"));
    (files.into_iter().map(|(_, file)| file).collect(), log)
}

/// Plays a match, and compares every number with the recorded one.
fn check_all(player: Player, recorded: &str) -> (Vec<GametimesFile>, String) {
    let (files, log) = play(player);
    let expected = expected(recorded);
    assert_eq!(files.len(), expected.len(), "{recorded}\n{log}");
    for (n, (file, expected)) in files.iter().zip(&expected).enumerate() {
        compare(&format!("{recorded} round {n}"), file, expected);
        assert_eq!(check::check(file), [], "{recorded}");
    }
    (files, log)
}

/// One line of each kind that matters.
fn kinds(a: usize, b: usize) -> [String; 13] {
    [
        "Exit: Wolf EndRound.".to_owned(),
        "Exit: Axis Surrender".to_owned(),
        "Exit: x".to_owned(),
        format!("Kill: {a} {b} 9: a killed b by MOD_MP40"),
        format!("Kill: 1022 {b} 9: a killed b by MOD_MP40"),
        format!("Kill: {b} {b} 9: a by b"),
        format!("Medic_Revive: {a} {b}"),
        format!("callvote: {b} Surrender [AXIS]"),
        format!("callvote: {b} Surrender [ALLIES]"),
        "Vote Passed: (Y:4-N:0) x".to_owned(),
        "Vote Failed: (Y:0-N:4) x".to_owned(),
        "Vote TIMEOUT! x".to_owned(),
        "Vote CANCELED!".to_owned(),
    ]
}

#[test]
fn name_that_looks_like_an_exit_does_not_end_the_round() {
    let (files, log) = check_all(Player::case("forged-exit", "surrender"), "surrender");
    assert_eq!(files[0].meta.exit_text, "Allies Surrender");
    assert!(log.contains(REFUSED), "{log}");
}

/// Every kind of line at every place of a recorded match, also with deaths that another script hides.
#[test]
fn names_that_look_like_lines_of_the_game_change_nothing_at_any_place() {
    const AFTER: [&str; 3] = [
        "\n",
        " ^7just lost 3 skill points.\n",
        "^7: a killed b by MOD_X\n",
    ];
    for name in recorded::NAMES {
        for hide in [false, true] {
            let mut turn = 0;
            let player = Player::new(name).forge(move |line| {
                turn += 1;
                let kind = &kinds(turn % 13, turn / 13 % 17)[line % 13];
                vec![format!("{kind}{}", AFTER[turn % AFTER.len()])]
            });
            let player = if hide {
                player.hide_obituaries()
            } else {
                player
            };
            let (_, log) = check_all(player, name);
            assert!(log.contains(REFUSED), "{name}: {log}");
        }
    }
}

#[test]
fn deaths_hidden_by_another_script_are_taken_from_the_prints() {
    for name in recorded::NAMES {
        let (files, log) = check_all(Player::new(name).hide_obituaries(), name);
        // Once a map: the script is loaded again with each.
        let died = |f: &&GametimesFile| f.meta.spawn_stats.iter().any(|s| s.deaths > 0);
        let maps = files.iter().filter(died).count();
        assert_eq!(log.matches(HIDDEN).count(), maps, "{name}: {log}");
        let (shown, _) = check_all(Player::new(name), name);
        for (hidden, shown) in files.iter().zip(&shown) {
            let deaths = |f: &GametimesFile| -> Vec<_> {
                let events = f.meta.events.iter().filter(|e| e.kind == EventKind::Death);
                events.cloned().collect()
            };
            assert_eq!(deaths(hidden), deaths(shown), "{name}");
        }
    }
    let (meta, log) = record(|mut round| {
        round.frames(20);
        round.hidden_kill(1, 0);
        round.frames(20);
        round.hidden_kill(1, 1022); // dead already
        round.exit("Wolf EndRound.");
        round.shutdown(1);
    });
    assert_eq!((of(&meta, 1).deaths, of(&meta, 1).dead_ms), (1, 1050));
    assert_eq!(of(&meta, 0).kills, 1);
    assert!(log.contains(REFUSED), "{log}");
}

/// The game never clears the configstring of the intermission, so it is still set in every round after a map_restart.
fn second_round(play: impl FnOnce(&mut Round)) -> (GametimesFile, String) {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.set("g_gametype", "2");
    gametimes_lua_tests::round::play_round(&mut server, 0);
    let mut round = Round::start(&mut server, 1);
    play(&mut round);
    round.shutdown(1);
    let files = rounds(&server.game_dir().join("gametimes"));
    assert_eq!(files.len(), 2, "{}", server.log());
    (files.into_iter().next_back().unwrap().1, server.log())
}

#[test]
fn end_of_a_round_after_a_restart_is_exact() {
    for late in [false, true] {
        let (file, log) = second_round(|round| {
            round.frames(20);
            round.kill(1, 0);
            round.frames(20);
            // Inside the next frame the round ends, and a wave spawns after the end.
            round.level += 50;
            round.print_exit("Wolf EndRound.");
            round.spawn(1, false);
            round.kill(0, 1);
            round.level -= 50;
            if !late {
                round.server.set("gamestate", "3");
            }
            round.frames(1);
            round.server.set("gamestate", "3");
            round.frames(100);
        });
        let m = &file.meta;
        assert_eq!(
            (m.duration_ms, m.end_reason),
            (2600, EndReason::Objective),
            "{log}"
        );
        assert_eq!((of(m, 1).spawns, of(m, 1).dead_ms), (1, 1050));
        assert_eq!((of(m, 0).deaths, of(m, 1).kills), (0, 0));
    }
}

#[test]
fn forged_exit_in_a_round_after_a_restart_is_refused_and_nothing_is_lost() {
    let forged = |names: &'static [&[u8]]| {
        let (file, log) = second_round(|round| {
            let exit = |round: &Round| names.iter().for_each(|name| round.server.print(name));
            round.frames(20);
            exit(round);
            round.kill(1, 0);
            round.join(2, 2, &guid(2), "new");
            round.frames(1);
            exit(round);
            round.spawn(1, false);
            round.frames(1);
            round.server.call("et_ClientDisconnect", 2);
            exit(round);
            round.kill(0, 1);
            round.frames(20);
            round.exit("Wolf EndRound.");
            round.frames(10);
        });
        assert_eq!(log.contains(REFUSED), !names.is_empty(), "{log}");
        let m = file.meta;
        (
            m.spawn_stats,
            m.events,
            m.teams,
            m.duration_ms,
            m.end_reason,
        )
    };
    let real = forged(&[]);
    assert_eq!(forged(&[b"Exit: Timelimit hit.\n"]), real);
    // Two players together.
    let two: &[&[u8]] = &[b"Exit: Timelimit hit.\n", b"axis:0  allies:0\n"];
    assert_eq!(forged(two), real);
}

#[test]
fn vote_is_believed_only_with_its_configstrings() {
    let (meta, log) = record(|mut round| {
        round.call_vote(0, "Surrender [AXIS]");
        round.server.print(b"Vote Failed: (Y:0-N:4) x\n"); // a name
        round.frames(1);
        round.server.print(b"callvote: 1 Surrender [ALLIES]\n"); // a name
        round.frames(1);
        round.end_vote("Vote Passed: (Y:4-N:0) Surrender [AXIS] (Required:3, Voting Clients:6)");
        round.exit("Axis Surrender");
        round.shutdown(1);
    });
    assert_eq!(meta.surrender.caller_guid, guid(0));
    assert!(log.contains(REFUSED), "{log}");
}

/// The game prints the medic right after it has called et_ClientSpawn.
#[test]
fn medic_of_a_revive_is_the_one_printed_after_it() {
    let (meta, _) = record(|mut round| {
        for (slot, name) in [(2, "medic"), (3, "other"), (4, "third")] {
            round.join(slot, 2, &guid(slot), name);
        }
        for medic in [2, 3] {
            round.frames(20);
            round.kill(1, 0);
            round.frames(20);
            round.spawn(1, true);
            round
                .server
                .print(format!("Medic_Revive: {medic} 1\n").as_bytes());
            round.server.print(b"Medic_Revive: 4 1\n"); // a name
            round.frames(1);
        }
        round.exit("Wolf EndRound.");
        round.shutdown(1);
    });
    let revives = meta.events.iter().filter(|e| e.kind == EventKind::Revive);
    let medics: Vec<_> = revives.map(|e| e.by.clone().unwrap()).collect();
    assert_eq!(medics, [guid(2), guid(3)]);
}

#[test]
fn relay_of_another_server_records_nothing_and_logs_one_line() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.world.borrow_mut().relay = true;
    server.set(
        "gametimes_webhook_url",
        "http://127.0.0.1:9/api/webhooks/1/x",
    );
    let mut round = Round::start(&mut server, 0);
    round.play_to_the_end();
    round.shutdown(1);
    let log = server.log();
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(
        log.contains("does not record: this server is an ETLTV relay"),
        "{log}"
    );
    assert!(!server.game_dir().join("gametimes").exists());
}

#[test]
fn error_of_the_game_or_the_engine_is_recorded_as_server_crash() {
    for (error, reason) in [
        ("", "server_quit"),
        ("G_Error: out of memory", "server_crash"),
    ] {
        let (meta, _) = record(|mut round| {
            round.frames(100);
            round.server.set("com_errorMessage", error);
            round.shutdown(0);
        });
        assert_eq!(meta.end_reason.as_str(), reason);
    }
}

#[test]
fn round_with_nobody_in_it_is_saved_but_not_posted() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.set(
        "gametimes_webhook_url",
        "http://127.0.0.1:9/api/webhooks/1/x",
    );
    server.set("gametimes_min_seconds", "0");
    server.set("gamestate", "0");
    server.load();
    server.call("et_InitGame", (1000, 1, 0));
    for frame in 1..100 {
        server.call("et_RunFrame", 1000 + frame * 50);
    }
    server.call("et_ShutdownGame", 1);
    server.unload();
    let files = rounds(&server.game_dir().join("gametimes"));
    assert_eq!((files.len(), files[0].1.meta.spawn_stats.len()), (1, 0));
    let log = server.log();
    assert!(
        log.contains("message not sent: nobody played in this round"),
        "{log}"
    );
}

#[test]
fn values_that_readers_refuse_are_replaced() {
    for (gametype, timelimit, map) in [
        ("76871", "1e999", "a\"b\\c"),
        ("-1", "nan", ""),
        ("x", "-5", &*"m".repeat(200)),
        ("99999999999999999999", "inf", "\u{1}"),
        ("3", "0x7fffffffff", "ü"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let mut server = Server::new(home.path(), SCRIPT);
        server.set("g_gametype", gametype);
        server.set("timelimit", timelimit);
        server.set("mapname", map);
        let mut round = Round::start(&mut server, 0);
        round.frames(100);
        round.exit("Wolf EndRound.");
        round.shutdown(1);
        let (_, file) = rounds(&server.game_dir().join("gametimes")).remove(0);
        assert_eq!(check::check(&file), [], "{gametype} {timelimit} {map}");
    }
}

#[test]
fn slot_given_to_another_player_without_a_disconnect_keeps_both_players_apart() {
    let (files, _) = play(Player::case("slot-reuse", "timelimit"));
    let meta = &files[0].meta;
    let names: Vec<_> = meta.spawn_stats.iter().map(|s| s.name.as_str()).collect();
    assert!(
        names.contains(&"Player01") && names.contains(&"Newcomer"),
        "{names:?}"
    );
    let moves = meta.events.iter().filter(|e| {
        let moved = matches!(e.kind, EventKind::Leave | EventKind::Team);
        moved && e.guid == "A00000012469579A0BADF00CC0FFEE01"
    });
    let moves: Vec<_> = moves.map(|e| (e.t_ms, e.kind)).collect();
    assert_eq!(moves, [(76_900, EventKind::Leave)]);
}

#[test]
fn stats_file_with_a_backslash_in_its_path_is_found_in_whole_and_interrupted_rounds() {
    let (files, _) = check_all(
        Player::case("backslash-gamestats", "surrender"),
        "surrender",
    );
    let names: Vec<_> = files.iter().map(|f| f.meta.stats_file.as_deref()).collect();
    let all = [
        Some("2026-11-20-125046-room1-round-1.txt"),
        Some("2026-11-20-125123-room1-round-1.txt"),
    ];
    assert_eq!(names, all);
}

#[test]
fn two_players_without_a_guid_and_with_one_name_are_told_apart() {
    let (files, _) = play(Player::case("no-guid-same-name", "stopwatch"));
    for file in &files {
        assert_eq!(check::check(file), []);
        let nameless = file.meta.spawn_stats.iter().filter(|s| s.guid.is_empty());
        let names: Vec<_> = nameless.map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["ETPlayer", "ETPlayer#2"]);
        assert_eq!(file.meta.spawn_stats.len(), 12);
    }
}
