//! Any sequence of calls, traps, records and strings at the boundary: everything is forwarded untouched, nothing panics, and
//! every file that results passes the checks of its readers.

use std::collections::HashMap;

use gametimes_format::GametimesFile;
use gametimes_format::check::check;
use gametimes_format::text::decode;
use gametimes_standin::{Arg, Server, Step};

const BEGIN_UNIX_MS: i64 = 1_795_000_000_000;
const LINES_LIMIT: usize = 400;
const INIT: i32 = 0;
const SHUTDOWN: i32 = 1;
const CONSOLE: i32 = 9;
const FRAME: i32 = 8;

/// A server that carries out a script.
struct Run<'a> {
    /// The module is linked into this program, or loaded as the engine does. The home folder contains only what the
    /// module writes.
    server: &'a mut Server,
    level_ms: isize,
    unix_ms: i64,
    /// The steps of the game in the next call.
    steps: Vec<Step>,
    /// The numbers of the traps in these steps that the engine must see, in order.
    traps: Vec<isize>,
    /// The game raises its error in the next call.
    fails: bool,
    loaded: bool,
}

/// Plays a script. A line is a letter and its operands; [`Run::line`] shows what each letter does.
pub fn play(server: &mut Server, script: &[u8]) {
    for (name, value) in [
        ("gamestate", "0"),
        ("mapname", "supply"),
        ("g_gametype", "3"),
        ("g_currentRound", "0"),
        ("timelimit", "20"),
        ("sv_maxclients", "16"),
        ("sv_hostname", "Stand-in"),
        ("gametimes_enabled", ""),
        ("gametimes_debug", ""),
    ] {
        server.set_cvar(name, value);
    }
    let mut run = Run {
        server,
        level_ms: 1000,
        unix_ms: BEGIN_UNIX_MS,
        steps: Vec::new(),
        traps: Vec::new(),
        fails: false,
        loaded: false,
    };
    run.init();
    for line in script.split(|&b| b == b'\n').take(LINES_LIMIT) {
        run.line(line);
    }
    run.shutdown(0);
    let console = run.server.take_console();
    assert!(!console.contains("internal error"), "{console}");
    run.server.take_errors();
    let folder = run.server.home.join("legacy/gametimes");
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().extension().is_some_and(|e| e == "json") {
            let bytes = std::fs::read(entry.path()).expect("a file that is there");
            std::fs::remove_file(entry.path()).expect("and can be removed");
            file_is_sound(&serde_json::from_slice(&bytes).expect("a gametimes file"));
        }
    }
}

impl Run<'_> {
    fn line(&mut self, line: &[u8]) {
        let Some((&letter, rest)) = line.split_first() else {
            return;
        };
        let rest = rest.strip_prefix(b" ").unwrap_or(rest);
        let (first, text) = match rest.iter().position(|&b| b == b' ') {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => (rest, &b""[..]),
        };
        let n = number(first);
        match letter {
            // Steps of the game in the next call: print, set a configstring or cvar, open or close a file, locate and write
            // records, drop a client, make a trap that the module ignores, pass null pointers, raise an error.
            b'p' => self.trap(0, vec![Arg::Text(rest.to_vec())]),
            b'c' => self.trap(20, vec![Arg::Int(n), Arg::Text(text.to_vec())]),
            b'v' => self.trap(5, vec![Arg::Text(first.to_vec()), Arg::Text(text.to_vec())]),
            b'o' => {
                let path = Arg::Text(text.to_vec());
                self.trap(11, vec![path, Arg::Handle(n as i32), Arg::Int(1)]);
            }
            b'x' => self.trap(15, vec![Arg::Int(n)]),
            b'l' => {
                let sizes = [Arg::Int(n), Arg::Int(0), Arg::Int(number(text))];
                self.trap(17, [vec![Arg::Int(0), Arg::Int(1)], sizes.into()].concat());
            }
            b'w' => self.write(n, text),
            b'd' => {
                let slot = n.rem_euclid(64);
                let reason = Arg::Text(b"kicked".to_vec());
                self.trap(18, vec![Arg::Int(slot), reason, Arg::Int(0)]);
                self.steps.push(Step::Return(0)); // of the disconnect
            }
            b't' if (24..4000).contains(&n) => {
                let arguments = text.split(|&b| b == b' ').take(15);
                self.trap(n, arguments.map(|a| Arg::Int(number(a))).collect());
            }
            b'n' => {
                let number = [0, 5, 20, 11][n.rem_euclid(4) as usize];
                self.trap(number, vec![Arg::Int(0), Arg::Int(0), Arg::Int(1)]);
            }
            b'e' if !self.fails => {
                self.trap(1, vec![Arg::Text(rest.to_vec())]);
                self.steps.push(Step::Return(0)); // of the shutdown
                self.fails = true;
            }
            // Calls of the engine: a frame this many milliseconds later or at this level time, calls for clients, the
            // console.
            b'F' => {
                self.pass(n.clamp(0, 600_000));
                self.call(FRAME, &[self.level_ms], 0);
            }
            b'L' => {
                self.level_ms = n.clamp(0, 600_000);
                self.call(FRAME, &[self.level_ms], 0);
            }
            b'C' => self.call(2, &[n, 1, 0], 0),
            b'R' => self.call(2, &[n, 1, 0], 1), // refused
            b'B' => self.call(3, &[n], 0),
            b'U' => self.call(4, &[n], 0),
            b'D' => self.call(5, &[n], 0),
            b'M' => self.call(6, &[n], number(text)),
            b'T' => self.call(7, &[n], number(text)),
            b'X' => self.console(rest),
            b'?' if !(0..10).contains(&n) => self.call(n as i32, &[number(text)], n),
            // Actions of the engine and its admin: userinfo, cvars, the clock, a new map or a restart.
            b'u' => {
                let slot = n.rem_euclid(64) as usize;
                self.server.set_userinfo(slot, text);
            }
            b'V' => self.cvar(first, text),
            b'A' => {
                const YEARS: isize = 20 * 365 * 86_400;
                self.unix_ms = BEGIN_UNIX_MS + n.clamp(-YEARS, YEARS) as i64 * 1000;
            }
            b'S' => {
                self.shutdown(n);
                self.pass(number(text).clamp(0, 600_000));
                self.init();
            }
            _ => {}
        }
    }

    fn pass(&mut self, ms: isize) {
        self.level_ms += ms;
        self.unix_ms += ms as i64;
    }

    fn trap(&mut self, number: isize, arguments: Vec<Arg>) {
        self.traps.push(number);
        self.steps.push(Step::Trap(number, arguments));
    }

    /// Writes into a client record; the text alternates between offsets and values.
    fn write(&mut self, slot: isize, text: &[u8]) {
        let numbers: Vec<isize> = text.split(|&b| b == b' ').map(number).collect();
        let fields = numbers.chunks_exact(2).map(|field| {
            let offset = field[0].rem_euclid(363) * 4;
            (offset as i64, i64::from(field[1] as i32))
        });
        let fields = fields.take(8).collect();
        self.steps.push(Step::Write(slot.rem_euclid(64), fields));
    }

    /// Sets a cvar as an admin could. Webhooks are not part of this check.
    fn cvar(&mut self, name: &[u8], value: &[u8]) {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let value = &value[..value.len().min(255)];
        let known = matches!(
            name.as_str(),
            "mapname"
                | "gamestate"
                | "g_gametype"
                | "g_currentround"
                | "timelimit"
                | "sv_maxclients"
                | "sv_hostname"
                | "gametimes_enabled"
                | "gametimes_debug"
                | "gametimes_min_seconds"
        );
        if known {
            self.server.set_cvar(&name, value);
        }
    }

    fn init(&mut self) {
        self.set_clock();
        self.server.load().expect("a module that can be loaded");
        self.loaded = true;
        self.steps.insert(
            0,
            Step::Locate {
                entities: 64,
                entity_size: 1728,
                client_size: 124_320,
            },
        );
        self.traps.insert(0, 17);
        self.call(INIT, &[self.level_ms, 7, 1, 1, 283_010_000], 0);
    }

    fn shutdown(&mut self, restart: isize) {
        self.call(SHUTDOWN, &[restart], 0);
        self.server.unload();
        self.loaded = false;
    }

    fn set_clock(&mut self) {
        self.server.set_unix_ms(self.unix_ms);
    }

    fn console(&mut self, text: &[u8]) {
        self.server.set_command(text);
        let words = text.split(u8::is_ascii_whitespace);
        let mut words = words.filter(|w| !w.is_empty());
        // Strings of the engine end at the first zero.
        let first = words.next().and_then(|w| w.split(|&b| b == 0).next());
        if first.is_some_and(|w| decode(w).eq_ignore_ascii_case("gametimes")) {
            let held = (
                std::mem::take(&mut self.steps),
                std::mem::take(&mut self.traps),
            );
            self.server.record_calls();
            assert_eq!(self.server.call(CONSOLE, &[], []), Some(1));
            assert!(self.server.record_calls().is_empty(), "ours alone");
            (self.steps, self.traps) = held;
        } else {
            self.call(CONSOLE, &[], 0);
        }
    }

    /// Makes a call of the engine. The game receives it unchanged and makes its traps, and the engine gets the
    /// game's answer.
    fn call(&mut self, command: i32, arguments: &[isize], answer: isize) {
        if !self.loaded {
            return;
        }
        self.set_clock();
        let mut steps = std::mem::take(&mut self.steps);
        let traps = std::mem::take(&mut self.traps);
        steps.push(Step::Return(answer));
        let server = &mut *self.server;
        server.record_calls();
        server.record_traps();
        let result = server.call(command, arguments, steps);
        let fails = std::mem::take(&mut self.fails);
        assert_eq!(result, (!fails).then_some(answer), "call {command}");
        let calls = server.record_calls();
        if !fails {
            let (last, got) = calls.last().expect("the game got it");
            assert_eq!(*last, command as isize);
            assert!(got.starts_with(&arguments[..arguments.len().min(5)]));
            // Traps of the module may come between those of the game.
            let mut seen = server.record_traps().into_iter().map(|t| t.number);
            for trap in traps {
                assert!(seen.any(|t| t == trap), "trap {trap} in call {command}");
            }
        } else {
            server.unload();
            self.loaded = false;
            self.init();
        }
    }
}

/// Reads a number as C does: invalid text is 0.
fn number(text: &[u8]) -> isize {
    let text = String::from_utf8_lossy(text);
    text.trim().parse().unwrap_or(0)
}

fn file_is_sound(file: &GametimesFile) {
    let m = &file.meta;
    let problems: Vec<String> = check(file)
        .into_iter()
        .map(|p| p.to_string())
        // A player without a guid may have no name, and a game may name the side that gave up as the winner.
        .filter(|p| !p.contains("neither guid nor name"))
        .filter(|p| !p.ends_with("1 gave up and 1 won") && !p.ends_with("2 gave up and 2 won"))
        .collect();
    assert!(problems.is_empty(), "{problems:#?}");
    assert!(m.duration_ms >= 0 && matches!(m.round, 1 | 2));
    let (mut dead, mut denied, mut deaths, mut kills) = (0, 0, 0, 0);
    for s in &m.spawn_stats {
        assert!(s.dead_ms >= 0 && s.alive_ms >= 0, "{s:?}");
        assert!(s.dead_ms + s.alive_ms <= s.played_ms, "{s:?}");
        assert!(s.played_ms <= m.duration_ms, "{s:?}");
        assert!(s.max_dead_ms <= s.dead_ms && s.revives <= s.spawns, "{s:?}");
        dead += s.dead_ms;
        denied += s.denied_ms;
        deaths += s.deaths;
        kills += s.kills;
    }
    assert!(denied <= dead && kills <= deaths, "{m:?}");
    assert!(m.events.is_sorted_by_key(|e| e.t_ms));
    // No player is on both teams, and the timeline has as many deaths as the sums.
    let mut teams: HashMap<(&str, &str), u8> = HashMap::new();
    for (team, people) in [(1, &m.teams.axis), (2, &m.teams.allies)] {
        for p in people {
            let before = teams.insert((&p.guid, &p.name), team);
            assert!(
                p.guid.is_empty() || before.is_none_or(|t| t == team),
                "{p:?}"
            );
        }
    }
    if m.events_dropped == 0 {
        let noted = m
            .events
            .iter()
            .filter(|e| matches!(e.kind, gametimes_format::file::EventKind::Death));
        assert_eq!(noted.count(), deaths as usize);
    }
    let again = serde_json::to_vec(file).expect("written");
    assert_eq!(
        &serde_json::from_slice::<GametimesFile>(&again).expect("read"),
        file
    );
}
