//! What can go wrong with the database.

/// Why the database failed. Never contains the URL, because that may contain a password.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database or the connection failed.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The URL is of neither SQLite nor PostgreSQL.
    #[error("the database URL must begin with sqlite: or postgres://, as in sqlite:gametimes.db")]
    Url,
    /// Something in the database cannot be read.
    #[error("unreadable in the database: {0}")]
    Content(String),
    /// PostgreSQL gives new rows numbers that are taken.
    #[error("no new row can be stored: {0}")]
    SequencesBehind(String),
    /// Migrations have not run, and this process must not run them.
    #[error(
        "the database is not up to date: run `gametimes-bot migrate` first, or start the bot that receives"
    )]
    NotMigrated,
    /// A table of ours could not be created.
    #[error("database schema: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
}
