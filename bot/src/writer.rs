//! The one writer: arrivals from all sources go through it into the database, in order and in batches, and are tried again
//! until the database takes them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time;
use tracing::{error, info, warn};

use crate::db::{Checkpoint, Content, Db, IngestItem, IngestReport};
use crate::status::{Outcome, Status};

/// How many arrivals wait at most; then sources wait.
const QUEUE: usize = 512;
/// How many arrivals are stored in one transaction at most.
const BATCH: usize = 128;

/// Hands arrivals to the writer.
#[derive(Debug, Clone)]
pub struct Writer {
    sender: mpsc::Sender<IngestItem>,
    status: Arc<Status>,
}

impl Writer {
    /// A keeper, and the task that must run for it. The task ends when all keepers are gone and everything is stored, or
    /// when `stop` says so while the database is out of reach.
    pub fn new(
        store: Db,
        status: Arc<Status>,
        stop: watch::Receiver<bool>,
    ) -> (Self, impl Future<Output = ()>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let task = write(store, receiver, Arc::clone(&status), stop);
        (Self { sender, status }, task)
    }

    /// Hands over; waits while too much is waiting.
    pub async fn keep(&self, arrival: IngestItem) {
        self.status.queued(way_of(&arrival), 1);
        if self.sender.send(arrival).await.is_err() {
            error!("the writer has ended; what arrives now is taken at the next start");
        }
    }
}

/// The way an arrival came, as [`Status`] names it: its folder, else its source.
fn way_of(arrival: &IngestItem) -> &str {
    let folder = arrival.checkpoints.iter().find_map(|mark| match mark {
        Checkpoint::File { place, .. } => Some(place.as_str()),
        Checkpoint::Reached { .. } | Checkpoint::Forgotten { .. } => None,
    });
    folder.unwrap_or(arrival.source)
}

fn outcome(arrival: &IngestItem, applied: &IngestReport) -> Outcome {
    let by_database = |refused: &String| {
        let reason = refused.strip_prefix(&arrival.origin);
        reason.is_some_and(|reason| reason.starts_with(": "))
    };
    match arrival.content {
        Content::Nothing => Outcome::Passed,
        Content::Rejected { .. } => Outcome::Refused,
        _ if applied.refused.iter().any(by_database) => Outcome::Refused,
        _ => Outcome::Stored,
    }
}

async fn write(
    store: Db,
    mut receiver: mpsc::Receiver<IngestItem>,
    status: Arc<Status>,
    stop: watch::Receiver<bool>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut batch, BATCH).await > 0 {
        let mut wait = Duration::from_millis(200);
        let applied = loop {
            let error = match store.ingest_or_reject(&batch).await {
                Ok(applied) => break applied,
                Err(error) => error,
            };
            error!(
                "storing {} arrival(s): {error}; trying again in {} ms",
                batch.len(),
                wait.as_millis()
            );
            status.database_failed();
            if *stop.borrow() {
                warn!(
                    "ending without the database; what was not stored is taken again at the next start"
                );
                return;
            }
            time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(15));
        };
        if !applied.rounds.is_empty() {
            info!(
                "stored: {} new, {} known, {} refused; rounds {:?}",
                applied.new_facts, applied.repeated, applied.rejected, applied.rounds
            );
        }
        status.rounds_changed(applied.rounds.len());
        for arrival in batch.drain(..) {
            status.done(way_of(&arrival), outcome(&arrival, &applied));
        }
    }
}
