//! What goes on right now, for the API's `delivery`, the metrics and the health check.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use metrics::{counter, gauge};
use serde::Serialize;

/// One source's state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Delivery {
    /// When something came this way last; null when nothing did since the start.
    pub last_seen_unix: Option<i64>,
    /// What waits to be stored.
    pub queued: i64,
    /// What was stored since the start, or was known already.
    pub stored: u64,
    /// What was refused, and attempts that failed, since the start.
    pub failed: u64,
    /// What is wrong now; null since the source works again.
    pub last_error: Option<String>,
    /// When that was found.
    pub last_error_unix: Option<i64>,
}

/// What became of something that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored; maybe it was already.
    Stored,
    /// It was refused, by the bot or by the database.
    Refused,
    /// There was nothing to store, as in people's talk.
    Passed,
}

/// The state of all sources: `discord`, `stats channel`, and each folder here or on a server by its place.
#[derive(Debug, Default)]
pub struct Status {
    sources: Mutex<BTreeMap<String, Delivery>>,
    discord_connected: AtomicBool,
}

impl Status {
    fn with<T>(&self, source: &str, f: impl FnOnce(&mut Delivery) -> T) -> T {
        f(self
            .sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(source.to_owned())
            .or_default())
    }

    /// Something came.
    pub fn seen(&self, source: &str) {
        self.with(source, |s| {
            s.last_seen_unix = Some(Timestamp::now().as_second());
        });
    }

    /// Something waits to be stored.
    pub fn queued(&self, source: &str, count: i64) {
        let queued = self.with(source, |s| {
            s.last_seen_unix = Some(Timestamp::now().as_second());
            s.queued += count;
            s.queued
        });
        gauge!("gametimes_queued", "source" => source.to_owned()).set(queued as f64);
    }

    /// Something that waited is done with.
    pub fn done(&self, source: &str, outcome: Outcome) {
        let queued = self.with(source, |s| {
            s.queued -= 1;
            match outcome {
                Outcome::Stored => s.stored += 1,
                Outcome::Refused => s.failed += 1,
                Outcome::Passed => {}
            }
            s.queued
        });
        gauge!("gametimes_queued", "source" => source.to_owned()).set(queued as f64);
        let outcome = match outcome {
            Outcome::Stored => "stored",
            Outcome::Refused => "refused",
            Outcome::Passed => "passed",
        };
        counter!("gametimes_arrivals_total", "source" => source.to_owned(), "outcome" => outcome)
            .increment(1);
    }

    /// Something went out: a message was `posted` or `edited`.
    pub fn posted(&self, source: &str, done: &'static str) {
        self.with(source, |s| {
            s.last_seen_unix = Some(Timestamp::now().as_second());
            s.stored += 1;
        });
        self.well(source);
        counter!("gametimes_summaries_total", "done" => done).increment(1);
    }

    /// A source failed: a server that cannot be reached, a folder or a file that cannot be read.
    pub fn failed(&self, source: &str, error: &str) {
        self.with(source, |s| {
            s.failed += 1;
            s.last_error = Some(error.chars().take(300).collect());
            s.last_error_unix = Some(Timestamp::now().as_second());
        });
        counter!("gametimes_source_failures_total", "source" => source.to_owned()).increment(1);
    }

    /// A source works as it should.
    pub fn well(&self, source: &str) {
        self.with(source, |s| {
            (s.last_error, s.last_error_unix) = (None, None);
        });
    }

    /// Whether the gateway is connected.
    pub fn discord_connected(&self, connected: bool) {
        self.discord_connected.store(connected, Ordering::Relaxed);
        gauge!("gametimes_discord_connected").set(f64::from(u8::from(connected)));
    }

    /// Whether the gateway is connected.
    pub fn is_discord_connected(&self) -> bool {
        self.discord_connected.load(Ordering::Relaxed)
    }

    /// The database did not take a batch.
    pub fn database_failed(&self) {
        counter!("gametimes_database_failures_total").increment(1);
    }

    /// Rows of rounds changed.
    pub fn rounds_changed(&self, count: usize) {
        counter!("gametimes_rounds_changed_total").increment(count as u64);
    }

    /// The state of each source.
    pub fn delivery(&self) -> BTreeMap<String, Delivery> {
        self.sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
