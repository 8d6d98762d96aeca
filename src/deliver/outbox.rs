//! The messages to send, on disk.
//!
//! Invariants:
//! * One file is one message to one webhook. It stays in `queue/` until it is delivered; then it is removed.
//! * A file is complete or absent, and it is durable when [`Outbox::put`] returns.
//! * The folders (`queue/`, `rejected/`, `dropped/`) and the file names
//!   (`<unix_ms>-<map>-R<round>-<event_id>.<webhook key>.json`) are all the state there is: listing them restores it.
//! * `queue/` never holds more than [`ENTRIES_LIMIT`] messages or [`BYTES_LIMIT`] bytes: the oldest are moved to `dropped/`.
//!
//! A webhook is identified by the hash of its URL ([`webhook_key`]), as in the script, so that no secret is written to disk. The
//! file `targets` lists the keys in the order of the settings, one a line, so that a corrected URL inherits the messages of the
//! wrong one, and a removed line never sends its messages to the next webhook.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gametimes_format::digest::{hex, sha256};
use gametimes_format::{GametimesFile, Message, Secret};
use serde::{Deserialize, Serialize};

use super::files;

/// How many messages the queue holds.
pub const ENTRIES_LIMIT: usize = 500;
/// How many bytes the queue holds.
pub const BYTES_LIMIT: u64 = 64 << 20;
/// How many files are kept in `rejected/` and in `dropped/`.
const KEPT_LIMIT: usize = 200;
/// Longer files in the queue are not read.
const ENTRY_LIMIT: u64 = 24 << 20;
/// The file with the keys of the webhooks.
const KEYS_FILE: &str = "targets";
/// A longer file of keys is not read.
const KEYS_LIMIT: u64 = 4096;

/// One message to send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The round's id: readers recognize a repeated message by it.
    pub event_id: String,
    /// The message, with its signature.
    pub message: Message,
    /// The name of the attached file.
    pub file_name: String,
    /// The content of the attached file.
    pub file: String,
}

/// The folders of an outbox.
#[derive(Debug, Clone)]
pub struct Outbox {
    folder: PathBuf,
}

impl Outbox {
    /// Opens the outbox in an instance folder.
    ///
    /// # Errors
    /// When its folders cannot be created.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let outbox = Self {
            folder: folder.to_owned(),
        };
        for state in ["queue", "rejected", "dropped"] {
            let folder = outbox.folder.join(state);
            files::create_private_folder(&folder)?;
            files::remove_temporary(&folder);
        }
        Ok(outbox)
    }

    /// How many messages are queued in an instance folder, which may be another server's.
    pub fn count(folder: &Path) -> usize {
        let outbox = Self {
            folder: folder.to_owned(),
        };
        outbox.all().len()
    }

    fn queue(&self) -> PathBuf {
        self.folder.join("queue")
    }

    /// Queues a message for a webhook.
    ///
    /// # Errors
    /// When the file cannot be written; then nothing is queued.
    pub fn put(
        &self,
        webhook: &str,
        entry: &Entry,
        round: &GametimesFile,
        unix_ms: i64,
    ) -> io::Result<String> {
        let queue = self.queue();
        files::create_private_folder(&queue)?; // it may have been removed since the start
        let stem = round.file_name();
        let stem = stem
            .strip_prefix("gametime-")
            .and_then(|s| s.rsplit_once('-'))
            .map_or("unknown", |(s, _)| s);
        let name = format!("{unix_ms:013}-{stem}-{}.{webhook}.json", entry.event_id);
        files::write_whole(&queue, &name, &serde_json::to_vec(entry)?)?;
        Ok(name)
    }

    /// The names of a webhook's messages, the oldest first.
    pub fn waiting(&self, webhook: &str) -> Vec<String> {
        let mut names = self.all();
        names.retain(|name| webhook_key_of(name) == Some(webhook));
        names
    }

    /// The names of all messages, the oldest first. Other files in the folder are ignored.
    pub fn all(&self) -> Vec<String> {
        let mut names = files::names(&self.queue());
        names.retain(|name| webhook_key_of(name).is_some());
        names
    }

    /// Sets the webhooks, in the order of the settings. Messages for a removed webhook move to the new webhook at its place in
    /// the settings, whose URL was probably corrected; without one they move to `dropped/`. Returns how many moved there.
    ///
    /// Without any webhook all messages stay, because the file of URLs may be missing only for a moment.
    ///
    /// # Errors
    /// When a file cannot be moved; the next call continues.
    pub fn set_webhooks(&self, keys: &[String]) -> io::Result<usize> {
        let known = self.known_webhooks();
        if keys.is_empty() {
            return Ok(0);
        }
        let is_known = |key: &String| known.contains(key);
        let heir = |of: &str| {
            let place = known.iter().position(|key| key == of)?;
            keys.get(place).filter(|key| !is_known(key))
        };
        let mut dropped = 0;
        for name in self.all() {
            let Some(of) = webhook_key_of(&name).filter(|of| keys.iter().all(|key| key != of))
            else {
                continue;
            };
            if let Some(heir) = heir(of) {
                let stem = name.trim_end_matches(&format!(".{of}.json"));
                let name_now = format!("{stem}.{heir}.json");
                fs::rename(self.queue().join(&name), self.queue().join(name_now))?;
            } else {
                self.discard(&name)?;
                dropped += 1;
            }
        }
        if known != keys {
            files::sync_folder(&self.queue())?;
            files::write_whole(&self.folder, KEYS_FILE, keys.join("\n").as_bytes())?;
        }
        Ok(dropped)
    }

    fn known_webhooks(&self) -> Vec<String> {
        let path = self.folder.join(KEYS_FILE);
        let is_ours = fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() <= KEYS_LIMIT);
        let text = is_ours.then(|| fs::read_to_string(&path).unwrap_or_default());
        let text = text.unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Reads a message.
    ///
    /// # Errors
    /// `InvalidData` when the file is not a message. Other errors come from the file system and may be temporary.
    pub fn read(&self, name: &str) -> io::Result<Entry> {
        let path = self.queue().join(name);
        if fs::metadata(&path)?.len() > ENTRY_LIMIT {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the file is longer than any message",
            ));
        }
        serde_json::from_slice(&fs::read(path)?)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
    }

    /// Removes a delivered message.
    ///
    /// # Errors
    /// When the file cannot be removed; then the message will be sent again.
    pub fn done(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.queue().join(name)) {
            // It was moved while it was being sent: its webhook was removed, or the outbox was full.
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            removed => removed?,
        }
        files::sync_folder(&self.queue())
    }

    /// Moves a message that its webhook rejected to `rejected/`, and writes the answer beside it.
    ///
    /// # Errors
    /// When a file cannot be written or moved.
    pub fn reject(&self, name: &str, answer: &str) -> io::Result<()> {
        let rejected = self.folder.join("rejected");
        files::create_private_folder(&rejected)?;
        let answer_name = format!("{}.answer.txt", name.trim_end_matches(".json"));
        files::write_whole(&rejected, &answer_name, answer.as_bytes())?;
        self.shelve(name, "rejected")
    }

    /// Moves a message that will not be sent to `dropped/`.
    ///
    /// # Errors
    /// When the file cannot be moved.
    pub fn discard(&self, name: &str) -> io::Result<()> {
        self.shelve(name, "dropped")
    }

    fn shelve(&self, name: &str, state: &str) -> io::Result<()> {
        let folder = self.folder.join(state);
        files::create_private_folder(&folder)?;
        fs::rename(self.queue().join(name), folder.join(name))?;
        let mut names = files::names(&folder);
        names.retain(|name| is_ours(name));
        for name in &names[..names.len().saturating_sub(KEPT_LIMIT)] {
            let _ = fs::remove_file(folder.join(name));
        }
        files::sync_folder(&folder)?;
        files::sync_folder(&self.queue())
    }

    /// Moves the oldest messages to `dropped/` until the queue is within its limits, and returns their names.
    pub fn bound(&self) -> Vec<String> {
        self.bound_to(ENTRIES_LIMIT, BYTES_LIMIT)
    }

    fn bound_to(&self, entries: usize, bytes: u64) -> Vec<String> {
        let names = self.all();
        let size = |name: &String| fs::metadata(self.queue().join(name)).map_or(0, |m| m.len());
        let mut left = names.len();
        let mut left_bytes: u64 = names.iter().map(size).sum();
        let mut dropped = Vec::new();
        for name in names {
            if left <= entries && left_bytes <= bytes {
                break;
            }
            left -= 1;
            left_bytes -= size(&name).min(left_bytes);
            if self.discard(&name).is_ok() {
                dropped.push(name);
            }
        }
        dropped
    }
}

/// Whether a file is a message, or the answer beside one.
fn is_ours(name: &str) -> bool {
    let message = name.strip_suffix(".answer.txt");
    webhook_key_of(&message.map_or(name.to_owned(), |stem| format!("{stem}.json"))).is_some()
}

/// The webhook key in the file name of a message; `None` for other names.
pub fn webhook_key_of(name: &str) -> Option<&str> {
    let stem = name.strip_suffix(".json")?;
    let (rest, key) = stem.rsplit_once('.')?;
    let (time, _) = rest.split_once('-')?;
    let is_key = |key: &str| {
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        key.len() == 8 && key.bytes().all(is_digit)
    };
    let is_time = |time: &str| time.len() >= 13 && time.bytes().all(|b| b.is_ascii_digit());
    (is_key(key) && is_time(time)).then_some(key)
}

/// The key of a webhook: the first 8 hex digits of the SHA-256 of its URL.
pub fn webhook_key(url: &Secret) -> String {
    hex(&sha256([url.reveal().as_bytes()])[..4])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "00000001";
    const TWO: &str = "0badf00d";

    fn entry() -> (Entry, GametimesFile) {
        let mut file = GametimesFile {
            meta: gametimes_format::Meta::default(),
            payload: Message::default(),
        };
        file.meta.map = "supply".into();
        file.meta.round = 1;
        let entry = Entry {
            event_id: "id".into(),
            message: Message::default(),
            file_name: file.file_name(),
            file: "{}".into(),
        };
        (entry, file)
    }

    #[test]
    fn queued_messages_are_found_by_listing_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        let (message, file) = entry();
        outbox.put(TWO, &message, &file, 2000).unwrap();
        let name = outbox.put(ONE, &message, &file, 1000).unwrap();
        assert_eq!(name, "0000000001000-supply-R1-id.00000001.json");
        fs::write(folder.path().join("queue/README"), "not ours").unwrap();
        fs::write(folder.path().join("queue/x.00000001.json"), "not ours").unwrap();

        let again = Outbox::open(folder.path()).unwrap();
        assert_eq!(again.waiting(ONE), std::slice::from_ref(&name));
        assert_eq!(again.read(&name).unwrap(), message);
        again.done(&name).unwrap();
        assert!(again.waiting(ONE).is_empty());
        assert_eq!(again.waiting(TWO).len(), 1);
    }

    #[test]
    fn only_files_that_are_no_messages_are_invalid_data() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        let queue = outbox.queue();
        fs::write(queue.join("garbage"), "no entry at all").unwrap();
        fs::write(queue.join("cut"), "{\"event_id\":\"id\"").unwrap();
        let long = fs::File::create(queue.join("long")).unwrap();
        long.set_len(ENTRY_LIMIT + 1).unwrap();
        for name in ["garbage", "cut", "long"] {
            let error = outbox.read(name).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{name}");
        }
        // A folder cannot be read as a file, which here stands for any trouble with the disk.
        fs::create_dir(queue.join("trouble")).unwrap();
        let error = outbox.read("trouble").unwrap_err();
        assert_ne!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_rejected_message_is_kept_with_its_answer() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        let (message, file) = entry();
        let name = outbox.put(ONE, &message, &file, 1000).unwrap();
        outbox.reject(&name, "400: embed too long").unwrap();
        assert!(outbox.all().is_empty());
        let kept = files::names(&folder.path().join("rejected"));
        assert_eq!(
            kept,
            ["0000000001000-supply-R1-id.00000001.answer.txt", &name]
        );
    }

    #[test]
    fn old_rejected_messages_are_removed_but_other_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        let rejected = folder.path().join("rejected");
        fs::write(rejected.join("0-notes.txt"), "why they were refused").unwrap();
        for n in 0..150 {
            let (message, file) = entry();
            let name = outbox.put(ONE, &message, &file, 1000 + n).unwrap();
            outbox.reject(&name, "400").unwrap();
        }
        let left = files::names(&rejected);
        assert_eq!(left.len(), KEPT_LIMIT + 1);
        assert_eq!(left[0], "0-notes.txt");
        let last = "0000000001149-supply-R1-id.00000001";
        assert_eq!(
            left[KEPT_LIMIT - 1..],
            [format!("{last}.answer.txt"), format!("{last}.json")]
        );
    }

    #[test]
    fn a_full_queue_drops_the_oldest_messages() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        for n in 0..10 {
            let (message, file) = entry();
            outbox.put(ONE, &message, &file, 1000 + n).unwrap();
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

    #[test]
    fn only_a_corrected_url_inherits_messages() {
        let (a, b, new) = ("aaaaaaaa", "bbbbbbbb", "cccccccc");
        // There are two messages to A and one to B. Each row: the new webhooks, how many messages are dropped, who has how many.
        for (after, dropped, waiting) in [
            (&[new, b][..], 0, &[(new, 2), (b, 1)][..]), // A corrected
            (&[b], 2, &[(b, 1)]),                        // A removed, or mistyped and ignored
            (&[a], 1, &[(a, 2)]),
            (&[b, a], 0, &[(a, 2), (b, 1)]),
            (&[b, new], 2, &[(b, 1), (new, 0)]),
            (&[], 0, &[(a, 2), (b, 1)]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let outbox = Outbox::open(folder.path()).unwrap();
            let owned = |keys: &[&str]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
            assert_eq!(outbox.set_webhooks(&owned(&[a, b])).unwrap(), 0);
            let (message, file) = entry();
            for (key, unix_ms) in [(a, 1000), (a, 2000), (b, 3000)] {
                outbox.put(key, &message, &file, unix_ms).unwrap();
            }
            let outbox = Outbox::open(folder.path()).unwrap();
            assert_eq!(outbox.set_webhooks(&owned(after)).unwrap(), dropped);
            for (key, count) in waiting {
                assert_eq!(outbox.waiting(key).len(), *count, "{after:?} {key}");
            }
            assert_eq!(outbox.all().len() + dropped, 3, "{after:?}");
        }
    }
}
