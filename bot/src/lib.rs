//! gametimes-bot: receives STATS_READY messages, gametimes files and stats files, stores every round with its true times, and
//! shows what happened.
//!
//! Three layers; dependencies point down only:
//!
//! * [`cli`] and [`roles`] start things. [`doctor`] checks everything outside of the bot.
//! * Adapters: [`discord`] and [`files`] hand [`db::IngestItem`]s to the [`writer`]; [`http`] and [`discord::posts`] ask the
//!   database questions and show the answers, with the help of [`chart`] and [`display`].
//! * [`db`] is all SQL. It keeps what was received as facts and has [`gametimes_rounds`] make the rows from them.
//!
//! [`config`] and [`status`] are used by all of them.

#![forbid(unsafe_code)]

pub mod chart;
pub mod cli;
pub mod config;
pub mod db;
pub mod discord;
pub mod display;
pub mod doctor;
pub mod files;
pub mod http;
pub mod roles;
pub mod status;
pub mod writer;

pub use config::Config;
pub use roles::{Bot, RunError, run, start};
