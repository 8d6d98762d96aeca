//! Messages that wait to be sent, on disk.
//!
//! Invariants:
//! * One file is one message to one target. It is in `queue/` until the target took it; then it is removed.
//! * A file appears whole or not at all, and is durable when [`Outbox::put`] returns.
//! * The state is the folder (`queue/`, `rejected/`, `dropped/`) and the name
//!   (`<unix_ms>-<map>-R<round>-<event_id>.t<target>.json`); everything can be rebuilt by listing.
//! * `queue/` never holds more than [`ENTRIES_LIMIT`] messages or [`BYTES_LIMIT`] bytes; the oldest go to `dropped/`.
//!
//! Targets are known by their place in the settings, not by their URL: a corrected URL takes up what waits for it, and no
//! secret is written to disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gametimes_format::{GametimesFile, Message};
use serde::{Deserialize, Serialize};

use super::files;

/// Messages that wait at the most.
pub const ENTRIES_LIMIT: usize = 500;
/// Bytes that wait at the most.
pub const BYTES_LIMIT: u64 = 64 << 20;
/// How many files are kept in `rejected/` and in `dropped/`.
const KEPT_LIMIT: usize = 200;
/// A file longer than this is no entry of ours.
const ENTRY_LIMIT: u64 = 24 << 20;

/// One message to one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Tells a repeat from another round.
    pub event_id: String,
    /// The target's place in the settings, from 1.
    pub target: usize,
    /// The message as it is posted, signature included.
    pub message: Message,
    /// Name of the attached file.
    pub file_name: String,
    /// The attached file, byte for byte.
    pub file: String,
}

/// Messages that wait.
#[derive(Debug, Clone)]
pub struct Outbox {
    folder: PathBuf,
}

impl Outbox {
    /// The outbox in an instance's folder.
    ///
    /// # Errors
    /// When its folders cannot be made.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let outbox = Self {
            folder: folder.to_owned(),
        };
        for state in ["queue", "rejected", "dropped"] {
            let folder = outbox.folder.join(state);
            fs::create_dir_all(&folder)?;
            files::remove_temporary(&folder);
        }
        Ok(outbox)
    }

    fn queue(&self) -> PathBuf {
        self.folder.join("queue")
    }

    /// Adds a message. Durable when this returns.
    ///
    /// # Errors
    /// What the file system says; nothing was added then.
    pub fn put(&self, entry: &Entry, round: &GametimesFile, unix_ms: i64) -> io::Result<String> {
        let queue = self.queue();
        fs::create_dir_all(&queue)?; // somebody may have removed it while a round was played
        let stem = round.file_name();
        let stem = stem
            .strip_prefix("gametime-")
            .and_then(|s| s.rsplit_once('-'))
            .map_or("unknown", |(s, _)| s);
        let name = format!(
            "{unix_ms:013}-{stem}-{}.t{}.json",
            entry.event_id, entry.target
        );
        files::write_whole(&queue, &name, &serde_json::to_vec(entry)?)?;
        Ok(name)
    }

    /// Names of what waits for a target, the oldest first.
    pub fn waiting(&self, target: usize) -> Vec<String> {
        let end = format!(".t{target}.json");
        let mut names = self.all();
        names.retain(|name| name.ends_with(&end));
        names
    }

    /// Names of all that waits, the oldest first. Files that are not ours are not listed.
    pub fn all(&self) -> Vec<String> {
        let mut names = files::names(&self.queue());
        names.retain(|name| target_of(name).is_some());
        names
    }

    /// Reads what waits.
    ///
    /// # Errors
    /// What the file system says, or that the file is no entry.
    pub fn read(&self, name: &str) -> io::Result<Entry> {
        let path = self.queue().join(name);
        if fs::metadata(&path)?.len() > ENTRY_LIMIT {
            return Err(io::Error::other("longer than any message"));
        }
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    /// The target took it.
    ///
    /// # Errors
    /// What the file system says; the message will be sent again then.
    pub fn done(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.queue().join(name))?;
        files::sync_folder(&self.queue())
    }

    /// The target refused it for good: it goes to `rejected/`, with the answer beside it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn reject(&self, name: &str, answer: &str) -> io::Result<()> {
        let rejected = self.folder.join("rejected");
        fs::create_dir_all(&rejected)?;
        let answer_name = format!("{}.answer.txt", name.trim_end_matches(".json"));
        files::write_whole(&rejected, &answer_name, answer.as_bytes())?;
        self.shelve(name, "rejected")
    }

    /// It will never be sent: it goes to `dropped/`.
    ///
    /// # Errors
    /// What the file system says.
    pub fn discard(&self, name: &str) -> io::Result<()> {
        self.shelve(name, "dropped")
    }

    fn shelve(&self, name: &str, state: &str) -> io::Result<()> {
        let folder = self.folder.join(state);
        fs::create_dir_all(&folder)?;
        fs::rename(self.queue().join(name), folder.join(name))?;
        let mut names = files::names(&folder);
        names.retain(|name| is_ours(name));
        for name in &names[..names.len().saturating_sub(KEPT_LIMIT)] {
            let _ = fs::remove_file(folder.join(name));
        }
        files::sync_folder(&folder)?;
        files::sync_folder(&self.queue())
    }

    /// Keeps the queue within its bounds and gives the names that had to go.
    pub fn bound(&self) -> Vec<String> {
        self.bound_to(ENTRIES_LIMIT, BYTES_LIMIT)
    }

    fn bound_to(&self, entries: usize, bytes: u64) -> Vec<String> {
        let names = self.all();
        let size = |name: &String| fs::metadata(self.queue().join(name)).map_or(0, |m| m.len());
        let mut left = names.len();
        let mut left_bytes: u64 = names.iter().map(size).sum();
        let mut gone = Vec::new();
        for name in names {
            if left <= entries && left_bytes <= bytes {
                break;
            }
            left -= 1;
            left_bytes -= size(&name).min(left_bytes);
            if self.discard(&name).is_ok() {
                gone.push(name);
            }
        }
        gone
    }
}

/// A message, or the answer beside one.
fn is_ours(name: &str) -> bool {
    let message = name.strip_suffix(".answer.txt");
    target_of(&message.map_or(name.to_owned(), |stem| format!("{stem}.json"))).is_some()
}

/// The target in a name of the queue; none when it is no name of ours.
pub fn target_of(name: &str) -> Option<usize> {
    let stem = name.strip_suffix(".json")?;
    let (rest, target) = stem.rsplit_once(".t")?;
    let (time, _) = rest.split_once('-')?;
    (time.len() >= 13 && time.bytes().all(|b| b.is_ascii_digit()))
        .then(|| target.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(target: usize) -> (Entry, GametimesFile) {
        let mut file = GametimesFile {
            meta: gametimes_format::Meta::default(),
            payload: Message::default(),
        };
        file.meta.map = "supply".into();
        file.meta.round = 1;
        let entry = Entry {
            event_id: "id".into(),
            target,
            message: Message::default(),
            file_name: file.file_name(),
            file: "{}".into(),
        };
        (entry, file)
    }

    #[test]
    fn what_is_put_is_found_again_by_listing() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        let (two, file) = entry(2);
        outbox.put(&two, &file, 2000).unwrap();
        let (one, file) = entry(1);
        let name = outbox.put(&one, &file, 1000).unwrap();
        assert_eq!(name, "0000000001000-supply-R1-id.t1.json");
        fs::write(folder.path().join("queue/README"), "not ours").unwrap();
        fs::write(folder.path().join("queue/x.t1.json"), "not ours").unwrap();

        let again = Outbox::open(folder.path()).unwrap();
        assert_eq!(again.waiting(1), std::slice::from_ref(&name));
        assert_eq!(again.read(&name).unwrap(), one);
        again.done(&name).unwrap();
        assert!(again.waiting(1).is_empty());
        assert_eq!(again.waiting(2).len(), 1);
    }

    #[test]
    fn a_refused_message_keeps_its_answer_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        let (one, file) = entry(1);
        let name = outbox.put(&one, &file, 1000).unwrap();
        outbox.reject(&name, "400: embed too long").unwrap();
        assert!(outbox.all().is_empty());
        let kept = files::names(&folder.path().join("rejected"));
        assert_eq!(kept, ["0000000001000-supply-R1-id.t1.answer.txt", &name]);
    }

    #[test]
    fn only_messages_make_room_for_others() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        let rejected = folder.path().join("rejected");
        fs::write(rejected.join("0-notes.txt"), "why they were refused").unwrap();
        for n in 0..150 {
            let (one, file) = entry(1);
            let name = outbox.put(&one, &file, 1000 + n).unwrap();
            outbox.reject(&name, "400").unwrap();
        }
        let left = files::names(&rejected);
        assert_eq!(left.len(), KEPT_LIMIT + 1);
        assert_eq!(left[0], "0-notes.txt");
        let last = "0000000001149-supply-R1-id.t1";
        assert_eq!(
            left[KEPT_LIMIT - 1..],
            [format!("{last}.answer.txt"), format!("{last}.json")]
        );
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        for n in 0..10 {
            let (one, file) = entry(1);
            outbox.put(&one, &file, 1000 + n).unwrap();
        }
        let gone = outbox.bound_to(7, u64::MAX);
        assert_eq!(gone.len(), 3);
        assert!(gone[0].starts_with("0000000001000-"));
        assert_eq!(outbox.all().len(), 7);
        assert_eq!(files::names(&folder.path().join("dropped")), gone);
        let size = fs::metadata(outbox.queue().join(&outbox.all()[0]))
            .unwrap()
            .len();
        assert_eq!(outbox.bound_to(100, size * 2).len(), 5);
    }
}
