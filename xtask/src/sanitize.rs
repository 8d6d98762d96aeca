//! `cargo xtask sanitize`: recorded matches under valgrind and ThreadSanitizer.

use std::path::Path;
use std::process::Command;

use gametimes_standin::recorded;

use crate::run::{cargo, root, run, target};

/// Plays all recorded matches under valgrind (wrong and lost memory) and under ThreadSanitizer (races between the game's
/// thread and the module's own).
#[derive(Debug, clap::Args)]
pub struct Sanitize;

impl Sanitize {
    /// # Errors
    /// A line for people.
    pub fn run(self) -> Result<(), String> {
        // As in the tests, with the names of functions.
        run(&mut cargo(&["build", "--package", "gametimes", "--lib"]))?;
        memory(&target().join("debug/libgametimes.so"), &recorded::NAMES)?;
        races()
    }
}

/// No error and no lost memory in our code.
///
/// # Errors
/// A line for people.
pub fn memory(module: &Path, tapes: &[&str]) -> Result<(), String> {
    for tape in tapes {
        let home = tempfile::tempdir().map_err(|e| e.to_string())?;
        run(Command::new("valgrind")
            .args([
                "--quiet",
                "--error-exitcode=9",
                "--leak-check=full",
                "--show-leak-kinds=definite",
                "--errors-for-leak-kinds=definite",
            ])
            .arg(std::env::current_exe().map_err(|e| e.to_string())?)
            .arg("play")
            .arg(recorded::tape_path(tape))
            .arg("--home")
            .arg(home.path())
            .arg("--module")
            .arg(module))?;
    }
    Ok(())
}

/// No two threads touch the same memory without one waiting for the other. Valgrind's own tools do not know atomics and take
/// every hand-over between the threads for a race. ThreadSanitizer does; the compiler has it, but calls it unstable.
fn races() -> Result<(), String> {
    run(cargo(&["test", "--test", "linked", "--target"])
        .arg("x86_64-unknown-linux-gnu")
        .env("RUSTC_BOOTSTRAP", "1")
        // The standard library is not built with it: nearly all of its waiting is seen from outside, see the suppressions.
        .env(
            "RUSTFLAGS",
            "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer",
        )
        .env(
            "TSAN_OPTIONS",
            format!(
                "halt_on_error=1 suppressions={}",
                root().join("xtask/thread-sanitizer.supp").display()
            ),
        )
        .env("CARGO_TARGET_DIR", target().join("thread-sanitizer")))
}
