//! The folders of one server instance: gametimes files, outbox and journal.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gametimes_format::GametimesFile;
use gametimes_format::file::{file_name, is_file_name};

use super::files;
use super::journal::Journal;
use super::outbox::Outbox;

/// Who holds a lock on this file in an instance's folder has the instance.
const LOCK: &str = "lock";
/// How long another server looks whether anybody has an instance, at the most.
const LOOK_PATIENCE: Duration = Duration::from_millis(50);

/// Everything on disk that the worker writes.
#[derive(Debug)]
pub struct InstanceDir {
    folder: PathBuf,
    /// `<folder>/outbox/<instance>`.
    own: PathBuf,
    /// Messages that wait.
    pub outbox: Outbox,
    /// The running map.
    pub journal: Journal,
    /// Held as long as we live: another server process does not touch this instance's folder.
    _lock: File,
}

impl InstanceDir {
    /// Opens the folders: `<folder>/outbox/<instance>/`. When another process has that instance, the next number is taken.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(folder: &Path, instance: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        for n in 1..100 {
            let name = match n {
                1 => instance.to_owned(),
                n => format!("{instance}-{n}"),
            };
            let own = folder.join("outbox").join(name);
            fs::create_dir_all(&own)?;
            let lock = File::create(own.join(LOCK))?;
            match lock.try_lock().or_else(|_| {
                // Asked twice: another server may be looking whether anybody has it.
                std::thread::sleep(LOOK_PATIENCE);
                lock.try_lock()
            }) {
                Ok(()) => {
                    files::remove_temporary(&own);
                    return Ok(Self {
                        folder: folder.to_owned(),
                        outbox: Outbox::open(&own)?,
                        journal: Journal::new(&own),
                        own,
                        _lock: lock,
                    });
                }
                Err(fs::TryLockError::WouldBlock) => {}
                Err(fs::TryLockError::Error(e)) => return Err(e),
            }
        }
        Err(io::Error::other("a hundred servers use this folder"))
    }

    /// What waits in the folders of other instances that no server uses, a line for each: of a server whose address has changed,
    /// or that had to take another number.
    pub fn left_behind(&self) -> Vec<String> {
        let instances = fs::read_dir(self.folder.join("outbox"));
        let mut folders: Vec<PathBuf> = instances
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|folder| *folder != self.own)
            .collect();
        folders.sort();
        folders.iter().filter_map(|f| left_in(f)).collect()
    }

    /// The folder of this instance.
    pub fn own(&self) -> &Path {
        &self.own
    }

    /// Writes a gametimes file and gives its path. Where another server's round of the same map ended in the same second, a
    /// number follows the map in its name.
    ///
    /// # Errors
    /// What the file system says; nothing of the round is there then.
    pub fn write(&self, file: &GametimesFile, bytes: &[u8]) -> io::Result<PathBuf> {
        // By way of our own folder: what another server writes at this moment may have the same name.
        fs::create_dir_all(&self.own)?;
        let meta = &file.meta;
        let numbered = (2..100).map(|n| {
            file_name(
                &format!("{}-{n}", meta.map),
                meta.round,
                meta.round_end_unix,
            )
        });
        for name in std::iter::once(file.file_name()).chain(numbered) {
            let path = self.folder.join(&name);
            match files::write_new(&self.own, &self.folder, &name, bytes) {
                Ok(()) => return Ok(path),
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
                // Before a crash, or before an error in making it durable.
                Err(_) if holds(&path, &meta.event_id) => return Ok(path),
                Err(_) => {}
            }
        }
        Err(io::Error::other("a hundred rounds of this name"))
    }

    /// Removes gametimes files that ended more than `keep_days` ago, by the time in their names. Nothing else is touched.
    pub fn remove_old(&self, now_unix: i64, keep_days: u32) -> usize {
        if keep_days == 0 {
            return 0;
        }
        let oldest = now_unix - i64::from(keep_days) * 86_400;
        let is_old = |name: &String| {
            is_file_name(name)
                && name
                    .trim_end_matches(".json")
                    .rsplit('-')
                    .next()
                    .and_then(|unix| unix.parse::<i64>().ok())
                    .is_some_and(|unix| unix < oldest)
        };
        let old = files::names(&self.folder).into_iter().filter(is_old);
        old.filter(|name| fs::remove_file(self.folder.join(name)).is_ok())
            .count()
    }
}

/// What waits in an instance's folder that no server uses, as a line for the log; none when nothing does.
pub fn left_in(own: &Path) -> Option<String> {
    let messages = Outbox::count(own);
    let journal = Journal::new(own).recover().is_some();
    if messages == 0 && !journal {
        return None;
    }
    let lock = File::open(own.join(LOCK)).ok()?; // the script's folder has none
    lock.try_lock().ok()?;
    let round = if journal {
        " and a round that was cut off"
    } else {
        ""
    };
    Some(format!(
        "{} is used by no server; {messages} messages{round} wait there: docs/setup.md tells how to take them over",
        own.display()
    ))
}

/// Whether this event's round lies there already.
fn holds(path: &Path, event_id: &str) -> bool {
    let found = fs::read(path).ok();
    let found = found.and_then(|bytes| serde_json::from_slice::<GametimesFile>(&bytes).ok());
    found.is_some_and(|found| found.meta.event_id == event_id)
}

/// A folder name for a server: `127.0.0.1_27960`.
pub fn instance_name(ip: &str, port: &str) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' || c == '-' {
            c
        } else {
            '_'
        }
    };
    let name: String = format!("{ip}:{port}").chars().map(safe).collect();
    // ".", ".." and an empty name are no folders of ours
    if name.trim_matches(['.', '_']).is_empty() {
        "server".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_servers_never_share_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let one = InstanceDir::open(folder.path(), "0.0.0.0_27960").unwrap();
        let two = InstanceDir::open(folder.path(), "0.0.0.0_27960").unwrap();
        let mut instances: Vec<_> = fs::read_dir(folder.path().join("outbox"))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        instances.sort();
        assert_eq!(instances, ["0.0.0.0_27960", "0.0.0.0_27960-2"]);
        drop((one, two));
        InstanceDir::open(folder.path(), "0.0.0.0_27960").unwrap();
        assert_eq!(
            fs::read_dir(folder.path().join("outbox")).unwrap().count(),
            2
        );
    }

    #[test]
    fn what_a_server_with_another_address_left_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let other = InstanceDir::open(folder.path(), "0.0.0.0_27961").unwrap();
        let queue = other.own().join("queue");
        fs::write(queue.join("1795178024000-supply-R1-id.0badf00d.json"), "").unwrap();
        fs::create_dir(folder.path().join("outbox/lua")).unwrap();
        let dir = InstanceDir::open(folder.path(), "0.0.0.0_27960").unwrap();
        assert_eq!(dir.left_behind(), [""; 0], "its server runs");
        let own = other.own().to_owned();
        drop(other);
        let said = format!(
            "{} is used by no server; 1 messages wait there: docs/setup.md tells how to take them over",
            own.display()
        );
        assert_eq!(dir.left_behind(), [said]);
        // Moved as the documentation says, they are found, and nothing is said any more.
        for name in files::names(&queue) {
            fs::rename(queue.join(&name), dir.own().join("queue").join(&name)).unwrap();
        }
        assert_eq!(dir.outbox.waiting("0badf00d").len(), 1);
        let head = r#"{"head":{"event_id":"00000000-0000-0000-0000-000000000007","score":{"axis":1,"allies":0},"warmup_start_unix_ms":null}}"#;
        fs::write(own.join("round.journal"), head).unwrap();
        assert!(dir.left_behind()[0].contains("0 messages and a round that was cut off"));
        fs::remove_file(own.join("round.journal")).unwrap();
        assert_eq!(dir.left_behind(), [""; 0]);
    }

    #[test]
    fn two_rounds_of_one_name_are_two_files_and_one_round_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let dir = InstanceDir::open(folder.path(), "x").unwrap();
        let round = |event_id: &str| {
            let mut file = GametimesFile {
                meta: gametimes_format::Meta::default(),
                payload: gametimes_format::Message::default(),
            };
            file.meta.map = "supply".into();
            file.meta.round = 1;
            file.meta.round_end_unix = 1_795_000_000;
            file.meta.event_id = event_id.into();
            let bytes = serde_json::to_vec(&file).unwrap();
            let path = dir.write(&file, &bytes).unwrap();
            path.file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(round("a"), "gametime-supply-R1-1795000000.json");
        assert_eq!(round("b"), "gametime-supply-2-R1-1795000000.json");
        assert_eq!(round("c"), "gametime-supply-3-R1-1795000000.json");
        // Written again, as after a crash.
        assert_eq!(round("b"), "gametime-supply-2-R1-1795000000.json");
        assert_eq!(files::names(folder.path()).len(), 3);
    }

    #[test]
    fn only_old_files_of_ours_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let dir = InstanceDir::open(folder.path(), "x").unwrap();
        let now = 1_795_000_000;
        let old = format!("gametime-a-R1-{}.json", now - 91 * 86_400);
        let young = format!("gametime-a-R1-{}.json", now - 89 * 86_400);
        for name in [
            &old,
            &young,
            "gametime-a-R1-5.json.bak",
            "notes-5.json",
            "5",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(dir.remove_old(now, 0), 0);
        assert_eq!(dir.remove_old(now, 90), 1);
        assert!(!folder.path().join(old).exists());
        assert_eq!(files::names(folder.path()).len(), 4);
    }

    #[test]
    fn instance_names_are_safe_folders() {
        assert_eq!(instance_name("127.0.0.1", "27960"), "127.0.0.1_27960");
        assert_eq!(instance_name("../..", "/etc"), ".._..__etc");
        assert_eq!(instance_name("", ""), "server");
        assert_eq!(instance_name("..", ""), "server");
    }
}
