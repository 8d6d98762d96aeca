//! gametimes: records the rounds of an ET:Legacy server to the millisecond.
//!
//! The engine loads this library as its game, `qagame.mp.x86_64.so`. The library opens the stock game and passes everything on
//! to it:
//!
//! 1. [`ffi`] receives every call and every trap. It jumps on at once with those that the module does not need.
//! 2. `ffi/shim.c` forwards the others. Before and after it calls into Rust, through functions of [`ffi`] that catch every panic.
//! 3. [`module`] and [`observe`] run on the game's thread. The module asks the engine for what it needs; the observer turns
//!    calls, traps and records into [`event`]s.
//! 4. [`deliver`] runs on background threads. [`track`] makes rounds of the events, [`report`] makes the gametimes file and the
//!    Discord message of a round.
//!
//! The game's thread waits for the background thread only at `GAME_SHUTDOWN`, for at most two seconds.

#[forbid(unsafe_code)]
pub mod deliver;
pub mod engine;
#[forbid(unsafe_code)]
pub mod event;
#[forbid(unsafe_code)]
pub mod fault;
pub mod ffi;
#[forbid(unsafe_code)]
pub mod first_round;
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

/// The version, as the cvar, the files and the messages contain it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
