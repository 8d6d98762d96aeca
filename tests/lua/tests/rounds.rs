//! What older scripts get wrong, one by one, in made-up rounds.

use gametimes_format::file::{EndReason, EventKind};
use gametimes_lua_tests::results::rounds;
use gametimes_lua_tests::results::{guid, of, record};

#[test]
fn surrender_vote_that_fails_does_not_end_the_round() {
    let (meta, _) = record(|mut round| {
        round.frames(1000);
        round.call_vote(1, "Surrender [ALLIES]");
        round.frames(99);
        round.end_vote("Vote Failed: (Y:1-N:5) Surrender [ALLIES] (Required:4, Voting Clients:6)");
        round.exit("Timelimit hit.");
        round.frames(120);
        round.shutdown(1);
    });
    assert_eq!(meta.end_reason, EndReason::TimeExpired);
    assert_eq!(
        (
            meta.surrender.team.number(),
            meta.surrender.caller_guid.as_str()
        ),
        (0, "")
    );
}

/// A vote fails in three ways. A referee can end the round by surrender later.
#[test]
fn later_surrender_is_not_attributed_to_the_caller_of_a_failed_vote() {
    for lost in [
        "Vote Failed: (Y:1-N:5) Surrender [ALLIES] (Required:4, Voting Clients:6)",
        "Vote TIMEOUT! No enough voters to pass vote (3/3) Surrender [ALLIES]",
        "Vote CANCELED!",
    ] {
        let (meta, _) = record(|mut round| {
            round.call_vote(1, "Surrender [ALLIES]");
            round.end_vote(lost);
            round.frames(100);
            round.exit("Axis Surrender");
            round.shutdown(1);
        });
        assert_eq!(meta.end_reason, EndReason::Surrender);
        assert_eq!(
            (
                meta.surrender.team.number(),
                meta.surrender.caller_guid.as_str()
            ),
            (1, ""),
            "{lost}"
        );
    }
    let (meta, _) = record(|mut round| {
        round.call_vote(0, "Surrender [AXIS]");
        round.end_vote("Vote Passed: (Y:4-N:0) Surrender [AXIS] (Required:3, Voting Clients:6)");
        round.exit("Axis Surrender");
        round.shutdown(1);
    });
    assert_eq!(meta.surrender.caller_guid, guid(0));
}

#[test]
fn chat_that_looks_like_an_exit_does_not_end_the_round() {
    let (meta, _) = record(|mut round| {
        round.server.print(b"say: Exit: Allies Surrender\n");
        round.server.print(b"^7Exit: Allies Surrender\n");
        round.frames(10);
        round.exit("Wolf EndRound.");
        round
            .server
            .print(b"Exit: Timelimit hit. (already triggered)\n");
        round.frames(2);
        round.shutdown(1);
    });
    assert_eq!(meta.end_reason, EndReason::Objective);
}

#[test]
fn unknown_exit_is_recorded_with_its_text() {
    let (meta, _) = record(|mut round| {
        round.exit("A \"new\" reason\\");
        round.shutdown(1);
    });
    assert_eq!(
        (meta.end_reason, meta.exit_text.as_str()),
        (EndReason::Unknown, "A \"new\" reason\\")
    );
}

#[test]
fn round_that_ends_without_an_exit_is_recorded() {
    let (meta, _) = record(|mut round| {
        round.frames(100);
        round.server.set("gamestate", "3");
        round.frames(150);
        round.shutdown(1);
    });
    assert_eq!(meta.end_reason, EndReason::Unknown);
    assert_eq!(meta.exit_text, "");
}

#[test]
fn leaving_or_joining_the_spectators_ends_time_dead() {
    let (meta, _) = record(|mut round| {
        round.join(2, 2, &guid(2), "c");
        round.frames(20);
        round.kill(1, 0);
        round.kill(2, 0);
        round.frames(20); // 1 s dead
        round.server.call("et_ClientDisconnect", 1);
        round.server.world.borrow_mut().clients[2].team = 3;
        round.spawn(2, false);
        round.frames(200);
        round.exit("Wolf EndRound.");
        round.shutdown(1);
    });
    assert_eq!((of(&meta, 1).dead_ms, of(&meta, 2).dead_ms), (1000, 1000));
    assert_eq!((of(&meta, 0).kills, of(&meta, 0).denied_ms), (2, 2000));
    assert_eq!(of(&meta, 2).played_ms, 2000);
    let ends: Vec<_> = meta
        .events
        .iter()
        .filter(|e| e.t_ms == 2550)
        .map(|e| e.kind)
        .collect();
    assert_eq!(ends, [EventKind::Leave, EventKind::Team]);
    assert_eq!((meta.teams.axis.len(), meta.teams.allies.len()), (1, 0));
}

#[test]
fn player_who_changes_team_stays_dead_until_the_next_wave() {
    let (meta, _) = record(|mut round| {
        round.frames(20);
        round
            .server
            .print(b"Kill: 1 1 59: ^7b^7 killed b^7 by MOD_SWITCHTEAM\n");
        {
            let mut world = round.server.world.borrow_mut();
            world.clients[1].death_ms = round.level;
        }
        round.server.call("et_Obituary", (1, 1, 59));
        {
            let mut world = round.server.world.borrow_mut();
            (world.clients[1].team, world.clients[1].pm_flags) = (1, 0x4000);
        }
        round.spawn(1, false);
        round.frames(40);
        round.server.world.borrow_mut().clients[1].pm_flags = 0;
        round.spawn(1, false);
        round.frames(20);
        round.exit("Wolf EndRound.");
        round.shutdown(1);
    });
    let s = of(&meta, 1);
    assert_eq!(
        (s.spawns, s.deaths, s.dead_ms, s.team.number()),
        (2, 1, 2000, 1)
    );
    assert_eq!((s.kills, of(&meta, 0).kills), (0, 0));
}

#[test]
fn late_kill_of_a_player_who_joined_the_spectators_counts_for_the_old_team() {
    let (meta, _) = record(|mut round| {
        round.join(2, 1, &guid(2), "mate");
        round.join(3, 3, &guid(3), "spectator");
        round.frames(20);
        round.server.world.borrow_mut().clients[0].team = 3;
        round.spawn(0, false);
        round.frames(1);
        round.kill(2, 0);
        round.kill(1, 0);
        round.frames(20);
        round.spawn(1, false);
        round.frames(1);
        round.kill(1, 3); // a player who never played does not kill
        round.exit("Wolf EndRound.");
        round.shutdown(1);
    });
    let a = of(&meta, 0);
    assert_eq!((a.kills, a.denied_ms), (1, 1000));
    assert_eq!((of(&meta, 2).deaths, of(&meta, 1).deaths), (1, 2));
    assert_eq!(meta.spawn_stats.len(), 3);
}

#[test]
fn pauses_do_not_count_as_time_dead() {
    let (meta, log) = record(|mut round| {
        round.frames(20);
        round.kill(1, 0);
        round.frames(20); // 1 s dead
        round.server.configstring(32, "16");
        for n in 1..=20 {
            round.frames(10);
            round.server.configstring(11, &(1000 + 500 * n).to_string());
        }
        round.server.configstring(32, "0");
        round.server.configstring(11, "11050");
        round.frames(1);
        round.frames(40); // 2 s more
        round.spawn(1, false);
        round.frames(1);
        round.exit("Wolf EndRound.");
        round.shutdown(1);
    });
    assert_eq!(of(&meta, 1).dead_ms, 3000);
    assert_eq!(
        (
            meta.pause_count,
            meta.pauses[0].end_ms - meta.pauses[0].start_ms
        ),
        (1, 10_050)
    );
    assert!(log.contains("resume after pause 1 of 0:10.050"), "{log}");
}

#[test]
fn pauses_beyond_the_list_limit_still_stop_the_clock() {
    let (meta, _) = record(|mut round| {
        round.frames(20);
        let mut paused_ms = 0;
        for _ in 0..210 {
            round.server.configstring(32, "16");
            round.frames(10);
            round.server.configstring(32, "0");
            paused_ms += 550;
            round
                .server
                .configstring(11, &(1000 + paused_ms).to_string());
            round.frames(2);
        }
        round.exit("Wolf EndRound.");
        round.shutdown(1);
    });
    assert_eq!((meta.pauses.len(), meta.pause_seconds), (200, 110));
    assert_eq!(meta.duration_ms, 12_100);
    assert!(meta.pauses.iter().all(|p| p.end_ms - p.start_ms == 550));
}

/// A pause by vote is set inside a frame, after the clock has moved, so that the flag is seen one frame earlier than in a
/// pause by a player.
#[test]
fn pause_by_vote_is_exact() {
    let (meta, _) = record(|mut round| {
        round.frames(19);
        let at = round.level + 50;
        round.server.configstring(32, "16");
        round.frames(1); // the clock stops in this frame
        for n in 1..=20 {
            round.frames(9);
            round.server.configstring(11, &(1000 + 500 * n).to_string());
            round.frames(1);
        }
        round.server.configstring(32, "0");
        round
            .server
            .configstring(11, &(1000 + round.level + 50 - at).to_string());
        round.frames(1);
        round.frames(20);
        round.exit("Wolf EndRound.");
        round.shutdown(1);
    });
    // 500 ms without players, 50 with, 1000 to the pause; 1000 after it and the last frame.
    assert_eq!(meta.duration_ms, 2600);
    assert_eq!(meta.pauses[0].end_ms - meta.pauses[0].start_ms, 10_050);
}

#[test]
fn pause_open_at_the_end_ends_with_the_round() {
    let (meta, _) = record(|mut round| {
        round.frames(20);
        round.server.configstring(32, "16");
        round.frames(100);
        round.server.set("gamestate", "-1");
        round.shutdown(0);
    });
    assert_eq!(meta.end_reason, EndReason::MapChange);
    assert_eq!((meta.duration_ms, meta.pause_seconds), (1550, 5));
    assert_eq!(meta.pauses[0].end_ms, 7550);
}

/// The game reports the end between two frames. In stopwatch, the time limit for the next round shows the exact moment.
#[test]
fn end_between_two_frames_is_exact_in_stopwatch() {
    for (limit, expected) in [("0.025833", 1550), ("0.026667", 1600), ("12.000000", 1600)] {
        let (meta, _) = record(|mut round| {
            round.frames(20);
            round.print_exit("Wolf EndRound.");
            round.server.set("g_nextTimeLimit", limit);
            round.server.set("gamestate", "3");
            round.frames(1);
            round.shutdown(1);
        });
        assert_eq!(meta.duration_ms, expected, "{limit}");
    }
}

/// On real servers a wave spawns in the frame in which the round ends, after the game has reported the end.
#[test]
fn events_after_the_end_do_not_count() {
    let (meta, _) = record(|mut round| {
        round.frames(20);
        round.kill(1, 0);
        round.join(2, 2, &guid(2), "revived before the end");
        round.level += 50; // inside the next frame
        round.print_exit("Wolf EndRound.");
        round.spawn(1, false);
        round.kill(0, 1);
        round.server.set("gamestate", "3");
        round.level -= 50;
        round.frames(1);
        round.shutdown(1);
    });
    let (a, b) = (of(&meta, 0), of(&meta, 1));
    assert_eq!(meta.duration_ms, 1600);
    assert_eq!((a.deaths, a.dead_ms, b.spawns, b.dead_ms), (0, 0, 1, 50));
    assert_eq!(of(&meta, 2).spawns, 1);
}

/// The intermission clears the limbo flag of players who have just joined.
#[test]
fn player_who_joins_at_the_last_moment_has_not_spawned() {
    let (meta, _) = record(|mut round| {
        round.frames(20);
        round.join(2, 2, &guid(2), "late");
        round.server.world.borrow_mut().clients[2].pm_flags = 0x4000;
        round.print_exit("Wolf EndRound.");
        round.server.world.borrow_mut().clients[2].pm_flags = 0;
        round.server.set("gamestate", "3");
        round.frames(1);
        round.shutdown(1);
    });
    assert_eq!(of(&meta, 2).spawns, 0);
}

#[test]
fn clock_set_back_during_a_round_does_not_change_durations() {
    let (meta, log) = record(|mut round| {
        round.frames(400);
        round.server.world.borrow_mut().unix_ms -= 3_600_000;
        round.server.configstring(32, "16");
        round.frames(20);
        round.server.configstring(32, "0");
        round.server.configstring(11, "2000");
        round.frames(20);
        round.exit("Wolf EndRound.");
        let recorded = round.server.game_dir().join("gametimes");
        round.frames(110);
        assert_eq!(rounds(&recorded).len(), 1, "written within 5 s");
        round.shutdown(1);
    });
    assert_eq!(meta.round_end_unix - meta.round_start_unix, 22);
    assert!(
        (0..22).contains(&(meta.pauses[0].start - meta.round_start_unix)),
        "{:?}",
        meta.pauses
    );
    assert!(log.contains("clock was changed by -3600 sec"), "{log}");
}

#[test]
fn two_players_without_a_guid_are_distinguished_by_name() {
    let (meta, _) = record(|mut round| {
        round.join(5, 1, "", "nobody");
        round.join(6, 2, "", "somebody");
        round.join(7, 2, "", "nobody");
        round.frames(10);
        round.kill(6, 5);
        round.frames(10);
        round.exit("Wolf EndRound.");
        round.shutdown(1);
    });
    let names: Vec<_> = meta
        .spawn_stats
        .iter()
        .filter(|s| s.guid.is_empty())
        .map(|s| &s.name[..])
        .collect();
    assert_eq!(names, ["nobody", "somebody", "nobody#2"]);
    let death = meta
        .events
        .iter()
        .find(|e| e.kind == EventKind::Death)
        .unwrap();
    assert_eq!(
        (
            death.guid.as_str(),
            death.name.as_deref(),
            death.by.as_deref()
        ),
        ("", Some("somebody"), Some("nobody"))
    );
}

/// Clients of 2.60b without a guid send one of two words instead.
#[test]
fn players_who_send_unknown_as_guid_are_distinguished_by_name() {
    let (meta, _) = record(|mut round| {
        round.join(5, 1, "unknown", "first");
        round.join(6, 1, "Unknown", "second");
        round.join(7, 2, "NO_GUID", "third");
        round.frames(10);
        round.server.world.borrow_mut().clients[6].userinfo = br"\cl_guid\LATE".to_vec();
        round.server.call("et_ClientUserinfoChanged", 6);
        round.kill(6, 7);
        round.exit("Wolf EndRound.");
        round.shutdown(1);
    });
    let seen: Vec<_> = meta
        .spawn_stats
        .iter()
        .filter(|s| s.guid.len() < 32)
        .map(|s| (&s.guid[..], &s.name[..], s.spawns, s.deaths, s.kills))
        .collect();
    let all = [
        ("", "first", 1, 0, 0),
        ("LATE", "second", 1, 1, 0),
        ("", "third", 1, 0, 1),
    ];
    assert_eq!(seen, all);
}

#[test]
fn player_who_returns_in_another_slot_is_the_same_player() {
    let (meta, _) = record(|mut round| {
        round.frames(20);
        round.kill(1, 0);
        round.frames(10);
        round.server.call("et_ClientDisconnect", 1);
        round.frames(10);
        round.join(9, 2, &guid(1), "new name");
        round.frames(10);
        round.exit("Wolf EndRound.");
        round.shutdown(1);
    });
    assert_eq!(
        meta.spawn_stats
            .iter()
            .filter(|s| s.guid == guid(1))
            .count(),
        1
    );
    let s = of(&meta, 1);
    assert_eq!(
        (s.spawns, s.deaths, s.dead_ms, s.name.as_str()),
        (2, 1, 500, "new name")
    );
}

#[test]
fn ghost_and_returned_player_are_one_player() {
    let (meta, _) = record(|mut round| {
        round.frames(19);
        round.join(
            9,
            2,
            &guid(1),
            "back before the old connection has timed out",
        );
        round.frames(20);
        round.kill(1, 0); // what happens to the ghost does not matter
        round.spawn(1, false);
        round.frames(1);
        round.server.call("et_ClientDisconnect", 1);
        round.frames(19);
        round.join(1, 1, &guid(2), "anybody");
        round.kill(9, 1);
        round.frames(19);
        round.exit("Wolf EndRound.");
        round.shutdown(1);
    });
    let s = of(&meta, 1);
    assert_eq!((s.spawns, s.deaths, s.dead_ms), (2, 1, 1000));
    assert_eq!((s.played_ms, s.alive_ms), (4000, 3000));
    assert_eq!((of(&meta, 0).kills, of(&meta, 2).kills), (0, 1));
    assert_eq!((meta.teams.axis.len(), meta.teams.allies.len()), (2, 1));
    let left = |e: &&gametimes_format::file::TimelineEvent| e.kind == EventKind::Leave;
    assert_eq!(meta.events.iter().filter(left).count(), 0);
}

#[test]
fn death_of_a_dead_player_counts_as_death_but_not_as_kill() {
    let (meta, _) = record(|mut round| {
        round.frames(20);
        round.kill(1, 0);
        round.frames(20);
        round.kill(1, 0);
        round.kill(0, 1022);
        round.frames(20);
        round.exit("Wolf EndRound.");
        round.shutdown(1);
    });
    assert_eq!((of(&meta, 1).deaths, of(&meta, 0).kills), (2, 1));
    assert_eq!(of(&meta, 1).dead_ms, 2050);
    let world = meta
        .events
        .iter()
        .find(|e| e.guid == guid(0) && e.kind == EventKind::Death)
        .unwrap();
    assert_eq!(world.by, None);
}
