//! Saves how far each source was read, and what was rejected.

use super::connection::Transaction;
use super::error::DbError;
use super::{Checkpoint, IngestItem};
use crate::args;
use gametimes_format::text::cut;

/// The longest reason that is kept. It is part of an index, whose rows PostgreSQL limits to 2700 bytes.
const REASON_CHARS_MAX: usize = 300;
/// The longest beginning of a rejected item that is kept.
const EXCERPT_CHARS_MAX: usize = 500;
/// How many rejected items are kept; older ones are deleted.
const REJECTED_MAX: i64 = 10_000;

/// Saves a rejected item. The same item rejected again is counted.
pub(super) async fn reject(
    transaction: &mut Transaction,
    item: &IngestItem,
    reason: &str,
    excerpt: &str,
    now: i64,
) -> Result<(), DbError> {
    // PostgreSQL cannot store U+0000 in text.
    let text = |text: &str, characters| cut(&text.replace('\0', ""), characters);
    let sql = "INSERT INTO gametimes_rejected (source, origin, reason, excerpt, times, first_unix, last_unix) \
               VALUES ($1, $2, $3, $4, 1, $5, $5) ON CONFLICT (source, origin, reason) \
               DO UPDATE SET times = gametimes_rejected.times + 1, last_unix = EXCLUDED.last_unix";
    let values = args![
        item.source,
        text(&item.origin, 256),
        text(reason, REASON_CHARS_MAX),
        text(excerpt, EXCERPT_CHARS_MAX),
        now
    ];
    transaction.execute(sql, values).await?;
    let sql =
        "DELETE FROM gametimes_rejected WHERE id <= (SELECT MAX(id) FROM gametimes_rejected) - $1";
    transaction.execute(sql, args![REJECTED_MAX]).await?;
    Ok(())
}

/// Saves a checkpoint.
pub(super) async fn save(
    transaction: &mut Transaction,
    checkpoint: &Checkpoint,
    now: i64,
) -> Result<(), DbError> {
    match checkpoint {
        Checkpoint::Reached { name, value } => {
            let sql = "INSERT INTO gametimes_state (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE \
                       SET value = EXCLUDED.value \
                       WHERE CAST(gametimes_state.value AS BIGINT) < CAST(EXCLUDED.value AS BIGINT)";
            let values = args![name, value.to_string()];
            transaction.execute(sql, values).await?;
        }
        Checkpoint::Forgotten { name } => {
            let sql = "DELETE FROM gametimes_state WHERE name = $1";
            transaction.execute(sql, args![name]).await?;
        }
        Checkpoint::File {
            place,
            path,
            size_bytes,
            modified_unix,
        } => {
            let sql = "INSERT INTO gametimes_files (place, path, size_bytes, modified_unix, read_unix) \
                       VALUES ($1, $2, $3, $4, $5) ON CONFLICT (place, path) DO UPDATE SET \
                       size_bytes = EXCLUDED.size_bytes, modified_unix = EXCLUDED.modified_unix, \
                       read_unix = EXCLUDED.read_unix";
            let size = i64::try_from(*size_bytes).unwrap_or(i64::MAX);
            let values = args![place, path, size, *modified_unix, now];
            transaction.execute(sql, values).await?;
        }
    }
    Ok(())
}
