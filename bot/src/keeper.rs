//! The one writer: arrivals from all sources go through it into the database, in order and in batches, and are tried again
//! until the database takes them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time;
use tracing::{error, info, warn};

use crate::status::Status;
use crate::store::{Arrival, Content, Store, StoreError};

/// How many arrivals wait at most; then sources wait.
const QUEUE: usize = 512;
/// How many arrivals are stored in one transaction at most.
const BATCH: usize = 128;

/// Hands arrivals to the writer.
#[derive(Debug, Clone)]
pub struct Keeper {
    sender: mpsc::Sender<Arrival>,
    status: Arc<Status>,
}

impl Keeper {
    /// A keeper, and the task that must run for it. The task ends when all keepers are gone and everything is stored, or
    /// when `stop` says so while the database is out of reach.
    pub fn new(
        store: Store,
        status: Arc<Status>,
        stop: watch::Receiver<bool>,
    ) -> (Self, impl Future<Output = ()>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let task = write(store, receiver, Arc::clone(&status), stop);
        (Self { sender, status }, task)
    }

    /// Hands over; waits while too much is waiting.
    pub async fn keep(&self, arrival: Arrival) {
        self.status.queued(arrival.source, 1);
        if self.sender.send(arrival).await.is_err() {
            error!("the writer has ended; what arrives now is taken at the next start");
        }
    }
}

async fn write(
    store: Store,
    mut receiver: mpsc::Receiver<Arrival>,
    status: Arc<Status>,
    stop: watch::Receiver<bool>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut batch, BATCH).await > 0 {
        let mut wait = Duration::from_millis(200);
        while let Err(error) = apply_all(&store, &batch, &status).await {
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
        }
        for arrival in batch.drain(..) {
            status.stored(
                arrival.source,
                matches!(arrival.content, Content::Rejected { .. }),
            );
        }
    }
}

/// Stores a batch. If the database refuses the data itself, the culprit is found and rejected, so that it does not stop
/// the others.
async fn apply_all(store: &Store, batch: &[Arrival], status: &Status) -> Result<(), StoreError> {
    match store.apply(batch).await {
        Ok(applied) => {
            if !applied.rounds.is_empty() {
                info!(
                    "stored: {} new, {} known, {} refused; rounds {:?}",
                    applied.new_facts, applied.repeated, applied.rejected, applied.rounds
                );
            }
            status.rounds_changed(applied.rounds.len());
            Ok(())
        }
        Err(error) if !is_about_data(&error) => Err(error),
        Err(error) => match batch {
            [] => Ok(()),
            [one] => {
                error!("{} cannot be stored: {error}", one.origin);
                let rejected = Arrival {
                    content: Content::Rejected {
                        reason: error.to_string(),
                        excerpt: String::new(),
                    },
                    ..one.clone()
                };
                store.apply(&[rejected]).await.map(drop)
            }
            several => {
                let (first, second) = several.split_at(several.len() / 2);
                Box::pin(apply_all(store, first, status)).await?;
                Box::pin(apply_all(store, second, status)).await
            }
        },
    }
}

/// Whether the same data would fail again: a value out of range, a broken constraint, an unreadable fact.
fn is_about_data(error: &StoreError) -> bool {
    match error {
        StoreError::Content(_) => true,
        StoreError::Database(sqlx::Error::Database(e)) => {
            let kind = e.kind();
            let class = e.code().is_some_and(|code| {
                code.len() == 5 && (code.starts_with("22") || code.starts_with("23"))
            });
            class || !matches!(kind, sqlx::error::ErrorKind::Other)
        }
        StoreError::Database(sqlx::Error::Encode(_) | sqlx::Error::Decode(_)) => true,
        _ => false,
    }
}
