//! The folders of one server instance: gametimes files, outbox and journal.
//!
//! Several servers may share the folder of gametimes files. Each has its own instance folder in `outbox/`, which it
//! keeps locked while it runs.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gametimes_format::GametimesFile;
use gametimes_format::file::file_name;
use gametimes_format::text::counted;

use super::files;
use super::journal::Journal;
use super::outbox::Outbox;

/// The file in an instance folder that its server keeps locked.
const LOCK: &str = "lock";
/// How long another server holds the lock at most when it only checks whether the folder is in use.
const PROBE_PATIENCE: Duration = Duration::from_millis(50);

/// The open folders of one instance. All files that the worker writes are in them.
#[derive(Debug)]
pub struct InstanceDir {
    folder: PathBuf,
    /// `<folder>/outbox/<instance>`.
    path: PathBuf,
    /// Messages to send.
    pub outbox: Outbox,
    /// The journal of the running map.
    pub journal: Journal,
    /// Keeps other server processes out of this instance folder.
    _lock: File,
}

impl InstanceDir {
    /// Opens `<folder>/outbox/<instance>/`. If another process uses it, opens `<instance>-2`, `<instance>-3` and so on.
    ///
    /// # Errors
    /// When a folder cannot be created or locked.
    pub fn open(folder: &Path, instance: &str, file_mode: u32) -> io::Result<Self> {
        files::create_folder(folder, file_mode)?;
        files::create_folder(&folder.join("outbox"), file_mode)?;
        for n in 1..100 {
            let name = match n {
                1 => instance.to_owned(),
                n => format!("{instance}-{n}"),
            };
            let path = folder.join("outbox").join(name);
            files::create_private_folder(&path)?;
            let lock = files::create_private(&path.join(LOCK))?;
            match lock.try_lock().or_else(|_| {
                // Twice, because another server may be checking whether the folder is in use.
                std::thread::sleep(PROBE_PATIENCE);
                lock.try_lock()
            }) {
                Ok(()) => {
                    files::remove_temporary(&path);
                    return Ok(Self {
                        folder: folder.to_owned(),
                        outbox: Outbox::open(&path)?,
                        journal: Journal::new(&path),
                        path,
                        _lock: lock,
                    });
                }
                Err(fs::TryLockError::WouldBlock) => {}
                Err(fs::TryLockError::Error(e)) => return Err(e),
            }
        }
        Err(io::Error::other("100 servers use this folder already"))
    }

    /// Log lines about messages and rounds in instance folders that no server uses: of a server whose address has changed,
    /// or that once found its folder in use.
    pub fn unclaimed(&self) -> Vec<String> {
        let instances = fs::read_dir(self.folder.join("outbox"));
        let mut folders: Vec<PathBuf> = instances
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|folder| *folder != self.path)
            .collect();
        folders.sort();
        folders.iter().filter_map(|f| unclaimed(f)).collect()
    }

    /// The instance folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a gametimes file and returns its path. If another server's round of the same map ended in the same second, the
    /// file name gets a number after the map.
    ///
    /// # Errors
    /// When the file cannot be written. An incomplete file is never left.
    pub fn write(&self, file: &GametimesFile, bytes: &[u8], mode: u32) -> io::Result<PathBuf> {
        files::create_folder(&self.folder, mode)?; // it may have been removed since the start
        files::create_folder(&self.folder.join("outbox"), mode)?;
        // Through the instance folder: another server may be writing a file of the same name right now.
        files::create_private_folder(&self.path)?;
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
            match files::write_new(&self.path, &self.folder, &name, bytes, mode) {
                Ok(()) => return Ok(path),
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
                // This round was written before a crash, or before an error while it was synced.
                Err(_) if holds(&path, &meta.event_id) => return Ok(path),
                Err(_) => {}
            }
        }
        Err(io::Error::other("there are 100 files of this name already"))
    }

    /// The folder of gametimes files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// A log line about what is left in an instance folder that no server uses; `None` if it is empty or in use.
pub fn unclaimed(folder: &Path) -> Option<String> {
    let messages = Outbox::count(folder);
    let journal = Journal::new(folder).recover().is_some();
    if messages == 0 && !journal {
        return None;
    }
    let lock = File::open(folder.join(LOCK)).ok()?; // the script does not lock its folder
    lock.try_lock().ok()?;
    let round = if journal {
        " and an interrupted round"
    } else {
        ""
    };
    Some(format!(
        "no server uses {}; it contains {}{round}; docs/setup.md explains how to take them over",
        folder.display(),
        counted(messages, "message")
    ))
}

/// Whether the file at this path is of the round with this id.
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
    // ".", ".." and an empty name are not usable as folders
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
    fn two_servers_never_share_an_instance_folder() {
        let folder = tempfile::tempdir().unwrap();
        let one = InstanceDir::open(folder.path(), "0.0.0.0_27960", 0o640).unwrap();
        let two = InstanceDir::open(folder.path(), "0.0.0.0_27960", 0o640).unwrap();
        let mut instances: Vec<_> = fs::read_dir(folder.path().join("outbox"))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        instances.sort();
        assert_eq!(instances, ["0.0.0.0_27960", "0.0.0.0_27960-2"]);
        drop((one, two));
        InstanceDir::open(folder.path(), "0.0.0.0_27960", 0o640).unwrap();
        assert_eq!(
            fs::read_dir(folder.path().join("outbox")).unwrap().count(),
            2
        );
    }

    #[test]
    fn messages_and_rounds_of_a_server_whose_address_changed_are_logged() {
        let folder = tempfile::tempdir().unwrap();
        let other = InstanceDir::open(folder.path(), "0.0.0.0_27961", 0o640).unwrap();
        let queue = other.path().join("queue");
        fs::write(queue.join("1795178024000-supply-R1-id.0badf00d.json"), "").unwrap();
        fs::create_dir(folder.path().join("outbox/lua")).unwrap();
        let dir = InstanceDir::open(folder.path(), "0.0.0.0_27960", 0o640).unwrap();
        assert_eq!(dir.unclaimed(), [""; 0], "its server is running");
        let path = other.path().to_owned();
        drop(other);
        let line = format!(
            "no server uses {}; it contains 1 message; docs/setup.md explains how to take them over",
            path.display()
        );
        assert_eq!(dir.unclaimed(), [line]);
        // Moved as the documentation says, they are found, and nothing is logged any more.
        for name in files::names(&queue) {
            fs::rename(queue.join(&name), dir.path().join("queue").join(&name)).unwrap();
        }
        assert_eq!(dir.outbox.waiting("0badf00d").len(), 1);
        let head = r#"{"head":{"event_id":"00000000-0000-0000-0000-000000000007","score":{"axis":1,"allies":0},"warmup_start_unix_ms":null}}"#;
        fs::write(path.join("round.journal"), head).unwrap();
        assert!(dir.unclaimed()[0].contains("0 messages and an interrupted round"));
        fs::remove_file(path.join("round.journal")).unwrap();
        assert_eq!(dir.unclaimed(), [""; 0]);
    }

    #[test]
    fn rounds_with_the_same_file_name_get_numbers_but_a_repeated_round_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let dir = InstanceDir::open(folder.path(), "x", 0o640).unwrap();
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
            let path = dir.write(&file, &bytes, 0o640).unwrap();
            path.file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(round("a"), "gametime-supply-R1-1795000000.json");
        assert_eq!(round("b"), "gametime-supply-2-R1-1795000000.json");
        assert_eq!(round("c"), "gametime-supply-3-R1-1795000000.json");
        // Written a second time, as after a crash.
        assert_eq!(round("b"), "gametime-supply-2-R1-1795000000.json");
        assert_eq!(files::names(folder.path()).len(), 3);
    }

    #[test]
    fn instance_names_are_safe_folders() {
        assert_eq!(instance_name("127.0.0.1", "27960"), "127.0.0.1_27960");
        assert_eq!(instance_name("../..", "/etc"), ".._..__etc");
        assert_eq!(instance_name("", ""), "server");
        assert_eq!(instance_name("..", ""), "server");
    }
}
