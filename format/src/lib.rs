//! The gametimes file and the STATS_READY message: one definition of the format for the module, which writes it, and the
//! bot, which reads it.
//!
//! * [`class`]: the classes of players, and the actions at objectives.
//! * [`file`]: the gametimes file, `{"meta": {...}, "payload": {...}}`, and its name.
//! * [`limits`]: how much a recorder writes at most, and so how large a file can be.
//! * [`lineups`]: who played for which team at the start, and as a substitute.
//! * [`live`]: what is happening on a server at this moment.
//! * [`matches`]: what ties the two rounds of a match together, and which team won the map.
//! * [`message`]: the Discord message, as it is posted to a webhook and as `payload` contains it.
//! * [`rules`]: rules about rounds and players that several readers share.
//! * [`secret`]: texts that must not be printed.
//! * [`team`]: the two teams and their numbers.
//! * [`text`]: makes the engine's names (any bytes, with colour codes) readable, and other helpers for texts.
//! * [`waves`]: the spawn waves, from which the time to the next one follows.
//! * [`check`]: finds what is wrong with a file.
//! * `schema` (a feature): the JSON Schema of the file.
//! * [`digest`]: hashes, the canonical id of a round, and the signature of a file.
//!
//! Keys are never renamed and never change their type, because bots and websites of communities depend on them. Keys that the
//! older Lua scripts do not write have a default, so that the same types read their files.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod check;
pub mod class;
pub mod digest;
pub mod file;
pub mod limits;
pub mod lineups;
pub mod live;
pub mod matches;
pub mod message;
pub mod rules;
#[cfg(feature = "schema")]
pub mod schema;
pub mod secret;
pub mod team;
pub mod text;
pub mod waves;

pub use class::{Class, ObjectiveAction};
pub use file::{
    EndReason, EventKind, GametimesFile, Meta, Pause, PlayerRef, Score, SpawnStats, Surrender,
    Teams, TimelineEvent,
};
pub use message::{Embed, Field, Footer, Message};
pub use secret::Secret;
pub use team::{Team, TeamNumber};
pub use waves::{TeamWaves, WaveInterval, Waves};
