//! gametimes-bot: receives STATS_READY messages, gametimes files and stats files, stores every round with its true times, and
//! serves and posts them.
//!
//! Three layers; dependencies point down only:
//!
//! * [`cli`] is the command line, [`roles`] starts the parts that a process needs, [`doctor`] checks everything outside of
//!   the bot, and [`init`] asks for the settings.
//! * Adapters: [`discord`] and [`files`] submit [`db::IngestItem`]s to the [`writer`]; [`http`] and [`discord::posts`] ask the
//!   database questions and show the answers, with the help of [`chart`] and [`display`].
//! * [`live`] knows what happens on the servers at this moment, and what of it the public may see.
//! * [`db`] contains all SQL. It keeps everything received as facts, and derives the rows from them with
//!   [`gametimes_rounds`].
//!
//! [`config`], [`status`], [`backoff`], [`parallel`] and [`log`] are used by all of them.

#![forbid(unsafe_code)]

pub mod backoff;
pub mod chart;
pub mod cli;
pub mod config;
pub mod db;
pub mod discord;
pub mod display;
pub mod doctor;
pub mod files;
pub mod http;
pub mod init;
pub mod live;
pub mod log;
pub mod parallel;
pub mod roles;
pub mod status;
pub mod writer;

pub use config::Config;
pub use roles::{Bot, Role, RunError};

/// Starts a bot that receives and serves; see [`roles::start`] for other roles.
///
/// # Errors
/// If the database cannot be opened or the address cannot be bound.
pub async fn start(config: Config) -> Result<Bot, RunError> {
    roles::start(config, Role::Run).await
}
