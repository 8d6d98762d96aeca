//! A copy of the database in one file, made while the bot runs.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::process::Command;

use super::connection::Database;
use super::error::DbError;
use super::files;
use crate::args;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The file exists already, and is not replaced.
    #[error("{0} exists already; choose another name, or move it away")]
    Exists(String),
    /// The file could not be written.
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
    /// `pg_dump` is not installed.
    #[error(
        "pg_dump is not installed; install the client programs of PostgreSQL (Debian: apt-get install postgresql-client)"
    )]
    NoDump,
    /// `pg_dump` failed.
    #[error("pg_dump: {0}")]
    Dump(String),
}

/// Copies the database to a file that only this user can read: an SQLite database, or what `pg_restore` reads. The copy is of one
/// moment. An interrupted backup leaves no file of this name.
///
/// # Errors
/// If the file exists, or the copy fails.
pub async fn backup(url: &str, file: &Path) -> Result<(), BackupError> {
    let name = || file.display().to_string();
    if file.exists() {
        return Err(BackupError::Exists(name()));
    }
    let mut temporary: OsString = file.as_os_str().to_owned();
    temporary.push(".part");
    let temporary = Path::new(&temporary);
    let io = |error| BackupError::Io(name(), error);
    let database = Database::open_read_only(url).await;
    let database = database.map_err(|error| error.at(url))?;
    // One that an earlier backup left.
    drop(std::fs::remove_file(temporary));
    files::create(temporary, files::PRIVATE);
    let copied = match database {
        Database::Sqlite(_) => copy(&database, temporary).await,
        Database::Postgres(_) => dump(url, temporary).await,
    };
    database.close().await;
    let finished = copied.and_then(|()| {
        std::fs::File::open(temporary)
            .and_then(|copy| copy.sync_all())
            .and_then(|()| std::fs::rename(temporary, file))
            .map_err(io)
    });
    if finished.is_err() {
        drop(std::fs::remove_file(temporary));
    }
    finished
}

/// <https://sqlite.org/lang_vacuum.html#vacuuminto>: a consistent copy, also while another program writes. The file must be empty.
async fn copy(database: &Database, file: &Path) -> Result<(), BackupError> {
    let file = file.display().to_string();
    database.rows("VACUUM INTO $1", args![file]).await?;
    Ok(())
}

async fn dump(url: &str, file: &Path) -> Result<(), BackupError> {
    let options = PgConnectOptions::from_str(url).map_err(DbError::from)?;
    let password = options.to_url_lossy().password().map(|encoded| {
        let decoded = percent_decode_str(encoded).decode_utf8_lossy();
        decoded.into_owned()
    });
    let host = options.get_socket().map_or_else(
        || options.get_host().to_owned(),
        |socket| socket.display().to_string(),
    );
    let mut command = Command::new("pg_dump");
    command
        .args(["--format=custom", "--no-password", "--file"])
        .arg(file)
        .args(["--host", &host])
        .args(["--port", &options.get_port().to_string()])
        .args(["--username", options.get_username()])
        .arg(options.get_database().unwrap_or(options.get_username()));
    command.env("PGSSLMODE", ssl_mode(options.get_ssl_mode()));
    // Not among the arguments, which all users of the machine can see.
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let output = output.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => BackupError::NoDump,
        _ => BackupError::Dump(error.to_string()),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(BackupError::Dump(text.trim().to_owned()))
}

/// <https://www.postgresql.org/docs/current/libpq-ssl.html>
fn ssl_mode(mode: PgSslMode) -> &'static str {
    match mode {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}
