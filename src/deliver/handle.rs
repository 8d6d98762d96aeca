//! The game's end of the worker.
//!
//! The game's thread never wakes the worker: the worker looks for commands every few milliseconds, so that queueing one
//! costs no system call. The game's thread waits for the worker only at `GAME_SHUTDOWN`, see [`WorkerHandle::wait`].

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::command::{CommandSender, Shared, channel};
use super::console::console;
use super::status::Status;
use super::worker::Worker;
use crate::engine::signals;

/// A running worker.
#[derive(Debug)]
pub struct WorkerHandle {
    commands: CommandSender,
    shared: Arc<Shared>,
    thread: std::thread::JoinHandle<()>,
    lines: Receiver<String>,
}

impl WorkerHandle {
    /// Starts the worker's thread.
    ///
    /// # Errors
    /// When the system cannot start another thread.
    pub fn start() -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let (sender, commands) = channel(Arc::clone(&shared));
        let (console, lines) = console();
        let mut worker = Worker::new(console, Arc::clone(&shared));
        // The worker starts the threads of the webhooks, which inherit the blocked signals.
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
        })
    }

    /// The queue to the worker.
    pub fn commands(&self) -> &CommandSender {
        &self.commands
    }

    /// Asks for a test message to every webhook. The worker logs the results.
    pub fn request_test(&self) {
        self.shared.request_test();
    }

    /// What `gametimes status` shows: at most a moment old. `None` if the worker was just interrupted while it published it.
    pub fn status(&self) -> Option<Arc<Status>> {
        self.shared.status()
    }

    /// Round 1 of the running match, as the cvar contains it. Waits for a lock: only for the moments between two maps.
    pub fn first_round(&self) -> String {
        self.shared.first_round()
    }

    /// The game's level time, as the worker knows it.
    pub fn level_ms(&self) -> i64 {
        self.shared.level_ms.load(Ordering::Relaxed)
    }

    /// Whether the thread still runs.
    pub fn is_alive(&self) -> bool {
        !self.thread.is_finished()
    }

    /// The next line to print on the console.
    pub fn line(&self) -> Option<String> {
        // Asked in every frame: an attempt costs more than this look.
        if self.lines.is_empty() {
            return None;
        }
        self.lines.try_recv().ok()
    }

    /// How many commands were lost since the last call.
    pub fn take_lost(&self) -> u32 {
        self.shared.take_lost()
    }

    /// Stores the game's level time.
    pub fn set_level_ms(&self, level_ms: i64) {
        self.shared.level_ms.store(level_ms, Ordering::Relaxed);
    }

    /// Waits until the worker has finished all commands, so that a round is on disk before the game is unloaded. Returns
    /// `false` if that takes longer than `limit`; the worker then continues on its own.
    pub fn wait(&self, limit: Duration) -> bool {
        let began = Instant::now();
        while !self.shared.is_idle() {
            if began.elapsed() > limit || !self.is_alive() {
                return false;
            }
            self.thread.thread().unpark();
            std::thread::sleep(Duration::from_micros(200));
        }
        true
    }
}
