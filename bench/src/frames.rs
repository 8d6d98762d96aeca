//! The time that the module adds to a frame, compared with the fallback script.

use std::path::Path;
use std::time::{Duration, Instant};

use gametimes_lua_tests::SCRIPT;
use gametimes_lua_tests::tape::Player as LuaPlayer;
use gametimes_lua_tests::world::Server as LuaServer;
use gametimes_standin::{GAME, Player, Server, Tape, recorded};

use crate::server::{fight, timed_frames};
use crate::times::Times;

/// Numbers of players in the measured fights.
const PLAYERS: [usize; 4] = [2, 12, 40, 64];
/// The frames of one block, and how many blocks with and without the module alternate.
const FRAMES: isize = 4000;
const BLOCKS: usize = 5;
/// A public match of 40 players, and how often it is played with and without the module.
const TAPE: &str = "public40";
const PLAYS: usize = 5;

/// One frame with and without the module, and one frame of the script.
pub fn print(module: &Path) {
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
        let script = Times::new(script_frames(players, "0"));
        println!(
            "| {players} | {} | {} | **{added}** | {} | {} |",
            base.at(0.5),
            with.row(),
            script.row(),
            script.at(0.5) / added
        );
    }
}

/// Times frames of the fallback script in a real Lua 5.4, with a quarter of the players dead. The times include the stub of the
/// game's Lua interface, as those on a server include the real one. `live` is the value of `gametimes_live`.
pub fn script_frames(players: usize, live: &str) -> Vec<Duration> {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut server = LuaServer::new(home.path(), SCRIPT);
    for (name, value) in [
        ("sv_maxclients", "64"),
        ("gamestate", "0"),
        ("gametimes_live", live),
    ] {
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
            (client.team, client.pm_flags) = (1 + slot % 2, 0);
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
    (500..4500).map(frame).collect()
}

/// Times every frame of a recorded match, with everything that the game did in it. Each frame's time is the shortest of several
/// plays, which leaves out most of what else the machine does.
pub fn print_tape(module: &Path) {
    let tape = recorded::tape(TAPE).expect("a tape");
    let (mut base, mut with, mut script) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..PLAYS {
        shortest(&mut base, play(Path::new(GAME), &tape));
        shortest(&mut with, play(module, &tape));
        shortest(&mut script, play_script());
    }
    let added: Vec<Duration> = with
        .iter()
        .zip(&base)
        .map(|(with, base)| with.saturating_sub(*base))
        .collect();
    let (added, script) = (Times::new(added), Times::new(script));
    println!("## One frame of a recorded public match of 40 players, in nanoseconds");
    println!();
    println!(
        "{} frames; the time of each is the shortest of {PLAYS} plays. The script's handling of prints is not included.",
        with.len()
    );
    println!();
    println!("| | median | p99 | max |");
    println!("| --- | ---: | ---: | ---: |");
    println!("| the module adds | {} |", added.row());
    println!("| the script | {} |", script.row());
    println!(
        "| script / added | {} | {} | {} |",
        script.at(0.5) / added.at(0.5).max(1),
        script.at(0.99) / added.at(0.99).max(1),
        script.at(1.0) / added.at(1.0).max(1)
    );
}

/// Plays the tape through a module, or through the game alone, and times its frames.
fn play(module: &Path, tape: &Tape) -> Vec<Duration> {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut server = Server::new(module, home.path(), &home.path().join("base"))
        .expect("a folder for the server");
    let mut player = Player::new(tape, false);
    let mut times = Vec::new();
    let mut is_frame = false;
    while player
        .step(&mut server, |call| is_frame = call.cmd == "frame")
        .expect("the module plays")
    {
        if is_frame {
            times.push(player.last_call());
        }
    }
    times
}

fn play_script() -> Vec<Duration> {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut server = LuaServer::new(home.path(), SCRIPT);
    LuaPlayer::new(TAPE).play(&mut server, &mut |_, _| {})
}

fn shortest(all: &mut Vec<Duration>, new: Vec<Duration>) {
    if all.is_empty() {
        *all = new;
        return;
    }
    assert_eq!(all.len(), new.len(), "all plays have the same frames");
    for (old, new) in all.iter_mut().zip(new) {
        *old = new.min(*old);
    }
}
