//! The time that the module adds to the frames of a recorded match, with everything that happened in it.

use std::path::Path;
use std::time::Duration;

use gametimes_lua_tests::SCRIPT;
use gametimes_lua_tests::tape::Player as LuaPlayer;
use gametimes_lua_tests::world::Server as LuaServer;
use gametimes_standin::{GAME, Player, Server, Tape, recorded};

use crate::times::Times;

/// A public match of 40 players, and how often it is played with and without the module.
const TAPE: &str = "public40";
const PLAYS: usize = 5;

/// Times every frame of a recorded match, with everything that the game did in it. Each frame's time is the shortest of several
/// plays, which leaves out most of what else the machine does.
pub fn print(module: &Path) {
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
