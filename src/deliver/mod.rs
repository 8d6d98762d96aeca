//! The half on background threads: what is handed over here is written and sent, whatever happens.
//!
//! * [`handle`]: the game's end; `worker`: the thread that takes the events, lets the tracker make rounds of them, and writes.
//! * [`journal`]: the running map on disk, so that a crash costs a second at the most.
//! * [`outbox`]: messages that wait, on disk.
//! * [`webhook`]: one thread for each webhook, so that a slow or dead one delays no other.
//! * [`client`]: one post, and what its answer means.
//! * [`console`]: the way back, lines for the server's console.

pub mod client;
pub mod console;
pub mod files;
pub mod handle;
pub mod instance_dir;
pub mod journal;
pub mod outbox;
pub mod webhook;
mod worker;
