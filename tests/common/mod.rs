//! What the tests of the built module share.
#![allow(dead_code, unused_imports)] // every test binary uses its part

use std::path::Path;

use gametimes_format::GametimesFile;
use gametimes_standin::recorded;
pub use gametimes_standin::recorded::{NAMES as TAPES, built_module as module};
use gametimes_standin::{Options, Tape, play};

/// A tape.
pub fn tape(name: &str) -> Tape {
    recorded::tape(name).unwrap()
}

/// Options of a server in this folder.
pub fn options(home: &Path) -> Options {
    Options::new(&module(), home)
}

/// Plays a tape in a folder and gives its console.
pub fn play_in(home: &Path, name: &str) -> String {
    play(&tape(name), &options(home)).unwrap()
}

/// The gametimes files in a folder, in the order of the rounds.
pub fn files(home: &Path) -> Vec<GametimesFile> {
    let folder = home.join("legacy/gametimes");
    let mut files: Vec<GametimesFile> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
        .collect();
    files.sort_by_key(|f| (f.meta.round_start_unix, f.meta.round_end_unix));
    files
}

/// A server of the stand-in engine that plays rounds of its own making.
pub struct Match {
    /// The server.
    pub server: gametimes_standin::Server,
    level_ms: isize,
    unix_ms: i64,
}

impl Match {
    /// A server in a folder, with cvars; every round is posted, however short.
    pub fn new(home: &Path, cvars: &[(&str, &str)]) -> Self {
        let server = gametimes_standin::Server::new(&module(), home, &home.join("base")).unwrap();
        server.set_cvar("gametimes_min_seconds", "0");
        for (name, value) in cvars {
            server.set_cvar(name, value);
        }
        Self {
            server,
            level_ms: 0,
            unix_ms: 1_795_000_000_000,
        }
    }

    /// Sets the clock.
    pub fn at(&mut self, unix_ms: i64) {
        self.unix_ms = unix_ms;
    }

    /// Time goes on, in one frame, in which this happens.
    pub fn frame(&mut self, ms: isize, steps: impl IntoIterator<Item = gametimes_standin::Step>) {
        self.level_ms += ms;
        self.unix_ms += ms as i64;
        self.server.set_unix_ms(self.unix_ms);
        self.server.call(8, &[self.level_ms], steps);
    }

    /// A map begins, with a round that is played at once by two players.
    pub fn start(&mut self) {
        self.start_on(283_010_000);
    }

    /// Time goes by between two maps.
    pub fn skip(&mut self, ms: i64) {
        self.unix_ms += ms;
    }

    /// As [`Match::start`], on an engine of this version.
    pub fn start_on(&mut self, version: isize) {
        self.start_with(version, 124_320);
    }

    /// As [`Match::start_on`], with a game whose clients' records have this size.
    pub fn start_with(&mut self, version: isize, client_size: isize) {
        self.server.set_unix_ms(self.unix_ms);
        self.server.set_cvar("gamestate", "0");
        self.server.load().unwrap();
        let located = gametimes_standin::Step::Locate {
            entities: 64,
            entity_size: 1728,
            client_size,
        };
        self.server
            .call(0, &[self.level_ms, 7, 1, 1, version], [located]);
        for slot in [1, 2] {
            self.server
                .set_userinfo(slot as usize, format!("\\cl_guid\\GUID{slot:028}"));
            let info =
                gametimes_standin::Step::configstring(689 + slot, format!("n\\p{slot}\\t\\{slot}"));
            self.server.call(2, &[slot, 1, 0], [info]);
            let alive = gametimes_standin::Step::Write(slot, vec![(284, slot as i64), (288, 1)]);
            self.server.call(3, &[slot], [alive]);
        }
    }

    /// The round ends and its stats file is closed.
    pub fn finish(&mut self) {
        use gametimes_standin::{Arg, Step};
        self.frame(
            1000,
            [
                Step::configstring(14, "\\w\\1"),
                Step::print("Exit: Wolf EndRound.\n"),
            ],
        );
        let path = Arg::Text(b"gamestats/2026-11-20-123344-supply-round-1.txt".to_vec());
        self.frame(
            1000,
            [
                Step::Trap(11, vec![path, Arg::Handle(2), Arg::Int(1)]),
                Step::Trap(15, vec![Arg::Int(2)]),
            ],
        );
    }

    /// The map is over; gives the console since it was last taken.
    pub fn stop(&mut self) -> String {
        self.server.call(1, &[0], []);
        self.server.unload();
        self.level_ms += 10_000;
        self.unix_ms += 10_000;
        let console = self.server.take_console();
        gametimes_standin::play::wait_for_disk(&self.server.home, &console).unwrap();
        console
    }

    /// A whole round of some seconds.
    pub fn round(&mut self) -> String {
        self.start();
        self.frame(5000, []);
        self.finish();
        self.stop()
    }

    /// As [`Match::console_with`], unless it stands in what was on the console before.
    pub fn after(&mut self, console: String, text: &str) -> String {
        if console.contains(text) {
            console
        } else {
            console + &self.console_with(text)
        }
    }

    /// Asks for the status until it holds this text; gives all that was said meanwhile.
    pub fn status_with(&mut self, text: &str) -> String {
        let mut console = String::new();
        wait_for(text, || {
            self.server.console_command("gametimes status");
            self.frame(0, []);
            console += &self.server.take_console();
            console.contains(text)
        });
        console
    }

    /// Lets the worker's lines reach the console until one holds this text; gives all of them.
    pub fn console_with(&mut self, text: &str) -> String {
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let mut console = String::new();
        while std::time::Instant::now() < until {
            self.frame(0, []);
            console += &self.server.take_console();
            if console.contains(text) {
                return console;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("{text:?} never came: {console}");
    }
}

/// Waits until something is so.
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !is_so() {
        assert!(std::time::Instant::now() < until, "{what} never came");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// Names of the messages in one state of a server's outbox.
pub fn outbox(home: &Path, state: &str) -> Vec<String> {
    let instance = home.join("legacy/gametimes/outbox/127.0.0.1_27960");
    let mut names: Vec<String> = std::fs::read_dir(instance.join(state))
        .map(|entries| {
            entries
                .map(|e| e.unwrap().file_name().into_string().unwrap())
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    names
}
