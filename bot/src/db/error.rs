//! What can go wrong with the database, in words that say what to do.

use std::str::FromStr;

use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteError};

/// Why the database failed. Never contains the URL, because that may contain a password.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database or the connection failed.
    #[error("{}", explain(.0))]
    Database(#[from] sqlx::Error),
    /// The URL is of neither SQLite nor PostgreSQL.
    #[error("the database URL must begin with sqlite: or postgres://, as in sqlite:gametimes.db")]
    Url,
    /// The setting `database_mode` asks for companion mode on SQLite.
    #[error("database_mode = \"companion\" needs PostgreSQL; two bots cannot share an SQLite file")]
    Companion,
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
    /// The file of the database does not exist, and this process must not create it.
    #[error("does not exist yet: `gametimes-bot run`, `receive`, `ingest` or `migrate` creates it")]
    Missing,
    /// A table of ours could not be created.
    #[error("creating the tables: {}", explain_migration(.0))]
    Migration(#[from] MigrateError),
    /// A database could not be opened.
    #[error("database {place}: {error}")]
    Open {
        /// Which database.
        place: String,
        /// The reason.
        error: Box<DbError>,
    },
}

impl DbError {
    /// Adds which database could not be opened.
    pub fn at(self, url: &str) -> Self {
        // A URL of another kind names no place.
        match place(url).filter(|_| !matches!(self, Self::Url)) {
            Some(place) => Self::Open {
                place,
                error: Box::new(self),
            },
            None => self,
        }
    }
}

/// The file, or server and name of a database, without user and password.
fn place(url: &str) -> Option<String> {
    if url.starts_with("sqlite:") {
        let options = SqliteConnectOptions::from_str(url).ok()?;
        return Some(options.get_filename().display().to_string());
    }
    let options = PgConnectOptions::from_str(url).ok()?;
    let name = options.get_database().unwrap_or(options.get_username());
    Some(format!(
        "{name} on {}:{}",
        options.get_host(),
        options.get_port()
    ))
}

fn explain(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => {
            let advice = match error.try_downcast_ref::<SqliteError>() {
                Some(error) => advice_for_sqlite(error),
                None => advice_for_postgres(error.code().as_deref().unwrap_or_default()),
            };
            match advice {
                Some(advice) => format!("{} ({advice})", error.message()),
                None => error.message().to_owned(),
            }
        }
        sqlx::Error::PoolTimedOut => {
            "no connection within 10 s: all are busy, or the server cannot be reached; check database_url, and that the \
             server is running"
                .to_owned()
        }
        sqlx::Error::PoolClosed => "the bot is stopping and has closed its connections".to_owned(),
        sqlx::Error::Io(error) => format!(
            "the connection failed: {error}; check database_url, and that the server is running and can be reached"
        ),
        sqlx::Error::Tls(error) => format!(
            "the encrypted connection failed: {error}; check the server's certificate and `sslmode` in database_url"
        ),
        sqlx::Error::Configuration(_) => {
            // The text may contain parts of the URL.
            "database_url cannot be parsed; expected sqlite:FILE or postgres://USER:PASSWORD@HOST/DATABASE".to_owned()
        }
        error => error.to_string(),
    }
}

fn explain_migration(error: &MigrateError) -> String {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => explain(error),
        error => error.to_string(),
    }
}

/// <https://sqlite.org/rescode.html>. The lowest 8 bits are the kind of error, the others its details.
fn advice_for_sqlite(error: &SqliteError) -> Option<&'static str> {
    let code: i32 = error.code()?.parse().ok()?;
    Some(match code & 0xff {
        5 | 6 => "another program is writing to the file; stop it, or try again later",
        8 => {
            "the file is read-only for this user; check the permissions of the file and its folder"
        }
        10 => "the disk or the file system failed; see the system's log",
        11 => "the file is damaged; restore it from a backup",
        13 => "the disk is full; free some space",
        14 => {
            "check that the folder exists, and that this user may read and write the file and its folder"
        }
        26 => "this is not an SQLite database; correct database_url",
        _ => return None,
    })
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn advice_for_postgres(code: &str) -> Option<&'static str> {
    Some(match code {
        "28P01" | "28000" => {
            "correct user and password in database_url, and check the server's pg_hba.conf"
        }
        "3D000" => "create the database, or correct its name in database_url",
        "25006" => {
            "this server or role is read-only; use the primary server and a role that may write"
        }
        "42501" => "give the bot's role this permission, or let it own the tables",
        "42P01" | "42703" => "run `gametimes-bot migrate`",
        "53100" => "the server's disk is full; free some space there",
        "53300" => "raise max_connections of the server, or stop other programs",
        "55P03" | "57014" => {
            "another program keeps tables locked, or the server is overloaded; try again later"
        }
        "57P01" | "57P02" | "57P03" => "the server is starting or stopping; try again later",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use crate::db::Db;

    #[tokio::test]
    async fn a_database_that_cannot_be_opened_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("notes.txt");
        std::fs::write(&text, "no database at all, but a text of some length").unwrap();
        // No program listens on port 1.
        for (url, what) in [
            (
                format!("sqlite:{}/missing/bot.db", folder.path().display()),
                vec!["missing/bot.db: ", "check that the folder exists"],
            ),
            (
                format!("sqlite:{}", text.display()),
                vec![
                    "notes.txt: ",
                    "this is not an SQLite database; correct database_url",
                ],
            ),
            (
                "postgres://bot:very-secret@127.0.0.1:1/stats".to_owned(),
                vec![
                    "stats on 127.0.0.1:1: ",
                    "check database_url, and that the server is running",
                ],
            ),
            (
                "postgres://bot:very-secret@127.0.0.1:port/stats".to_owned(),
                vec!["database_url cannot be parsed"],
            ),
        ] {
            let error = Db::open(&url, TimeZone::UTC).await.unwrap_err().to_string();
            for what in what {
                assert!(error.contains(what), "{what}: {error}");
            }
            for raw in [
                "code: ",
                "pool timed out",
                "error returned from",
                "very-secret",
            ] {
                assert!(!error.contains(raw), "{raw}: {error}");
            }
        }
    }
}
