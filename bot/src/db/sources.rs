//! What the bot remembers of its sources: how far each was read, which files were read, and what was rejected.

use std::collections::HashMap;

use serde::Serialize;

use super::value::Row;
use super::{Db, DbError};
use crate::args;

/// The size and time of a file when it was read. If either differs later, the file is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileVersion {
    /// Its length.
    pub size_bytes: u64,
    /// When it was last changed.
    pub modified_unix: i64,
}

/// Input that was rejected, by the bot or by the database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Rejected {
    /// The kind of source: `discord`, `folder`, `ssh` or `ingest`.
    pub source: String,
    /// The name of the file, or `message` and its id.
    pub origin: String,
    /// Why it was rejected.
    pub reason: String,
    /// How often it arrived.
    pub times: i64,
    /// When it last arrived.
    pub last_unix: i64,
}

impl Rejected {
    fn from_row(row: &Row) -> Self {
        Self {
            source: row.get("source"),
            origin: row.get("origin"),
            reason: row.get("reason"),
            times: row.get("times"),
            last_unix: row.get("last_unix"),
        }
    }
}

impl Db {
    /// The value of a [`super::Checkpoint::Reached`]; 0 if there is none yet.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn checkpoint(&self, name: &str) -> Result<u64, DbError> {
        let sql = "SELECT value FROM gametimes_state WHERE name = $1";
        let row = self.database.row(sql, args![name]).await?;
        Ok(row.as_ref().and_then(checkpoint_value).unwrap_or(0))
    }

    /// The values of all checkpoints whose names begin with `prefix`, lowest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn checkpoints(&self, prefix: &str) -> Result<Vec<u64>, DbError> {
        let sql = "SELECT value FROM gametimes_state WHERE SUBSTR(name, 1, LENGTH($1)) = $1";
        let rows = self.database.rows(sql, args![prefix]).await?;
        let mut values: Vec<u64> = rows.iter().filter_map(checkpoint_value).collect();
        values.sort_unstable();
        Ok(values)
    }

    /// The files of a folder that were read, by name.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn files_read(&self, place: &str) -> Result<HashMap<String, FileVersion>, DbError> {
        let sql = "SELECT path, size_bytes, modified_unix FROM gametimes_files WHERE place = $1";
        let rows = self.database.rows(sql, args![place]).await?;
        let file = |row: &Row| {
            let version = FileVersion {
                size_bytes: row.get("size_bytes"),
                modified_unix: row.get("modified_unix"),
            };
            (row.get("path"), version)
        };
        Ok(rows.iter().map(file).collect())
    }

    /// Rejected input, latest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn rejected(&self, limit: i64) -> Result<Vec<Rejected>, DbError> {
        let sql = "SELECT source, origin, reason, times, last_unix FROM gametimes_rejected \
                   ORDER BY last_unix DESC, id DESC LIMIT $1";
        let rows = self.database.rows(sql, args![limit]).await?;
        Ok(rows.iter().map(Rejected::from_row).collect())
    }
}

/// The table stores values as text.
fn checkpoint_value(row: &Row) -> Option<u64> {
    row.get::<String>("value").parse().ok()
}
