//! Which failures of the database pass by themselves.

use super::error::DbError;

impl DbError {
    /// Whether another process held SQLite's write lock, or the lock of PostgreSQL, for too long.
    pub fn is_locked(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else {
            return false;
        };
        match error.code().as_deref() {
            // lock_not_available
            Some("55P03") => true,
            // The lowest byte of SQLite's code is its kind: SQLITE_BUSY or SQLITE_LOCKED.
            Some(code) if code.len() < 5 => code
                .parse()
                .is_ok_and(|code: i64| matches!(code & 0xff, 5 | 6)),
            _ => false,
        }
    }

    /// Whether the database server cannot be reached, or does not accept connections yet.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut) => true,
            // It is shutting down, has just crashed, is starting, or has no connection to spare.
            Self::Database(sqlx::Error::Database(error)) => error
                .code()
                .is_some_and(|code| matches!(&*code, "57P01" | "57P02" | "57P03" | "53300")),
            Self::Open { error, .. } => error.is_unavailable(),
            _ => false,
        }
    }
}
