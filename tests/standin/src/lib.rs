//! A stand-in for engine and game, to play matches through the built module without a real server.
//!
//! * [`Server`]: loads the module with `dlopen` as the engine does, unloads it at every map change, answers traps, and can
//!   raise the game's error with a real longjmp. The stand-in game behind the module is a separate library (`c/game.c`).
//! * [`tape`]: matches recorded on real servers, at the boundary between engine and game.
//! * [`recorded`]: the recorded matches of this repository, and what really happened in them.
//! * [`stopwatch`]: stopwatch matches with every result, edited from a recorded one.
//! * [`fight`]: a round of fighting players with the traps of a real server's frame, for measurements.
//! * [`callgrind`]: counts the instructions of the game's thread in a fight.
//! * [`play`]: plays a tape, with its own wall clock.
//!
//! Everything belongs to the thread that uses it, and every server loads its own copy of the module. So many servers can run
//! in one process at the same time, as independent as in separate processes.

pub mod callgrind;
mod clock;
mod engine;
pub mod fight;
pub mod play;
pub mod recorded;
mod server;
mod step;
pub mod stopwatch;
pub mod tape;

pub use fight::Fight;
pub use play::{Options, Player, play};
pub use server::{GAME_FILE, Server};
pub use step::{Arg, Step, Trap};
pub use tape::Tape;

/// The stand-in game, built beside this crate.
pub const GAME: &str = env!("STANDIN_GAME");
