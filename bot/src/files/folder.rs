//! Local folders. The operating system reports changes there, so new files are read at once; polling finds the rest.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::fs;
use tokio::sync::mpsc;
use tracing::warn;

use super::is_round_file;
use super::poller::{Directory, ENTRIES_MAX, FileEntry, too_many_entries};
use crate::db::sources::FileVersion;

/// A folder of this machine.
#[derive(Debug)]
pub struct LocalDirectory {
    path: PathBuf,
}

impl LocalDirectory {
    /// The folder at `path`.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }
}

fn entry(name: &str, metadata: &std::fs::Metadata) -> FileEntry {
    let modified = metadata
        .modified()
        .ok()
        .and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    FileEntry {
        name: name.to_owned(),
        version: FileVersion {
            size_bytes: metadata.len(),
            modified_unix: modified.map_or(0, |t| t.as_secs() as i64),
        },
    }
}

fn list(path: &Path) -> Result<Vec<FileEntry>, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut entries = Vec::new();
    for (items, item) in std::fs::read_dir(path).map_err(failed)?.enumerate() {
        if items == ENTRIES_MAX {
            return Err(format!("{}: {}", path.display(), too_many_entries()));
        }
        let item = item.map_err(failed)?;
        // A file may be deleted between the listing and this call; then it is left out.
        if let (Some(name), Ok(metadata)) = (item.file_name().to_str(), item.metadata())
            && metadata.is_file()
        {
            entries.push(entry(name, &metadata));
        }
    }
    Ok(entries)
}

impl Directory for LocalDirectory {
    fn place(&self) -> String {
        super::place(&format!("folder {}", self.path.display()))
    }

    fn source(&self) -> &'static str {
        "folder"
    }

    async fn list(&mut self) -> Result<Vec<FileEntry>, String> {
        let path = self.path.clone();
        // All of it in one task: with one for each file, thousands of them kept a hundred threads busy.
        let listed = tokio::task::spawn_blocking(move || list(&path)).await;
        listed.map_err(|e| e.to_string())?
    }

    async fn stat(&mut self, name: &str) -> Result<Option<FileEntry>, String> {
        match fs::metadata(self.path.join(name)).await {
            Ok(metadata) if metadata.is_file() => Ok(Some(entry(name, &metadata))),
            Ok(_) => Ok(None),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e.to_string()),
        }
    }

    async fn read(&mut self, file: &FileEntry) -> Result<Vec<u8>, String> {
        let path = self.path.join(&file.name);
        fs::read(&path)
            .await
            .map_err(|e| format!("{}: {e}", path.display()))
    }
}

/// Sends the names of new and changed files to the folder's poller, as the operating system reports them; other files than
/// the bot reads are ignored. The watcher works until it is dropped. If the system allows no more watchers, the folder is
/// only polled.
pub fn watch(path: &Path, changed: mpsc::Sender<String>) -> Option<RecommendedWatcher> {
    watcher(path, is_round_file, changed)
        .inspect_err(|e| {
            warn!(
                "{}: cannot be watched, so it is only polled: {e}",
                path.display()
            );
        })
        .ok()
}

/// Sends the names of new and changed files that are read, until it is dropped.
pub(super) fn watcher(
    path: &Path,
    is_read: fn(&str) -> bool,
    changed: mpsc::Sender<String>,
) -> notify::Result<RecommendedWatcher> {
    let on_event = move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        if event.kind.is_create() || event.kind.is_modify() {
            let names = event.paths.iter().filter_map(|p| p.file_name()?.to_str());
            for name in names.filter(|name| is_read(name)) {
                // If the queue is full, the poll that follows finds this file too.
                drop(changed.try_send(name.to_owned()));
            }
        }
    };
    let mut watcher = notify::recommended_watcher(on_event)?;
    watcher.watch(path, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_log_file_in_the_folder_does_not_wake_the_poller() {
        let folder = tempfile::tempdir().unwrap();
        let (sender, mut changed) = mpsc::channel(64);
        let watcher = watch(folder.path(), sender);
        assert!(watcher.is_some());
        let name = "2026-11-20-125046-room1-round-1.txt";
        for name in ["server.log", "server.log", name] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let first = tokio::time::timeout(std::time::Duration::from_secs(30), changed.recv()).await;
        assert_eq!(first.unwrap().as_deref(), Some(name));
    }
}
