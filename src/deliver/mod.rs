//! The half on background threads: what is handed over here is written and sent, whatever happens.
//!
//! * [`worker`]: the game's end; `clerk`: the thread that takes the events, lets the tracker make rounds of them, and writes.
//! * [`journal`]: the running map on disk, so that a crash costs a second at the most.
//! * [`outbox`]: messages that wait, on disk.
//! * [`target`]: one thread for each webhook, so that a slow or dead one delays no other.
//! * [`client`]: one post, and what its answer means.
//! * [`console`]: the way back, lines for the server's console.

mod clerk;
pub mod client;
pub mod console;
pub mod desk;
pub mod files;
pub mod journal;
pub mod outbox;
pub mod target;
pub mod worker;
