//! Writing files so that nobody ever sees half of one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// The beginning of temporary names, and their end, so that nobody who looks for `.json` takes one; what a crash left of them
/// is removed at the next start.
const TEMPORARY: (&str, &str) = (".tmp-", ".part");

/// Writes a file under a temporary name, syncs it, renames it and syncs the folder: after a crash or a power cut there is
/// the whole file or none.
///
/// # Errors
/// What the file system says; nothing is left under the final name then.
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

/// As [`write_whole`], but by way of another folder on the same file system, and never over a file that is there.
///
/// # Errors
/// What the file system says; `AlreadyExists` when there is a file of that name.
pub fn write_new(staging: &Path, folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = staging.join(format!("{}{name}{}", TEMPORARY.0, TEMPORARY.1));
    let path = folder.join(name);
    let written = write_synced(&temporary, bytes).and_then(|()| {
        match fs::hard_link(&temporary, &path) {
            // A file system without links.
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
/// What the file system says.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes what a crash left of [`write_whole`].
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

/// The names of the plain files in a folder, sorted; none when it cannot be read.
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
    fn a_file_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        write_whole(folder.path(), "a.json", b"one").unwrap();
        write_whole(folder.path(), "a.json", b"two").unwrap();
        assert_eq!(fs::read(folder.path().join("a.json")).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["a.json"]);

        fs::write(folder.path().join(".tmp-b.json.part"), b"ha").unwrap();
        fs::write(folder.path().join(".tmp-notes"), b"somebody's").unwrap();
        remove_temporary(folder.path());
        assert_eq!(names(folder.path()), [".tmp-notes", "a.json"]);

        assert!(write_whole(&folder.path().join("gone"), "c.json", b"x").is_err());
    }

    #[test]
    fn a_new_file_is_never_written_over_another() {
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
