//! The running map, written to disk as it is played: after a crash the next start plays it back and finishes the round.
//!
//! A journal is a file of JSON lines: a [`Head`] with what the tracker knew before this map, then every [`Event`] since
//! `GAME_INIT`. It is removed when the map is over and its rounds are written. A last line that was cut is ignored.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use gametimes_format::file::Score;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::{Event, Stamp};

/// Name of the journal in the instance's folder.
const NAME: &str = "round.journal";
/// A journal longer than this is no journal of ours: a two hours' fight of a full server takes a tenth.
const SIZE_LIMIT: u64 = 64 << 20;

/// What the tracker knew before the map began (again).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// The id that a round of this map will have.
    pub event_id: Uuid,
    /// Rounds won so far.
    pub score: Score,
    /// When the warmup began.
    pub warmup_start_unix_ms: Option<i64>,
}

/// A line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Head(Head),
    Event(Event),
    /// Nothing happened, but time went on.
    Alive(Stamp),
    /// The round's message is in the outbox: only the file may still be missing.
    Queued,
}

/// A journal that a crash left.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovered {
    /// What was known before the map.
    pub head: Head,
    /// All that happened.
    pub events: Vec<Event>,
    /// The last sign of life.
    pub last: Stamp,
    /// Whether the round's message was queued already.
    pub queued: bool,
}

/// Writes the journal of the running map.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Option<File>,
    buffer: Vec<u8>,
    unsynced: bool,
    /// The round whose journal this is: a round that is written late has nothing to do with that of the next map.
    event_id: Option<Uuid>,
    /// Between the begin of a map and its end.
    open: bool,
    /// The last error, said once until it is mended.
    failed: bool,
}

impl Journal {
    /// The journal in an instance's folder.
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

    /// What a crash left, if anything.
    pub fn recover(&mut self) -> Option<Recovered> {
        // Asked before it is opened: a pipe would keep us waiting for somebody who writes.
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

    /// Begins anew with a map.
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

    /// This round's message is in the outbox; when the journal is another round's it stays as it is. Durable after
    /// [`Journal::flush`].
    pub fn queued(&mut self, event_id: Uuid) {
        if self.event_id == Some(event_id) {
            self.put(&Line::Queued);
        }
    }

    fn put(&mut self, line: &Line) {
        // Plain data without maps: it can always be written as JSON.
        if self.open && serde_json::to_writer(&mut self.buffer, line).is_ok() {
            self.buffer.push(b'\n');
        }
    }

    /// Writes what was added, and syncs it when told to. An error is given once, until it is mended; the lines are kept and
    /// written later.
    ///
    /// # Errors
    /// What the file system says.
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
                None => self.file.insert(File::create(&self.path)?),
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

    /// This round is safe elsewhere; when the journal is another round's it stays as it is.
    pub fn finished(&mut self, event_id: Uuid) {
        if self.event_id == Some(event_id) {
            self.remove();
        }
    }

    /// Nothing of this map has to be known any more; nothing is written until the next one begins.
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
    fn what_was_written_is_recovered_up_to_a_cut_line() {
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
    fn a_round_that_is_written_late_leaves_the_next_maps_journal_alone() {
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
    fn an_error_is_said_once_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        let mut journal = Journal::new(&inner);
        journal.begin(head());
        assert!(journal.flush(false).is_err());
        journal.add(&event(1));
        assert!(journal.flush(false).is_ok(), "said already");
        fs::create_dir(&inner).unwrap();
        journal.add(&event(2));
        journal.flush(true).unwrap();
        assert_eq!(journal.recover().unwrap().events, [event(1), event(2)]);
    }

    #[test]
    fn garbage_is_no_journal() {
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
