//! `cargo xtask play`: a recorded match through the module.

use std::path::PathBuf;

use gametimes_standin::{Options, Tape, play};

use crate::run::build_module;

/// Plays a recorded match through the built module, as fast as it goes.
#[derive(Debug, clap::Args)]
pub struct Play {
    /// The recorded match, a `.tape.jsonl` or `.tape.jsonl.gz`.
    tape: PathBuf,
    /// The server's home folder; gametimes files go to `<HOME>/legacy/gametimes/`.
    #[arg(long)]
    home: PathBuf,
    /// Posts every round's message to this webhook, and waits until it is sent.
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// Keeps the match's own pace.
    #[arg(long)]
    realtime: bool,
    /// The module to play through, instead of building it.
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// Sets a cvar before the first map: NAME=VALUE. May be given many times.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    cvars: Vec<String>,
}

impl Play {
    /// # Errors
    /// A line for people.
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
