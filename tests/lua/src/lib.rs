//! The fallback script in a real Lua 5.4, against a stub of the game's Lua interface.
//!
//! * [`http`]: a web server for posted messages.
//! * [`world`]: the stub: what the game knows, and the table `et` that scripts read it through.
//! * [`tape`]: a recorded match, played to the script callback by callback.
//!
//! The stub is stricter than the game: a slot outside `sv_maxclients`, an unknown field or a wrong type is a panic here,
//! where the game would read foreign memory or print an error.

#![forbid(unsafe_code)]

pub mod http;
pub mod tape;
pub mod world;

/// The text of the script under test.
pub const SCRIPT: &str = include_str!("../../../fallback-lua/gametimes.lua");
