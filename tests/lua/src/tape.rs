//! A recorded match, played to a script.
//!
//! The tape contains what passed between engine and game, the hooks file which callbacks the game's Lua got. The player
//! merges them: prints, cvars, configstrings and records come from the tape, deaths and spawns from the hooks, each in the
//! call in which it happened.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use gametimes_standin::{recorded, stopwatch};
use serde_json::Value;

use crate::world::{Client, Server};

const LIMBO: i64 = 0x4000;
const CS_PLAYERS: i64 = 689;

fn lines(file: &str) -> Vec<Value> {
    let path = recorded::folder().join(file);
    let file = File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    BufReader::new(GzDecoder::new(file))
        .lines()
        .map(|line| serde_json::from_str(&line.expect("gzip")).expect("JSON"))
        .collect()
}

/// Each byte of an engine string is one code point in a tape.
fn bytes(value: &Value) -> Vec<u8> {
    value
        .as_str()
        .expect("a string")
        .chars()
        .map(|c| u8::try_from(u32::from(c)).expect("a byte"))
        .collect()
}

fn int(event: &Value, key: &str) -> i64 {
    event[key]
        .as_i64()
        .unwrap_or_else(|| panic!("{key} in {event}"))
}

fn kind(event: &Value) -> &str {
    event["e"].as_str().expect("kind")
}

fn info_value(info: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    let mut parts = info
        .strip_prefix(b"\\")
        .unwrap_or(info)
        .split(|b| *b == b'\\');
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        if name == key {
            return Some(value.to_vec());
        }
    }
    None
}

#[derive(Debug)]
struct Call {
    cmd: String,
    args: Vec<i64>,
}

/// Called before each map is loaded, with its number. It may change cvars or the script.
pub type BeforeMap<'a> = &'a mut dyn FnMut(&Server, usize);

/// Plays a match.
pub struct Player {
    events: Vec<Value>,
    deaths: VecDeque<Value>,
    /// By the line of the `ret` in whose call they happened.
    spawns: HashMap<usize, Vec<Value>>,
    /// Spawns whose limbo flag the recorded script read in the next frame.
    unchecked: Vec<Value>,
    files: HashMap<i64, PathBuf>,
    frames: Vec<Duration>,
    hide_obituaries: bool,
    forge: Option<Forge>,
    watch: Option<Watch>,
}

/// Called after each frame, with its level time.
pub type Watch = Box<dyn FnMut(&Server, i64)>;

/// Returns further prints of the game before a line of the tape, inside a call.
pub type Forge = Box<dyn FnMut(usize) -> Vec<String>>;

impl Player {
    /// Reads a match from its files.
    ///
    /// # Panics
    /// When the files are missing or invalid.
    pub fn new(name: &str) -> Self {
        Self::read(&format!("{name}.tape.jsonl.gz"), name)
    }

    /// Reads a case, and the callbacks of the match that it was made from.
    ///
    /// # Panics
    /// As [`Player::new`].
    pub fn case(name: &str, made_from: &str) -> Self {
        Self::read(&format!("../cases/{name}.tape.jsonl.gz"), made_from)
    }

    /// Reads an edited stopwatch match.
    ///
    /// # Panics
    /// As [`Player::new`].
    pub fn stopwatch(case: &stopwatch::Case) -> Self {
        Self::of(case.lines(), case.hooks())
    }

    /// A script before this one returns a value from its `et_Obituary`, so that this one's is not called.
    #[must_use]
    pub fn hide_obituaries(mut self) -> Self {
        self.hide_obituaries = true;
        self
    }

    /// Lets the game print more.
    #[must_use]
    pub fn forge(mut self, forge: impl FnMut(usize) -> Vec<String> + 'static) -> Self {
        self.forge = Some(Box::new(forge));
        self
    }

    /// Looks at the server after each frame.
    #[must_use]
    pub fn watch(mut self, watch: impl FnMut(&Server, i64) + 'static) -> Self {
        self.watch = Some(Box::new(watch));
        self
    }

    fn read(tape: &str, hooks: &str) -> Self {
        Self::of(lines(tape), lines(&format!("{hooks}.hooks.jsonl.gz")))
    }

    fn of(events: Vec<Value>, hooks: Vec<Value>) -> Self {
        let of = |k: &str| {
            hooks
                .iter()
                .filter(|h| kind(h) == k)
                .cloned()
                .collect::<Vec<_>>()
        };
        let spawns = place_spawns(&events, of("spawn"));
        Self {
            deaths: of("death").into(),
            spawns,
            unchecked: Vec::new(),
            files: HashMap::new(),
            frames: Vec::new(),
            hide_obituaries: false,
            forge: None,
            watch: None,
            events,
        }
    }

    /// Plays the match through a server. `before_map` may change cvars or the script. Returns the script's time in
    /// each frame.
    ///
    /// # Panics
    /// When tape and hooks contradict each other.
    pub fn play(mut self, server: &mut Server, before_map: BeforeMap) -> Vec<Duration> {
        let events = std::mem::take(&mut self.events);
        let mut calls: Vec<Call> = Vec::new();
        let mut maps = 0;
        for (line, event) in events.iter().enumerate() {
            if let Some(forge) = self.forge.as_mut().filter(|_| !calls.is_empty()) {
                for text in forge(line) {
                    server.print(text.as_bytes());
                }
            }
            match kind(event) {
                "cvars" => {
                    let mut world = server.world.borrow_mut();
                    for (name, value) in event["values"].as_object().expect("cvars") {
                        if name != "fs_homepath" {
                            world.cvars.insert(name.clone(), bytes(value));
                        }
                    }
                }
                "call" => {
                    server.world.borrow_mut().unix_ms = int(event, "unix_ms");
                    let call = Call {
                        cmd: event["cmd"].as_str().expect("cmd").to_owned(),
                        args: event["args"]
                            .as_array()
                            .expect("args")
                            .iter()
                            .map(|v| v.as_i64().expect("int"))
                            .collect(),
                    };
                    self.before(server, &call, &events[line..], before_map, &mut maps);
                    calls.push(call);
                }
                "ret" => {
                    let call = calls.pop().expect("a call for every ret");
                    self.after(server, &call, line);
                }
                "print" => {
                    let text = bytes(&event["text"]);
                    if text.starts_with(b"Kill: ") {
                        self.kill(server, &text);
                    } else {
                        server.print(&text);
                    }
                    // The game disconnects the client itself.
                    let forced = text.strip_prefix(b"Forcing disconnect on active client: ");
                    if let Some(slot) = forced {
                        let slot = String::from_utf8_lossy(slot).trim().parse::<i64>();
                        server.call("et_ClientDisconnect", slot.expect("slot"));
                    }
                }
                "cvar_set" => {
                    let name = event["name"].as_str().expect("name").to_owned();
                    server
                        .world
                        .borrow_mut()
                        .cvars
                        .insert(name, bytes(&event["value"]));
                }
                "configstring" => configstring(server, int(event, "n"), bytes(&event["value"])),
                "userinfo" => {
                    let n = int(event, "n") as usize;
                    server.world.borrow_mut().clients[n].userinfo = bytes(&event["value"]);
                }
                "ps" => {
                    let mut world = server.world.borrow_mut();
                    for c in event["c"].as_array().expect("records") {
                        world.clients[int(c, "n") as usize].pm_flags = int(c, "pm_flags");
                    }
                }
                "fs_open" => {
                    let path = event["path"].as_str().expect("path").replace('\\', "/");
                    if path.starts_with("gamestats/") {
                        self.files
                            .insert(int(event, "handle"), server.game_dir().join(path));
                    }
                }
                "fs_close" => {
                    if let Some(path) = self.files.remove(&int(event, "handle")) {
                        std::fs::create_dir_all(path.parent().expect("folder")).expect("gamestats");
                        std::fs::write(path, "stats\n").expect("stats file");
                    }
                }
                _ => {}
            }
        }
        let left: Vec<_> = self.deaths.iter().filter(|d| d["gs"] == 0).collect();
        assert!(left.is_empty(), "deaths that no print told of: {left:?}");
        self.frames
    }

    fn before(
        &mut self,
        server: &mut Server,
        call: &Call,
        rest: &[Value],
        before_map: BeforeMap,
        maps: &mut usize,
    ) {
        match call.cmd.as_str() {
            "init" => {
                before_map(server, *maps);
                *maps += 1;
                server.load();
            }
            "shutdown" => {
                // The engine sets the next gamestate before it shuts the game down, unless the server ends.
                if let Some(next) = rest.iter().find(|e| kind(e) == "cvars") {
                    server.set(
                        "gamestate",
                        next["values"]["gamestate"].as_str().expect("gamestate"),
                    );
                }
            }
            "disconnect" if server.is_loaded() => {
                server.call("et_ClientDisconnect", call.args[0]);
            }
            _ => {}
        }
    }

    fn after(&mut self, server: &mut Server, call: &Call, line: usize) {
        let slot = call.args[0];
        if call.cmd == "begin" {
            server.call("et_ClientBegin", slot);
        }
        for spawn in self.spawns.remove(&line).unwrap_or_default() {
            let n = int(&spawn, "n");
            {
                let client: &mut Client = &mut server.world.borrow_mut().clients[n as usize];
                assert_eq!(client.team, int(&spawn, "team"), "team at {spawn}");
                client.spawn_ms = int(&spawn, "t");
                client.death_ms = 0;
            }
            server.call("et_ClientSpawn", (n, int(&spawn, "revived"), 0, 1));
            self.unchecked.push(spawn);
        }
        match call.cmd.as_str() {
            "init" => server.call("et_InitGame", (call.args[0], call.args[1], call.args[2])),
            "frame" => {
                for spawn in self.unchecked.drain(..) {
                    let flags = server.world.borrow().clients[int(&spawn, "n") as usize].pm_flags;
                    assert_eq!(
                        i64::from(flags & LIMBO != 0),
                        int(&spawn, "limbo"),
                        "limbo at {spawn}"
                    );
                }
                let began = Instant::now();
                server.call("et_RunFrame", call.args[0]);
                self.frames.push(began.elapsed());
                if let Some(watch) = &mut self.watch {
                    watch(server, call.args[0]);
                }
            }
            "shutdown" => {
                self.unchecked.clear();
                server.call("et_ShutdownGame", call.args[0]);
                server.unload();
            }
            _ => {}
        }
    }

    /// The game sets the time of the death, prints the kill, and then calls the script.
    fn kill(&mut self, server: &Server, text: &[u8]) {
        let death = loop {
            let death = self.deaths.pop_front().expect("a hook for every kill");
            if death["gs"] == 0 {
                break death; // deaths in the warmup are not printed
            }
        };
        let (victim, killer, means) = (
            int(&death, "victim"),
            int(&death, "killer"),
            int(&death, "mod"),
        );
        let told = format!("Kill: {killer} {victim} {means}: ");
        assert!(
            text.starts_with(told.as_bytes()),
            "{told:?} and {:?}",
            String::from_utf8_lossy(text)
        );
        {
            let mut world = server.world.borrow_mut();
            assert_eq!(
                world.clients[victim as usize].team,
                int(&death, "vteam"),
                "{death}"
            );
            if let Some(killer) = world.clients.get(killer as usize) {
                assert_eq!(killer.team, int(&death, "kteam"), "{death}");
            }
            let victim = &mut world.clients[victim as usize];
            if victim.death_ms == 0 {
                victim.death_ms = int(&death, "t");
            }
        }
        server.print(text);
        if !self.hide_obituaries {
            server.call("et_Obituary", (victim, killer, means));
        }
    }
}

fn configstring(server: &Server, n: i64, value: Vec<u8>) {
    let slot = n - CS_PLAYERS;
    let is_player = (0..64).contains(&slot) && !value.is_empty();
    {
        let mut world = server.world.borrow_mut();
        if is_player {
            let client = &mut world.clients[slot as usize];
            client.name = info_value(&value, b"n").unwrap_or_default();
            let number = |key| {
                String::from_utf8(info_value(&value, key)?)
                    .ok()?
                    .parse()
                    .ok()
            };
            client.team = number(b"t").unwrap_or(0);
            client.class = number(b"c").unwrap_or(0);
        }
        world.configstrings.insert(n, value);
    }
    if is_player && server.is_loaded() {
        server.call("et_ClientUserinfoChanged", slot);
    }
}

/// Finds the call of a spawn: the first one at its time after which the player's record shows it.
fn place_spawns(events: &[Value], spawns: Vec<Value>) -> HashMap<usize, Vec<Value>> {
    let mut placed: HashMap<usize, Vec<Value>> = HashMap::new();
    let mut open: Vec<Value> = Vec::new();
    let mut spawns: VecDeque<Value> = spawns.into();
    let mut level = -1;
    let mut counts: HashMap<i64, (i64, bool)> = HashMap::new();
    // The teams of the players whose spawn count changed in this call.
    let mut changed: HashMap<i64, i64> = HashMap::new();
    let mut calls: Vec<&str> = Vec::new();
    for (line, event) in events.iter().enumerate() {
        match kind(event) {
            "call" => {
                let cmd = event["cmd"].as_str().expect("cmd");
                calls.push(cmd);
                if cmd == "frame" || cmd == "init" {
                    level = event["args"][0].as_i64().expect("level time");
                }
            }
            "ps" => {
                changed.clear();
                for c in event["c"].as_array().expect("records") {
                    let (n, count) = (int(c, "n"), c["pers"][4].as_i64().expect("spawn count"));
                    let limbo = int(c, "pm_flags") & LIMBO != 0;
                    let before = counts.insert(n, (count, limbo));
                    // In limbo the record is that of the watched player, and its count may be equal by chance.
                    if before.is_none_or(|(old, hidden)| old != count || hidden && !limbo) {
                        changed.insert(n, c["pers"][3].as_i64().expect("team"));
                    }
                }
            }
            "ret" => {
                let cmd = calls.pop().expect("a call for every ret");
                while spawns.front().is_some_and(|s| int(s, "t") <= level) {
                    open.extend(spawns.pop_front());
                }
                open.retain(|spawn| {
                    let here = changed.get(&int(spawn, "n")) == Some(&int(spawn, "team"));
                    if here {
                        changed.remove(&int(spawn, "n"));
                    }
                    let last = cmd == "frame" && int(spawn, "t") < level || cmd == "shutdown";
                    if here || last {
                        placed.entry(line).or_default().push(spawn.clone());
                    }
                    !(here || last)
                });
                changed.clear();
            }
            _ => {}
        }
    }
    assert!(
        open.is_empty() && spawns.is_empty(),
        "spawns without a call: {open:?} {spawns:?}"
    );
    placed
}
