//! What `doctor` asks about the database itself.

use std::path::PathBuf;

use super::files::sqlite_file;
use super::{Database, DbError};

impl Database {
    /// The SQLite file that `url` names, if it does not exist. Opening the database would create it.
    pub fn missing_file(url: &str) -> Option<PathBuf> {
        sqlite_file(url).filter(|file| !file.exists())
    }

    /// The clock of the database's machine, unix time.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn now_unix(&self) -> Result<i64, DbError> {
        let now = if self.is_postgres() { "now()" } else { "'now'" };
        let sql = format!("SELECT {} AS now_unix", self.epoch(now));
        let row = self.row(&sql, &[]).await?;
        Ok(row.map(|row| row.get("now_unix")).unwrap_or_default())
    }
}
