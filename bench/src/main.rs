//! The time that the module takes on the game's thread, compared with the fallback script. `cargo xtask bench` builds and
//! runs this. With the name of a table as second argument, only that one is measured.
//!
//! The built module runs between the stand-in engine and the stand-in game. In that game, the players fight (`gametimes_standin::fight`) and make
//! the traps of a real server's frame; the records are 124,352 bytes apart, as in the real game. The same frames without the module are
//! the baseline. Single times vary with the machine; compare medians and ratios.

#![forbid(unsafe_code)]

mod calls;
mod count;
mod frames;
mod live;
mod memory;
mod real_server;
mod round_end;
mod script;
mod server;
mod tape;
mod times;

use std::path::Path;

/// Measures and prints a table, with the module of this path.
type Print = fn(&Path);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (module, only) = match arguments.as_slice() {
        [flag, module] if flag == memory::FLAG => return memory::measure(Path::new(module)),
        [flag, rest @ ..] if flag == count::FLAG => return count::play(rest),
        [module] => (Path::new(module), None),
        [module, table] => (Path::new(module), Some(table.as_str())),
        _ => panic!("usage: gametimes-bench MODULE.so [TABLE]"),
    };
    println!("Machine: {}", machine());
    let tables: [(&str, Print); 6] = [
        ("frames", frames::print),
        ("frames of a recorded match", tape::print),
        ("calls and traps", calls::print),
        ("the end of a round", round_end::print),
        ("the live file", live::print),
        ("memory", memory::print),
    ];
    for (what, print) in tables {
        if only.is_some_and(|only| only != what) {
            continue;
        }
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
