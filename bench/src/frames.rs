//! The time that the module adds to a server frame, compared with the fallback script.

use std::path::Path;

use gametimes_standin::fight::Memory;
use gametimes_standin::{Fight, GAME};

use crate::script::Script;
use crate::server::{fight, thread_cpu};
use crate::times::Times;
use crate::{count, real_server};

/// Numbers of players in the measured fights.
pub const PLAYERS: [usize; 3] = [12, 44, 64];
/// Frames before the measurement, frames of one block, and how many blocks of each kind alternate.
const WARM: isize = 300;
const FRAMES: isize = 50;
const BLOCKS: usize = 80;

/// A server frame, measured.
pub struct Frame {
    pub players: usize,
    /// The median CPU time without the module, and what the module adds, in nanoseconds.
    pub none_ns: i128,
    pub added_ns: i128,
}

/// Prints times, instructions and a comparison with a real server.
pub fn print(module: &Path) {
    let frames = print_times(module);
    println!();
    let counts = count::print(module);
    println!();
    real_server::print(&frames, &counts);
}

fn print_times(module: &Path) -> Vec<Frame> {
    println!("## One server frame, in microseconds");
    println!();
    println!(
        "CPU time of the game's thread for `RUN_FRAME` and a `CLIENT_THINK` of every player, with the traps of a real server's frame and caches as cold as \
         it leaves them: medians, 99th percentiles in parentheses. {BLOCKS} blocks of {FRAMES} frames each without the module, with it, and with the \
         script alternate; what is added is the median over the blocks, with the quartiles. There is a ratio where the \
         module's lower quartile is above 0: else it adds less than the blocks differ. From run to run the figures differ by more, \
         with where each server's memory lies."
    );
    println!();
    println!(
        "| players | traps | without | with the module | with the script | **the module adds** | the script adds | script / module |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    PLAYERS.map(|players| row(module, players)).into()
}

/// What is measured in turn.
const NONE: usize = 0;
const MODULE: usize = 1;
const SCRIPT: usize = 2;

fn row(module: &Path, players: usize) -> Frame {
    let home = tempfile::tempdir().expect("a temporary folder");
    let cold = Fight {
        memory: Memory::OF_A_GAME,
        ..Fight::new(players)
    };
    let mut servers = [NONE, MODULE, SCRIPT].map(|kind| {
        let game = if kind == MODULE {
            module
        } else {
            Path::new(GAME)
        };
        fight(game, &home.path().join(kind.to_string()), &cold, &[])
    });
    let mut script = Script::new(players, "0");
    let mut next = 1;
    let mut block = |frames: isize| {
        let first = next;
        next += frames;
        [NONE, MODULE, SCRIPT].map(|kind| {
            let server = &mut servers[kind];
            let frame = |n: isize| {
                thread_cpu(|| {
                    server.frame(n * 50);
                    if let (SCRIPT, Some(plan)) = (kind, server.plan()) {
                        script.frame(plan);
                    }
                })
            };
            (first..first + frames).map(frame).collect::<Vec<_>>()
        })
    };
    block(WARM);
    let (mut all, mut added) = ([const { Vec::new() }; 3], [const { Vec::new() }; 3]);
    for _ in 0..BLOCKS {
        let times = block(FRAMES);
        let medians = times.clone().map(|times| median(&Times::new(times)));
        for kind in [NONE, MODULE, SCRIPT] {
            added[kind].push(medians[kind] - medians[NONE]);
            all[kind].extend_from_slice(&times[kind]);
        }
    }
    let all = all.map(Times::new);
    let [_, module, script] = added.map(Quartiles::of);
    let us = |ns: i128| format!("{:.1}", ns as f64 / 1000.0);
    let both = |times: &Times| format!("{} ({})", us(median(times)), us(times.at(0.99) as i128));
    let between = |added: &Quartiles| format!("({} to {})", us(added.lower), us(added.upper));
    let ratio = match module.lower > 0 {
        true => format!("{:.1}", script.median as f64 / module.median as f64),
        false => "-".to_owned(),
    };
    println!(
        "| {players} | {} | {} | {} | {} | **{}** {} | {} {} | {ratio} |",
        count::traps(players),
        both(&all[NONE]),
        both(&all[MODULE]),
        both(&all[SCRIPT]),
        us(module.median),
        between(&module),
        us(script.median),
        between(&script)
    );
    Frame {
        players,
        none_ns: median(&all[NONE]),
        added_ns: module.median.max(0),
    }
}

/// What was added in the blocks, in nanoseconds.
struct Quartiles {
    lower: i128,
    median: i128,
    upper: i128,
}

impl Quartiles {
    fn of(mut blocks: Vec<i128>) -> Self {
        blocks.sort_unstable();
        let at = |quarters: usize| blocks[blocks.len() * quarters / 4];
        Self {
            lower: at(1),
            median: at(2),
            upper: at(3),
        }
    }
}

fn median(times: &Times) -> i128 {
    times.at(0.5) as i128
}
