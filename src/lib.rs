//! gametimes: records the rounds of an ET:Legacy server, exact to the millisecond.
//!
//! The library is loaded by the engine as its game, `qagame.mp.x86_64.so`, and stands in front of the stock game. What
//! happens here, in order:
//!
//! 1. `ffi/shim.c` forwards every call and every trap, and steps aside into Rust before and after those that count.
//! 2. [`ffi`] is the boundary of the Rust code and catches every panic.
//! 3. [`module`] is the half on the game's thread: it asks the engine what it must know and lets [`observe`] turn calls,
//!    traps and records into [`event`]s.
//! 4. [`deliver`] is the half on the background thread: [`track`] makes rounds of the events, [`report`] makes the
//!    gametimes file and the Discord message of a round, and what is written survives anything.
//!
//! The game never waits for the background thread but at `GAME_SHUTDOWN`, and there two seconds at the most.

#[forbid(unsafe_code)]
pub mod deliver;
pub mod engine;
#[forbid(unsafe_code)]
pub mod event;
#[forbid(unsafe_code)]
pub mod fault;
pub mod ffi;
#[forbid(unsafe_code)]
pub mod module;
#[forbid(unsafe_code)]
pub mod observe;
#[forbid(unsafe_code)]
pub mod report;
#[forbid(unsafe_code)]
pub mod settings;
#[forbid(unsafe_code)]
pub mod track;

/// The version of module, file and message.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
