//! What the module records of calls, traps and client records that the recorded matches do not contain.

use gametimes_format::file::EventKind;
use gametimes_standin::{Arg, Server, Step};
use gametimes_test_support::calls::{
    BEGIN, CONNECT, FRAME, INIT, THINK, VERSION, join, server, start, stop,
};
use gametimes_test_support::game::gametimes_files;

#[test]
fn client_dropped_inside_a_trap_is_recorded() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    start(&mut server);
    join(&mut server, 1, 1);
    join(&mut server, 2, 2);
    server.call(FRAME, &[2000], []);
    server.call(THINK, &[2], Step::kill(2, 1, 1));
    // In the frame at 5000 the game drops the dead player, and the engine calls the game from inside that trap.
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
fn spawn_before_the_end_in_the_last_frame_counts_and_one_after_it_does_not() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    start(&mut server);
    for slot in [1, 2, 3] {
        join(&mut server, slot, 1 + slot % 2);
    }
    server.call(FRAME, &[2000], []);
    for victim in [1, 2] {
        server.call(THINK, &[3], Step::kill(3, victim, 1));
    }
    let [exit, intermission] = Step::exit("Timelimit hit.");
    let last = [
        Step::Write(1, vec![(272 + 16, 2)]),
        exit,
        intermission,
        Step::Write(2, vec![(272 + 16, 2)]),
    ];
    server.call(FRAME, &[5000], last);
    stop(&mut server);
    let stats = &gametimes_files(home.path())[0].meta.spawn_stats;
    let seen: Vec<_> = stats.iter().map(|s| (s.spawns, s.dead_ms)).collect();
    assert_eq!(seen, [(2, 3000), (1, 3000), (1, 0)]);
}

/// The record of a player who is not alive is read after each CLIENT_THINK, even if the game made no trap in it.
#[test]
fn change_of_a_dead_player_between_two_frames_is_recorded_at_its_time() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    start(&mut server);
    join(&mut server, 1, 1);
    join(&mut server, 2, 2);
    server.call(FRAME, &[2000], []);
    server.call(THINK, &[2], Step::kill(2, 1, 1));
    server.call(FRAME, &[3000], []);
    server.call(THINK, &[1], [Step::Write(1, vec![(12, 16384)])]);
    server.call(FRAME, &[5000], []);
    server.call(THINK, &[1], [Step::Write(1, vec![(12, 0), (272 + 16, 2)])]);
    server.call(FRAME, &[9000], []);
    stop(&mut server);
    let file = &gametimes_files(home.path())[0];
    let events: Vec<_> = file
        .meta
        .events
        .iter()
        .filter(|e| e.guid.ends_with('1'))
        .map(|e| (e.kind, e.t_ms))
        .collect();
    let expected = [
        (EventKind::Join, 0),
        (EventKind::Spawn, 0),
        (EventKind::Death, 1000),
        (EventKind::Limbo, 2000),
        (EventKind::Spawn, 4000),
    ];
    assert_eq!(events, expected);
}

/// A death is decided when its call returns, even if the call is a CLIENT_THINK of a living player, in which only the line passes
/// the boundary: what another call prints says nothing about it.
#[test]
fn line_of_the_next_call_says_nothing_about_a_death() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    start(&mut server);
    for slot in [1, 2, 3] {
        join(&mut server, slot, 1 + slot % 2);
    }
    server.call(FRAME, &[2000], []);
    server.call(THINK, &[2], Step::kill(2, 1, 1));
    let [name, _] = Step::kill(3, 1, 1);
    server.call(THINK, &[3], [name]);
    server.call(FRAME, &[5000], []);
    stop(&mut server);
    let stats = &gametimes_files(home.path())[0].meta.spawn_stats;
    let seen: Vec<_> = stats.iter().map(|s| (s.deaths, s.kills)).collect();
    assert_eq!(seen, [(1, 0), (0, 1), (0, 0)]);
}

/// The engine makes no calls for bots that the game adds during a round: they connect and join inside its frames.
#[test]
fn bot_added_by_the_game_is_recorded_like_a_player() {
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
    server.call(FRAME, &[9000], Step::kill(1, 3, 1));
    server.call(FRAME, &[9500], []);
    server.call(FRAME, &[10_000], Step::exit("Wolf EndRound."));
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

/// Clients of 2.60b without a guid send one of two words instead. What one of them does must not count for another.
#[test]
fn players_without_a_guid_are_distinguished_by_name() {
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
    // One of them loads its guid later.
    server.set_userinfo(2, r"\cl_guid\LATE");
    server.call(4, &[2], []);
    server.call(FRAME, &[9000], Step::exit("Wolf EndRound."));
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

/// After a change of sv_maxclients, `map_restart` loads the map like a new one. The server and the match continue.
#[test]
fn restart_that_changes_sv_maxclients_is_not_a_new_map() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    start(&mut server);
    let [exit, intermission] = Step::exit("Wolf EndRound.");
    let winner = Step::configstring(14, r"w\1");
    server.call(FRAME, &[9000], [winner, exit, intermission]);
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

/// A release that moves fields of the client record may hardly change its size.
#[test]
fn client_records_that_contradict_the_game_are_reported_once_per_map() {
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
        for deaths in 1..3 {
            server.call(FRAME, &[2000], Step::kill(2, 1, deaths));
        }
        let console = stop(&mut server);
        let line =
            "records contradict its prints; deaths are counted, spawns are not seen (1 time)";
        assert_eq!(console.matches(line).count(), lines, "{moved}: {console}");
    }
}

#[test]
fn names_with_any_bytes_produce_valid_json() {
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
    server.call(FRAME, &[40_000], Step::exit("Wolf EndRound."));
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
fn map_without_a_name_produces_a_valid_file() {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    server.set_cvar("mapname", "\u{1}");
    start(&mut server);
    join(&mut server, 0, 1);
    server.call(FRAME, &[40_000], Step::exit("Wolf EndRound."));
    stop(&mut server);
    let files = gametimes_files(home.path());
    assert_eq!(files[0].meta.map, "unknown");
    assert_eq!(gametimes_format::check::check(&files[0]), []);
}
