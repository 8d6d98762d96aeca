//! The background threads: whatever the game's thread queues here is written to disk and sent, even after a crash.
//!
//! * [`command`]: the messages from the game's thread to the worker.
//! * [`handle`]: the game's end of the worker.
//! * `worker`: the thread that takes the events, lets the tracker make rounds of them, and writes those.
//! * [`journal`]: the running map on disk, so that a crash costs at most a second of it.
//! * [`outbox`]: the messages to send, on disk.
//! * [`webhook`]: a thread for each webhook, so that a slow or dead one does not delay the others.
//! * [`client`]: one post, and the meaning of its answer.
//! * [`console`]: the lines that go back to the server's console.
//! * [`live`]: the live file, which shows the running round; [`live_post`] posts it.
//! * [`status`]: what `gametimes status` shows.
//! * [`instance_dir`] and [`files`]: the folders of a server, and writing files safely.
//! * [`old_files`]: removes old gametimes files, if the admin wants it.

pub mod client;
pub mod command;
pub mod console;
pub mod files;
pub mod handle;
pub mod instance_dir;
pub mod journal;
pub mod live;
pub mod live_post;
pub mod old_files;
pub mod outbox;
pub mod status;
pub mod webhook;
mod worker;
