//! Files that cannot be read, keep growing, or are not as listed.

use std::sync::Arc;

use jiff::tz::TimeZone;
use tokio::sync::watch;

use super::*;
use crate::db::Db;
use crate::db::round_list::RoundFilter;
use crate::status::Status;
use crate::writer::Writer;

/// A folder whose oldest file cannot be read, and whose first file grows by a byte at each of the next `grows` checks.
struct Folder {
    files: Vec<FileEntry>,
    grows: u64,
}

impl Folder {
    fn check(&mut self) {
        if self.grows > 0 {
            self.grows -= 1;
            self.files[0].version.size_bytes += 1;
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
        let is_growing = self.grows > 0 && file.name == self.files[0].name;
        assert!(!is_growing, "read while it was written");
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
async fn a_file_that_keeps_growing_is_checked_ever_more_rarely_and_delays_no_other() {
    let folder = Folder {
        files: vec![file(2, 1)],
        grows: u64::MAX,
    };
    let rounds = rounds_after(folder, async |poller| {
        let mut waits = Vec::new();
        for _ in 0..9 {
            poller.poll().await.unwrap();
            waits.push(poller.next_wait().as_millis());
        }
        assert_eq!(waits[..4], [700, 1400, 2800, 5600]);
        assert_eq!(waits[7..], [60_000, 60_000]);
        // The system reports each change of a local file.
        let name = poller.directory.files[0].name.clone();
        assert!(!poller.keeps_changing(&name));
        for _ in 0..EXPECTED_FILE_TRIES {
            poller.poll().await.unwrap();
        }
        assert!(poller.keeps_changing(&name));
        poller.directory.files.push(file(3, CONTENT.len()));
        poller.poll().await.unwrap();
        assert_eq!(poller.next_wait(), SETTLE);
        poller.poll().await.unwrap();
        assert_eq!(poller.next_wait(), poller.config.interval);
    })
    .await;
    assert_eq!(rounds, 1, "the file that does not grow");
}

/// The size in the listing is a lie.
#[tokio::test]
async fn a_file_whose_size_is_wrong_in_the_listing_is_read_ever_more_rarely() {
    let folder = Folder {
        files: vec![file(2, CONTENT.len() + 1)],
        grows: 0,
    };
    rounds_after(folder, async |poller| {
        let mut waits = Vec::new();
        for _ in 0..10 {
            poller.poll().await.unwrap();
            waits.push(poller.next_wait().as_millis());
        }
        assert_eq!(waits[..4], [700, 1400, 2800, 5600]);
        assert_eq!(waits[9], 60_000);
    })
    .await;
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
