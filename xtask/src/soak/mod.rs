//! `cargo xtask soak`: a day of matches in a few minutes. Nothing may leak or be lost.
//!
//! [`webhook`] has one server that posts to a webhook that fails a lot, [`bots`] three servers whose rounds two bots receive. The servers
//! ([`server`]) and the bots are processes of their own, whose memory can be measured ([`usage`]).

#[cfg(feature = "web")]
mod bots;
mod server;
mod usage;
mod webhook;

pub use server::SoakServer;

/// The key that signs files and snapshots.
const KEY: &str = "key-of-the-soak";
/// A server has more connections open at some moments than at others: to Discord, and to the receiver of snapshots.
const SERVER_NOISE: usage::Noise = usage::Noise {
    memory_kib: 1024,
    threads: 0,
    descriptors: 2,
};

/// Plays the recorded matches in a loop through one server process, loading and unloading every map, and posts every round to a
/// webhook, and the live snapshots to a receiver, that refuse, hang, cut off and answer garbage. Fails if memory, threads or file
/// descriptors grow, if a round is lost, or if a snapshot is wrong.
#[derive(Debug, clap::Args)]
pub struct Soak {
    /// Hours of match time to play.
    #[arg(long, default_value_t = 24)]
    hours: u32,
    /// Plays three servers at the same time instead, whose rounds and snapshots two bots receive on one PostgreSQL, and a third shows.
    /// Fails if a round is not stored exactly once, or if any of the six processes grows.
    #[arg(long)]
    bots: bool,
}

impl Soak {
    pub fn run(self) -> Result<(), String> {
        if self.bots {
            return with_bots(self.hours);
        }
        webhook::run(self.hours)
    }
}

#[cfg(feature = "web")]
fn with_bots(hours: u32) -> Result<(), String> {
    bots::run(hours)
}

/// Builds this program with a web server and runs it.
#[cfg(not(feature = "web"))]
fn with_bots(hours: u32) -> Result<(), String> {
    let mut command = crate::run::cargo(&["run", "--quiet", "--package", "xtask"]);
    command.args(["--features", "web", "--", "soak", "--bots", "--hours"]);
    crate::run::run(command.arg(hours.to_string()))
}
