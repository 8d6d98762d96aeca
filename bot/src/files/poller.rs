//! Looking through a folder, here or on a game server, for files that were not read yet.
//!
//! A file is read when two looks find the same size and time, so that one that is being written is left alone. What was
//! read is remembered in the database, in the same transaction that stores the content.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{broadcast, mpsc};
use tokio::time;
use tracing::{debug, info, warn};

use super::ingest::is_wanted;
use crate::args;
use crate::db::{Checkpoint, Content, Db, IngestItem};
use crate::status::Status;
use crate::writer::Writer;
use gametimes_rounds::report::FILE_BYTES_MAX;

/// How long a file must look the same.
const SETTLE: Duration = Duration::from_millis(700);
/// How often a file that a message names is looked for before it is left to the next sweep.
const NAMED_TRIES: u32 = 12;

/// A file in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its size.
    pub size_bytes: u64,
    /// When it was last changed.
    pub modified_unix: i64,
}

/// A folder somewhere.
pub trait Directory: Send + 'static {
    /// What tells this folder from all others, for the database.
    fn place(&self) -> String;
    /// `folder` or `ssh`.
    fn source(&self) -> &'static str;
    /// Whether a file of this name belongs here, so that it is worth being waited for.
    fn expects(&self, name: &str) -> bool {
        is_wanted(name)
    }
    /// The files in it.
    fn list(&mut self) -> impl Future<Output = Result<Vec<Entry>, String>> + Send;
    /// One file, if it is there.
    fn stat(&mut self, name: &str) -> impl Future<Output = Result<Option<Entry>, String>> + Send;
    /// A file's content.
    fn read(&mut self, entry: &Entry) -> impl Future<Output = Result<Vec<u8>, String>> + Send;
}

/// How a folder is looked through.
#[derive(Debug, Clone)]
pub struct PollConfig {
    /// How often.
    pub poll: Duration,
    /// Files older than this are left to `ingest`; `None` takes all.
    pub lookback: Option<Duration>,
}

/// Names of stats files that messages tell of; empty for a message that does not name one.
pub type ExpectedFiles = broadcast::Sender<String>;

/// Looks through one folder again and again.
pub struct Poller<D> {
    directory: D,
    server: String,
    pace: PollConfig,
    store: Db,
    keeper: Writer,
    status: Arc<Status>,
    awaited: broadcast::Receiver<String>,
    /// Names of files that the system saw change in this folder; nothing where it does not tell.
    changed: Option<mpsc::Receiver<String>>,
    /// What was read: size and time.
    seen: HashMap<String, (u64, i64)>,
    /// What was there at the last look.
    unsettled: HashMap<String, Entry>,
    /// Files that are there and could not be read.
    unreadable: HashSet<String>,
}

impl<D: Directory> Poller<D> {
    /// A sweeper; `server` is `ip:port` of the game server where the files do not tell.
    pub fn new(
        directory: D,
        server: String,
        pace: PollConfig,
        store: Db,
        keeper: Writer,
        status: Arc<Status>,
        awaited: &ExpectedFiles,
    ) -> Self {
        let awaited = awaited.subscribe();
        Self {
            directory,
            server,
            pace,
            store,
            keeper,
            status,
            awaited,
            changed: None,
            seen: HashMap::new(),
            unsettled: HashMap::new(),
            unreadable: HashSet::new(),
        }
    }

    /// Looks at once for files that the system tells of.
    pub fn watching(mut self, changed: mpsc::Receiver<String>) -> Self {
        self.changed = Some(changed);
        self
    }

    /// Runs until dropped.
    pub async fn run(mut self) {
        self.load_seen().await;
        let place = self.directory.place();
        let mut failures = 0_u32;
        loop {
            let wait = match self.sweep().await {
                Ok(()) => {
                    if failures > 0 {
                        info!("{place}: reachable again");
                    }
                    failures = 0;
                    if self.unsettled.is_empty() {
                        self.pace.poll
                    } else {
                        SETTLE
                    }
                }
                Err(error) => {
                    failures += 1;
                    self.status.failed(&place, &error);
                    // Said once and then now and then, not every few seconds through a night.
                    if failures.is_power_of_two() {
                        warn!("{place}: {error} (failed {failures} times)");
                    }
                    let backoff = Duration::from_secs(1 << failures.min(8));
                    backoff.min(self.pace.poll)
                }
            };
            tokio::select! {
                () = time::sleep(wait) => {}
                name = self.awaited.recv() => self.look_for(name.ok()).await,
                name = next(&mut self.changed) => self.look_for(Some(name)).await,
            }
        }
    }

    async fn load_seen(&mut self) {
        let sql = "SELECT path, size_bytes, modified_unix FROM gametimes_files WHERE place = $1";
        let mut wait = Duration::from_millis(500);
        loop {
            match self
                .store
                .database
                .rows(sql, args![self.directory.place()])
                .await
            {
                Ok(rows) => {
                    self.seen = rows
                        .iter()
                        .map(|row| {
                            let size = row.int(1).unwrap_or_default().unsigned_abs();
                            (row.string(0), (size, row.int(2).unwrap_or_default()))
                        })
                        .collect();
                    return;
                }
                Err(error) => warn!("reading which files were read: {error}"),
            }
            time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(30));
        }
    }

    fn is_new(&self, entry: &Entry) -> bool {
        self.seen.get(&entry.name) != Some(&(entry.size_bytes, entry.modified_unix))
    }

    async fn sweep(&mut self) -> Result<(), String> {
        let oldest = self.pace.lookback.map_or(i64::MIN, |lookback| {
            Timestamp::now().as_second() - i64::try_from(lookback.as_secs()).unwrap_or(i64::MAX)
        });
        let entries = self.directory.list().await?;
        let place = self.directory.place();
        self.status.seen(&place);
        self.unreadable
            .retain(|name| entries.iter().any(|e| e.name == *name));
        let mut fresh: Vec<Entry> = entries
            .into_iter()
            .filter(|e| is_wanted(&e.name) && e.modified_unix >= oldest && self.is_new(e))
            .collect();
        fresh.sort_by(|a, b| (a.modified_unix, &a.name).cmp(&(b.modified_unix, &b.name)));
        let before = std::mem::take(&mut self.unsettled);
        for entry in fresh {
            if before.get(&entry.name) != Some(&entry) {
                self.unsettled.insert(entry.name.clone(), entry);
            } else if let Err(error) = self.take(&entry).await {
                // A file that is still there and cannot be read must not stand in the way of the others.
                match self.directory.stat(&entry.name).await? {
                    Some(_) => self.unreadable(&entry, &error),
                    None => debug!("{}: gone before it was read", entry.name),
                }
            }
        }
        if self.unreadable.is_empty() {
            self.status.well(&place);
        }
        Ok(())
    }

    /// It is tried again at every sweep, and told once.
    fn unreadable(&mut self, entry: &Entry, error: &str) {
        if self.unreadable.insert(entry.name.clone()) {
            warn!(
                "{}: {}: {error}; check that the bot may read it; it is tried again at every look",
                self.directory.place(),
                entry.name
            );
        }
        self.status
            .failed(&self.directory.place(), &format!("{}: {error}", entry.name));
    }

    /// After a message: the file it names, without listing a folder of thousands. What does not turn up is left to the
    /// next sweep, which follows at once.
    async fn look_for(&mut self, name: Option<String>) {
        let Some(name) = name.filter(|name| self.directory.expects(name)) else {
            return;
        };
        let mut last = None;
        for _ in 0..NAMED_TRIES {
            match self.directory.stat(&name).await {
                Ok(Some(entry)) if !self.is_new(&entry) => return,
                Ok(Some(entry)) if last.as_ref() == Some(&entry) => {
                    if let Err(error) = self.take(&entry).await {
                        debug!("{name}: {error}");
                    }
                    return;
                }
                Ok(entry) => last = entry,
                Err(_) => return,
            }
            time::sleep(SETTLE).await;
        }
    }

    async fn take(&mut self, entry: &Entry) -> Result<(), String> {
        let source = self.directory.source();
        let mut arrival = if entry.size_bytes > FILE_BYTES_MAX as u64 {
            IngestItem {
                source,
                origin: entry.name.clone(),
                server: self.server.clone(),
                content: Content::Rejected {
                    reason: format!("{} bytes are more than {FILE_BYTES_MAX}", entry.size_bytes),
                    excerpt: String::new(),
                },
                checkpoints: Vec::new(),
            }
        } else {
            let bytes = self.directory.read(entry).await?;
            if bytes.len() as u64 != entry.size_bytes {
                // Still being written after all.
                self.unsettled.insert(entry.name.clone(), entry.clone());
                return Ok(());
            }
            IngestItem::from_file(source, &entry.name, &self.server, bytes)
        };
        if let Content::Rejected { reason, .. } = &arrival.content {
            warn!("{} refused: {reason}", entry.name);
        }
        arrival.checkpoints.push(Checkpoint::File {
            place: self.directory.place(),
            path: entry.name.clone(),
            size_bytes: entry.size_bytes,
            modified_unix: entry.modified_unix,
        });
        self.keeper.keep(arrival).await;
        self.unreadable.remove(&entry.name);
        self.seen
            .insert(entry.name.clone(), (entry.size_bytes, entry.modified_unix));
        Ok(())
    }
}

/// The next name; never, where none will come.
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
    use jiff::tz::TimeZone;
    use tokio::sync::watch;

    use super::*;

    /// A folder in which the oldest file cannot be read, and a file grows a little with each of so many looks.
    struct Folder {
        files: Vec<Entry>,
        grows: u64,
    }

    impl Folder {
        fn look(&mut self) {
            if self.grows > 0 {
                self.grows -= 1;
                self.files.iter_mut().for_each(|e| e.size_bytes += 1);
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

        async fn list(&mut self) -> Result<Vec<Entry>, String> {
            self.look();
            Ok(self.files.clone())
        }

        async fn stat(&mut self, name: &str) -> Result<Option<Entry>, String> {
            self.look();
            Ok(self.files.iter().find(|e| e.name == name).cloned())
        }

        async fn read(&mut self, entry: &Entry) -> Result<Vec<u8>, String> {
            assert_eq!(self.grows, 0, "read while it was written");
            match entry.modified_unix {
                1 => Err("permission denied".into()),
                _ => Ok(CONTENT.to_vec()),
            }
        }
    }

    const CONTENT: &[u8] = b"s\\m\\c\\1\\1\\1\\2:00\\2:00\\5";

    fn file(n: i64, size: usize) -> Entry {
        Entry {
            name: format!("2026-11-20-12334{n}-m-round-1.txt"),
            size_bytes: size as u64,
            modified_unix: n,
        }
    }

    /// Gives a sweeper of the folder to `test`, and tells the number of rounds in the end.
    async fn sweep(folder: Folder, test: impl AsyncFnOnce(&mut Poller<Folder>)) -> Option<i64> {
        let data = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", data.path().join("x.db").display());
        let store = Db::open(&url, TimeZone::UTC).await.unwrap();
        let status = Arc::new(Status::default());
        let (_stop, stopped) = watch::channel(false);
        let (keeper, task) = Writer::new(store.clone(), Arc::clone(&status), stopped);
        let pace = PollConfig {
            poll: Duration::from_secs(60),
            lookback: None,
        };
        let (awaited, _) = broadcast::channel(1);
        let mut sweeper = Poller::new(
            folder,
            String::new(),
            pace,
            store.clone(),
            keeper,
            status,
            &awaited,
        );
        test(&mut sweeper).await;
        drop(sweeper);
        task.await;
        let sql = "SELECT COUNT(*) FROM rounds";
        let row = store.database.row(sql, &[]).await.unwrap().unwrap();
        row.int(0)
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_does_not_stand_in_the_way() {
        let folder = Folder {
            files: (1..=3).map(|n| file(n, CONTENT.len())).collect(),
            grows: 0,
        };
        let rounds = sweep(folder, async |sweeper| {
            for _ in 0..4 {
                sweeper.sweep().await.unwrap();
            }
            let told = |sweeper: &Poller<Folder>| {
                let delivery = sweeper.status.delivery();
                delivery["folder test"].last_error.clone()
            };
            let error = told(sweeper).unwrap();
            assert!(
                error.contains("123341-m-round-1.txt: permission denied"),
                "{error}"
            );
            // Somebody takes the file away: all is well again.
            sweeper.directory.files.remove(0);
            sweeper.sweep().await.unwrap();
            assert_eq!(told(sweeper), None);
        })
        .await;
        assert_eq!(rounds, Some(2));
    }

    #[tokio::test]
    async fn a_file_that_is_being_written_is_left_alone() {
        let folder = || Folder {
            files: vec![file(2, CONTENT.len() - 3)],
            grows: 3,
        };
        let rounds = sweep(folder(), async |sweeper| {
            for _ in 0..5 {
                sweeper.sweep().await.unwrap();
            }
        })
        .await;
        assert_eq!(rounds, Some(1));
        let rounds = sweep(folder(), async |sweeper| {
            let name = sweeper.directory.files[0].name.clone();
            sweeper.look_for(Some(name)).await;
        })
        .await;
        assert_eq!(rounds, Some(1));
    }
}
