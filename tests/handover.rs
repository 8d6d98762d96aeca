//! Exactly one of the built module and the real script records, also if one is installed, removed, disabled or broken
//! between maps. They know of each other only through the cvar `gametimes_module`.

use std::path::Path;

use gametimes_lua_tests::SCRIPT;
use gametimes_lua_tests::round::Round;
use gametimes_lua_tests::world::Server as LuaServer;
use gametimes_test_support::game::{Match, gametimes_files};

/// The module when a map begins.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Module {
    /// Not installed. The engine loads the stock game.
    Absent,
    /// Installed, on an engine that it supports.
    Present,
    /// Installed on an engine that is too old for it.
    Unsupported,
    /// Installed in front of a game whose client records it does not know.
    UnknownSizes,
    /// Panics during the map.
    #[cfg(feature = "faults")]
    Panics,
}

const STATES: &[Module] = &[
    Module::Absent,
    Module::Present,
    Module::Unsupported,
    Module::UnknownSizes,
    #[cfg(feature = "faults")]
    Module::Panics,
];

/// A server with both. Each writes into a separate folder, so that the test sees if a round is recorded twice.
struct Both {
    module: Match,
    module_home: tempfile::TempDir,
    script: LuaServer,
    script_home: tempfile::TempDir,
}

fn rounds_in(home: &Path) -> usize {
    let folder = home.join("legacy/gametimes");
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    names
        .filter(|e| e.path().extension().is_some_and(|e| e == "json"))
        .count()
}

impl Both {
    fn new(enabled: bool) -> Self {
        let module_home = tempfile::tempdir().unwrap();
        let script_home = tempfile::tempdir().unwrap();
        let module = Match::new(module_home.path(), &[]);
        let script = LuaServer::new(script_home.path(), SCRIPT);
        if !enabled {
            module.server.set_cvar("gametimes_enabled", "0");
            script.set("gametimes_enabled", "0");
        }
        Self {
            module,
            module_home,
            script,
            script_home,
        }
    }

    fn count(&self) -> (usize, usize) {
        (
            rounds_in(self.module_home.path()),
            rounds_in(self.script_home.path()),
        )
    }

    /// Plays one map and returns who recorded its round: `m` for the module, `s` for the script.
    fn map(&mut self, state: Module, script: bool) -> String {
        let before = self.count();
        match state {
            Module::Absent => {}
            Module::Unsupported => self.module.start_on(275_000_000),
            Module::UnknownSizes => self.module.start_with(283_010_000, 1000),
            Module::Present => self.module.start(),
            #[cfg(feature = "faults")]
            Module::Panics => self.module.start(),
        }
        // The module has set its cvar before the game starts its scripts.
        self.script.set(
            "gametimes_module",
            &self.module.server.cvar("gametimes_module"),
        );
        let mut round = script.then(|| Round::start(&mut self.script, 0));
        if state != Module::Absent {
            self.module.frame(40_000, []);
            #[cfg(feature = "faults")]
            if state == Module::Panics {
                self.module.server.arm_fault("before_call");
                self.module.frame(1000, []);
            }
        }
        if let Some(round) = &mut round {
            let module = self.module.server.cvar("gametimes_module");
            round.server.set("gametimes_module", &module);
            round.play_to_the_end();
        }
        if state != Module::Absent {
            self.module.finish();
        }
        if let Some(round) = round {
            round.shutdown(0); // the game, and Lua with it, shuts down before the module
        }
        if state != Module::Absent {
            self.module.stop();
        }
        let module = self.module.server.cvar("gametimes_module");
        self.script.set("gametimes_module", &module);
        self.script.world.borrow_mut().unix_ms += 60_000;
        self.module.skip(60_000);
        let after = self.count();
        "m".repeat(after.0 - before.0) + &"s".repeat(after.1 - before.1)
    }
}

fn recorder(state: Module, script: bool) -> &'static str {
    match (state, script) {
        (Module::Absent | Module::Unsupported | Module::UnknownSizes, true) => "s",
        (Module::Absent | Module::Unsupported | Module::UnknownSizes, false) => "",
        _ => "m",
    }
}

#[test]
fn every_round_is_recorded_once_in_every_state_and_order() {
    for &first in STATES {
        for &second in STATES {
            for script in [true, false] {
                let mut both = Both::new(true);
                let played = [first, second, Module::Present, Module::Absent]
                    .map(|state| (state, both.map(state, script)));
                for (state, who) in played {
                    assert_eq!(
                        who,
                        recorder(state, script),
                        "{first:?} {second:?}, script {script}: {state:?}"
                    );
                }
            }
        }
    }
}

/// Module and script hand round 1 over to each other in a cvar.
#[test]
fn round_2_belongs_to_the_round_1_that_the_other_recorder_saw() {
    for module_first in [true, false] {
        let mut both = Both::new(true);
        let mut ids = Vec::new();
        for (round, by_module) in [("0", module_first), ("1", !module_first)] {
            for (name, value) in [
                ("g_gametype", "3"),
                ("g_currentRound", round),
                ("mapname", "supply"),
            ] {
                both.module.server.set_cvar(name, value);
                both.script.set(name, value);
            }
            let (state, who) = if by_module {
                (Module::Present, "m")
            } else {
                (Module::Absent, "s")
            };
            assert_eq!(both.map(state, true), who);
            // On a real server, both have the same cvars.
            if by_module {
                let handed_over = both.module.server.cvar("gametimes_match");
                both.script.set("gametimes_match", &handed_over);
            } else {
                let handed_over = both.script.world.borrow().cvar("gametimes_match");
                both.module.server.set_cvar("gametimes_match", handed_over);
            }
            let home = if by_module {
                both.module_home.path()
            } else {
                both.script_home.path()
            };
            ids.push(gametimes_files(home).remove(0).meta);
        }
        let [first, second] = &ids[..] else { panic!() };
        assert_eq!((first.round, second.round), (1, 2));
        assert_eq!(second.round_1_event_id.as_ref(), Some(&first.event_id));
        assert_eq!(second.match_uid, first.match_uid);
    }
}

#[test]
fn neither_records_when_disabled() {
    for &state in STATES.iter().take(4) {
        assert_eq!(Both::new(false).map(state, true), "", "{state:?}");
    }
}

/// The version is defined in `Cargo.toml`, which a script cannot read.
#[test]
fn module_and_script_have_the_same_version() {
    let line = format!("local VERSION = \"{}\"", gametimes::VERSION);
    assert!(
        SCRIPT.contains(&line),
        "fallback-lua/gametimes.lua lacks {line}"
    );
}
