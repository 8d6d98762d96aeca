//! `cargo xtask valgrind`: recorded matches under valgrind.

use std::path::Path;
use std::process::Command;

use crate::run::{build_module, root, run};

/// All recorded matches.
pub const TAPES: [&str; 5] = [
    "stopwatch",
    "surrender",
    "timelimit",
    "interrupted",
    "public40",
];

/// Plays all recorded matches under valgrind: wrong memory, lost memory, and races between the threads.
#[derive(Debug, clap::Args)]
pub struct Valgrind {
    /// Only wrong and lost memory.
    #[arg(long)]
    memory_only: bool,
}

impl Valgrind {
    /// # Errors
    /// A line for people.
    pub fn run(self) -> Result<(), String> {
        let module = build_module()?;
        memory(&module, &TAPES)?;
        if !self.memory_only {
            races(&module, &TAPES)?;
        }
        Ok(())
    }
}

/// No error and no lost memory in our code.
///
/// # Errors
/// A line for people.
pub fn memory(module: &Path, tapes: &[&str]) -> Result<(), String> {
    let options = ["--leak-check=full", "--errors-for-leak-kinds=definite"];
    tapes
        .iter()
        .try_for_each(|tape| play(module, tape, &options))
}

/// No two threads touch the same memory without one waiting for the other.
fn races(module: &Path, tapes: &[&str]) -> Result<(), String> {
    let suppressions = format!(
        "--suppressions={}",
        root().join("xtask/races.supp").display()
    );
    let options = ["--tool=helgrind", &suppressions];
    tapes
        .iter()
        .try_for_each(|tape| play(module, tape, &options))
}

fn play(module: &Path, tape: &str, options: &[&str]) -> Result<(), String> {
    let home = tempfile::tempdir().map_err(|e| e.to_string())?;
    run(Command::new("valgrind")
        .args(["--quiet", "--error-exitcode=9"])
        .args(options)
        .arg(std::env::current_exe().map_err(|e| e.to_string())?)
        .arg("play")
        .arg(root().join(format!("tests/data/tapes/{tape}.tape.jsonl.gz")))
        .arg("--home")
        .arg(home.path())
        .arg("--module")
        .arg(module))
}
