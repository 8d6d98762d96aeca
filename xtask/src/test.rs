//! `cargo xtask test`: runs all tests and installs what they need.

use crate::dist::check_module;
use crate::instructions;
use crate::openapi;
use crate::packages;
use crate::run::{build_module, cargo, run, target};
use crate::sanitize;
use crate::test_programs;

/// Runs all tests: the workspace, the validators of the API's description, injected faults, the release checks of the module, its instructions in a server frame, and two matches under valgrind.
#[derive(Debug, clap::Args)]
pub struct Test {
    /// Only check and install what the tests need.
    #[arg(long)]
    prepare: bool,
}

impl Test {
    pub fn run(self) -> Result<(), String> {
        packages::for_tests()?;
        if self.prepare {
            return Ok(());
        }
        test_programs::run_all()?;
        openapi::check()?;
        // A module that panics on demand. A separate folder keeps it from being mistaken for the real one.
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
        instructions::check(&module)?;
        let module = target().join("debug/deps/libgametimes.so");
        sanitize::check_memory(&module, &["surrender", "interrupted"])
    }
}
