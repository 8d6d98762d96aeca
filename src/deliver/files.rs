//! Writing files so that a reader never sees an incomplete one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// How temporary file names begin and end. They do not end in `.json`, so that readers ignore them. The next start removes
/// those that a crash left.
const TEMPORARY: (&str, &str) = (".tmp-", ".part");

/// Writes a file under a temporary name, syncs it, renames it and syncs the folder. After a crash or a power cut there is
/// either the whole file or none.
///
/// # Errors
/// When a step fails. Nothing is left under the final name then.
pub fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!("{}{name}{}", TEMPORARY.0, TEMPORARY.1));
    let written =
        write_synced(&temporary, bytes).and_then(|()| fs::rename(&temporary, folder.join(name)));
    if let Err(e) = written {
        let _ = fs::remove_file(&temporary);
        return Err(e);
    }
    sync_folder(folder)
}

/// Like [`write_whole`], but through another folder on the same file system, and without replacing an existing file.
///
/// # Errors
/// `AlreadyExists` when there is a file of that name; other errors when a step fails.
pub fn write_new(staging: &Path, folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = staging.join(format!("{}{name}{}", TEMPORARY.0, TEMPORARY.1));
    let path = folder.join(name);
    let written = write_synced(&temporary, bytes).and_then(|()| {
        match fs::hard_link(&temporary, &path) {
            // The file system does not support hard links.
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => fs::rename(&temporary, &path),
            linked => linked,
        }
    });
    let _ = fs::remove_file(&temporary);
    written?;
    sync_folder(folder)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes renames and removals in a folder durable.
///
/// # Errors
/// When the folder cannot be synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes the temporary files that a crash left.
pub fn remove_temporary(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        if entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(TEMPORARY.0) && name.ends_with(TEMPORARY.1))
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The names of the regular files in a folder, sorted; empty when the folder cannot be read.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|t| t.is_file()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_complete_or_absent() {
        let folder = tempfile::tempdir().unwrap();
        write_whole(folder.path(), "a.json", b"one").unwrap();
        write_whole(folder.path(), "a.json", b"two").unwrap();
        assert_eq!(fs::read(folder.path().join("a.json")).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["a.json"]);

        fs::write(folder.path().join(".tmp-b.json.part"), b"ha").unwrap();
        fs::write(folder.path().join(".tmp-notes"), b"not ours").unwrap();
        remove_temporary(folder.path());
        assert_eq!(names(folder.path()), [".tmp-notes", "a.json"]);

        assert!(write_whole(&folder.path().join("gone"), "c.json", b"x").is_err());
    }

    #[test]
    fn an_existing_file_is_never_replaced() {
        let staging = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let write = |bytes| write_new(staging.path(), folder.path(), "a.json", bytes);
        write(b"one").unwrap();
        let refused = write(b"two").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(folder.path().join("a.json")).unwrap(), b"one");
        assert!(names(staging.path()).is_empty());
        assert!(write_new(staging.path(), &staging.path().join("gone"), "b", b"x").is_err());
        assert!(names(staging.path()).is_empty());
    }
}
