//! Servers of the stand-in engine with the built module, and the files that the module writes.

use std::path::Path;
use std::time::{Duration, Instant};

use gametimes_format::GametimesFile;
use gametimes_standin::recorded::{built_module, tape};
use gametimes_standin::{Arg, Options, Server, Step, Tape, play};

use crate::wait_for;

/// Plays a tape on a server in this folder and returns the console.
pub fn play_in(home: &Path, name: &str) -> String {
    play_tape(home, &tape(name).unwrap())
}

/// Plays this tape on a server in this folder and returns the console.
pub fn play_tape(home: &Path, tape: &Tape) -> String {
    play(tape, &Options::new(&built_module(), home)).unwrap()
}

/// The gametimes files of a server, in the order of the rounds.
pub fn gametimes_files(home: &Path) -> Vec<GametimesFile> {
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

/// A server of the stand-in engine that plays short made-up rounds.
pub struct Match {
    /// The server.
    pub server: Server,
    level_ms: isize,
    unix_ms: i64,
}

impl Match {
    /// Starts a server in this folder with these cvars. Every round is posted, however short.
    pub fn new(home: &Path, cvars: &[(&str, &str)]) -> Self {
        let server = Server::new(&built_module(), home, &home.join("base")).unwrap();
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

    /// Sets the wall clock.
    pub fn at(&mut self, unix_ms: i64) {
        self.unix_ms = unix_ms;
    }

    /// Runs one frame, this many milliseconds later, in which the game does these steps.
    pub fn frame(&mut self, ms: isize, steps: impl IntoIterator<Item = Step>) {
        self.level_ms += ms;
        self.unix_ms += ms as i64;
        self.server.set_unix_ms(self.unix_ms);
        self.server.call(8, &[self.level_ms], steps);
    }

    /// Begins a map, with a round that two players play at once.
    pub fn start(&mut self) {
        self.start_on(283_010_000);
    }

    /// Lets time pass between two maps.
    pub fn skip(&mut self, ms: i64) {
        self.unix_ms += ms;
    }

    /// Like [`Match::start`], on an engine of this version.
    pub fn start_on(&mut self, version: isize) {
        self.start_with(version, 124_320);
    }

    /// Like [`Match::start_on`], with a game whose client records have this size.
    pub fn start_with(&mut self, version: isize, client_size: isize) {
        self.server.set_unix_ms(self.unix_ms);
        self.server.set_cvar("gamestate", "0");
        self.server.load().unwrap();
        let located = Step::Locate {
            entities: 64,
            entity_size: 1728,
            client_size,
        };
        self.server
            .call(0, &[self.level_ms, 7, 1, 1, version], [located]);
        for slot in [1, 2] {
            self.server
                .set_userinfo(slot as usize, format!("\\cl_guid\\GUID{slot:028}"));
            let info = Step::configstring(689 + slot, format!("n\\p{slot}\\t\\{slot}"));
            self.server.call(2, &[slot, 1, 0], [info]);
            let alive = Step::Write(slot, vec![(284, slot as i64), (288, 1)]);
            self.server.call(3, &[slot], [alive]);
        }
    }

    /// Ends the round, and closes its stats file.
    pub fn finish(&mut self) {
        let [exit, intermission] = Step::exit("Wolf EndRound.");
        let winner = Step::configstring(14, "\\w\\1");
        self.frame(1000, [winner, exit, intermission]);
        let path = Arg::Text(b"gamestats/2026-11-20-123344-supply-round-1.txt".to_vec());
        self.frame(
            1000,
            [
                Step::Trap(11, vec![path, Arg::Handle(2), Arg::Int(1)]),
                Step::Trap(15, vec![Arg::Int(2)]),
            ],
        );
    }

    /// Ends the map, and returns the console since it was last taken.
    pub fn stop(&mut self) -> String {
        self.server.call(1, &[0], []);
        self.server.unload();
        self.level_ms += 10_000;
        self.unix_ms += 10_000;
        let console = self.server.take_console();
        play::wait_for_disk(&self.server.home, &console).unwrap();
        console
    }

    /// Plays a whole map with one round of a few seconds, and returns the console.
    pub fn round(&mut self) -> String {
        self.start();
        self.frame(5000, []);
        self.finish();
        self.stop()
    }

    /// Starts a server whose last round was cut off. That round is recovered, and the next one is played.
    ///
    /// # Panics
    /// When no round is recovered.
    pub fn recover(&mut self) {
        self.start();
        let console = self.console_with("file written");
        assert!(console.contains("its last round is recovered"), "{console}");
        self.frame(5000, []);
        self.finish();
        self.stop();
    }

    /// Like [`Match::console_with`], but does not wait if the console so far contains the text.
    pub fn after(&mut self, console: String, text: &str) -> String {
        if console.contains(text) {
            console
        } else {
            console + &self.console_with(text)
        }
    }

    /// Asks for the status until the console contains this text, and returns all lines since.
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

    /// Lets the worker's lines reach the console until one contains this text, and returns all of them.
    pub fn console_with(&mut self, text: &str) -> String {
        let mut console = String::new();
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            self.frame(0, []);
            console += &self.server.take_console();
            if console.contains(text) {
                return console;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{text:?} is not on the console after 60 s: {console}");
    }
}

/// The names of the messages in one folder of a server's outbox, such as `queue`.
pub fn outbox(home: &Path, folder: &str) -> Vec<String> {
    let instance = home.join("legacy/gametimes/outbox/127.0.0.1_27960");
    let mut names: Vec<String> = std::fs::read_dir(instance.join(folder))
        .map(|entries| {
            entries
                .map(|e| e.unwrap().file_name().into_string().unwrap())
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    names
}
