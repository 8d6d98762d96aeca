//! gametimes-bot: takes the STATS_READY message, the gametimes files and the stats files, and stores every round with its
//! true times.
//!
//! The way of a round: [`receive`] and [`files`] bring [`store::Arrival`]s, [`keeper`] hands them to [`store`] in batches,
//! which keeps them as facts and has [`link`] make the rows from them; [`api`] and [`web`] show the rows, and [`summary`]
//! tells players of a round in Discord.

#![forbid(unsafe_code)]

pub mod api;
pub mod app;
pub mod chart;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod files;
pub mod keeper;
pub mod link;
pub mod receive;
pub mod report;
pub mod status;
pub mod store;
pub mod summary;
pub mod table;
pub mod web;
pub mod words;

pub use app::{Bot, RunError, run, start};
pub use config::Config;
