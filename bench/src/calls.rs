//! The cost of calls and traps that the module does not need.

use std::path::Path;
use std::time::{Duration, Instant};

use gametimes_standin::{Fight, GAME, Server};

use crate::server::fight;
use crate::times::Times;

/// The number of `GAME_SNAPSHOT_CALLBACK`, which the module does not need.
const CALL: i32 = 10;
/// The number of `G_MILLISECONDS`, which the module does not need.
const TRAP: isize = 2;
/// How many calls or traps one measurement takes, and how many measurements there are.
const MANY: isize = 1000;
const MEASUREMENTS: usize = 2000;
const BLOCKS: usize = 5;

/// Prints the table.
pub fn print(module: &Path) {
    println!("## A call or a trap that the module does not need, in nanoseconds");
    println!();
    println!("| | base median | with median | **added median** |");
    println!("| --- | ---: | ---: | ---: |");
    row(module, "call", |server| {
        for _ in 0..MANY {
            server.bare_call(CALL, 0);
        }
    });
    row(module, "trap", |server| server.traps(TRAP, MANY));
}

fn row(module: &Path, name: &str, work: impl Fn(&mut Server)) {
    let (mut base, mut with) = (Vec::new(), Vec::new());
    for _ in 0..BLOCKS {
        let home = tempfile::tempdir().expect("a temporary folder");
        for (game, times) in [(Path::new(GAME), &mut base), (module, &mut with)] {
            let mut server = fight(game, &home.path().join("s"), &Fight::new(64), &[]);
            times.extend((0..MEASUREMENTS).map(|_| timed(&mut server, &work)));
        }
    }
    let each = |times: Vec<Duration>| Times::new(times).at(0.5) as f64 / MANY as f64;
    let (base, with) = (each(base), each(with));
    println!(
        "| {name} | {base:.1} | {with:.1} | **{:.1}** |",
        with - base
    );
}

fn timed(server: &mut Server, work: impl Fn(&mut Server)) -> Duration {
    let began = Instant::now();
    work(server);
    began.elapsed()
}
