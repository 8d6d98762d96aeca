//! The game's end of the background thread: what is handed over, and how.
//!
//! The game's thread never waits for it (but at `GAME_SHUTDOWN`, see [`WorkerHandle::wait`]) and never wakes it: the thread looks
//! for commands itself, every few milliseconds, so that handing over costs no system call.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use gametimes_format::Secret;

use super::console::console;
use super::instance_dir::instance_name;
use super::worker::Worker;
use crate::engine::{clock, signals};
use crate::event::{Event, Stamp, What};
use crate::observe::Sink;
use crate::settings::Settings;

/// Orders that wait at the most: a full server in heavy fight makes about 20 a second, so the disk may stall for minutes.
const COMMANDS_LIMIT: usize = 8192;
/// Room that is kept for what a round cannot be told without, when too much of the rest waits: more than a map can have of it.
const COMMANDS_RESERVED: usize = 256;

/// What the worker is to do.
#[derive(Debug)]
pub enum Command {
    /// Something happened in the game.
    Event(Event),
    /// The settings as they are when a map begins.
    Configure(Box<Config>),
    /// The settings as somebody wants them read in mid-map.
    Reload(Box<Config>),
}

/// What somebody wants on the console. Asked for again before it was given, it is given once: no rcon can fill the queue
/// of events with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleRequest {
    /// How things are.
    Status,
    /// A test message to every webhook, and what came of it.
    Test,
}

/// The worker's settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Folder of gametimes files.
    pub folder: PathBuf,
    /// Folder name of this server.
    pub instance: String,
    /// Webhook URLs.
    pub webhooks: Vec<Secret>,
    /// Shorter rounds are not posted.
    pub min_seconds: i64,
    /// Older files are removed; 0: none.
    pub keep_days: u32,
    /// Messages are signed with it.
    pub hmac_key: Option<Secret>,
    /// Say more.
    pub debug: bool,
    /// For the test message.
    pub server_hostname: String,
}

impl Config {
    /// From the settings of an admin.
    pub fn new(
        settings: &Settings,
        server_ip: &str,
        server_port: &str,
        server_hostname: &str,
    ) -> Self {
        Self {
            folder: settings.folder.clone(),
            instance: instance_name(server_ip, server_port),
            webhooks: settings.webhooks.clone(),
            min_seconds: settings.min_seconds,
            keep_days: settings.keep_days,
            hmac_key: settings.hmac_key.clone(),
            debug: settings.debug,
            server_hostname: gametimes_format::text::strip_colors(server_hostname),
        }
    }
}

/// What both threads see.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The game's level time, for the journal's signs of life.
    pub(super) level_ms: AtomicI64,
    /// How many commands have been carried out.
    pub(super) done: AtomicU64,
    /// Wishes that nobody has carried out yet.
    status: AtomicBool,
    test: AtomicBool,
}

impl Shared {
    fn request(&self, request: ConsoleRequest) -> &AtomicBool {
        match request {
            ConsoleRequest::Status => &self.status,
            ConsoleRequest::Test => &self.test,
        }
    }

    /// Whether somebody wants that; from now on nobody does.
    pub(super) fn take(&self, request: ConsoleRequest) -> bool {
        self.request(request).swap(false, Ordering::Relaxed)
    }
}

/// The game's end of the worker.
#[derive(Debug)]
pub struct WorkerHandle {
    commands: Sender<Command>,
    shared: Arc<Shared>,
    thread: std::thread::JoinHandle<()>,
    lines: Receiver<String>,
    /// How many commands have been given.
    given: u64,
    /// Orders that found no room since this was last asked.
    lost: u32,
}

impl WorkerHandle {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start() -> std::io::Result<Self> {
        let (sender, commands) = bounded(COMMANDS_LIMIT);
        let (console, lines) = console();
        let shared = Arc::new(Shared::default());
        let mut worker = Worker::new(console, Arc::clone(&shared));
        // The threads of the targets are started by this one, and block signals too.
        let thread = signals::blocked(|| {
            std::thread::Builder::new()
                .name("gametimes".to_owned())
                .spawn(move || worker.run(&commands))
        })?;
        Ok(Self {
            commands: sender,
            shared,
            thread,
            lines,
            given: 0,
            lost: 0,
        })
    }

    /// Hands over a command: no lock, no system call, no allocation. When there is no room it is lost, and counted; details
    /// are lost first, so that a round ends when it ends however long the disk stalls.
    pub fn give(&mut self, command: Command) {
        let is_detail = matches!(&command, Command::Event(event) if event.what.is_detail());
        let full = is_detail && self.commands.len() >= COMMANDS_LIMIT - COMMANDS_RESERVED;
        if full || self.commands.try_send(command).is_err() {
            self.lost = self.lost.saturating_add(1);
        } else {
            self.given += 1;
        }
    }

    /// Somebody wants that on the console.
    pub fn request(&self, request: ConsoleRequest) {
        self.shared.request(request).store(true, Ordering::Relaxed);
    }

    /// Whether the thread is there.
    pub fn is_alive(&self) -> bool {
        !self.thread.is_finished()
    }

    /// The next line for the console.
    pub fn line(&self) -> Option<String> {
        self.lines.try_recv().ok()
    }

    /// How many commands were lost since this was last asked.
    pub fn take_lost(&mut self) -> u32 {
        std::mem::take(&mut self.lost)
    }

    /// The game's level time now.
    pub fn set_level_ms(&self, level_ms: i64) {
        self.shared.level_ms.store(level_ms, Ordering::Relaxed);
    }

    /// Waits until all commands are carried out, so that a round is on disk before the game is gone. Gives false when that
    /// took longer than `limit`; the thread goes on all the same.
    pub fn wait(&self, limit: Duration) -> bool {
        let began = Instant::now();
        while self.shared.done.load(Ordering::Acquire) < self.given {
            if began.elapsed() > limit || !self.is_alive() {
                return false;
            }
            self.thread.thread().unpark();
            std::thread::sleep(Duration::from_micros(200));
        }
        true
    }
}

impl Sink for WorkerHandle {
    fn send(&mut self, level_ms: i64, what: What) {
        let at = Stamp {
            level_ms,
            unix_ms: clock::unix_ms(),
        };
        self.give(Command::Event(Event { at, what }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Text;

    #[test]
    fn when_the_disk_stalls_deaths_are_lost_but_not_the_end_of_the_round() {
        let (sender, commands) = bounded(COMMANDS_LIMIT);
        let mut worker = WorkerHandle {
            commands: sender,
            shared: Arc::default(),
            thread: std::thread::spawn(|| {}),
            lines: console().1,
            given: 0,
            lost: 0,
        };
        let death = What::Death {
            slot: 1,
            by: Some(2),
            means: Text::new(b"MOD_MP40"),
        };
        for level_ms in 0..10_000 {
            worker.send(level_ms, death.clone());
        }
        worker.send(10_000, What::Exit(Text::new(b"Wolf EndRound.")));
        worker.send(10_000, death);
        assert_eq!(commands.len() as u64, worker.given);
        assert_eq!(u64::from(worker.take_lost()) + worker.given, 10_002);
        let last = commands.try_iter().last().unwrap();
        assert!(matches!(last, Command::Event(event) if matches!(event.what, What::Exit(_))));
    }
}
