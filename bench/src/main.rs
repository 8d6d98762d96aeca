//! What the module costs on the game's thread, beside the fallback script. `cargo xtask bench` builds everything and runs it.
//!
//! The built module stands between the stand-in engine and the stand-in game, which fights by itself: every fourth frame one
//! player dies, 100 frames later they are alive again; their records lie 124,352 bytes apart, as in the game. The same
//! frames without the module are the base line. Machines are noisy: medians and ratios are what counts.

#![forbid(unsafe_code)]

mod calls;
mod frames;
mod memory;
mod round_end;
mod server;
mod times;

use std::path::Path;

/// Measures and prints a table, with the module of this path.
type Print = fn(&Path);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let module = match arguments.as_slice() {
        [flag, module] if flag == memory::FLAG => return memory::measure(Path::new(module)),
        [module] => Path::new(module),
        _ => panic!("usage: gametimes-bench MODULE.so"),
    };
    println!("Machine: {}", machine());
    let tables: [(&str, Print); 5] = [
        ("frames", frames::print),
        ("frames of a recorded match", frames::print_tape),
        ("calls and traps", calls::print),
        ("the end of a round", round_end::print),
        ("memory", memory::print),
    ];
    for (what, print) in tables {
        eprintln!("measuring {what} ...");
        println!();
        print(module);
    }
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
