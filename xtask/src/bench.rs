//! `cargo xtask bench`: the benchmarks.

use std::process::Stdio;

use crate::run::{build_module, cargo, root, run};

/// Runs the benchmarks and prints their tables.
#[derive(Debug, clap::Args)]
pub struct Bench {
    /// Also writes them to `docs/benchmarks.md`.
    #[arg(long)]
    write: bool,
}

impl Bench {
    /// # Errors
    /// A line for people.
    pub fn run(self) -> Result<(), String> {
        let module = build_module()?;
        let arguments = [
            "run",
            "--release",
            "--quiet",
            "--package",
            "gametimes-bench",
            "--",
        ];
        let mut command = cargo(&arguments);
        command.arg(module);
        if !self.write {
            return run(&mut command);
        }
        let output = command
            .stderr(Stdio::inherit())
            .output()
            .map_err(|e| e.to_string())?;
        if !output.status.success() {
            return Err(format!("the benchmarks failed: {}", output.status));
        }
        let tables = String::from_utf8_lossy(&output.stdout);
        print!("{tables}");
        let path = root().join("docs/benchmarks.md");
        let text = format!(
            "# Benchmarks\n\nWritten by `cargo xtask bench --write`. Ratios and medians are what counts: machines are noisy.\n\n{tables}"
        );
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
    }
}
