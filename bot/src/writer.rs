//! The writer: the items of all sources go through it into the database, in order and in batches. A batch that the database
//! does not accept is retried until it does.

use std::sync::Arc;
use std::time::Duration;

use gametimes_format::text::counted;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time;
use tracing::{error, info, warn};

use crate::backoff::Backoff;
use crate::db::{Checkpoint, Content, Db, IngestItem, IngestReport, Prepared, prepare};
use crate::status::{Outcome, Status};

/// Items that can be queued; a source that submits more has to wait.
const QUEUE: usize = 512;
/// Items per transaction.
const BATCH: usize = 128;
/// The wait after the database did not accept a batch.
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_LIMIT: Duration = Duration::from_secs(15);

/// Carries the names of the stats files in messages to the pollers of their folders; an empty name for a message that does
/// not contain one.
pub type ExpectedFiles = broadcast::Sender<String>;

/// What every source works with.
#[derive(Debug, Clone)]
pub struct SourceContext {
    /// The database.
    pub db: Db,
    /// Stores what the source receives.
    pub writer: Writer,
    /// The state of all sources.
    pub status: Arc<Status>,
    /// Tells the pollers about files that should exist now.
    pub expected_files: ExpectedFiles,
}

/// A handle with which sources submit items.
#[derive(Debug, Clone)]
pub struct Writer {
    sender: mpsc::Sender<IngestItem>,
    status: Arc<Status>,
}

impl Writer {
    /// A handle, and the task that does the writing. The task ends when all handles are dropped and everything is stored. If
    /// the database cannot be reached after `stop` was set, it ends without storing the rest.
    pub fn new(
        db: Db,
        status: Arc<Status>,
        stop: watch::Receiver<bool>,
    ) -> (Self, impl Future<Output = ()>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let task = write(db, receiver, Arc::clone(&status), stop);
        (Self { sender, status }, task)
    }

    /// Queues an item; waits while the queue is full.
    pub async fn submit(&self, item: IngestItem) {
        self.status.queued(source_of(&item));
        if self.sender.send(item).await.is_err() {
            error!("the writer has stopped; what arrives now is read again after the next start");
        }
    }
}

/// The source of an item as [`Status`] lists it: its folder if it has one.
fn source_of(item: &IngestItem) -> &str {
    let folder = item
        .checkpoints
        .iter()
        .find_map(|checkpoint| match checkpoint {
            Checkpoint::File { place, .. } => Some(place.as_str()),
            Checkpoint::Reached { .. } | Checkpoint::Forgotten { .. } => None,
        });
    folder.unwrap_or(item.source)
}

fn outcome(item: &IngestItem, report: &IngestReport) -> Outcome {
    let is_about_item = |refused: &String| {
        let reason = refused.strip_prefix(&item.origin);
        reason.is_some_and(|reason| reason.starts_with(": "))
    };
    match item.content {
        Content::Nothing => Outcome::Ignored,
        Content::Rejected { .. } => Outcome::Rejected,
        _ if report.refused.iter().any(is_about_item) => Outcome::Rejected,
        _ => Outcome::Stored,
    }
}

async fn write(
    db: Db,
    mut receiver: mpsc::Receiver<IngestItem>,
    status: Arc<Status>,
    stop: watch::Receiver<bool>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut batch, BATCH).await > 0 {
        let items = prepare(std::mem::take(&mut batch)).await;
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_LIMIT);
        let report = loop {
            let error = match db.ingest_or_reject(&items).await {
                Ok(report) => break report,
                Err(error) => error,
            };
            let wait = backoff.next_wait();
            error!(
                "storing {}: {error}; trying again in {} ms",
                counted(items.len(), "item"),
                wait.as_millis()
            );
            status.database_failed(&error.to_string());
            if *stop.borrow() {
                warn!(
                    "stopping while the database cannot be reached; what was not stored is read again after the next start"
                );
                return;
            }
            time::sleep(wait).await;
        };
        status.database_recovered();
        if !report.rounds.is_empty() {
            info!(
                "stored: {} new, {} known, {} rejected; rounds {:?}",
                report.new_facts, report.repeated, report.rejected, report.rounds
            );
        }
        status.rounds_changed(report.rounds.len());
        for item in items.iter().map(Prepared::item) {
            status.done(source_of(item), outcome(item, &report));
        }
    }
}
