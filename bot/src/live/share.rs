//! Live in several processes: those that receive write to the database, and all read it. On PostgreSQL only; an SQLite file has one
//! process.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{debug, info, warn};

use super::{Frame, Health, Live, Transport, check};
use crate::db::live::SharedSnapshot;
use crate::db::{Db, DbError};

/// How often the database is read.
const READ_INTERVAL: Duration = Duration::from_secs(1);
/// The pause after writing: a few times a second are enough.
const WRITE_PAUSE: Duration = Duration::from_millis(250);
/// Older snapshots are not read.
const AGE_MS: i64 = 120_000;

/// The `seq` and `unix_ms` of each server's snapshot in the database.
type Known = HashMap<String, (u64, i64)>;

/// Shares the live view until dropped. `writes`: what this process receives, for the others.
pub async fn share(live: Arc<Live>, db: Db, writes: bool) {
    let mut frames = live.undelayed.subscribe();
    let mut known = Known::new();
    let mut ticks = interval(READ_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failed = false;
    if writes && let Err(error) = db.forget_snapshots().await {
        debug!("live: {error}");
    }
    loop {
        let result = tokio::select! {
            _ = ticks.tick() => read(&live, &db, &mut known).await,
            Ok(()) = frames.changed(), if writes => {
                let frame = Arc::clone(&frames.borrow_and_update());
                let result = write(&live, &db, &mut known, &frame).await;
                sleep(WRITE_PAUSE).await;
                result
            }
        };
        match result {
            Ok(()) if failed => info!("live: the database answers"),
            Err(ref error) if !failed => warn!("live: {error}; trying again"),
            _ => {}
        }
        failed = result.is_err();
    }
}

async fn read(live: &Live, db: &Db, known: &mut Known) -> Result<(), DbError> {
    for shared in db.shared_snapshots(AGE_MS).await? {
        let version = (shared.seq, shared.unix_ms);
        if known.get(&shared.server) == Some(&version) {
            continue;
        }
        known.insert(shared.server, version);
        // Another version of the bot may have written what this one refuses.
        match check::read(&shared.body) {
            Ok(snapshot) => drop(live.offer(snapshot, Transport::Shared(shared.age_ms))),
            Err(error) => debug!("live: in the database: {error}"),
        }
    }
    Ok(())
}

async fn write(live: &Live, db: &Db, known: &mut Known, frame: &Frame) -> Result<(), DbError> {
    for view in frame
        .servers
        .iter()
        .filter(|view| view.health == Health::Live)
    {
        let version = (view.snapshot.seq, view.snapshot.unix_ms);
        if known.get(&view.address) == Some(&version) {
            continue;
        }
        let Ok(body) = serde_json::to_vec(&*view.snapshot) else {
            continue;
        };
        db.share_snapshot(&SharedSnapshot {
            server: view.address.clone(),
            seq: version.0,
            unix_ms: version.1,
            age_ms: (live.now_ms() - view.taken_ms).max(0),
            body,
        })
        .await?;
        known.insert(view.address.clone(), version);
    }
    Ok(())
}
