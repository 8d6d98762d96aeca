//! Live files, from the folder `live` beside the gametimes files: watched on this machine, read every few seconds over SFTP.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gametimes_format::live::{BYTES, Snapshot};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use super::folder::watcher as watcher_of;
use super::is_live_file;
use super::sftp::LiveFolder;
use crate::live::frame::is_busy;
use crate::live::{Live, Transport, check};

/// The name of the folder.
const FOLDER: &str = "live";
/// How often a local folder is read although nothing was reported: the system may lose reports, and the folder may be new.
const LOOK: Duration = Duration::from_secs(2);
/// How often a server is read while somebody plays, and else.
const BUSY: Duration = Duration::from_secs(2);
const IDLE: Duration = Duration::from_secs(15);
/// How often a server that cannot be reached is tried while somebody plays there.
const RETRY: Duration = Duration::from_secs(4);
/// Servers that share a folder.
const FILES_MAX: usize = 32;
/// Reports that can wait; the next look finds what is lost.
const QUEUE: usize = 256;

/// What was last read from each file, so that a file that nobody writes any more is not taken for new.
struct Source {
    live: Arc<Live>,
    place: String,
    seen: BTreeMap<String, (u64, i64)>,
    /// What is wrong, so that it is logged once.
    problem: Option<String>,
}

impl Source {
    fn new(live: Arc<Live>, place: String) -> Self {
        Self {
            live,
            place,
            seen: BTreeMap::new(),
            problem: None,
        }
    }

    /// Takes the content of a file. Returns whether somebody plays.
    fn take(&mut self, name: &str, bytes: &[u8]) -> bool {
        let snapshot = match check::read(bytes) {
            Ok(snapshot) => snapshot,
            Err(error) => {
                self.report(format!("{name}: {error}"));
                return false;
            }
        };
        let is_busy = is_busy(&snapshot);
        let version = version_of(&snapshot);
        if self.seen.get(name) != Some(&version) {
            self.seen.insert(name.to_owned(), version);
            let outcome = self.live.offer(snapshot, Transport::File);
            debug!("live: {}/{name}: {outcome:?}", self.place);
        }
        self.problem = None;
        is_busy
    }

    fn report(&mut self, problem: String) {
        if self.problem.as_ref() != Some(&problem) {
            warn!("live: {}: {problem}", self.place);
            self.problem = Some(problem);
        }
    }
}

fn version_of(snapshot: &Snapshot) -> (u64, i64) {
    (snapshot.seq, snapshot.unix_ms)
}

/// Shows what is written to the folder `live` in a local folder, until dropped. The folder may come and go.
pub async fn watch(folder: PathBuf, live: Arc<Live>) {
    let path = folder.join(FOLDER);
    let place = path.display().to_string();
    let mut source = Source::new(live, place);
    let (sender, mut changed) = mpsc::channel(QUEUE);
    let mut watcher = None;
    loop {
        // Another folder of the same name needs another watcher.
        let id = std::fs::metadata(&path).ok().map(|m| (m.dev(), m.ino()));
        if watcher.as_ref().map(|(id, _)| *id) != id {
            // Without one, the folder is read every two seconds.
            watcher = id.map(|id| (id, watcher_of(&path, is_live_file, sender.clone()).ok()));
        }
        if id.is_some() {
            let names = names_in(&path);
            read_all(&mut source, &path, names).await;
        }
        let next_look = sleep(LOOK);
        tokio::pin!(next_look);
        loop {
            tokio::select! {
                () = &mut next_look => break,
                Some(name) = changed.recv() => {
                    // A fight changes a file several times in a moment.
                    let mut names = vec![name];
                    while let Ok(name) = changed.try_recv() {
                        if !names.contains(&name) {
                            names.push(name);
                        }
                    }
                    read_all(&mut source, &path, names).await;
                }
            }
        }
    }
}

fn names_in(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| is_live_file(name))
        .take(FILES_MAX)
        .collect()
}

async fn read_all(source: &mut Source, path: &Path, names: Vec<String>) {
    for name in names {
        let file = path.join(&name);
        // A file that is gone, or cannot be read, says nothing; the server is stale soon.
        if let Ok(Ok(bytes)) = tokio::task::spawn_blocking(move || read(&file)).await {
            source.take(&name, &bytes);
        }
    }
}

/// Not more than one byte over the limit, and nothing that would block, such as a pipe.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if std::fs::metadata(path)?.is_file() {
        let file = std::fs::File::open(path)?;
        file.take(BYTES as u64 + 1).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Shows what is written to the folder `live` on a server, until dropped. A server without that folder is looked at again every 15
/// seconds; one that cannot be reached is reported by the polls for its other files.
pub async fn poll(folder: LiveFolder, live: Arc<Live>) {
    let mut source = Source::new(live, folder.place());
    let (mut names, mut was_busy) = (Names::default(), false);
    loop {
        let wait = match read_server(&folder, &mut source, &mut names).await {
            Ok(is_busy) => {
                was_busy = is_busy;
                if is_busy { BUSY } else { IDLE }
            }
            Err(error) => {
                debug!("live: {}: {error}", source.place);
                if was_busy { RETRY } else { IDLE }
            }
        };
        sleep(wait).await;
    }
}

/// The files of a server, and when they were listed.
#[derive(Default)]
struct Names {
    names: Vec<String>,
    listed: Option<Instant>,
}

/// Reads all live files of a server. Returns whether somebody plays.
async fn read_server(
    folder: &LiveFolder,
    source: &mut Source,
    names: &mut Names,
) -> Result<bool, String> {
    if names.listed.is_none_or(|listed| listed.elapsed() >= IDLE) {
        names.names = folder.names(FILES_MAX).await?;
        names.listed = Some(Instant::now());
    }
    let mut is_busy = false;
    for name in &names.names {
        let bytes = folder.read(name, BYTES + 1).await;
        // It may be gone: list again.
        let bytes = bytes.inspect_err(|_| names.listed = None)?;
        is_busy |= source.take(name, &bytes);
    }
    Ok(is_busy)
}
