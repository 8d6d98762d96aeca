//! What the game's thread and the worker exchange: commands, in one bounded queue, requests from the console, and the status.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use gametimes_format::{Secret, live};
use parking_lot::Mutex;

use super::instance_dir::instance_name;
use super::live::LiveConfig;
use super::status::Status;
use crate::engine::clock;
use crate::event::{Event, Stamp, What};
use crate::observe::Sink;
use crate::settings::Settings;

/// Length of the queue. A full server in heavy fighting makes about 20 events a second, so the disk may stall for minutes.
const QUEUE_LIMIT: usize = 8192;
/// Places at the end of the queue that are kept for the events that begin, pause and end a round: more than one map needs.
const QUEUE_RESERVED: usize = 256;
/// How often the game's thread tries to get the status. The worker would have to be interrupted in the middle of an exchange of
/// two pointers for that to fail.
const STATUS_ATTEMPTS: usize = 1000;

/// One task for the worker.
#[derive(Debug)]
pub enum Command {
    /// Something happened in the game.
    Event(Event),
    /// A map begins with these settings.
    Configure(Box<WorkerConfig>),
    /// An admin had the settings read again.
    Reload(Box<WorkerConfig>),
}

/// The settings that the worker needs.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerConfig {
    /// Folder of gametimes files.
    pub folder: PathBuf,
    /// This server's folder name in `outbox/`.
    pub instance: String,
    /// Webhook URLs.
    pub webhooks: Vec<Secret>,
    /// Rounds shorter than this are saved but not posted.
    pub min_seconds: i64,
    /// Gametimes files older than this are removed; 0 keeps all.
    pub keep_days: u32,
    /// The time between two messages while several wait for a webhook.
    pub backlog_pause: Duration,
    /// The permissions of gametimes files.
    pub file_mode: u32,
    /// The key that signs messages.
    pub hmac_key: Option<Secret>,
    /// What to show live; `None` for nothing.
    pub live: Option<LiveConfig>,
    /// Whether every event is logged.
    pub debug: bool,
    /// Name of the server in the test message, without colours.
    pub server_hostname: String,
}

impl WorkerConfig {
    /// Picks what the worker needs from the settings of the module and the cvars of the engine.
    pub fn new(
        settings: &Settings,
        server_ip: &str,
        server_port: &str,
        server_hostname: &str,
    ) -> Self {
        let server_hostname = gametimes_format::text::strip_colors(server_hostname);
        let server = live::Server {
            ip: server_ip.to_owned(),
            port: server_port.to_owned(),
            hostname: server_hostname.clone(),
        };
        Self {
            folder: settings.folder.clone(),
            instance: instance_name(server_ip, server_port),
            webhooks: settings.webhooks.clone(),
            min_seconds: settings.min_seconds,
            keep_days: settings.keep_days,
            backlog_pause: settings.backlog_pause,
            file_mode: settings.file_mode,
            hmac_key: settings.hmac_key.clone(),
            live: settings.live.then(|| LiveConfig {
                server,
                url: settings.live_url.clone(),
            }),
            debug: settings.debug,
            server_hostname,
        }
    }
}

/// What both threads read and write.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The game's level time, which the journal records once a second.
    pub(super) level_ms: AtomicI64,
    /// How many commands were queued.
    queued: AtomicU64,
    /// How many commands the worker has finished.
    pub(super) done: AtomicU64,
    /// How many commands found the queue full and were not yet reported.
    lost: AtomicU32,
    /// Whether an admin asked for a test message to every webhook. This is a flag and not a command, so that rcon cannot fill the
    /// queue: repeated requests are answered once.
    test: AtomicBool,
    /// What `gametimes status` shows. The lock is held only to exchange the pointer.
    status: Mutex<Arc<Status>>,
    /// Round 1 of the running match, as the cvar contains it; empty for none.
    first_round: Mutex<String>,
}

impl Shared {
    /// Asks for a test message to every webhook.
    pub(super) fn request_test(&self) {
        self.test.store(true, Ordering::Relaxed);
    }

    /// Whether a test was requested since the last call.
    pub(super) fn take_test(&self) -> bool {
        self.test.swap(false, Ordering::Relaxed)
    }

    /// Replaces what `gametimes status` shows.
    pub(super) fn publish(&self, status: Status) {
        let status = Arc::new(status);
        let before = std::mem::replace(&mut *self.status.lock(), status);
        drop(before); // after the lock
    }

    /// What the worker published last. Never waits: the worker holds the lock for a moment, so a few attempts are enough.
    pub(super) fn status(&self) -> Option<Arc<Status>> {
        (0..STATUS_ATTEMPTS).find_map(|_| {
            std::hint::spin_loop();
            self.status.try_lock().map(|status| Arc::clone(&status))
        })
    }

    /// Stores round 1 of the running match.
    pub(super) fn set_first_round(&self, text: String) {
        *self.first_round.lock() = text;
    }

    /// Round 1 of the running match. Only asked for between two maps.
    pub(super) fn first_round(&self) -> String {
        self.first_round.lock().clone()
    }

    /// How many commands were lost since the last call.
    pub(super) fn take_lost(&self) -> u32 {
        // Asked in every frame: a swap costs more than a load.
        match self.lost.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.lost.swap(0, Ordering::Relaxed),
        }
    }

    /// Whether the worker has finished all commands that were queued.
    pub(super) fn is_idle(&self) -> bool {
        self.done.load(Ordering::Acquire) >= self.queued.load(Ordering::Relaxed)
    }
}

/// The game's end of the queue. Only the game's thread has one.
#[derive(Debug, Clone)]
pub struct CommandSender {
    queue: Sender<Command>,
    shared: Arc<Shared>,
}

/// A queue of commands.
pub(super) fn channel(shared: Arc<Shared>) -> (CommandSender, Receiver<Command>) {
    let (queue, commands) = bounded(QUEUE_LIMIT);
    (CommandSender { queue, shared }, commands)
}

impl CommandSender {
    /// Queues a command without a lock, a system call or an allocation. When the queue is full, the command is lost and
    /// counted. Deaths and spawns are lost first, so that a round still ends on time while the disk stalls.
    pub fn queue(&self, command: Command) {
        let is_detail = matches!(&command, Command::Event(event) if event.what.is_detail());
        let full = is_detail && self.queue.len() >= QUEUE_LIMIT - QUEUE_RESERVED;
        let counted = !full && self.queue.try_send(command).is_ok();
        if counted {
            self.shared.queued.fetch_add(1, Ordering::Relaxed);
        } else {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Sink for CommandSender {
    fn unix_ms(&self) -> i64 {
        clock::unix_ms()
    }

    fn send(&mut self, at: Stamp, what: What) {
        self.queue(Command::Event(Event { at, what }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Text;

    #[test]
    fn a_full_queue_loses_deaths_but_not_the_end_of_the_round() {
        let shared = Arc::<Shared>::default();
        let (mut sender, commands) = channel(Arc::clone(&shared));
        let death = What::Death {
            slot: 1,
            by: Some(2),
            means: Text::new(b"MOD_MP40"),
        };
        let at = Stamp::default();
        for _ in 0..10_000 {
            sender.send(at, death.clone());
        }
        sender.send(at, What::Exit(Text::new(b"Wolf EndRound.")));
        sender.send(at, death);
        let queued = shared.queued.load(Ordering::Relaxed);
        assert_eq!(commands.len() as u64, queued);
        assert_eq!(u64::from(shared.take_lost()) + queued, 10_002);
        let last = commands.try_iter().last().unwrap();
        assert!(matches!(last, Command::Event(event) if matches!(event.what, What::Exit(_))));
    }
}
