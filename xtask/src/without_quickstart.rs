//! `cargo xtask quickstart` without the feature of that name: builds and runs itself with it.

use crate::run::{cargo, run};

/// Plays docs/quickstart.md in an empty Debian, from unpacking the archives to the first round on the page: on a new server, and on one
/// with the script that gametimes replaces. Shows how long each step takes. Needs root, and the archives of `cargo xtask dist`.
#[derive(Debug, clap::Args)]
pub struct Quickstart {}

impl Quickstart {
    pub fn run(self) -> Result<(), String> {
        run(&mut cargo(&[
            "run",
            "--quiet",
            "--package",
            "xtask",
            "--features",
            "quickstart",
            "--",
            "quickstart",
        ]))
    }
}
