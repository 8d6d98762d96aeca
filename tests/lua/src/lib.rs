//! The fallback script in a real Lua 5.4, against a stub of the game's Lua interface.
//!
//! * [`world`]: the stub: the state of the game, and the table `et` through which scripts read it.
//! * [`tape`]: a recorded match, played to the script callback by callback.
//! * [`round`]: a short made-up round.
//! * [`results`]: the gametimes files that the script writes.
//!
//! The stub is stricter than the game: a slot outside `sv_maxclients`, an unknown field or a wrong type is a panic here,
//! where the game would read foreign memory or print an error.

#![forbid(unsafe_code)]

pub mod results;
pub mod round;
pub mod tape;
pub mod world;

/// The text of the script under test.
pub const SCRIPT: &str = include_str!("../../../fallback-lua/gametimes.lua");
