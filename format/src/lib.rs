//! The gametimes file and the STATS_READY message: one definition of the format, shared by the module, which writes
//! it, and the bot, which reads it.
//!
//! * [`file`]: the gametimes file, `{"meta": {...}, "payload": {...}}`, and its name.
//! * [`message`]: the Discord message, as it is posted to a webhook and as it stands in `payload`.
//! * [`rules`]: rules about rounds and players that several readers share.
//! * [`secret`]: texts that must not be printed.
//! * [`team`]: the two teams and their numbers.
//! * [`text`]: names as the engine has them (colour codes, any byte) made fit to be read.
//! * [`check`]: what a file must hold to be believed.
//! * [`digest`]: the round's canonical id and the signature over a file.
//!
//! Keys are never renamed or retyped: communities run bots and websites on them. Keys that the older Lua scripts do
//! not write have a default, so that their files are read by the same types.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod check;
pub mod digest;
pub mod file;
pub mod message;
pub mod rules;
pub mod secret;
pub mod team;
pub mod text;

pub use file::{
    EndReason, EventKind, GametimesFile, Meta, Pause, PlayerRef, Score, SpawnStats, Surrender,
    Teams, TimelineEvent,
};
pub use message::{Embed, Field, Footer, Message};
pub use secret::Secret;
pub use team::{Team, TeamNumber};
