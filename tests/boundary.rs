//! The door between engine and game: everything is forwarded untouched, nothing foreign can break it, and the game's error
//! leaves over it unharmed.

use std::path::Path;

use gametimes_standin::GAME_FILE;
use gametimes_standin::recorded::built_module;
use gametimes_standin::{Arg, Server, Step};
use gametimes_test_support::game::gametimes_files;
use proptest::prelude::*;

const INIT: i32 = 0;
const SHUTDOWN: i32 = 1;
const CONNECT: i32 = 2;
const BEGIN: i32 = 3;
const DISCONNECT: i32 = 5;
const COMMAND: i32 = 6;
const THINK: i32 = 7;
const FRAME: i32 = 8;
const CONSOLE: i32 = 9;

const VERSION: isize = 283_010_000;
const CLIENT_SIZE: isize = 124_320;

fn server(home: &Path) -> Server {
    let mut server = Server::new(&built_module(), home, &home.join("base")).unwrap();
    server.set_unix_ms(1_795_000_000_000);
    server
}

/// A map whose round is played from the start.
fn start(server: &mut Server) {
    server.set_cvar("gamestate", "0");
    server.load().unwrap();
    init(server, 1000);
}

fn init(server: &mut Server, level_ms: isize) {
    let located = Step::Locate {
        entities: 64,
        entity_size: 1728,
        client_size: CLIENT_SIZE,
    };
    server
        .call(INIT, &[level_ms, 7, 1, 1, VERSION], [located])
        .unwrap();
}

fn stop(server: &mut Server) -> String {
    server.call(SHUTDOWN, &[0], []);
    server.unload();
    server.take_console()
}

/// A player comes alive in a slot, on a team, and the game says so as it does.
fn join(server: &mut Server, slot: isize, team: isize) {
    server.set_userinfo(
        slot as usize,
        format!("\\name\\p{slot}\\cl_guid\\GUID{slot:028}"),
    );
    let info = Step::configstring(689 + slot, format!("n\\p{slot}\\t\\{team}\\c\\0"));
    server.call(CONNECT, &[slot, 1, 0], [info]);
    let alive = Step::Write(slot, vec![(272 + 12, team as i64), (272 + 16, 1)]);
    server.call(BEGIN, &[slot], [alive]);
}

#[test]
fn every_trap_reaches_the_engine_with_all_its_arguments() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    start(&mut server);
    server.record_traps();
    let arguments: Vec<isize> = (1..=15).map(|n| n * 1_000_000_007).collect();
    let quiet = [12, 13, 14, 16, 19, 24, 31, 32, 33, 63, 64, 210, 700, -5];
    for number in quiet {
        let step = Step::Trap(number, arguments.iter().map(|&a| Arg::Int(a)).collect());
        server.call(FRAME, &[1050], [step]);
        let traps = server.record_traps();
        let forwarded: Vec<_> = traps.iter().filter(|t| t.number == number).collect();
        assert_eq!(forwarded.len(), 1, "trap {number}: {traps:?}");
        assert_eq!(forwarded[0].arguments.to_vec(), arguments, "trap {number}");
    }
    stop(&mut server);
}

#[test]
fn every_call_reaches_the_game_and_its_answer_the_engine() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    start(&mut server);
    server.record_calls();
    for command in [
        CONNECT, BEGIN, 4, COMMAND, THINK, FRAME, CONSOLE, 10, 11, 12, 40,
    ] {
        let arguments = [1051, 2, 3, 4, 5];
        server.set_command(b"something");
        let answer = server.call(command, &arguments, [Step::Return(command as isize - 20)]);
        assert_eq!(answer, Some(command as isize - 20), "call {command}");
        assert_eq!(server.record_calls(), [(command as isize, arguments)]);
    }
    stop(&mut server);
}

#[test]
fn our_console_command_is_ours_alone() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    start(&mut server);
    server.record_calls();
    assert!(server.console_command("gametimes help"));
    assert!(server.console_command("GameTimes status"));
    assert!(server.record_calls().is_empty(), "the game does not see it");
    assert!(!server.console_command("gametimesx"));
    assert_eq!(server.record_calls().len(), 1);
    assert!(server.take_console().contains("gametimes help"));
    stop(&mut server);
}

#[test]
fn a_missing_game_is_said_with_every_path_tried_and_raised_as_the_games_error() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    let base = home.path().join("base/legacy").join(GAME_FILE);
    std::fs::remove_file(&base).unwrap();
    server.set_cvar("gametimes_qagame", "/nowhere/qagame.so");
    server.load().unwrap();
    assert_eq!(
        server.call(INIT, &[0, 7, 0, 1, VERSION], []),
        None,
        "it left by longjmp"
    );
    let errors = server.take_errors();
    assert_eq!(errors.len(), 1);
    for path in [
        "/nowhere/qagame.so",
        &base.to_string_lossy(),
        "qagame_real.mp.x86_64.so",
    ] {
        assert!(errors[0].contains(path), "{path} in {}", errors[0]);
    }
    // The admin puts it back: the same process starts the next map.
    std::fs::copy(gametimes_standin::GAME, &base).unwrap();
    start(&mut server);
    assert!(stop(&mut server).contains("round start"));
}

#[test]
fn a_renamed_game_beside_the_module_is_found_where_home_is_base() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(&built_module(), home.path(), &home.path().join("base")).unwrap();
    server.set_cvar("fs_basepath", home.path().to_string_lossy().as_bytes());
    let beside = home.path().join("legacy/qagame_real.mp.x86_64.so");
    std::fs::copy(gametimes_standin::GAME, &beside).unwrap();
    start(&mut server);
    let console = stop(&mut server);
    assert!(console.contains(&*beside.to_string_lossy()), "{console}");
}

#[test]
fn the_games_error_leaves_over_the_door_and_the_round_is_kept() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    for round in 1..=3 {
        start(&mut server);
        join(&mut server, 1, 1);
        server.call(FRAME, &[31_000], []);
        let error = Step::Trap(1, vec![Arg::Text(b"the game gives up".to_vec())]);
        assert_eq!(server.call(FRAME, &[31_050], [error]), None);
        assert_eq!(server.take_errors(), ["the game gives up"]);
        server.unload();
        server.set_unix_ms(1_795_000_000_000 + round * 60_000);
    }
    let files = gametimes_files(home.path());
    assert_eq!(files.len(), 3);
    assert!(
        files
            .iter()
            .all(|f| f.meta.end_reason.as_str() == "server_crash")
    );
    assert!(files.iter().all(|f| f.meta.duration_ms == 30_050));
}

#[test]
fn a_client_dropped_from_inside_a_trap_is_seen() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    start(&mut server);
    join(&mut server, 1, 1);
    join(&mut server, 2, 2);
    server.call(FRAME, &[2000], []);
    let killed = Step::print("Kill: 2 1 9: p2 killed p1 by MOD_MP40\n");
    server.call(THINK, &[2], [killed]);
    // In the frame at 5000 the game drops the dead player: the engine calls back into the game at once.
    let drop = Step::Trap(
        18,
        vec![Arg::Int(1), Arg::Text(b"kicked".to_vec()), Arg::Int(0)],
    );
    server.call(FRAME, &[5000], [drop, Step::Return(0), Step::Return(0)]);
    server.call(FRAME, &[9000], []);
    stop(&mut server);
    let file = &gametimes_files(home.path())[0];
    let dead: Vec<_> = file
        .meta
        .spawn_stats
        .iter()
        .map(|s| (s.dead_ms, s.played_ms))
        .collect();
    assert_eq!(dead, [(3000, 4000), (0, 8000)]);
}

#[test]
fn a_wave_in_the_very_frame_of_the_end_counts_and_one_after_it_does_not() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    start(&mut server);
    for slot in [1, 2, 3] {
        join(&mut server, slot, 1 + slot % 2);
    }
    server.call(FRAME, &[2000], []);
    for victim in [1, 2] {
        let killed = format!("Kill: 3 {victim} 9: p3 killed p{victim} by MOD_MP40\n");
        server.call(THINK, &[3], [Step::print(killed)]);
    }
    let last = [
        Step::Write(1, vec![(272 + 16, 2)]),
        Step::print("Exit: Timelimit hit.\n"),
        Step::Write(2, vec![(272 + 16, 2)]),
    ];
    server.call(FRAME, &[5000], last);
    stop(&mut server);
    let stats = &gametimes_files(home.path())[0].meta.spawn_stats;
    let seen: Vec<_> = stats.iter().map(|s| (s.spawns, s.dead_ms)).collect();
    assert_eq!(seen, [(2, 3000), (1, 3000), (1, 0)]);
}

/// The engine does not call for the bots that the game adds in mid-round: they connect and join inside its frames.
#[test]
fn a_bot_that_the_game_adds_is_recorded_like_everybody() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    start(&mut server);
    join(&mut server, 1, 1);
    server.set_userinfo(3, r"\name\bot\cl_guid\OMNIBOT03");
    let connects = [
        Step::print("ClientConnect: 3\n"),
        Step::configstring(689 + 3, r"n\bot\t\3"),
    ];
    server.call(FRAME, &[2000], connects);
    let limbo = (12, 16384);
    let joins = [
        Step::configstring(689 + 3, r"n\bot\t\2"),
        Step::Write(3, vec![(272 + 12, 2), (272 + 16, 1), limbo]),
        Step::print("ClientBegin: 3\n"),
    ];
    server.call(FRAME, &[3000], joins);
    server.call(
        FRAME,
        &[5000],
        [Step::Write(3, vec![(12, 0), (272 + 16, 2)])],
    );
    let killed = Step::print("Kill: 1 3 9: p1 killed bot by MOD_MP40\n");
    server.call(FRAME, &[9000], [killed]);
    server.call(FRAME, &[9500], []);
    let exit = Step::print("Exit: Wolf EndRound.\n");
    server.call(FRAME, &[10_000], [exit]);
    stop(&mut server);
    let stats = &gametimes_files(home.path())[0].meta.spawn_stats;
    let bot = stats.iter().find(|s| s.guid == "OMNIBOT03").unwrap();
    assert_eq!((bot.team.number(), bot.spawns, bot.deaths), (2, 1, 1));
    assert_eq!(
        (bot.played_ms, bot.alive_ms, bot.dead_ms),
        (7000, 4000, 1000)
    );
    assert_eq!((stats[0].kills, stats[0].denied_ms), (1, 1000));
}

/// Clients of 2.60b that have no guid send one of two words for it; what one of them does is not put down to another.
#[test]
fn players_who_all_send_unknown_for_a_guid_are_told_apart_by_name() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    start(&mut server);
    for (slot, guid) in [(1, "unknown"), (2, "unknown"), (3, "NO_GUID")] {
        server.set_userinfo(slot, format!("\\cl_guid\\{guid}"));
        let slot = slot as isize;
        let info = Step::configstring(689 + slot, format!("n\\p{slot}\\t\\1"));
        server.call(CONNECT, &[slot, 1, 0], [info]);
        let alive = Step::Write(slot, vec![(272 + 12, 1), (272 + 16, 1)]);
        server.call(BEGIN, &[slot], [alive]);
    }
    // One of them loads his guid later.
    server.set_userinfo(2, r"\cl_guid\LATE");
    server.call(4, &[2], []);
    server.call(FRAME, &[9000], [Step::print("Exit: Wolf EndRound.\n")]);
    stop(&mut server);
    let stats = &gametimes_files(home.path())[0].meta.spawn_stats;
    let seen: Vec<_> = stats
        .iter()
        .map(|s| (&s.guid[..], &s.name[..], s.spawns, s.played_ms))
        .collect();
    let all = [
        ("", "p1", 1, 8000),
        ("LATE", "p2", 1, 8000),
        ("", "p3", 1, 8000),
    ];
    assert_eq!(seen, all);
}

/// When sv_maxclients was changed, `map_restart` loads the map as a new one. The server and the match live on.
#[test]
fn a_restart_that_changes_sv_maxclients_is_no_new_map_and_no_quit() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    start(&mut server);
    let exit = [
        Step::configstring(14, r"w\1"),
        Step::print("Exit: Wolf EndRound.\n"),
    ];
    server.call(FRAME, &[9000], exit);
    let restart = |server: &mut Server, gamestate: &str, unix_ms: i64| {
        server.set_cvar("gamestate", gamestate);
        server.set_cvar("g_currentRound", "1");
        stop(server);
        server.set_unix_ms(1_795_000_000_000 + unix_ms);
        server.load().unwrap();
        server.call(INIT, &[20_000, 7, 0, 1, VERSION], []);
    };
    restart(&mut server, "2", 20_000);
    restart(&mut server, "2", 30_000);
    restart(&mut server, "0", 40_000);
    server.call(FRAME, &[25_000], []);
    server.set_unix_ms(1_795_000_045_000);
    restart(&mut server, "2", 50_000);
    stop(&mut server);
    let files = gametimes_files(home.path());
    let m = &files[1].meta;
    assert_eq!((files.len(), m.end_reason.as_str()), (2, "map_restart"));
    assert_eq!((m.score.axis, m.score.allies), (0, 1));
    assert_eq!((m.warmup_ms, m.duration_ms), (20_000, 5000));
}

#[test]
fn switched_off_or_unsupported_it_records_nothing_and_hands_over() {
    type Case = (
        &'static str,
        &'static [(&'static str, &'static str)],
        [isize; 5],
        &'static str,
    );
    let cases: [Case; 3] = [
        (
            "off",
            &[("gametimes_enabled", "0")],
            [0, 7, 0, 1, VERSION],
            "gametimes_enabled is 0",
        ),
        ("old", &[], [0, 7, 0, 1, 275_000_000], "older than 2.76"),
        ("other", &[], [0, 7, 0, 0, 0], "not ET:Legacy"),
    ];
    for (name, cvars, arguments, why) in cases {
        let home = tempfile::tempdir().unwrap();
        let mut server = server(home.path());
        cvars
            .iter()
            .for_each(|(name, value)| server.set_cvar(name, value));
        server.set_cvar("gamestate", "0");
        server.load().unwrap();
        server.call(INIT, &arguments, []);
        assert!(
            server.cvar("gametimes_module").starts_with("off: "),
            "{name}"
        );
        join(&mut server, 1, 1);
        server.call(FRAME, &[50_000], [Step::print("Exit: Wolf EndRound.\n")]);
        let console = stop(&mut server);
        assert!(console.contains(why), "{name}: {console}");
        assert!(!home.path().join("legacy/gametimes").exists(), "{name}");
        assert_eq!(server.cvar("gametimes_module"), "", "{name}");
    }
}

#[test]
fn a_game_of_another_kind_is_left_to_the_script() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    server.set_cvar("gamename", "etjump");
    start(&mut server);
    let why = "off: the game is \"etjump\", not ET:Legacy's";
    assert_eq!(server.cvar("gametimes_module"), why);
    join(&mut server, 1, 1);
    server.call(FRAME, &[50_000], [Step::print("Exit: Wolf EndRound.\n")]);
    assert!(stop(&mut server).contains("does not record: the game is"));
    assert!(gametimes_files(home.path()).is_empty());
}

#[test]
fn the_module_announces_itself_before_the_game_starts() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    server.load().unwrap();
    server.record_traps();
    server.call(
        INIT,
        &[0, 7, 0, 1, VERSION],
        [Step::print("the game starts\n")],
    );
    let traps = server.record_traps();
    let announced = traps.iter().position(|t| t.number == 5).unwrap();
    let game = traps.len() - 1 - traps.iter().rev().position(|t| t.number == 0).unwrap();
    assert!(announced < game);
    assert!(server.cvar("gametimes_module").starts_with("native "));
    stop(&mut server);
    assert_eq!(server.cvar("gametimes_module"), "");
}

#[test]
fn foreign_nonsense_is_said_at_most_once_in_five_seconds() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    start(&mut server);
    let began = std::time::Instant::now();
    for frame in 0..2000 {
        let nonsense = [
            Step::Trap(0, vec![Arg::Int(0)]),
            Step::Trap(5, vec![Arg::Int(0), Arg::Int(0)]),
            Step::Trap(20, vec![Arg::Int(14), Arg::Int(0)]),
            Step::Trap(20, vec![Arg::Int(isize::MAX), Arg::Int(0)]),
            Step::print("Kill: 99 -7 123456789012: x killed y by z\n"),
            Step::print([b'K'; 70_000]),
            Step::print("Medic_Revive: 70 71\n"),
            Step::Trap(17, vec![Arg::Int(0); 5]),
            Step::Trap(11, vec![Arg::Int(0), Arg::Int(0), Arg::Int(1)]),
        ];
        server.call(FRAME, &[1050 + frame * 50], nonsense);
        server.call(THINK, &[-1], []);
        server.call(THINK, &[64], []);
        server.call(DISCONNECT, &[isize::MIN], []);
        server.call(CONNECT, &[5000, 1, 0], []);
    }
    join(&mut server, 1, 1);
    server.call(FRAME, &[200_000], [Step::print("Exit: Timelimit hit.\n")]);
    let most = 1 + began.elapsed().as_secs() as usize / 5;
    let console = stop(&mut server);
    for complaint in [
        "null pointer",
        "a slot that this server does not have",
        "could not be understood",
        "player records have unexpected sizes",
    ] {
        let lines = console.lines().filter(|l| l.contains(complaint)).count();
        assert!((1..=most).contains(&lines), "{complaint}: {lines} lines");
    }
    let files = gametimes_files(home.path());
    assert_eq!(files[0].meta.end_reason.as_str(), "time_expired");
}

/// A release that moves the fields of a record would not change its size by much.
#[test]
fn records_that_do_not_hold_what_the_game_says_are_named_once_a_map() {
    for (moved, lines) in [(0, 0), (4, 1), (-4, 1)] {
        let home = tempfile::tempdir().unwrap();
        let mut server = server(home.path());
        start(&mut server);
        for slot in [1, 2] {
            let info = Step::configstring(689 + slot, format!("n\\p{slot}\\t\\{slot}"));
            server.call(CONNECT, &[slot, 1, 0], [info]);
            let alive = Step::Write(slot, vec![(272 + 12 + moved, slot as i64)]);
            server.call(BEGIN, &[slot], [alive]);
        }
        let killed = || Step::print("Kill: 2 1 9: p2 killed p1 by MOD_MP40\n");
        server.call(FRAME, &[2000], [killed(), killed()]);
        let console = stop(&mut server);
        let line =
            "records contradict its prints; deaths are counted, spawns are not seen (1 time)";
        assert_eq!(console.matches(line).count(), lines, "{moved}: {console}");
    }
}

#[test]
fn names_of_every_byte_end_in_valid_json() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    server.set_cvar("sv_maxclients", "64");
    server.set_cvar("mapname", "m\"a/p\\..");
    start(&mut server);
    for slot in 0..60isize {
        join(&mut server, slot, 1 + slot % 2);
        let name: Vec<u8> = (0..35)
            .map(|i| (slot * 4 + i) as u8)
            .filter(|&b| b != 0 && b != b'\\')
            .collect();
        let info = [b"n\\", &name[..], b"\\t\\1"].concat();
        server.call(FRAME, &[2000], [Step::configstring(689 + slot, info)]);
    }
    server.call(FRAME, &[40_000], [Step::print("Exit: Wolf EndRound.\n")]);
    stop(&mut server);
    let files = gametimes_files(home.path());
    assert_eq!(files[0].meta.spawn_stats.len(), 60);
    let embed = &files[0].payload.embeds[0];
    assert!(embed.characters() <= 6000 && embed.fields.len() <= 25);
    for field in ["Axis_JSON", "Allies_JSON"] {
        let value = embed.field(field).unwrap();
        serde_json::from_str::<serde_json::Value>(&value.replace("\\\"", "\"")).unwrap();
    }
}

#[test]
fn a_map_without_a_name_makes_a_file_that_readers_take() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    server.set_cvar("mapname", "\u{1}");
    start(&mut server);
    join(&mut server, 0, 1);
    server.call(FRAME, &[40_000], [Step::print("Exit: Wolf EndRound.\n")]);
    stop(&mut server);
    let files = gametimes_files(home.path());
    assert_eq!(files[0].meta.map, "unknown");
    assert_eq!(gametimes_format::check::check(&files[0]), []);
}

/// Anything that a game or an engine may do.
fn anything() -> impl Strategy<Value = (i32, Vec<isize>, Vec<Step>)> {
    let number = prop_oneof![
        -3..70isize,
        Just(isize::MAX),
        Just(isize::MIN),
        Just(689isize),
        Just(1022),
        700..760isize
    ];
    let text = prop_oneof![
        "(Kill|Medic_Revive|Exit|callvote|Vote Failed|ClientConnect|ClientBegin): [-0-9 :a-z]{0,30}",
        r"\\?[ntwdc]\\-?[0-9]{0,3}\\[ntwd]\\[0-9]{1,9}",
        "[0-9-]{1,12}",
        "gamestats/2026-11-20-123344-[a-z0-9]{1,8}-round-[0-9].txt",
        any::<String>()
    ]
    .prop_map(|t| Arg::Text(t.into_bytes()));
    let arg = prop_oneof![text.clone(), number.clone().prop_map(Arg::Int)];
    // Only traps whose strings may be null, and only null or a string where a string is read.
    let string = prop_oneof![text, Just(Arg::Int(0))];
    let step = prop_oneof![
        string.clone().prop_map(|t| Step::Trap(0, vec![t])),
        (Just(b"gamestate".to_vec()), string.clone())
            .prop_map(|(n, v)| Step::Trap(5, vec![Arg::Text(n), v])),
        (number.clone(), string.clone()).prop_map(|(n, t)| Step::Trap(20, vec![Arg::Int(n), t])),
        (12..15isize, string.clone()).prop_map(|(n, t)| Step::Trap(20, vec![Arg::Int(n), t])),
        (string, -1..6i32, 0..3isize)
            .prop_map(|(p, h, m)| Step::Trap(11, vec![p, Arg::Handle(h), Arg::Int(m)])),
        (-1..6isize).prop_map(|h| Step::Trap(15, vec![Arg::Int(h)])),
        (0..500isize, 0..4000isize).prop_map(|(e, c)| Step::Trap(
            17,
            vec![
                Arg::Int(0),
                Arg::Int(1),
                Arg::Int(e),
                Arg::Int(0),
                Arg::Int(c)
            ]
        )),
        (
            0..64isize,
            prop::collection::vec((0..363i64, any::<i32>()), 0..6)
        )
            .prop_map(|(n, f)| Step::Write(
                n,
                f.into_iter().map(|(o, v)| (o * 4, v.into())).collect()
            )),
        prop::collection::vec(arg, 0..5).prop_map(|a| Step::Trap(99, a)),
        any::<isize>().prop_map(Step::Return),
    ];
    let command = prop_oneof![
        2..10i32,
        Just(FRAME),
        Just(THINK),
        any::<i32>().prop_filter("own tests", |c| *c != 0 && *c != 1)
    ];
    (
        command,
        prop::collection::vec(number, 0..6),
        prop::collection::vec(step, 0..8),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Whatever comes, the game runs on, every file is whole and sound.
    #[test]
    fn nothing_foreign_breaks_the_door(calls in prop::collection::vec(anything(), 1..80)) {
        let home = tempfile::tempdir().unwrap();
        let mut server = server(home.path());
        start(&mut server);
        for slot in 1..6 {
            join(&mut server, slot, 1 + slot % 2);
        }
        for (command, arguments, steps) in calls {
            server.set_command(b"gametimes status");
            prop_assert!(server.call(command, &arguments, steps).is_some());
        }
        prop_assert!(!stop(&mut server).contains("internal error"));
        for file in gametimes_files(home.path()) {
            let m = &file.meta;
            prop_assert!(m.duration_ms >= 0 && m.round >= 1);
            for s in &m.spawn_stats {
                prop_assert!(s.dead_ms >= 0 && s.alive_ms >= 0 && s.dead_ms + s.alive_ms <= s.played_ms);
                prop_assert!(s.played_ms <= m.duration_ms && s.max_dead_ms <= s.dead_ms && s.revives <= s.spawns);
            }
        }
    }
}
