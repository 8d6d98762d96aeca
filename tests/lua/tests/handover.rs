//! Exactly one of module and script records, also if one is installed, removed, broken or disabled between maps.
//!
//! Here the module is only its promise: before the game and its Lua start, it sets the cvar `gametimes_module` to `native
//! <version>` if it records and to `off: <reason>` if it does not, and clears it after the game's shutdown.

use gametimes_lua_tests::SCRIPT;
use gametimes_lua_tests::results::rounds;
use gametimes_lua_tests::round::Round;
use gametimes_lua_tests::world::Server;
use gametimes_test_support::wait_for;
use gametimes_test_support::webhook::{Reply, Webhook};

/// The state of the module when a map begins.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Module {
    /// Not installed, or too new for this machine: the engine loads the stock game.
    Absent,
    /// It records.
    Native,
    /// It does not record: unknown build, disabled, or a panic on an earlier map.
    Off,
    /// It records until it panics during the map. It writes what was played until then, and passes calls through from
    /// then on.
    Panics,
    /// It records, is removed during the map, and cannot clear its cvar at the end.
    Vanishes,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Script {
    Absent,
    Present,
}

/// Plays one map; returns who recorded its round: `m` for the module, `s` for the script.
fn map(server: &mut Server, module: Module, script: Script, restart: i64) -> String {
    let dir = server.game_dir().join("gametimes");
    let count = || if dir.exists() { rounds(&dir).len() } else { 0 };
    let before = count();
    match module {
        Module::Absent => {}
        Module::Native | Module::Panics | Module::Vanishes => {
            server.set("gametimes_module", "native 0.1.0");
        }
        Module::Off => server.set("gametimes_module", "off: the game is not ET:Legacy's"),
    }
    if script == Script::Present {
        let mut round = Round::start(server, restart);
        round.frames(100);
        if module == Module::Panics {
            round.server.set("gametimes_module", "off: panic");
        }
        round.play_to_the_end();
        round.shutdown(restart);
    }
    if !matches!(module, Module::Vanishes | Module::Absent) {
        server.set("gametimes_module", "");
    }
    // Two rounds of one map must not have the same file name.
    server.world.borrow_mut().unix_ms += 60_000;
    let by_script = count() - before;
    let by_module = usize::from(matches!(
        module,
        Module::Native | Module::Panics | Module::Vanishes
    ));
    "m".repeat(by_module) + &"s".repeat(by_script)
}

fn play(maps: &[(Module, Script)]) -> Vec<String> {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    maps.iter()
        .enumerate()
        .map(|(n, &(module, script))| map(&mut server, module, script, (n % 2) as i64))
        .collect()
}

#[test]
fn every_round_is_recorded_once_in_every_state() {
    use Module::{Absent, Native, Off, Panics, Vanishes};
    for (module, with_script, without) in [
        (Absent, "s", ""),
        (Native, "m", "m"),
        (Off, "s", ""),
        (Panics, "m", "m"),
        (Vanishes, "m", "m"),
    ] {
        assert_eq!(
            play(&[(module, Script::Present)]),
            [with_script],
            "{module:?}"
        );
        assert_eq!(
            play(&[(module, Script::Absent)]),
            [without],
            "{module:?} without the script"
        );
    }
}

#[test]
fn every_round_is_recorded_once_in_every_order() {
    use Module::{Absent, Native, Off, Panics, Vanishes};
    let states = [Absent, Native, Off, Panics, Vanishes];
    let records = |module| match module {
        Absent | Off => "s",
        Native | Panics | Vanishes => "m",
    };
    for first in states {
        for second in states {
            for third in [Absent, Native, Off] {
                let maps = [first, second, third];
                let played = play(&maps.map(|m| (m, Script::Present)));
                assert_eq!(played, maps.map(records), "{maps:?}");
            }
        }
    }
}

#[test]
fn every_round_is_recorded_once_if_the_script_is_added_or_removed() {
    use Module::{Absent, Native};
    let present = |m| (m, Script::Present);
    let absent = |m| (m, Script::Absent);
    let played = play(&[
        present(Absent),
        absent(Native),
        present(Native),
        absent(Absent),
        present(Absent),
    ]);
    assert_eq!(played, ["s", "m", "m", "", "s"]);
}

#[test]
fn script_logs_why_it_records_or_not() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    map(&mut server, Module::Native, Script::Present, 0);
    let log = server.log();
    assert_eq!(log.matches("[gametimes]").count(), 1, "{log}");
    assert!(
        log.contains(concat!(
            "v",
            env!("CARGO_PKG_VERSION"),
            " lua does not record: the module does (gametimes_module is \"native 0.1.0\")"
        )),
        "{log}"
    );
    map(&mut server, Module::Off, Script::Present, 0);
    let log = server.log();
    assert!(
        log.contains("webhooks 0 (gametimes_module is \"off: the game is not ET:Legacy's\")"),
        "{log}"
    );
}

#[test]
fn only_one_of_two_copies_of_the_script_records() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.world.borrow_mut().scripts_before = vec!["c0rnp0rn".into()];
    assert_eq!(map(&mut server, Module::Absent, Script::Present, 0), "s");
    server
        .world
        .borrow_mut()
        .scripts_before
        .push(concat!("gametimes ", env!("CARGO_PKG_VERSION"), " lua").into());
    assert_eq!(map(&mut server, Module::Absent, Script::Present, 0), "");
    assert!(
        server.log().contains("another copy of this script does"),
        "{}",
        server.log()
    );
}

#[test]
fn disabled_script_records_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.set("gametimes_enabled", "0");
    server.set("gametimes_webhook_url", "http://127.0.0.1:1/x");
    assert_eq!(map(&mut server, Module::Absent, Script::Present, 0), "");
    assert!(
        server.log().contains("gametimes_enabled is 0"),
        "{}",
        server.log()
    );
    assert!(!server.game_dir().join("gametimes").exists());
    // It records again from the next map.
    server.set("gametimes_enabled", "1");
    assert_eq!(map(&mut server, Module::Absent, Script::Present, 1), "s");
}

#[test]
fn messages_of_the_script_are_sent_while_the_module_records() {
    let hook = Webhook::start([Reply::status(500)]);
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.set("gametimes_webhook_url", &hook.url_with("t"));
    assert_eq!(map(&mut server, Module::Absent, Script::Present, 0), "s");
    hook.wait(1);
    let outbox = server.game_dir().join("gametimes/outbox/lua");
    let find = |end: &str| {
        let mut names = std::fs::read_dir(&outbox)
            .unwrap()
            .map(|e| e.unwrap().path());
        names.find(|p| p.to_string_lossy().ends_with(end))
    };
    wait_for("the failure", || find(".wait").is_some());
    // The host restarts, now with the module, which takes the URL.
    let pid = std::fs::read_to_string(find(".lock").unwrap().join("pid")).unwrap();
    let kill = std::process::Command::new("sh")
        .args(["-c", &format!("kill -9 {pid}")])
        .status();
    assert!(kill.unwrap().success());
    std::fs::write(find(".wait").unwrap(), "0 1\n").unwrap();
    server.set("gametimes_webhook_url", "");
    assert_eq!(map(&mut server, Module::Native, Script::Present, 0), "m");
    hook.wait(2);
    wait_for("an idle outbox", || {
        find(".curl").is_none() && find(".lock").is_none()
    });
}

#[test]
fn secrets_pass_between_module_and_script() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.set("gametimes_webhook_url", "http://127.0.0.1:1/x");
    // The module clears them while it records and restores them at the end, as the script does.
    server.set("gametimes_hmac_key", "a key");
    let round = Round::start(&mut server, 0);
    for name in ["gametimes_webhook_url", "gametimes_hmac_key"] {
        assert_eq!(
            round.server.world.borrow().cvar(name),
            "",
            "{name} is taken out"
        );
    }
    // The engine would still list the first value as the default.
    let commands = std::mem::take(&mut round.server.world.borrow_mut().commands);
    assert_eq!(
        commands,
        [
            "unset gametimes_hmac_key\n",
            "unset gametimes_webhook_url\n"
        ]
    );
    round.shutdown(0);
    assert_eq!(
        server.world.borrow().cvar("gametimes_webhook_url"),
        "http://127.0.0.1:1/x"
    );
    assert_eq!(server.world.borrow().cvar("gametimes_hmac_key"), "a key");
    server.set("gametimes_module", "native 0.1.0");
    server.set("gametimes_webhook_url", "");
    Round::start(&mut server, 0).shutdown(0);
    assert_eq!(
        server.world.borrow().cvar("gametimes_webhook_url"),
        "",
        "not the script's business"
    );
    // A value that the admin sets during a map wins.
    server.set("gametimes_webhook_url", "http://127.0.0.1:1/x");
    let round = Round::start(&mut server, 0);
    round
        .server
        .set("gametimes_webhook_url", "http://127.0.0.1:1/new");
    round.shutdown(0);
    assert_eq!(
        server.world.borrow().cvar("gametimes_webhook_url"),
        "http://127.0.0.1:1/new"
    );
}
