//! A server on a bad day: the disk stalls, all players join at once, clocks jump, a tool spams the console, and a second
//! server uses the same folder.

use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use gametimes_format::check::check;
use gametimes_standin::Step;
use gametimes_test_support::game::{Match, gametimes_files};
use gametimes_test_support::wait_for;
use gametimes_test_support::webhook::Webhook;

/// The unix time at which [`Match`] begins.
const BEGIN_UNIX_MS: i64 = 1_795_000_000_000;

#[test]
fn disk_that_stalls_for_minutes_costs_deaths_but_not_the_end_of_the_round() {
    let home = tempfile::tempdir().unwrap();
    let instance = home.path().join("legacy/gametimes/outbox/127.0.0.1_27960");
    std::fs::create_dir_all(&instance).unwrap();
    let journal = instance.join("round.journal");
    let made = Command::new("mkfifo").arg(&journal).status().unwrap();
    assert!(made.success());
    // A pipe without a reader acts like a disk that takes a few kilobytes and then stalls.
    let mut pipe = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(&journal)
        .unwrap();
    let mut game = Match::new(home.path(), &[]);
    let deaths = |game: &mut Match, numbers: std::ops::Range<i64>| {
        for number in numbers {
            game.frame(50, Step::kill(1, 2, number));
        }
    };
    game.start();
    deaths(&mut game, 1..2001);
    // The rest of these deaths is more than a pipe holds: the worker is blocked from now on.
    let mut bytes = [0; 4096];
    let mut taken = 0;
    wait_for("60,000 bytes of the journal", || {
        taken += pipe.read(&mut bytes).unwrap_or(0); // an error means that the pipe is empty
        taken >= 60_000
    });
    deaths(&mut game, 2001..12_001);
    game.finish();
    game.console_with("events were lost");
    // The disk works again. The worker has closed the journal once the pipe ends.
    let disk = std::thread::spawn(move || {
        while !matches!(pipe.read(&mut bytes), Ok(0)) {
            std::thread::sleep(Duration::from_micros(100));
        }
    });
    game.console_with("round end");
    game.stop();
    disk.join().unwrap();
    let file = gametimes_files(home.path()).pop().unwrap();
    assert_eq!(check(&file), []);
    assert_eq!(file.meta.duration_ms, 601_000);
    assert_eq!(
        (file.meta.winner.number(), file.meta.end_reason.as_str()),
        (2, "objective")
    );
    assert!(file.meta.stats_file.is_some());
    let deaths: u32 = file.meta.spawn_stats.iter().map(|s| s.deaths).sum();
    assert!((2000..12_000).contains(&deaths), "{deaths}");
}

#[test]
fn players_who_all_join_and_leave_at_once_are_counted_exactly() {
    const TIMES: isize = 40;
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([]);
    let cvars = [
        ("sv_maxclients", "64"),
        ("gametimes_webhook_url", &hook.url()),
    ];
    let mut game = Match::new(home.path(), &cvars);
    game.start();
    game.server.call(5, &[1], []);
    game.server.call(5, &[2], []);
    for time in 0..TIMES {
        // Each time, every player gets another slot.
        let slot_of = |player: isize| (player + time) % 64;
        for player in 0..64 {
            let (slot, team) = (slot_of(player), 1 + player % 2);
            let userinfo = format!("\\cl_guid\\CROWD{player:027}");
            game.server.set_userinfo(slot as usize, userinfo);
            let info = format!("n\\p{player}\\t\\{team}");
            let info = Step::configstring(689 + slot, info);
            game.server.call(2, &[slot, 1, 0], [info]);
            let alive = Step::Write(slot, vec![(12, 0), (284, team as i64), (288, 1)]);
            game.server.call(3, &[slot], [alive]);
        }
        game.frame(1000, []);
        // Each Axis player kills an Allied one. A second later all leave, dead or alive.
        let kills = (0..64).step_by(2).flat_map(|axis| {
            let (killer, victim) = (slot_of(axis), slot_of(axis + 1));
            Step::kill(killer, victim, 1 + time as i64)
        });
        game.frame(0, kills);
        game.frame(1000, []);
        for slot in 0..64 {
            game.server.call(5, &[slot], []);
        }
        // Here two seconds of play take no time; on a server the background thread has two seconds for them. It tests the
        // webhook once it has caught up.
        if time % 10 == 9 {
            game.server.console_command("gametimes test");
            game.console_with("test: webhook 1: ");
        }
    }
    game.finish();
    let console = game.stop();
    assert!(!console.contains("events were lost"), "{console}");
    let file = gametimes_files(home.path()).pop().unwrap();
    assert_eq!(check(&file), []);
    let crowd: Vec<_> = file
        .meta
        .spawn_stats
        .iter()
        .filter(|s| s.guid.starts_with("CROWD"))
        .collect();
    assert_eq!(crowd.len(), 64);
    let times = TIMES as i64;
    for s in crowd {
        let allied = s.team.number() == 2;
        let figures = (
            s.spawns,
            s.deaths,
            s.kills,
            s.played_ms,
            s.dead_ms,
            s.denied_ms,
        );
        let expected = match allied {
            true => (TIMES as u32, TIMES as u32, 0, times * 2000, times * 1000, 0),
            false => (TIMES as u32, 0, TIMES as u32, times * 2000, 0, times * 1000),
        };
        assert_eq!(figures, expected, "{s:?}");
    }
    assert!(file.meta.teams.axis.is_empty() && file.meta.teams.allies.is_empty());
}

#[test]
fn clock_set_forward_and_back_during_a_pause_keeps_times_consistent() {
    let home = tempfile::tempdir().unwrap();
    let mut game = Match::new(home.path(), &[]);
    game.start();
    game.frame(10_000, []);
    game.frame(0, [Step::configstring(32, "16")]);
    game.skip(86_400_000 * 365);
    game.frame(5000, []);
    game.frame(0, [Step::configstring(32, "0")]);
    game.skip(-86_400_000 * 365);
    game.frame(10_000, []);
    game.finish();
    let console = game.stop();
    assert!(console.contains("clock was changed"), "{console}");
    let file = gametimes_files(home.path()).pop().unwrap();
    assert_eq!(check(&file), []);
    let m = &file.meta;
    assert_eq!((m.duration_ms, m.pause_seconds), (21_000, 5));
    assert_eq!(m.round_start_unix, BEGIN_UNIX_MS / 1000);
    assert_eq!(m.round_end_unix - m.round_start_unix, 26);
}

#[test]
fn status_is_still_answered_after_the_game_clock_jumps_back() {
    let home = tempfile::tempdir().unwrap();
    let mut game = Match::new(home.path(), &[]);
    game.start();
    game.frame(30_000, []);
    game.frame(-29_000, []);
    game.skip(29_000);
    game.frame(10_000, []);
    game.status_with("round: supply R1 played 0:40.000");
    game.stop();
}

#[test]
fn clock_set_during_the_warmup_records_a_warmup_of_0() {
    let home = tempfile::tempdir().unwrap();
    let mut game = Match::new(home.path(), &[]);
    game.at(946_684_800_000); // 2000-01-01, as after a boot with an empty clock battery
    game.server.set_cvar("gamestate", "2");
    game.server.load().unwrap();
    game.server.set_unix_ms(946_684_800_000);
    game.server.call(0, &[0, 7, 0, 1, 283_010_000], []);
    game.server.call(1, &[1], []);
    game.server.unload();
    game.at(BEGIN_UNIX_MS);
    game.round();
    let file = gametimes_files(home.path()).pop().unwrap();
    assert_eq!(check(&file), []);
    assert_eq!(file.meta.warmup_seconds, 0);
}

#[test]
fn continuous_status_commands_lose_no_event() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([]);
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
    game.start();
    for n in 0..4 {
        // Far more requests at once than the queue has room for events.
        for _ in 0..20_000 {
            assert!(game.server.console_command("gametimes status"));
        }
        game.frame(1000, Step::kill(2, 1, 1 + n));
        game.frame(1000, [Step::Write(1, vec![(288, 2 + n)])]);
    }
    game.finish();
    let console = game.stop();
    assert!(!console.contains("lost"), "{console}");
    let file = gametimes_files(home.path()).pop().unwrap();
    let figures: Vec<_> = file
        .meta
        .spawn_stats
        .iter()
        .map(|s| (s.deaths, s.spawns, s.dead_ms, s.kills))
        .collect();
    assert_eq!(figures, [(4, 5, 4000, 0), (0, 1, 0, 4)]);
    hook.wait(1);
    game.start();
    game.status_with("webhook 1: sent");
    game.stop();
}

/// The number of rounds that each of the two servers plays.
const ROUNDS: usize = 10;

/// One of two servers, in a separate process. It does nothing unless the test below starts it.
#[test]
#[ignore = "started by two_servers_in_one_folder_lose_and_repeat_nothing"]
fn one_of_two_servers() {
    let var = |name| std::env::var(name).unwrap();
    let cvars = [
        ("gametimes_webhook_url", var("GAMETIMES_TEST_WEBHOOK")),
        ("net_port", var("GAMETIMES_TEST_PORT")),
        ("gametimes_dir", var("GAMETIMES_TEST_FOLDER")),
        ("gametimes_backlog_seconds", "0".to_owned()),
    ];
    let cvars: Vec<_> = cvars.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let home = tempfile::tempdir().unwrap();
    let mut game = Match::new(home.path(), &cvars);
    let mut console = String::new();
    for _ in 0..ROUNDS {
        console += &game.round();
    }
    let folder = var("GAMETIMES_TEST_FOLDER");
    // The server keeps running until its messages are sent.
    let queues = || {
        let instances = std::fs::read_dir(Path::new(&folder).join("outbox")).unwrap();
        let waiting = instances.map(|i| i.unwrap().path().join("queue"));
        waiting
            .map(|q| std::fs::read_dir(q).map_or(0, Iterator::count))
            .sum::<usize>()
    };
    wait_for("the last message's post", || queues() == 0);
    assert!(!console.contains("cannot be"), "{console}");
}

/// Both servers write into one folder, play the same map, and end each round in the same second.
#[test]
fn two_servers_in_one_folder_lose_and_repeat_nothing() {
    for ports in [["27960", "27961"], ["27960", "27960"]] {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("legacy/gametimes");
        let hook = Webhook::start([]);
        let servers = ports.map(|port| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--ignored", "--exact", "one_of_two_servers"])
                .env("GAMETIMES_TEST_WEBHOOK", hook.url())
                .env("GAMETIMES_TEST_PORT", port)
                .env("GAMETIMES_TEST_FOLDER", &folder)
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        });
        for mut server in servers {
            assert!(server.wait().unwrap().success(), "{ports:?}");
        }
        let files = gametimes_files(home.path());
        assert_eq!(files.len(), 2 * ROUNDS, "{ports:?}");
        let mut ids: Vec<String> = files.into_iter().map(|f| f.meta.event_id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 2 * ROUNDS, "{ports:?}");
        let mut taken = hook.accepted();
        taken.sort();
        assert_eq!(taken, ids, "{ports:?}");
    }
}

#[test]
fn clock_set_back_during_a_round_is_reported_and_times_stay_consistent() {
    let home = tempfile::tempdir().unwrap();
    let mut game = Match::new(home.path(), &[]);
    game.start();
    game.frame(60_000, []);
    game.at(1_795_000_000_000 - 3_600_000);
    game.frame(60_000, []);
    game.finish();
    let console = game.stop();
    assert!(console.contains("clock was changed"), "{console}");
    let meta = &gametimes_files(home.path())[0].meta;
    assert_eq!(meta.duration_ms, 121_000);
    assert_eq!(meta.round_end_unix - meta.round_start_unix, 121);
    assert!(gametimes_format::check::check(&gametimes_files(home.path())[0]).is_empty());
}
