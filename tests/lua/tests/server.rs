//! A server and its admin: score and warmup across restarts, settings, folders, the console, and unusual games.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use gametimes_format::GametimesFile;
use gametimes_format::file::{EndReason, EventKind};
use gametimes_lua_tests::SCRIPT;
use gametimes_lua_tests::results::{of, record, rounds};
use gametimes_lua_tests::round::{Round, play_round};
use gametimes_lua_tests::world::Server;

#[test]
fn score_survives_map_restart_but_not_a_map_change() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    let scores = |server: &Server| -> Vec<_> {
        rounds(&server.game_dir().join("gametimes"))
            .iter()
            .map(|(_, f)| (f.meta.score.axis, f.meta.score.allies))
            .collect()
    };
    play_round(&mut server, 0);
    server.set("g_currentRound", "1");
    let mut round = Round::start(&mut server, 1);
    round.play_to_the_end();
    assert_eq!(scores(round.server), [(0, 1), (0, 2)]);
    round.server.set("gamestate", "-1"); // as `map supply` does
    round.shutdown(0);
    server.set("g_currentRound", "0");
    play_round(&mut server, 0);
    server.set("mapname", "radar");
    play_round(&mut server, 1);
    assert_eq!(scores(&server)[2..], [(0, 1), (0, 1)]);
}

/// After a change of sv_maxclients, `map_restart` loads the map like a new one. The server and the match continue.
#[test]
fn restart_that_changes_sv_maxclients_is_not_a_new_map() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.set("g_gametype", "2");
    play_round(&mut server, 0);
    for _ in 0..2 {
        server.set("gamestate", "2");
        server.load();
        server.call("et_InitGame", (0, 1, 0));
        server.world.borrow_mut().unix_ms += 10_000;
        server.call("et_ShutdownGame", 0);
    }
    let mut round = Round::start(&mut server, 0);
    round.frames(200);
    round.server.set("gamestate", "2");
    round.shutdown(0);
    let (_, file) = rounds(&server.game_dir().join("gametimes")).pop().unwrap();
    assert_eq!(file.meta.end_reason, EndReason::MapRestart);
    assert_eq!((file.meta.score.axis, file.meta.score.allies), (0, 1));
    assert_eq!(file.meta.warmup_ms, 20_000);
}

#[test]
fn match_reset_starts_the_score_at_0() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    let mut score = |round: &str, won: bool| {
        server.set("g_currentRound", round);
        if won {
            play_round(&mut server, 1);
        } else {
            Round::start(&mut server, 1).shutdown(1);
        }
        let (_, file) = rounds(&server.game_dir().join("gametimes")).pop().unwrap();
        file.meta.score.allies
    };
    assert_eq!(score("0", true), 1);
    assert_eq!(score("1", false), 1, "round 2 is reset");
    assert_eq!(score("0", true), 1);
    assert_eq!(score("0", true), 1, "reset between the rounds");
    assert_eq!(score("1", false), 1, "round 2 is restarted");
    assert_eq!(score("1", true), 2);
    assert_eq!(score("0", false), 2, "the next match on the map");
    assert_eq!(score("0", true), 3);
}

#[test]
fn warmup_is_counted_across_the_restart_that_ends_it() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    let warm = |server: &mut Server, restart: i64, ms: i64| {
        server.set("gamestate", "2");
        server.load();
        server.call("et_InitGame", (0, 1, restart));
        server.call("et_RunFrame", 50);
        server.world.borrow_mut().unix_ms += ms;
        server.call("et_ShutdownGame", 1);
        server.unload();
    };
    warm(&mut server, 0, 20_700);
    warm(&mut server, 1, 10_000); // restarted in the warmup: still the same warmup
    play_round(&mut server, 1);
    play_round(&mut server, 1); // no warmup before this one
    let warmups: Vec<_> = rounds(&server.game_dir().join("gametimes"))
        .iter()
        .map(|(_, f)| (f.meta.warmup_ms, f.meta.warmup_seconds))
        .collect();
    assert_eq!(warmups, [(30_700, 30), (0, 0)]);
}

#[test]
fn missing_game_field_costs_one_number_and_one_log_line() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.world.borrow_mut().broken_fields = vec!["deathTime".into(), "pers.lastSpawnTime".into()];
    let mut round = Round::start(&mut server, 0);
    for _ in 0..20 {
        round.kill(1, 0);
        round.frames(2);
        round.spawn(1, false);
        round.frames(2);
    }
    round.exit("Wolf EndRound.");
    round.shutdown(1);
    let log = server.log();
    assert_eq!(log.matches("field deathTime").count(), 1, "{log}");
    let (_, file) = rounds(&server.game_dir().join("gametimes")).remove(0);
    assert_eq!(
        (of(&file.meta, 1).deaths, of(&file.meta, 1).dead_ms),
        (20, 2000)
    );
}

/// The script watches a counter that the game copies in limbo, or the limbo flag itself where the game has no such counter.
#[test]
fn limbo_is_recorded_in_its_frame_with_and_without_the_counter() {
    for missing in [vec![], vec!["saved_persistant".to_owned()]] {
        let home = tempfile::tempdir().unwrap();
        let mut server = Server::new(home.path(), SCRIPT);
        server.world.borrow_mut().broken_fields = missing;
        let mut round = Round::start(&mut server, 0);
        round.kill(1, 0);
        round.frames(20);
        round.server.world.borrow_mut().clients[1].pm_flags = 0x4000;
        round.frames(20);
        round.exit("Wolf EndRound.");
        round.shutdown(1);
        let (_, file) = rounds(&server.game_dir().join("gametimes")).remove(0);
        let time = |kind| {
            let event = file.meta.events.iter().find(|e| e.kind == kind);
            event.expect("an event of this kind").t_ms
        };
        assert_eq!(time(EventKind::Limbo) - time(EventKind::Death), 1000);
    }
}

#[test]
fn invalid_slots_and_arguments_are_ignored() {
    let (meta, _) = record(|mut round| {
        for slot in [-1, 20, 64, 1022, 1023, i64::MAX, i64::MIN] {
            round.server.call("et_Obituary", (slot, 0, 9));
            round.server.call("et_Obituary", (0, slot, 9));
            round.server.call("et_ClientSpawn", (slot, 1, 0, 0));
            round.server.call("et_ClientDisconnect", slot);
            round.server.call("et_ClientUserinfoChanged", slot);
            round
                .server
                .print(format!("Kill: {slot} {slot} 9: a killed b by MOD_X\n").as_bytes());
            round
                .server
                .print(format!("Medic_Revive: {slot} 0\n").as_bytes());
            round
                .server
                .print(format!("callvote: {slot} Surrender\n").as_bytes());
        }
        round.server.print(b"");
        round.server.print(&[b'K'; 1023]);
        round.server.print(&(1..=255).collect::<Vec<u8>>());
        round.server.configstring(11, "99999999999999999999");
        round.server.configstring(13, "\\d");
        round.frames(10);
        round.server.configstring(11, "");
        round.frames(10);
        round.exit("Wolf EndRound.");
        round.shutdown(1);
    });
    assert_eq!(of(&meta, 0).deaths, 7);
}

#[test]
fn invalid_settings_are_reported_once_and_the_default_is_used() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.set("gametimes_min_seconds", "soon");
    server.set("gametimes_keep_days", "-1");
    server.set("gametimes_debug", "2");
    server.set("gametimes_backlog_seconds", "8 s");
    server.set("gametimes_file_mode", "0755");
    server.set(
        "gametimes_webhook_hosts",
        "a.example https://b.example/secret",
    );
    server.set(
        "gametimes_webhook_url",
        "discord.com/secret https://127.0.0.1:1/also-secret https://example.com/secret",
    );
    server.set("gametimes_webhook_file", "missing.txt");
    play_round(&mut server, 0);
    let log = server.log();
    for line in [
        "gametimes_min_seconds: \"soon\" is not a whole number from 0 to 3600; 30 is used",
        "gametimes_keep_days: \"-1\" is not a whole number from 0 to 36500; 0 is used",
        "gametimes_debug: \"2\" is not a whole number from 0 to 1; 0 is used",
        "gametimes_backlog_seconds: \"8 s\" is not a whole number from 0 to 300; 8 is used",
        "gametimes_file_mode: \"0755\" is not a file mode such as 0640 or 0644; 0640 is used",
        "gametimes_webhook_hosts: entry 2 is not a host name such as hooks.example.org; it is ignored",
        "gametimes_webhook_url: entry 1 is not a webhook URL (it does not start with https://)",
        "gametimes_webhook_url: entry 3 is not a webhook URL (its host is not discord.com; gametimes_webhook_hosts can allow it)",
        "missing.txt: No such file or directory; its URLs are not used",
        "webhooks 1",
    ] {
        assert_eq!(log.matches(line).count(), 1, "{line}\n{log}");
    }
    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn settings_are_parsed_as_by_the_module() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.set("gametimes_min_seconds", "30.0");
    server.set("gametimes_keep_days", "0x1e");
    server.set("gametimes_debug", " 1 ");
    server.set("gametimes_webhook_url", " none ");
    play_round(&mut server, 0);
    let log = server.log();
    for refused in [
        "gametimes_min_seconds: \"30.0\"",
        "gametimes_keep_days: \"0x1e\"",
    ] {
        assert!(log.contains(refused), "{refused}\n{log}");
    }
    for words in ["gametimes_debug: ", "gametimes_webhook_url: "] {
        assert!(!log.contains(words), "{words}\n{log}");
    }
    assert!(log.contains("webhooks 0"), "{log}");
}

#[test]
fn url_set_as_file_name_is_not_printed() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.set(
        "gametimes_webhook_file",
        "https://discord.com/api/webhooks/42/secret",
    );
    play_round(&mut server, 0);
    let log = server.log();
    assert!(log.contains("write the URL into a file"), "{log}");
    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn folder_can_be_anywhere_and_have_any_name() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    let odd = home.path().join("a folder; $(touch pwned) 'quoted'");
    server.set("gametimes_dir", odd.to_str().unwrap());
    server.set("mapname", "../te map.2");
    play_round(&mut server, 0);
    let (name, _) = rounds(&odd).remove(0);
    assert!(name.starts_with("gametime-___te_map_2-R1-"), "{name}");
    assert!(!home.path().join("pwned").exists() && !std::path::Path::new("pwned").exists());
}

#[test]
fn map_without_a_name_produces_a_valid_file() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.set("mapname", "");
    play_round(&mut server, 0);
    let (name, file) = rounds(&server.game_dir().join("gametimes")).remove(0);
    assert!(name.starts_with("gametime-unknown-R1-"), "{name}");
    assert_eq!(file.meta.map, "unknown");
}

#[test]
fn unwritable_folder_is_reported_and_does_not_disturb_the_game() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    std::fs::write(
        server.game_dir().join("gametimes"),
        "a file where the folder should be",
    )
    .unwrap();
    server.set("gametimes_webhook_url", "http://127.0.0.1:1/x");
    play_round(&mut server, 0);
    let log = server.log();
    assert!(
        log.contains("the folder cannot be used") && log.contains("make it writable"),
        "{log}"
    );
    assert!(log.contains("this round is lost"), "{log}");
    assert!(!log.contains("error in"), "{log}");
}

#[test]
fn folder_that_works_again_in_the_intermission_gets_the_round() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    let mut round = Round::start(&mut server, 0);
    let dir = round.server.game_dir().join("gametimes");
    std::fs::remove_dir_all(&dir).unwrap();
    round.frames(100);
    round.exit("Wolf EndRound.");
    round.frames(140);
    std::fs::create_dir(&dir).unwrap();
    round.frames(21);
    assert_eq!(rounds(&dir).len(), 1);
    round.shutdown(1);
    assert_eq!(rounds(&dir).len(), 1);
    let log = server.log();
    assert!(
        log.contains("it is retried") && !log.contains("is lost"),
        "{log}"
    );
    assert_eq!(log.matches("round end:").count(), 1, "{log}");
}

/// Writes a file about a round that ended so many days ago, and returns its name.
fn file_of(dir: &Path, days_ago: i64, edit: impl Fn(&mut GametimesFile)) -> String {
    let sample = include_str!("../../data/native/surrender/gametime-room1-R1-1795179043.json");
    let mut file: GametimesFile = serde_json::from_str(sample).unwrap();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64;
    file.meta.round_end_unix = now - days_ago * 86_400 - 60;
    let name = file.file_name();
    edit(&mut file);
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join(&name), serde_json::to_vec(&file).unwrap()).unwrap();
    name
}

#[test]
fn only_old_files_of_module_and_script_are_removed_a_day_at_a_time() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.set("gametimes_dir", "files of '24");
    let dir = server.game_dir().join("files of '24");
    let ours = |days_ago| file_of(&dir, days_ago, |_| {});
    let old = [91, 92, 300].map(ours);
    let lua = file_of(&dir, 93, |file| file.meta.source = "lua".into());
    let mut kept = vec![ours(89), ours(0)];
    kept.push(file_of(&dir, 400, |file| file.meta.schema = 1));
    kept.push(file_of(&dir, 401, |file| file.meta.round_end_unix -= 1));
    for name in [
        "gametime-a-R1-1.json",
        "gametime-a-R1-1.json.bak",
        "notes.json",
    ] {
        std::fs::write(dir.join(name), "{}").unwrap();
        kept.push(name.to_owned());
    }
    let start = |server: &mut Server| {
        let _ = std::fs::remove_file(dir.join("outbox/lua/cleaned"));
        Round::start(server, 0).shutdown(0);
        for name in std::fs::read_dir(&dir).unwrap() {
            let path = name.unwrap().path();
            if path.to_string_lossy().contains("supply-R1") {
                std::fs::remove_file(path).unwrap(); // of the round itself
            }
        }
    };
    let count = || std::fs::read_dir(&dir).unwrap().count() - 1;
    // By default, all files stay.
    start(&mut server);
    assert_eq!(count(), 4 + kept.len());
    server.set("gametimes_keep_days", "90");
    for (left, name) in [(3, &old[2]), (2, &lua), (1, &old[1]), (0, &old[0])] {
        start(&mut server);
        assert_eq!(count(), left + kept.len());
        assert!(!dir.join(name).exists(), "the oldest first");
    }
    // A second pass comes six hours later.
    ours(300);
    Round::start(&mut server, 0).shutdown(0);
    assert!(dir.join(ours(300)).exists());
    for name in kept {
        assert!(dir.join(&name).exists(), "{name}");
    }
    let line = "gametimes files older than 90 days removed: 1";
    assert_eq!(server.log().matches(line).count(), 4, "{}", server.log());
}

#[test]
fn clock_that_the_files_contradict_removes_no_file() {
    for (days_ago, why) in [
        ([100, 150, 200], "is 100 days old"),
        ([-2, 100, 200], "is from the future"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let mut server = Server::new(home.path(), SCRIPT);
        server.set("gametimes_keep_days", "90");
        let dir = server.game_dir().join("gametimes");
        let names = days_ago.map(|days_ago| file_of(&dir, days_ago, |_| {}));
        Round::start(&mut server, 0).shutdown(0);
        assert!(names.iter().all(|name| dir.join(name).exists()));
        let log = server.log();
        assert!(
            log.contains("the system clock seems to be wrong: ") && log.contains(why),
            "{log}"
        );
    }
}

#[test]
fn files_are_not_readable_by_every_user_unless_the_admin_wants_it() {
    for (setting, file_mode, folder_mode) in [("", 0o640, 0o750), ("0644", 0o644, 0o755)] {
        let home = tempfile::tempdir().unwrap();
        let mut server = Server::new(home.path(), SCRIPT);
        server.set("gametimes_file_mode", setting);
        let dir = server.game_dir().join("gametimes");
        for restart in 0..2 {
            play_round(&mut server, restart);
        }
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir), folder_mode);
        assert_eq!(mode(&dir.join("outbox/lua")), 0o700);
        let files = rounds(&dir);
        assert_eq!(files.len(), 2);
        for (name, _) in files {
            assert_eq!(mode(&dir.join(&name)), file_mode, "{name}");
        }
    }
}

#[test]
fn file_of_urls_from_any_editor_is_read() {
    let bom = include_bytes!("../../data/webhooks-bom.txt");
    for (bytes, line) in [
        (&bom[..], "webhooks 1"),
        (b"http://127.0.0.1:1/a\rhttp://127.0.0.1:1/b", "webhooks 2"),
        (
            b"# caf\xe9\r\n\r\n \xef\xbb\xbfhttp://127.0.0.1:1/a \t# x\r\n",
            "webhooks 1",
        ),
        (
            b"\xff\xfeh\0t\0t\0p\0",
            "hooks.txt: it is in UTF-16; save it again as UTF-8; its URLs are not used",
        ),
        (b"h\0t\0t\0p\0", "it is in UTF-16"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let mut server = Server::new(home.path(), SCRIPT);
        std::fs::write(server.game_dir().join("hooks.txt"), bytes).unwrap();
        server.set("gametimes_webhook_file", "hooks.txt");
        Round::start(&mut server, 0).shutdown(0);
        let log = server.log();
        assert!(log.contains(line), "{line}\n{log}");
        assert!(!log.contains("is not a webhook URL"), "{log}");
    }
    // A file without an end.
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.set("gametimes_webhook_file", "/dev/zero");
    Round::start(&mut server, 0).shutdown(0);
    let line = "it is not a regular file of at most 65536 bytes";
    assert!(server.log().contains(line), "{}", server.log());
}

#[test]
fn lua_restart_during_a_map_is_reported_and_the_next_map_recorded() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    let mut round = Round::start(&mut server, 0);
    round.server.load(); // without et_ShutdownGame and et_InitGame
    round.frames(100);
    round.exit("Wolf EndRound.");
    round.shutdown(1);
    assert_eq!(
        server.log().matches("loaded in mid-map").count(),
        1,
        "{}",
        server.log()
    );
    play_round(&mut server, 1);
    assert_eq!(rounds(&server.game_dir().join("gametimes")).len(), 1);
}

#[test]
fn long_fight_stays_within_the_timeline_limit() {
    let (meta, _) = record(|mut round| {
        for _ in 0..8000 {
            round.kill(1, 0);
            round.frames(1);
            round.spawn(1, false);
            round.frames(1);
        }
        for _ in 0..4100 {
            round.kill(0, 1);
            round.spawn(0, true);
            round.frames(1);
        }
        round.exit("Wolf EndRound.");
        round.shutdown(1);
    });
    assert_eq!(meta.events.len(), 20_000);
    assert!(meta.events_dropped > 4000, "{}", meta.events_dropped);
    assert_eq!(of(&meta, 1).deaths, 8000);
}

#[test]
fn console_command_shows_the_status() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    let mut round = Round::start(&mut server, 0);
    round.frames(20);
    round.kill(1, 0);
    round.frames(20);
    let command = |words: &str| -> Option<i64> {
        round.server.world.borrow_mut().arguments = words.split(' ').map(str::to_owned).collect();
        round.server.eval("et_ConsoleCommand()")
    };
    assert_eq!(command("status"), None, "not ours: the next script gets it");
    assert_eq!(command("Gametimes status"), Some(1));
    assert_eq!(command("gametimes frobnicate"), Some(1));
    let log = server.log();
    for line in [
        concat!(
            "v",
            env!("CARGO_PKG_VERSION"),
            " lua records, engine 2.83.1"
        ),
        "round: supply R1 played 0:02.550",
        "   0 Axis   alive dead 0:00.000 Player0",
        "   1 Allies dead  dead 0:01.000 Player1",
        "supports only: gametimes status",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
}
