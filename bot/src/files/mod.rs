//! Files of game servers: the stats files of the c0rnp0rn scripts and the gametimes files, from local folders and
//! over SFTP.

pub mod folder;
pub mod host_key;
pub mod ingest;
pub mod live;
pub mod poller;
pub mod sftp;
pub mod ssh;

use gametimes_format::{check, file, text};

/// Whether the bot reads files of this name: gametimes files and stats files.
pub fn is_round_file(name: &str) -> bool {
    file::is_file_name(name) || check::is_stats_file_name(name)
}

/// The name of a folder or server as the database and the status list it, at most as long as its column.
fn place(name: &str) -> String {
    text::cut(name, 256)
}

/// Whether a file of this name is a live file. The recorder writes a temporary file of another name first.
fn is_live_file(name: &str) -> bool {
    name.ends_with(".json") && !name.starts_with('.')
}
