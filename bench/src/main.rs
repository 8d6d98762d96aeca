//! What the module costs on the game's thread, beside the fallback script. `cargo xtask bench` builds everything and runs it.
//!
//! The built module stands between the stand-in engine and the stand-in game, which fights by itself: every fourth frame one
//! player dies, 100 frames later they are alive again; their records lie 124,352 bytes apart, as in the game. The same
//! frames without the module are the base line. Machines are noisy: medians and ratios are what counts.

#![forbid(unsafe_code)]

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use gametimes::deliver::outbox::{Entry, Outbox};
use gametimes_format::{GametimesFile, Message, Meta};
use gametimes_lua_tests::SCRIPT;
use gametimes_lua_tests::world::Server as LuaServer;
use gametimes_standin::{GAME, Server};

/// Players of the measured fights.
const PLAYERS: [usize; 4] = [2, 12, 40, 64];
/// Frames of one block, and how often blocks with and without the module take turns.
const FRAMES: isize = 4000;
const BLOCKS: usize = 5;
/// Rounds whose last frame is measured.
const ROUNDS: usize = 40;

/// Sorted times.
struct Times(Vec<Duration>);

impl Times {
    fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    fn at(&self, part: f64) -> u128 {
        let last = self.0.len() - 1;
        self.0[(last as f64 * part) as usize].as_nanos()
    }

    fn row(&self) -> String {
        format!("{} | {} | {}", self.at(0.5), self.at(0.99), self.at(1.0))
    }
}

fn main() {
    let module = std::env::args()
        .nth(1)
        .expect("usage: gametimes-bench MODULE.so");
    let module = Path::new(&module);
    println!("Machine: {}", machine());
    println!();
    frames(module);
    println!();
    round_end(module);
}

fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|l| l.strip_prefix("model name")?.split(':').nth(1))
        .unwrap_or(" unknown");
    let count = cpus.lines().filter(|l| l.starts_with("processor")).count();
    format!("{count} x{model}")
}

/// A server in which so many players fight.
fn fight(
    game: &Path,
    home: &Path,
    players: usize,
    last_frame: isize,
    cvars: &[(&str, &str)],
) -> Server {
    let mut server = Server::new(game, home, &home.join("base")).expect("a folder for the server");
    cvars
        .iter()
        .for_each(|(name, value)| server.set_cvar(name, value));
    server.load().expect("the module loads");
    server.fight(players, last_frame);
    server
}

fn timed_frames(server: &mut Server, from: isize, count: isize) -> Vec<Duration> {
    (from..from + count)
        .map(|n| {
            let began = Instant::now();
            server.frame(n * 50);
            began.elapsed()
        })
        .collect()
}

/// One frame with and without the module, and one frame of the script.
fn frames(module: &Path) {
    println!("## One frame, in nanoseconds");
    println!();
    println!(
        "| players | base median | with median | with p99 | with max | **added median** | script median | script p99 | script max | script / added |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for players in PLAYERS {
        let (mut base, mut with) = (Vec::new(), Vec::new());
        for _ in 0..BLOCKS {
            let home = tempfile::tempdir().expect("a temporary folder");
            for (game, times) in [(Path::new(GAME), &mut base), (module, &mut with)] {
                let mut server = fight(game, &home.path().join("s"), players, -1, &[]);
                timed_frames(&mut server, 1, FRAMES / 4);
                times.extend(timed_frames(&mut server, FRAMES, FRAMES));
            }
        }
        let (base, with) = (Times::new(base), Times::new(with));
        let added = with.at(0.5).saturating_sub(base.at(0.5)).max(1);
        let script = script_frames(players);
        println!(
            "| {players} | {} | {} | **{added}** | {} | {} |",
            base.at(0.5),
            with.row(),
            script.row(),
            script.at(0.5) / added
        );
    }
}

/// Frames of the fallback script in a real Lua 5.4, a quarter of the players dead. What the stub of the game's Lua interface
/// costs is in it, as the game's own costs in the game.
fn script_frames(players: usize) -> Times {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut server = LuaServer::new(home.path(), SCRIPT);
    for (name, value) in [("sv_maxclients", "64"), ("gamestate", "0")] {
        server.set(name, value);
    }
    server.configstring(32, "0");
    server.load();
    server.call("et_InitGame", (1000, 1, 1));
    for slot in 0..players as i64 {
        {
            let mut world = server.world.borrow_mut();
            let client = &mut world.clients[slot as usize];
            client.userinfo = format!("\\name\\x\\cl_guid\\{slot:032X}").into_bytes();
            client.name = format!("p{slot}").into_bytes();
            (client.connected, client.team, client.pm_flags) = (2, 1 + slot % 2, 0);
        }
        server.call("et_ClientBegin", slot);
        server.call("et_ClientSpawn", (slot, 0, 0, 1));
        if slot % 4 == 3 {
            server
                .print(format!("Kill: {} {slot} 9: a killed b by MOD_MP40\n", slot - 1).as_bytes());
            server.call("et_Obituary", (slot, slot - 1, 9));
        }
    }
    let frame = |n: i64| {
        server.world.borrow_mut().unix_ms += 50;
        let began = Instant::now();
        server.call("et_RunFrame", 1000 + n * 50);
        began.elapsed()
    };
    for n in 1..500 {
        frame(n);
    }
    Times::new((500..4500).map(frame).collect())
}

/// The frame in which the round ends, with a full outbox and a webhook that never answers.
fn round_end(module: &Path) {
    // Bound, never accepted from: a connection is made, and no answer ever comes.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let url = format!(
        "http://{}/api/webhooks/1/x",
        silent.local_addr().expect("its address")
    );
    let (mut base, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let home = tempfile::tempdir().expect("a temporary folder");
        fill_outbox(home.path());
        for (game, times) in [(Path::new(GAME), &mut base), (module, &mut with)] {
            let mut server = fight(
                game,
                home.path(),
                64,
                500,
                &[("gametimes_webhook_url", &url)],
            );
            timed_frames(&mut server, 1, 499);
            times.extend(timed_frames(&mut server, 500, 1));
            server.set_quiet(false);
            server.call(1, &[0], []);
        }
    }
    println!("## The frame in which a round of 64 players ends, in nanoseconds");
    println!();
    println!("500 messages wait in the outbox, and the webhook never answers.");
    println!();
    println!("| | median | p99 | max |");
    println!("| --- | ---: | ---: | ---: |");
    println!("| without the module | {} |", Times::new(base).row());
    println!("| with the module | {} |", Times::new(with).row());
}

fn fill_outbox(home: &Path) {
    let outbox =
        Outbox::open(&home.join("legacy/gametimes/outbox/127.0.0.1_27960")).expect("an outbox");
    let file = GametimesFile {
        meta: Meta::default(),
        payload: Message::default(),
    };
    for n in 0..500 {
        let entry = Entry {
            event_id: format!("{n}"),
            target: 1,
            message: Message::default(),
            file_name: file.file_name(),
            file: "x".repeat(1000),
        };
        outbox
            .put(&entry, &file, 1000 + n)
            .expect("room for a message");
    }
}
