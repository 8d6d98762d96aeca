//! `cargo xtask sanitize`: plays recorded matches under valgrind and ThreadSanitizer.

use std::path::Path;
use std::process::Command;

use gametimes_standin::recorded;
use gametimes_test_support::webhook::{Reply, Webhook};

use crate::run::{cargo, root, run, target};

/// Plays all recorded matches under valgrind (memory errors and leaks) and under ThreadSanitizer (data races between the game's
/// thread and the module's threads).
#[derive(Debug, clap::Args)]
pub struct Sanitize;

impl Sanitize {
    pub fn run(self) -> Result<(), String> {
        // The debug build, so that valgrind can name functions.
        run(&mut cargo(&["build", "--package", "gametimes", "--lib"]))?;
        check_memory(&target().join("debug/libgametimes.so"), &recorded::NAMES)?;
        check_races()
    }
}

/// Plays matches under valgrind's memcheck, with the live file and posts of it. Fails on memory errors and leaks.
pub fn check_memory(module: &Path, tapes: &[&str]) -> Result<(), String> {
    for tape in tapes {
        let home = tempfile::tempdir().map_err(|e| e.to_string())?;
        let receiver = Webhook::start([Reply::status(500), Reply::Garbage]);
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
            .arg(module)
            .args(["--set", "gametimes_live=1", "--set"])
            .arg(format!("gametimes_live_url={}", receiver.url())))?;
        if receiver.requests().is_empty() {
            return Err(format!("{tape}: no live snapshot was posted"));
        }
    }
    Ok(())
}

/// Plays all matches under ThreadSanitizer. Fails on data races.
///
/// Valgrind's race detectors do not understand atomics and report every event passed between threads. ThreadSanitizer does; the
/// stable compiler contains it as an unstable feature, hence `RUSTC_BOOTSTRAP`.
fn check_races() -> Result<(), String> {
    run(cargo(&["test", "--test", "thread_sanitizer", "--target"])
        .arg("x86_64-unknown-linux-gnu")
        .env("RUSTC_BOOTSTRAP", "1")
        // The standard library is not instrumented; the suppressions cover the synchronization that this hides.
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
