//! Local folders: looked through like remote ones, and at once when the system tells of a change.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::fs;
use tokio::sync::mpsc;
use tracing::warn;

use super::ingest::is_wanted;
use super::poller::{Directory, Entry};

/// A local folder.
#[derive(Debug)]
pub struct Local {
    path: PathBuf,
}

impl Local {
    /// A folder.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }
}

fn entry(name: &str, metadata: &std::fs::Metadata) -> Entry {
    let modified = metadata
        .modified()
        .ok()
        .and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    Entry {
        name: name.to_owned(),
        size_bytes: metadata.len(),
        modified_unix: modified.map_or(0, |t| t.as_secs() as i64),
    }
}

impl Directory for Local {
    fn place(&self) -> String {
        format!("folder {}", self.path.display())
            .chars()
            .take(256)
            .collect()
    }

    fn source(&self) -> &'static str {
        "folder"
    }

    async fn list(&mut self) -> Result<Vec<Entry>, String> {
        let wrong = |e: std::io::Error| format!("{}: {e}", self.path.display());
        let mut folder = fs::read_dir(&self.path).await.map_err(wrong)?;
        let mut entries = Vec::new();
        while let Some(item) = folder.next_entry().await.map_err(wrong)? {
            // A file that is gone by now, or no file, is none of ours.
            if let (Some(name), Ok(metadata)) = (item.file_name().to_str(), item.metadata().await)
                && metadata.is_file()
            {
                entries.push(entry(name, &metadata));
            }
        }
        Ok(entries)
    }

    async fn stat(&mut self, name: &str) -> Result<Option<Entry>, String> {
        match fs::metadata(self.path.join(name)).await {
            Ok(metadata) if metadata.is_file() => Ok(Some(entry(name, &metadata))),
            Ok(_) => Ok(None),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e.to_string()),
        }
    }

    async fn read(&mut self, entry: &Entry) -> Result<Vec<u8>, String> {
        let path = self.path.join(&entry.name);
        fs::read(&path)
            .await
            .map_err(|e| format!("{}: {e}", path.display()))
    }
}

/// Tells the folder's sweeper of new files as the system sees them; only of those that the bot reads, whatever else is written
/// there. The watcher works until it is dropped; without one (the system allows no more) the folder is still looked through
/// at every poll.
pub fn watch(path: &Path, changed: mpsc::Sender<String>) -> Option<RecommendedWatcher> {
    let shown = path.display().to_string();
    let tell = move |event: Result<notify::Event, notify::Error>| {
        let Ok(event) = event else { return };
        if event.kind.is_create() || event.kind.is_modify() {
            let names = event.paths.iter().filter_map(|p| p.file_name()?.to_str());
            for name in names.filter(|name| is_wanted(name)) {
                // While many wait already, the sweep that follows sees this one too.
                drop(changed.try_send(name.to_owned()));
            }
        }
    };
    let watcher = notify::recommended_watcher(tell).and_then(|mut watcher| {
        watcher.watch(path, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    watcher
        .inspect_err(|e| warn!("{shown}: not watched, only polled: {e}"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_log_file_in_the_folder_wakes_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (sender, mut changed) = mpsc::channel(64);
        let watcher = watch(folder.path(), sender);
        assert!(watcher.is_some());
        let name = "2026-11-20-125046-room1-round-1.txt";
        for name in ["server.log", "server.log", name] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let told = tokio::time::timeout(std::time::Duration::from_secs(30), changed.recv()).await;
        assert_eq!(told.unwrap().as_deref(), Some(name));
    }
}
