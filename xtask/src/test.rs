//! `cargo xtask test`: all tests, and what they need.

use crate::dist::check_module;
use crate::packages;
use crate::run::{build_module, cargo, run, target};
use crate::sanitize;

/// Runs all tests.
#[derive(Debug, clap::Args)]
pub struct Test {
    /// Only checks and installs what the tests need.
    #[arg(long)]
    prepare: bool,
}

impl Test {
    /// # Errors
    /// A line for people: what is missing or what failed.
    pub fn run(self) -> Result<(), String> {
        packages::for_tests()?;
        if self.prepare {
            return Ok(());
        }
        run(&mut cargo(&["test", "--workspace", "--no-fail-fast"]))?;
        // The same door with points that panic: in a folder of its own, so that it is never taken for the real module.
        let faults = target().join("faults");
        run(cargo(&[
            "test",
            "--features",
            "faults",
            "--test",
            "faults",
            "--test",
            "handover",
        ])
        .env("CARGO_TARGET_DIR", faults))?;
        let module = build_module()?;
        check_module(&module)?;
        let module = target().join("debug/deps/libgametimes.so");
        sanitize::memory(&module, &["surrender", "interrupted"])
    }
}
