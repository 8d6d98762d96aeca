//! Polling a folder, here or on a game server, for files that were not read yet.
//!
//! A file is read once two checks in a row find the same size and time, so a file that is still being written is left
//! alone. Which files were read is remembered in the database, in the same transaction that stores their content.

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
/// How often the bot checks for a file that a message names before it leaves it to the next poll.
const EXPECTED_FILE_TRIES: u32 = 12;
/// The wait after a folder could not be listed, unless the folder is polled more often than that.
const RETRY_FIRST: Duration = Duration::from_secs(2);
const RETRY_LIMIT: Duration = Duration::from_secs(256);

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
    /// New files of the last poll, to be read if the next one finds them unchanged.
    unsettled: HashMap<String, FileVersion>,
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
                    if self.unsettled.is_empty() {
                        self.config.interval
                    } else {
                        SETTLE
                    }
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
            tokio::select! {
                () = time::sleep(wait) => {}
                name = self.expected.recv() => self.wait_for_file(name.ok()).await,
                name = next(&mut self.changed) => self.wait_for_file(Some(name)).await,
            }
        }
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
            if before.get(&file.name) != Some(&file.version) {
                self.unsettled.insert(file.name, file.version);
            } else if let Err(error) = self.read(&file).await {
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
                    if let Err(error) = self.read(&file).await {
                        debug!("{name}: {error}");
                    }
                    return;
                }
                Ok(file) => last = file,
                Err(_) => return,
            }
            time::sleep(SETTLE).await;
        }
    }

    /// Reads a file and hands it to the writer.
    async fn read(&mut self, file: &FileEntry) -> Result<(), String> {
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
                self.unsettled.insert(name.clone(), version);
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
mod tests {
    use std::sync::Arc;

    use jiff::tz::TimeZone;
    use tokio::sync::watch;

    use super::*;
    use crate::db::Db;
    use crate::db::round_list::RoundFilter;
    use crate::status::Status;
    use crate::writer::Writer;

    /// A folder whose oldest file cannot be read, and whose files grow by a byte at each of the next `grows` checks.
    struct Folder {
        files: Vec<FileEntry>,
        grows: u64,
    }

    impl Folder {
        fn check(&mut self) {
            if self.grows > 0 {
                self.grows -= 1;
                let files = self.files.iter_mut();
                files.for_each(|file| file.version.size_bytes += 1);
            }
        }
    }

    impl Directory for Folder {
        fn place(&self) -> String {
            "folder test".into()
        }

        fn source(&self) -> &'static str {
            "folder"
        }

        async fn list(&mut self) -> Result<Vec<FileEntry>, String> {
            self.check();
            Ok(self.files.clone())
        }

        async fn stat(&mut self, name: &str) -> Result<Option<FileEntry>, String> {
            self.check();
            Ok(self.files.iter().find(|file| file.name == name).cloned())
        }

        async fn read(&mut self, file: &FileEntry) -> Result<Vec<u8>, String> {
            assert_eq!(self.grows, 0, "read while it was written");
            match file.version.modified_unix {
                1 => Err("permission denied".into()),
                _ => Ok(CONTENT.to_vec()),
            }
        }
    }

    const CONTENT: &[u8] = b"s\\m\\c\\1\\1\\1\\2:00\\2:00\\5";

    fn file(n: i64, size: usize) -> FileEntry {
        FileEntry {
            name: format!("2026-11-20-12334{n}-m-round-1.txt"),
            version: FileVersion {
                size_bytes: size as u64,
                modified_unix: n,
            },
        }
    }

    /// Runs `test` with a poller of the folder, and returns how many rounds were stored.
    async fn rounds_after(folder: Folder, test: impl AsyncFnOnce(&mut Poller<Folder>)) -> usize {
        let data = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", data.path().join("x.db").display());
        let db = Db::open(&url, TimeZone::UTC).await.unwrap();
        let status = Arc::new(Status::default());
        let (_stop, stopped) = watch::channel(false);
        let (writer, task) = Writer::new(db.clone(), Arc::clone(&status), stopped);
        let config = PollConfig {
            server: String::new(),
            interval: Duration::from_secs(60),
            lookback: None,
        };
        let context = SourceContext {
            db: db.clone(),
            writer,
            status,
            expected_files: broadcast::channel(1).0,
        };
        let mut poller = Poller::new(folder, config, &context);
        drop(context);
        test(&mut poller).await;
        drop(poller);
        task.await;
        let filter = RoundFilter {
            limit: 10,
            ..RoundFilter::default()
        };
        db.rounds(&filter).await.unwrap().len()
    }

    #[tokio::test]
    async fn an_unreadable_file_does_not_hold_up_the_others() {
        let folder = Folder {
            files: (1..=3).map(|n| file(n, CONTENT.len())).collect(),
            grows: 0,
        };
        let rounds = rounds_after(folder, async |poller| {
            for _ in 0..4 {
                poller.poll().await.unwrap();
            }
            let last_error = |poller: &Poller<Folder>| {
                let delivery = poller.context.status.delivery();
                delivery["folder test"].last_error.clone()
            };
            let error = last_error(poller).unwrap();
            assert!(
                error.contains("123341-m-round-1.txt: permission denied"),
                "{error}"
            );
            // The file is removed: the error disappears.
            poller.directory.files.remove(0);
            poller.poll().await.unwrap();
            assert_eq!(last_error(poller), None);
        })
        .await;
        assert_eq!(rounds, 2);
    }

    #[tokio::test]
    async fn a_file_that_is_being_written_is_read_once_it_stops_growing() {
        let folder = || Folder {
            files: vec![file(2, CONTENT.len() - 3)],
            grows: 3,
        };
        let rounds = rounds_after(folder(), async |poller| {
            for _ in 0..5 {
                poller.poll().await.unwrap();
            }
        })
        .await;
        assert_eq!(rounds, 1);
        let rounds = rounds_after(folder(), async |poller| {
            let name = poller.directory.files[0].name.clone();
            poller.wait_for_file(Some(name)).await;
        })
        .await;
        assert_eq!(rounds, 1);
    }
}
