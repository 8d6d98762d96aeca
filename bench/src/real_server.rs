//! A real server, for comparison. It is no part of this repository, so its figures are measured by hand.

use crate::count::Count;
use crate::frames::Frame;

/// A server frame of a run of a real server.
struct Run {
    players: usize,
    traps: u64,
    /// Instructions in the module's file, and of the whole game thread without those.
    module: u64,
    server: u64,
    /// The median CPU time of `RUN_FRAME` and of every `CLIENT_THINK`, without the module and without valgrind.
    frame_us: u64,
}

const RUNS: [Run; 2] = [
    Run {
        players: 12,
        traps: 543,
        module: 4_543,
        server: 3_078_236,
        frame_us: 220,
    },
    Run {
        players: 44,
        traps: 2_061,
        module: 15_038,
        server: 4_449_681,
        frame_us: 740,
    },
];

/// Prints how far the stand-in is off.
pub fn print(frames: &[Frame], counts: &[Count]) {
    println!("## How far the stand-in is off");
    println!();
    println!(
        "The figures of the real server were measured by hand on a virtual machine with two cores (AMD EPYC): ET:Legacy 2.83.1 with the stock game, built without \
         models for hit boxes, on a map of one room. A program in front of the module drove players that fight, revive and respawn, with one `CLIENT_THINK` each \
         in a frame. `valgrind --tool=callgrind --separate-threads=yes` counted on the game's thread, in 1387 frames (44 players) and 2002 frames (12 players) in \
         which all of them fought; the module was one of `cargo build --release`. The time of the frame was measured without valgrind and without the \
         module. What the module adds to it is less than two such runs differ, so its share of the time is that of the first table."
    );
    println!();
    println!(
        "| players | server | traps | the module's instructions | share of all instructions | frame, µs | share of its time |"
    );
    println!("| ---: | --- | ---: | ---: | ---: | ---: | ---: |");
    let share = |part: f64, rest: f64| 100.0 * part / (part + rest);
    for run in RUNS {
        let frame = frames.iter().find(|frame| frame.players == run.players);
        let count = counts.iter().find(|count| count.players == run.players);
        let (Some(frame), Some(count)) = (frame, count) else {
            continue;
        };
        let added_us = frame.added_ns as f64 / 1000.0;
        let none_us = frame.none_ns as f64 / 1000.0;
        println!(
            "| {} | real | {} | {} | {:.2} % | {} | {:.1} % |",
            run.players,
            run.traps,
            run.module,
            share(run.module as f64, run.server as f64),
            run.frame_us,
            share(added_us, run.frame_us as f64)
        );
        println!(
            "| | stand-in | {} | {} | {:.2} % | {none_us:.0} | {:.1} % |",
            count.traps,
            count.module,
            share(count.module as f64, count.none as f64),
            share(added_us, none_us)
        );
    }
    println!();
    println!(
        "The stand-in makes more traps: real clients send several commands in a frame, and 3,000 traps in a server frame were counted with 44 players on another \
         run. Apart from the traps it computes next to nothing, so the module's share of its instructions says nothing about a server. In valgrind's cache \
         simulation its frame misses as often as the real one (see `Memory` in `tests/standin/src/fight.rs`)."
    );
}
