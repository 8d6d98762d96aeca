//! The running map on disk, written while it is played: after a crash, the next start plays it back and finishes the round.
//!
//! A journal is a file of JSON lines: a [`Head`] with what the tracker knew before this map, then every [`Event`] since
//! `GAME_INIT`. It is removed when the map is over and its rounds are written. An incomplete last line is ignored.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use gametimes_format::file::Score;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::files;
use crate::event::{Event, Stamp};

/// The name of the journal in the instance folder.
const NAME: &str = "round.journal";
/// A longer file is not read. Two hours of heavy fighting on a full server take a tenth of this.
const SIZE_LIMIT: u64 = 64 << 20;

/// What the tracker knew before the map began or restarted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// The id of the map's round.
    pub event_id: Uuid,
    /// The score before this map's round.
    pub score: Score,
    /// When the warmup began; `None` without one.
    pub warmup_start_unix_ms: Option<i64>,
}

/// A line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Head(Head),
    Event(Event),
    /// A sign of life in a second without events.
    Alive(Stamp),
    /// The round's message is in the outbox; its file may still be missing.
    Queued,
}

/// A journal that a crash left.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovered {
    /// What the tracker knew before the map.
    pub head: Head,
    /// The events of the map.
    pub events: Vec<Event>,
    /// The time of the last event or sign of life.
    pub last: Stamp,
    /// Whether the round's message is in the outbox.
    pub queued: bool,
}

/// Writes the journal of the running map.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Option<File>,
    buffer: Vec<u8>,
    unsynced: bool,
    /// The round of this journal. A round that is written late must not touch the journal of the next map.
    event_id: Option<Uuid>,
    /// Whether a map is running.
    open: bool,
    /// Whether the last write failed; only the first failure is reported.
    failed: bool,
}

impl Journal {
    /// The journal in an instance folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            path: folder.join(NAME),
            file: None,
            buffer: Vec::new(),
            unsynced: false,
            event_id: None,
            open: false,
            failed: false,
        }
    }

    /// Reads the journal that a crash left, if there is one.
    pub fn recover(&mut self) -> Option<Recovered> {
        // Checked before it is opened, because opening a pipe would block until another process writes to it.
        let found = fs::metadata(&self.path).ok()?;
        if !found.is_file() || found.len() > SIZE_LIMIT {
            return None;
        }
        let file = File::open(&self.path).ok()?;
        let mut lines = BufReader::new(file)
            .split(b'\n')
            .map_while(|line| serde_json::from_slice::<Line>(&line.ok()?).ok());
        let Some(Line::Head(head)) = lines.next() else {
            return None;
        };
        self.event_id = Some(head.event_id);
        let mut recovered = Recovered {
            head,
            events: Vec::new(),
            last: Stamp::default(),
            queued: false,
        };
        for line in lines {
            match line {
                Line::Head(_) => break,
                Line::Event(event) => {
                    recovered.last = event.at;
                    recovered.events.push(event);
                }
                Line::Alive(at) => recovered.last = at,
                Line::Queued => recovered.queued = true,
            }
        }
        Some(recovered)
    }

    /// Starts the journal of a map.
    pub fn begin(&mut self, head: Head) {
        self.buffer.clear();
        self.file = None;
        self.event_id = Some(head.event_id);
        self.open = true;
        self.put(&Line::Head(head));
    }

    /// Adds an event.
    pub fn add(&mut self, event: &Event) {
        self.put(&Line::Event(event.clone()));
    }

    /// Adds a sign of life.
    pub fn alive(&mut self, at: Stamp) {
        self.put(&Line::Alive(at));
    }

    /// Records that this round's message is in the outbox. Does nothing to the journal of another round. Durable after
    /// [`Journal::flush`].
    pub fn queued(&mut self, event_id: Uuid) {
        if self.event_id == Some(event_id) {
            self.put(&Line::Queued);
        }
    }

    fn put(&mut self, line: &Line) {
        // Encoding cannot fail: the lines are plain data without maps.
        if self.open && serde_json::to_writer(&mut self.buffer, line).is_ok() {
            self.buffer.push(b'\n');
        }
    }

    /// Writes the added lines, and syncs them if `sync` is set. After an error the lines are kept and written later.
    ///
    /// # Errors
    /// On the first of several failures in a row; the others are not reported.
    pub fn flush(&mut self, sync: bool) -> io::Result<()> {
        let result = self.try_flush(sync);
        let first = result.is_err() && !std::mem::replace(&mut self.failed, result.is_err());
        if result.is_err() && !first {
            return Ok(());
        }
        result
    }

    fn try_flush(&mut self, sync: bool) -> io::Result<()> {
        if !self.buffer.is_empty() {
            let file = match &mut self.file {
                Some(file) => file,
                None => self.file.insert(files::create_private(&self.path)?),
            };
            file.write_all(&self.buffer)?;
            self.buffer.clear();
            self.unsynced = true;
        }
        if sync
            && self.unsynced
            && let Some(file) = &self.file
        {
            file.sync_data()?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// Removes the journal of this round, which is now on disk. Does nothing to the journal of another round.
    pub fn finished(&mut self, event_id: Uuid) {
        if self.event_id == Some(event_id) {
            self.remove();
        }
    }

    /// Removes the journal. Nothing is written until the next map begins.
    pub fn remove(&mut self) {
        self.buffer.clear();
        self.file = None;
        self.unsynced = false;
        self.open = false;
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::What;

    fn head() -> Head {
        Head {
            event_id: Uuid::from_u128(7),
            score: Score { axis: 1, allies: 0 },
            warmup_start_unix_ms: Some(5),
        }
    }

    fn event(ms: i64) -> Event {
        Event {
            at: Stamp {
                level_ms: ms,
                unix_ms: ms,
            },
            what: What::Limbo { slot: 3 },
        }
    }

    #[test]
    fn a_journal_is_recovered_up_to_an_incomplete_line() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::new(folder.path());
        assert_eq!(journal.recover(), None);
        journal.begin(head());
        journal.add(&event(1));
        journal.alive(Stamp {
            level_ms: 9,
            unix_ms: 9,
        });
        journal.flush(true).unwrap();
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(folder.path().join(NAME))
            .unwrap();
        file.write_all(b"{\"event\":{\"at\":{\"lev").unwrap();

        let recovered = Journal::new(folder.path()).recover().unwrap();
        assert_eq!(recovered.head, head());
        assert_eq!(recovered.events, [event(1)]);
        assert_eq!(recovered.last.level_ms, 9);
        assert!(!recovered.queued);
        journal.remove();
        assert_eq!(journal.recover(), None);
    }

    #[test]
    fn a_round_that_is_written_late_does_not_touch_the_next_maps_journal() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::new(folder.path());
        let next = Head {
            event_id: Uuid::from_u128(8),
            ..head()
        };
        journal.begin(head());
        journal.begin(next.clone());
        journal.queued(head().event_id);
        journal.finished(head().event_id);
        journal.add(&event(1));
        journal.flush(true).unwrap();
        let recovered = Journal::new(folder.path()).recover().unwrap();
        assert_eq!(recovered.head, next);
        assert_eq!(recovered.events, [event(1)]);
        assert!(!recovered.queued);
        journal.queued(next.event_id);
        journal.flush(true).unwrap();
        assert!(journal.recover().unwrap().queued);
        journal.finished(next.event_id);
        assert_eq!(journal.recover(), None);
    }

    #[test]
    fn an_error_is_reported_once_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        let mut journal = Journal::new(&inner);
        journal.begin(head());
        assert!(journal.flush(false).is_err());
        journal.add(&event(1));
        assert!(journal.flush(false).is_ok(), "it was reported already");
        fs::create_dir(&inner).unwrap();
        journal.add(&event(2));
        journal.flush(true).unwrap();
        assert_eq!(journal.recover().unwrap().events, [event(1), event(2)]);
    }

    #[test]
    fn garbage_is_not_recovered() {
        let folder = tempfile::tempdir().unwrap();
        for garbage in [
            &b""[..],
            b"\n\n",
            b"{}",
            b"\xff\xfe",
            b"{\"queued\":null}\n",
        ] {
            fs::write(folder.path().join(NAME), garbage).unwrap();
            assert_eq!(Journal::new(folder.path()).recover(), None);
        }
    }
}
