//! Situations on which gametimes once failed, as edited tapes of recorded matches (`tests/data/cases`).

use std::path::Path;

use gametimes_format::check::check;
use gametimes_format::{EventKind, GametimesFile};
use gametimes_standin::recorded::{Round, built_module, case, expected};
use gametimes_standin::{Options, play};
use gametimes_test_support::figures::compare;
use gametimes_test_support::game::{gametimes_files, play_tape};

fn files_of(name: &str) -> Vec<GametimesFile> {
    let home = tempfile::tempdir().unwrap();
    play_tape(home.path(), &case(name).unwrap());
    let files = gametimes_files(home.path());
    for file in &files {
        assert_eq!(check(file), [], "{name}");
    }
    files
}

/// Compares every number with the recorded match that a case was made from.
fn compare_all(files: &[GametimesFile], expected: &[Round], which: &str) {
    assert_eq!(files.len(), expected.len(), "{which}");
    for (n, (file, expected)) in files.iter().zip(expected).enumerate() {
        compare(&format!("{which} round {n}"), file, expected);
    }
}

/// Joins, changes of team and leaves of one player: kind and team.
fn moves(file: &GametimesFile, guid: &str) -> Vec<(i64, EventKind, Option<u8>)> {
    use EventKind::{Join, Leave, Team};
    let events = file.meta.events.iter();
    let moves = events.filter(|e| e.guid == guid && matches!(e.kind, Join | Team | Leave));
    moves
        .map(|e| {
            (
                e.t_ms,
                e.kind,
                e.team.map(gametimes_format::TeamNumber::number),
            )
        })
        .collect()
}

/// How many messages wait in the outbox of the only server.
fn queued(home: &Path) -> usize {
    let mut instances = std::fs::read_dir(home.join("legacy/gametimes/outbox")).unwrap();
    let instance = instances.next().unwrap().unwrap().path();
    std::fs::read_dir(instance.join("queue")).unwrap().count()
}

const FORMER: &str = "A00000012469579A0BADF00CC0FFEE01";
const NEWCOMER: &str = "B111111F2469579A0BADF00CC0FFEE99";

/// The scripts of c0rnp0rn 7 write `gamestats\NAME`; the engine takes both separators.
#[test]
fn stats_file_with_a_backslash_in_its_path_is_found_in_whole_and_interrupted_rounds() {
    let files = files_of("backslash-gamestats");
    compare_all(&files, &expected("surrender"), "backslash-gamestats");
    let names: Vec<_> = files.iter().map(|f| f.meta.stats_file.as_deref()).collect();
    let all = [
        Some("2026-11-20-125046-room1-round-1.txt"),
        Some("2026-11-20-125123-room1-round-1.txt"),
    ];
    assert_eq!(names, all);
}

#[test]
fn slot_given_to_another_player_without_a_disconnect_keeps_both_players_apart() {
    let files = files_of("slot-reuse");
    // What one player did before and after the time outside in the recorded match, two players did here.
    let mut expected = expected("timelimit");
    for (round, file) in expected.iter_mut().zip(&files) {
        let whole = round.players.remove(FORMER).unwrap();
        let of = |guid: &str| file.meta.spawn_stats.iter().find(|s| s.guid == guid);
        let both = [of(FORMER), of(NEWCOMER)];
        let both = || both.into_iter().flatten();
        assert_eq!(
            both().map(|s| i64::from(s.spawns)).sum::<i64>(),
            whole.spawns
        );
        assert_eq!(
            both().map(|s| i64::from(s.deaths)).sum::<i64>(),
            whole.deaths
        );
        assert_eq!(both().map(|s| i64::from(s.kills)).sum::<i64>(), whole.kills);
        assert_eq!(both().map(|s| s.dead_ms).sum::<i64>(), whole.dead_ms);
        assert_eq!(both().map(|s| s.denied_ms).sum::<i64>(), whole.denied_ms);
        for s in both() {
            let name = if s.guid == FORMER {
                "Player01"
            } else {
                "Newcomer"
            };
            assert_eq!(s.name, name);
        }
    }
    let mut others = files.clone();
    for file in &mut others {
        let stats = &mut file.meta.spawn_stats;
        stats.retain(|s| s.guid != FORMER && s.guid != NEWCOMER);
    }
    compare_all(&others, &expected, "slot-reuse");
    let join = (500, EventKind::Join, Some(2));
    let left = (76_900, EventKind::Leave, None);
    assert_eq!(moves(&files[0], FORMER), [join, left]);
    let joined = (80_950, EventKind::Join, Some(2));
    assert_eq!(moves(&files[0], NEWCOMER), [joined]);
}

#[test]
fn player_who_reconnects_in_their_slot_without_a_disconnect_is_one_player() {
    let files = files_of("slot-reuse-same-player");
    // Here the player stays, dead, until the reconnect: 4 seconds more time dead than in the recorded match.
    let mut expected = expected("timelimit");
    expected[0].players.get_mut(FORMER).unwrap().dead_ms += 4000;
    compare_all(&files, &expected, "slot-reuse-same-player");
    let all = [
        (500, EventKind::Join, Some(2)),
        (80_900, EventKind::Leave, None),
        (80_950, EventKind::Join, Some(2)),
    ];
    assert_eq!(moves(&files[0], FORMER), all);
    let names = files[0].meta.spawn_stats.iter().map(|s| s.name.as_str());
    assert_eq!(names.filter(|name| *name == "Player01").count(), 1);
}

#[test]
fn two_players_without_a_guid_and_with_one_name_are_told_apart() {
    let files = files_of("no-guid-same-name");
    let guids = [FORMER, "A000000791A55E680BADF00AC0FFEE07"];
    let mut expected = expected("stopwatch");
    for (round, file) in expected.iter_mut().zip(&files) {
        assert_eq!(file.meta.spawn_stats.len(), 12);
        let nameless = |s: &&gametimes_format::SpawnStats| s.guid.is_empty();
        let stats: Vec<_> = file.meta.spawn_stats.iter().filter(nameless).collect();
        let names: Vec<_> = stats.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["ETPlayer", "ETPlayer#2"]);
        for (s, guid) in stats.iter().zip(guids) {
            let real = round.players.remove(guid).unwrap();
            let did = (s.spawns.into(), s.deaths.into(), s.kills.into(), s.dead_ms);
            assert_eq!(did, (real.spawns, real.deaths, real.kills, real.dead_ms));
            let of_player = |e: &&gametimes_format::file::TimelineEvent| {
                e.name.as_ref() == Some(&s.name) && e.kind == EventKind::Death
            };
            let deaths = file.meta.events.iter().filter(of_player).count();
            assert_eq!(deaths, s.deaths as usize, "{}", s.name);
        }
    }
    let mut others = files;
    for file in &mut others {
        file.meta.spawn_stats.retain(|s| !s.guid.is_empty());
    }
    compare_all(&others, &expected, "no-guid-same-name");
}

#[test]
fn round_with_nobody_in_it_is_saved_but_not_posted() {
    let home = tempfile::tempdir().unwrap();
    let play_here = |home: &Path, name: &str| {
        let options = Options::new(&built_module(), home)
            .cvar(
                "gametimes_webhook_url",
                "http://127.0.0.1:9/api/webhooks/1/x",
            )
            .cvar("gametimes_min_seconds", "0");
        play(&case(name).unwrap(), &options).unwrap()
    };
    let console = play_here(home.path(), "empty-server");
    let files = gametimes_files(home.path());
    let reasons: Vec<_> = files.iter().map(|f| f.meta.end_reason.as_str()).collect();
    assert_eq!(reasons, ["time_expired", "server_quit"]);
    assert_eq!(files[0].meta.duration_ms, 180_000);
    assert_eq!(
        console
            .matches("message not sent: nobody played in this round")
            .count(),
        2
    );
    assert_eq!(queued(home.path()), 0);
    // With players, the same server queues its messages.
    let other = tempfile::tempdir().unwrap();
    play_here(other.path(), "slot-reuse");
    assert_eq!(queued(other.path()), 2);
}
