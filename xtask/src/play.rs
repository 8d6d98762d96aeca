//! `cargo xtask play`: plays a recorded match through the module.

use std::path::PathBuf;

use gametimes_standin::{Options, Tape, play};

use crate::run::build_module;

/// Plays a recorded match through the module, as fast as possible.
#[derive(Debug, clap::Args)]
pub struct Play {
    /// The recorded match, a `.tape.jsonl` or `.tape.jsonl.gz` file.
    tape: PathBuf,
    /// The server's home folder; gametimes files are written to `<HOME>/legacy/gametimes/`.
    #[arg(long)]
    home: PathBuf,
    /// Post the message of every round to this webhook, and wait until all are sent.
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// Play at the speed of the recording.
    #[arg(long)]
    realtime: bool,
    /// Use this module instead of building it.
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// Set a cvar before the first map. Can be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    cvars: Vec<String>,
}

impl Play {
    pub fn run(self) -> Result<(), String> {
        let tape = Tape::read(&self.tape)?;
        let module = self.module.map_or_else(build_module, Ok)?;
        let mut options = Options::new(&module, &self.home);
        options.realtime = self.realtime;
        options.drain_outbox = self.webhook.is_some();
        if let Some(url) = &self.webhook {
            options = options.cvar("gametimes_webhook_url", url);
        }
        for cvar in &self.cvars {
            let (name, value) = cvar
                .split_once('=')
                .ok_or_else(|| format!("--set {cvar}: expected NAME=VALUE"))?;
            options = options.cvar(name, value);
        }
        let console = play(&tape, &options)?;
        for line in console.lines().filter(|line| line.contains("[gametimes]")) {
            println!("{line}");
        }
        Ok(())
    }
}
