//! Who may read the files of an SQLite database: they contain full guids.

use std::fs::{OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::sqlite::SqliteConnectOptions;
use tracing::warn;

/// The permissions of a new database: only its owner reads and writes it.
pub(super) const PRIVATE: u32 = 0o600;
/// The permissions of all other users.
const OTHERS: u32 = 0o007;

/// The SQLite file that a URL names; `None` for PostgreSQL and for a database in memory.
pub(super) fn sqlite_file(url: &str) -> Option<PathBuf> {
    if !url.starts_with("sqlite:") || url.contains(":memory:") || url.contains("mode=memory") {
        return None;
    }
    let options = SqliteConnectOptions::from_str(url).ok()?;
    Some(options.get_filename().to_owned())
}

/// Creates the file if it does not exist, with these permissions, independent of the umask. SQLite gives the files that it creates
/// beside it the same permissions.
pub(super) fn create(file: &Path, mode: u32) {
    let mut options = OpenOptions::new();
    let created = options.write(true).create_new(true).mode(mode).open(file);
    // It exists, or it cannot be created, and then SQLite reports why.
    if created.is_ok() {
        set_mode(file, mode);
    }
}

/// Gives a database and the files beside it these permissions; creates it if it does not exist.
pub fn set_modes(url: &str, mode: u32) {
    let Some(file) = sqlite_file(url) else {
        return;
    };
    create(&file, mode);
    for file in existing(&file) {
        set_mode(&file, mode);
    }
}

/// The files of this database that all users of the machine may read or write.
///
/// # Errors
/// If a file cannot be examined.
pub fn open_to_others(url: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for file in sqlite_file(url).iter().flat_map(|file| existing(file)) {
        if file.metadata()?.permissions().mode() & OTHERS != 0 {
            found.push(file);
        }
    }
    Ok(found)
}

/// The database and the files that SQLite keeps beside it, as far as they exist.
fn existing(file: &Path) -> Vec<PathBuf> {
    let beside = |suffix: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let files = ["", "-wal", "-shm", "-journal"].map(beside);
    files.into_iter().filter(|file| file.exists()).collect()
}

fn set_mode(file: &Path, mode: u32) {
    if let Err(error) = std::fs::set_permissions(file, Permissions::from_mode(mode)) {
        let file = file.display();
        warn!("{file}: its permissions cannot be set to {mode:o}: {error}");
    }
}
