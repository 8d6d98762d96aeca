//! Polling a folder, here or on a game server, for files that were not read yet.
//!
//! A file is read once two checks in a row find the same size and time, so a file that is still being written is left
//! alone, and checked ever more rarely. Which files were read is remembered in the database, in the same transaction that stores their content.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use gametimes_rounds::report::FILE_BYTES_MAX;
use jiff::Timestamp;
use tokio::sync::{broadcast, mpsc};
use tokio::time;
use tracing::{debug, info, warn};

use super::is_round_file;
use crate::backoff::Backoff;
use crate::db::sources::FileVersion;
use crate::db::{Checkpoint, Content, IngestItem};
use crate::writer::SourceContext;

/// How long the size and time of a file must stay the same before it is read.
const SETTLE: Duration = Duration::from_millis(700);
/// How often the bot checks for a file that a message names before it leaves it to the polls.
const EXPECTED_FILE_TRIES: u32 = 12;
/// The most entries of a folder: years of rounds. They are kept in memory.
pub(super) const ENTRIES_MAX: usize = 200_000;
/// The wait after a folder could not be listed, unless the folder is polled more often than that.
const RETRY_FIRST: Duration = Duration::from_secs(2);
const RETRY_LIMIT: Duration = Duration::from_secs(256);

/// The error for a folder with more than [`ENTRIES_MAX`] entries.
pub(super) fn too_many_entries() -> String {
    format!("the folder has more than {ENTRIES_MAX} entries; move old files to another folder")
}

/// A file in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Its name, without the folder.
    pub name: String,
    /// Its size and time.
    pub version: FileVersion,
}

/// A folder that is polled.
pub trait Directory: Send + 'static {
    /// A name for this folder that no other folder has, for the database and the status.
    fn place(&self) -> String;
    /// The kind of source: `folder` or `ssh`.
    fn source(&self) -> &'static str;
    /// Whether a file of this name belongs here, so that it is worth waiting for.
    fn expects(&self, name: &str) -> bool {
        is_round_file(name)
    }
    /// All files in the folder.
    fn list(&mut self) -> impl Future<Output = Result<Vec<FileEntry>, String>> + Send;
    /// One file, or `None` if it does not exist.
    fn stat(
        &mut self,
        name: &str,
    ) -> impl Future<Output = Result<Option<FileEntry>, String>> + Send;
    /// The content of a file.
    fn read(&mut self, file: &FileEntry) -> impl Future<Output = Result<Vec<u8>, String>> + Send;
}

/// How a folder is polled.
#[derive(Debug, Clone)]
pub struct PollConfig {
    /// `ip:port` of the game server, for files that do not contain it.
    pub server: String,
    /// How often the folder is listed.
    pub interval: Duration,
    /// Older files are left to `ingest`; `None` reads all.
    pub lookback: Option<Duration>,
}

/// A file that may still be written.
#[derive(Debug, Clone, Copy)]
struct Unsettled {
    version: FileVersion,
    /// How many checks in a row have found it changed.
    changes: u32,
}

/// Polls one folder.
pub struct Poller<D> {
    directory: D,
    config: PollConfig,
    context: SourceContext,
    /// Names of stats files in messages that just arrived.
    expected: broadcast::Receiver<String>,
    /// Names of files that the operating system saw change; `None` for folders that are only polled.
    changed: Option<mpsc::Receiver<String>>,
    /// The files that were read.
    seen: HashMap<String, FileVersion>,
    /// New files, to be read if the next check finds them unchanged.
    unsettled: HashMap<String, Unsettled>,
    /// Files that exist and could not be read.
    unreadable: HashSet<String>,
}

impl<D: Directory> Poller<D> {
    /// A poller that has not read anything yet.
    pub fn new(directory: D, config: PollConfig, context: &SourceContext) -> Self {
        Self {
            directory,
            config,
            context: context.clone(),
            expected: context.expected_files.subscribe(),
            changed: None,
            seen: HashMap::new(),
            unsettled: HashMap::new(),
            unreadable: HashSet::new(),
        }
    }

    /// Also reads the files whose names arrive on `changed`, without waiting for the next poll.
    pub fn watching(mut self, changed: mpsc::Receiver<String>) -> Self {
        self.changed = Some(changed);
        self
    }

    /// Runs until dropped.
    pub async fn run(mut self) {
        self.load_seen().await;
        let place = self.directory.place();
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_LIMIT.min(self.config.interval));
        loop {
            let wait = match self.poll().await {
                Ok(()) => {
                    if backoff.failures() > 0 {
                        info!("{place}: reachable again");
                    }
                    backoff.reset();
                    self.next_wait()
                }
                Err(error) => {
                    let wait = backoff.next_wait();
                    let failures = backoff.failures();
                    self.context.status.failed(&place, &error);
                    // Ever more rarely, so that a server that is down for a night does not fill the log.
                    if failures.is_power_of_two() {
                        warn!("{place}: {error} (failures in a row: {failures})");
                    }
                    wait
                }
            };
            let due = time::Instant::now() + wait;
            loop {
                tokio::select! {
                    () = time::sleep_until(due) => break,
                    name = self.expected.recv() => {
                        self.wait_for_file(name.ok()).await;
                        break;
                    }
                    name = next(&mut self.changed) => if !self.keeps_changing(&name) {
                        self.wait_for_file(Some(name)).await;
                        break;
                    }
                }
            }
        }
    }

    /// The wait until the next poll: a moment if there is a new file, longer for one that was seen to change before.
    fn next_wait(&self) -> Duration {
        let interval = self.config.interval;
        let wait = |file: &Unsettled| {
            let backoff = Backoff::new(SETTLE, interval);
            backoff.after(file.changes).next_wait()
        };
        let waits = self.unsettled.values().map(wait);
        waits.min().unwrap_or(interval)
    }

    /// Whether a file has changed at so many checks that it is left to the polls.
    fn keeps_changing(&self, name: &str) -> bool {
        let file = self.unsettled.get(name);
        file.is_some_and(|file| file.changes >= EXPECTED_FILE_TRIES)
    }

    /// Remembers a file that was found changed, or is new.
    fn set_unsettled(&mut self, file: &FileEntry, changes: u32) {
        let version = file.version;
        let file = file.name.clone();
        self.unsettled.insert(file, Unsettled { version, changes });
    }

    async fn load_seen(&mut self) {
        let place = self.directory.place();
        let backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        self.seen = backoff
            .retry(
                || self.context.db.files_read(&place),
                |error, _| warn!("{place}: loading the list of files already read: {error}"),
            )
            .await;
    }

    fn is_new(&self, file: &FileEntry) -> bool {
        self.seen.get(&file.name) != Some(&file.version)
    }

    async fn poll(&mut self) -> Result<(), String> {
        let oldest = self.config.lookback.map_or(i64::MIN, |lookback| {
            Timestamp::now().as_second() - i64::try_from(lookback.as_secs()).unwrap_or(i64::MAX)
        });
        let files = self.directory.list().await?;
        let place = self.directory.place();
        self.context.status.seen(&place);
        self.unreadable
            .retain(|name| files.iter().any(|file| file.name == *name));
        let mut new: Vec<FileEntry> = files
            .into_iter()
            .filter(|f| is_round_file(&f.name) && f.version.modified_unix >= oldest)
            .filter(|f| self.is_new(f))
            .collect();
        new.sort_by(|a, b| {
            (a.version.modified_unix, &a.name).cmp(&(b.version.modified_unix, &b.name))
        });
        let before = std::mem::take(&mut self.unsettled);
        for file in new {
            let seen = before.get(&file.name);
            let changes = seen.map_or(0, |seen| seen.changes + 1);
            if seen.is_none_or(|seen| seen.version != file.version) {
                self.set_unsettled(&file, changes);
            } else if let Err(error) = self.read(&file, changes).await {
                // A file that exists and cannot be read must not hold up the others.
                match self.directory.stat(&file.name).await? {
                    Some(_) => self.report_unreadable(&file, &error),
                    None => debug!("{}: deleted before it was read", file.name),
                }
            }
        }
        if self.unreadable.is_empty() {
            self.context.status.recovered(&place);
        }
        Ok(())
    }

    /// The file is tried again at every poll, and logged once.
    fn report_unreadable(&mut self, file: &FileEntry, error: &str) {
        let place = self.directory.place();
        let name = &file.name;
        if self.unreadable.insert(name.clone()) {
            warn!(
                "{place}: {name}: {error}; check that the bot may read it; the bot tries again at every poll"
            );
        }
        self.context
            .status
            .failed(&place, &format!("{name}: {error}"));
    }

    /// Waits for one file, without listing a folder of thousands, and reads it. If it does not appear or settle in time, the
    /// next poll, which follows at once, finds it.
    async fn wait_for_file(&mut self, name: Option<String>) {
        let Some(name) = name.filter(|name| self.directory.expects(name)) else {
            return;
        };
        let mut last = None;
        for _ in 0..EXPECTED_FILE_TRIES {
            match self.directory.stat(&name).await {
                Ok(Some(file)) if !self.is_new(&file) => return,
                Ok(Some(file)) if last.as_ref() == Some(&file) => {
                    if let Err(error) = self.read(&file, 1).await {
                        debug!("{name}: {error}");
                    }
                    return;
                }
                Ok(file) => last = file,
                Err(_) => return,
            }
            time::sleep(SETTLE).await;
        }
        if let Some(file) = last {
            self.set_unsettled(&file, EXPECTED_FILE_TRIES);
        }
    }

    /// Reads a file and hands it to the writer. `changes` is how often it was found changed, if its size is wrong now.
    async fn read(&mut self, file: &FileEntry, changes: u32) -> Result<(), String> {
        let source = self.directory.source();
        let (name, version) = (&file.name, file.version);
        let server = &self.config.server;
        let mut item = if version.size_bytes > FILE_BYTES_MAX as u64 {
            IngestItem {
                source,
                origin: name.clone(),
                server: server.clone(),
                webhook: None,
                content: Content::Rejected {
                    reason: format!(
                        "the file has {} bytes, more than {FILE_BYTES_MAX}",
                        version.size_bytes
                    ),
                    excerpt: String::new(),
                },
                checkpoints: Vec::new(),
            }
        } else {
            let bytes = self.directory.read(file).await?;
            if bytes.len() as u64 != version.size_bytes {
                // It is still being written after all.
                self.set_unsettled(file, changes);
                return Ok(());
            }
            IngestItem::from_file(source, name, server, bytes)
        };
        if let Content::Rejected { reason, .. } = &item.content {
            warn!("{name} rejected: {reason}");
        }
        item.checkpoints.push(Checkpoint::File {
            place: self.directory.place(),
            path: name.clone(),
            size_bytes: version.size_bytes,
            modified_unix: version.modified_unix,
        });
        self.context.writer.submit(item).await;
        self.unreadable.remove(name);
        self.seen.insert(name.clone(), version);
        Ok(())
    }
}

/// The next name; waits forever if there is no channel or its sender is gone.
async fn next(names: &mut Option<mpsc::Receiver<String>>) -> String {
    let name = match names {
        Some(names) => names.recv().await,
        None => None,
    };
    match name {
        Some(name) => name,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
