//! The boundary between engine and game: everything is forwarded untouched, no foreign input breaks it, and the game's error
//! leaves over it unharmed.

use gametimes_standin::recorded::built_module;
use gametimes_standin::{Arg, GAME_FILE, Server, Step};
use gametimes_test_support::calls::{
    BEGIN, COMMAND, CONNECT, CONSOLE, DISCONNECT, FRAME, INIT, THINK, VERSION, join, server, start,
    stop,
};
use gametimes_test_support::game::gametimes_files;
use proptest::prelude::*;

#[test]
fn every_trap_reaches_the_engine_with_all_arguments() {
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
fn every_call_reaches_the_game_and_its_result_the_engine() {
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
fn gametimes_command_is_not_forwarded_to_the_game() {
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
fn missing_game_raises_an_error_with_every_path_that_was_tried() {
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
fn renamed_game_beside_the_module_is_found_if_home_is_base() {
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
fn game_error_passes_through_the_module_and_the_round_is_saved() {
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
fn disabled_or_unsupported_module_leaves_recording_to_the_script() {
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
        server.call(FRAME, &[50_000], Step::exit("Wolf EndRound."));
        let console = stop(&mut server);
        assert!(console.contains(why), "{name}: {console}");
        assert!(!home.path().join("legacy/gametimes").exists(), "{name}");
        assert_eq!(server.cvar("gametimes_module"), "", "{name}");
    }
}

#[test]
fn other_mod_is_left_to_the_script() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    server.set_cvar("gamename", "etjump");
    start(&mut server);
    let why = "off: the game is \"etjump\", not ET:Legacy's";
    assert_eq!(server.cvar("gametimes_module"), why);
    join(&mut server, 1, 1);
    server.call(FRAME, &[50_000], Step::exit("Wolf EndRound."));
    assert!(stop(&mut server).contains("does not record: the game is"));
    assert!(gametimes_files(home.path()).is_empty());
}

#[test]
fn module_announces_itself_before_the_game_starts() {
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
fn invalid_data_from_the_game_is_reported_at_most_once_in_five_seconds() {
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
    server.call(FRAME, &[200_000], Step::exit("Timelimit hit."));
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

/// Anything that a game or an engine can do.
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
    // Only traps whose strings may be null, and only null or a string where a string is expected.
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

    /// The game keeps running, and every file is complete and consistent.
    #[test]
    fn random_calls_and_traps_leave_files_consistent(calls in prop::collection::vec(anything(), 1..80)) {
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
