//! `cargo xtask bench`: runs the benchmarks of the module, and the latency benchmark of the bot.

use crate::run::{build_module, cargo, output, root};

/// The beginning of `docs/benchmarks.md`.
const HEAD: &str = "# Benchmarks

Written by `cargo xtask bench --write` on an idle machine. Machines are noisy, so rely on ratios and medians. The benchmarks of the bot are in
[benchmarks-bot.md](benchmarks-bot.md). After a build, `cargo run --release -p gametimes-bench -- target/module/libgametimes.so TABLE`
measures one table: `frames`, `frames of a recorded match`, `calls and traps`, `the end of a round`, `the live file` or `memory`.
";

/// Runs the benchmarks and prints their results as tables.
#[derive(Debug, clap::Args)]
pub struct Bench {
    /// Also write the tables to `docs/benchmarks.md`.
    #[arg(long)]
    write: bool,
}

impl Bench {
    pub fn run(self) -> Result<(), String> {
        let module = build_module()?;
        let cost = [
            "run",
            "--release",
            "--quiet",
            "--package",
            "gametimes-bench",
            "--",
        ];
        let latency = [
            "bench",
            "--quiet",
            "--package",
            "gametimes-bot",
            "--bench",
            "latency",
        ];
        let cost = output(cargo(&cost).arg(module))?;
        println!("{cost}");
        let latency = output(&mut cargo(&latency))?;
        println!("{latency}");
        if !self.write {
            return Ok(());
        }
        let path = root().join("docs/benchmarks.md");
        let text = format!("{HEAD}\n{cost}\n{latency}");
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
    }
}
