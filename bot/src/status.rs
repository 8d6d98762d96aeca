//! The state of all sources, kept in memory: for `delivery` in the API, the metrics and the health check.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use gametimes_format::text::one_line;
use jiff::Timestamp;
use metrics::{counter, gauge};
use serde::Serialize;

/// The state of one source since the bot started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Delivery {
    /// When something last arrived from this source; null if nothing has.
    pub last_seen_unix: Option<i64>,
    /// Items that wait to be stored.
    pub queued: i64,
    /// Items that were stored, including those that were known already.
    pub stored: u64,
    /// Rejected items, plus failed attempts to reach the source.
    pub failed: u64,
    /// What is wrong now; null once the source works again.
    pub last_error: Option<String>,
    /// When that error occurred.
    pub last_error_unix: Option<i64>,
}

/// What happened to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored, now or from before.
    Stored,
    /// The bot or the database rejected it.
    Rejected,
    /// It holds nothing to store, like a chat message.
    Ignored,
}

impl Outcome {
    /// The label of the metric.
    fn label(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Rejected => "refused",
            Self::Ignored => "passed",
        }
    }
}

/// The name under which `delivery` lists the database once it has refused to store something.
const DATABASE: &str = "database";

/// The state of all sources: `discord`, `stats channel`, each folder by its name, and [`DATABASE`].
#[derive(Debug, Default)]
pub struct Status {
    sources: Mutex<BTreeMap<String, Delivery>>,
    discord_connected: AtomicBool,
}

fn now() -> Option<i64> {
    Some(Timestamp::now().as_second())
}

impl Status {
    fn update<T>(&self, source: &str, change: impl FnOnce(&mut Delivery) -> T) -> T {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        change(sources.entry(source.to_owned()).or_default())
    }

    /// The source was reached, or something arrived from it.
    pub fn seen(&self, source: &str) {
        self.update(source, |s| s.last_seen_unix = now());
    }

    /// An item of this source waits to be stored.
    pub fn queued(&self, source: &str) {
        let queued = self.update(source, |s| {
            s.last_seen_unix = now();
            s.queued += 1;
            s.queued
        });
        gauge!("gametimes_queued", "source" => source.to_owned()).set(queued as f64);
    }

    /// A queued item was processed.
    pub fn done(&self, source: &str, outcome: Outcome) {
        let queued = self.update(source, |s| {
            s.queued -= 1;
            match outcome {
                Outcome::Stored => s.stored += 1,
                Outcome::Rejected => s.failed += 1,
                Outcome::Ignored => {}
            }
            s.queued
        });
        gauge!("gametimes_queued", "source" => source.to_owned()).set(queued as f64);
        counter!("gametimes_arrivals_total", "source" => source.to_owned(), "outcome" => outcome.label())
            .increment(1);
    }

    /// A message of the bot was `posted` or `edited`.
    pub fn posted(&self, source: &str, done: &'static str) {
        self.update(source, |s| {
            s.last_seen_unix = now();
            s.stored += 1;
        });
        self.recovered(source);
        counter!("gametimes_summaries_total", "done" => done).increment(1);
    }

    /// A source failed: a server that cannot be reached, or a folder or file that cannot be read.
    pub fn failed(&self, source: &str, error: &str) {
        self.update(source, |s| {
            s.failed += 1;
            s.last_error = Some(one_line(error, 300));
            s.last_error_unix = now();
        });
        counter!("gametimes_source_failures_total", "source" => source.to_owned()).increment(1);
    }

    /// A source works: its last error is cleared.
    pub fn recovered(&self, source: &str) {
        self.update(source, |s| {
            (s.last_error, s.last_error_unix) = (None, None);
        });
    }

    /// The database did not accept a batch. Until it does, `delivery` lists it as [`DATABASE`].
    pub fn database_failed(&self, error: &str) {
        self.failed(DATABASE, error);
        counter!("gametimes_database_failures_total").increment(1);
    }

    /// The database accepted a batch.
    pub fn database_recovered(&self) {
        if self.database_failed_unix().is_some() {
            self.recovered(DATABASE);
        }
    }

    /// Since when the database refuses to store, as unix time; `None` if it does not.
    pub fn database_failed_unix(&self) -> Option<i64> {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.get(DATABASE)?.last_error_unix
    }

    /// Sets whether the gateway connection is up.
    pub fn set_discord_connected(&self, connected: bool) {
        self.discord_connected.store(connected, Ordering::Relaxed);
        gauge!("gametimes_discord_connected").set(f64::from(u8::from(connected)));
    }

    /// Whether the gateway connection is up.
    pub fn is_discord_connected(&self) -> bool {
        self.discord_connected.load(Ordering::Relaxed)
    }

    /// This many rounds were added or changed.
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
