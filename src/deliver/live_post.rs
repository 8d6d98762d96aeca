//! Posts snapshots: always the newest, one at a time. A receiver that is slow or dead misses some, and nothing waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use gametimes_format::live::SIGNATURE_HEADER;
use gametimes_format::{Secret, digest};
use parking_lot::Mutex;
use ureq::Agent;

use super::client::{self, describe};
use super::console::Console;
use crate::settings::LiveUrl;

/// The shortest time between two log lines about failures of one kind.
pub(super) const LOG_EVERY: Duration = Duration::from_secs(300);

/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(2);
/// How many bytes of an answer are read, so that the connection can be used again.
const ANSWER_LIMIT: u64 = 4096;

/// Where snapshots are posted, and how they are signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Receiving {
    /// The URL.
    pub url: LiveUrl,
    /// The key that signs snapshots; `None` to send them unsigned.
    pub key: Option<Secret>,
}

/// The state of the posts, for `gametimes status`.
#[derive(Debug, Clone, Default)]
pub struct PostStatus {
    /// Scheme, host and port of the receiver.
    pub host: String,
    /// The outcome of the last post; empty before the first.
    pub last: String,
    /// Failures in a row.
    pub failures: u32,
}

/// A running poster. When the handle is dropped, the poster sends the last snapshot and ends.
#[derive(Debug)]
pub struct LivePoster {
    /// A queue with one place.
    newest: Sender<Vec<u8>>,
    /// Its other end, to take out what is too old.
    displaced: Receiver<Vec<u8>>,
    receiving: Receiving,
    status: Arc<Mutex<PostStatus>>,
}

impl LivePoster {
    /// Starts the thread that posts.
    ///
    /// # Errors
    /// When the system cannot start another thread.
    pub fn start(receiving: Receiving, console: Console) -> std::io::Result<Self> {
        let (newest, snapshots) = bounded(1);
        let displaced = snapshots.clone();
        let status = Arc::new(Mutex::new(PostStatus {
            host: receiving.url.host().to_owned(),
            ..PostStatus::default()
        }));
        let mut thread = PosterThread {
            agent: agent(&receiving.url),
            receiving: receiving.clone(),
            console,
            status: Arc::clone(&status),
            logged: None,
            in_trouble: false,
        };
        std::thread::Builder::new()
            .name("gametimes-live".to_owned())
            .spawn(move || thread.run(&snapshots))?;
        Ok(Self {
            newest,
            displaced,
            receiving,
            status,
        })
    }

    /// Whether it posts there with this key.
    pub fn is_for(&self, receiving: &Receiving) -> bool {
        self.receiving == *receiving
    }

    /// Posts a snapshot, instead of one that still waits. Never blocks.
    pub fn post(&self, snapshot: Vec<u8>) {
        let mut newest = snapshot;
        while let Err(TrySendError::Full(snapshot)) = self.newest.try_send(newest) {
            let _ = self.displaced.try_recv();
            newest = snapshot;
        }
    }

    /// The state of the posts.
    pub fn status(&self) -> PostStatus {
        self.status.lock().clone()
    }
}

/// A client for one receiver. No proxy can reach a private address.
fn agent(url: &LiveUrl) -> Agent {
    let seconds = |n| Some(Duration::from_secs(n));
    let mut config = client::config()
        .timeout_resolve(seconds(3))
        .timeout_connect(seconds(3))
        .timeout_send_request(seconds(3))
        .timeout_send_body(seconds(3))
        .timeout_recv_response(seconds(5))
        .timeout_recv_body(seconds(3))
        .timeout_global(seconds(10));
    if url.is_private() {
        config = config.proxy(None);
    }
    config.build().into()
}

struct PosterThread {
    agent: Agent,
    receiving: Receiving,
    console: Console,
    status: Arc<Mutex<PostStatus>>,
    /// When a failure was logged last.
    logged: Option<Instant>,
    /// Whether a failure was logged since the last snapshot that arrived.
    in_trouble: bool,
}

impl PosterThread {
    fn run(&mut self, snapshots: &Receiver<Vec<u8>>) {
        while let Ok(snapshot) = snapshots.recv() {
            let sent = catch_unwind(AssertUnwindSafe(|| self.send(&snapshot)));
            let sent =
                sent.unwrap_or_else(|_| Err("internal error, please report this".to_owned()));
            let failed = sent.is_err();
            self.note(sent);
            if failed {
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// Posts a snapshot. The error never contains the URL.
    fn send(&self, snapshot: &[u8]) -> Result<(), String> {
        let mut request = self
            .agent
            .post(self.receiving.url.url().reveal())
            .header("Content-Type", "application/json");
        if let Some(key) = &self.receiving.key {
            let signature = digest::sign(key.reveal().as_bytes(), snapshot);
            request = request.header(SIGNATURE_HEADER, format!("sha256={signature}"));
        }
        let mut response = request.send(snapshot).map_err(|e| describe(&e))?;
        let status = response.status().as_u16();
        let _ = response
            .body_mut()
            .with_config()
            .limit(ANSWER_LIMIT)
            .read_to_vec();
        let why = match status {
            200..=299 => return Ok(()),
            300..=399 => ": redirects are not followed",
            401 | 403 => ": gametimes_hmac_key is not the receiver's key",
            404 | 405 => ": nothing takes snapshots at this URL",
            _ => "",
        };
        Err(format!("HTTP {status}{why}"))
    }

    fn note(&mut self, sent: Result<(), String>) {
        let host = self.receiving.url.host();
        let line = match &sent {
            Ok(()) if std::mem::take(&mut self.in_trouble) => {
                Some(format!("live: {host} takes snapshots again"))
            }
            Err(why) if self.logged.is_none_or(|at| at.elapsed() >= LOG_EVERY) => {
                self.logged = Some(Instant::now());
                self.in_trouble = true;
                Some(format!(
                    "live: {host} does not take snapshots: {why}; the newest is tried again all the time"
                ))
            }
            _ => None,
        };
        if let Some(line) = line {
            self.console.line(&line);
        }
        let mut status = self.status.lock();
        match sent {
            Ok(()) => {
                "snapshot delivered".clone_into(&mut status.last);
                status.failures = 0;
            }
            Err(why) => {
                status.last = why;
                status.failures = status.failures.saturating_add(1);
            }
        }
    }
}
