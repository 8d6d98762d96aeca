//! `cargo xtask demo`: a recorded match, from the game server to the web page, without leaving this machine.
//!
//! The demo is a program of its own, so that it, the bot and the module are built in one go: what they have in common is built once, and
//! the commands here need no web server.

use std::ffi::OsString;
use std::process::Command;

use crate::run::{cargo, run, target};

/// Printed before anything is built. Measured on two idle cores.
const BEFORE: &str = "The first time, building takes about 3 minutes and 2 GB in the target folder. After that, the demo takes seconds.\n\
                      Its own files take less than 10 MB.";

/// Builds everything and runs the demo.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub struct Demo {
    /// See `cargo xtask demo --help`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<OsString>,
}

impl Demo {
    pub fn run(self) -> Result<(), String> {
        println!("{BEFORE}");
        println!("1. Building module and bot");
        run(&mut cargo(&[
            "build",
            "--package",
            "gametimes",
            "--package",
            "gametimes-bot",
            "--package",
            "gametimes-demo",
        ]))?;
        run(Command::new(target().join("debug/gametimes-demo")).args(self.options))
    }
}
