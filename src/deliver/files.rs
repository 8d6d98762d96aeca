//! Writing files so that a reader never sees an incomplete one, and no user of the host sees one that is not meant for them.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The permissions of files that only this module reads.
const PRIVATE: u32 = 0o600;

/// How temporary file names begin and end. They do not end in `.json`, so that readers ignore them. The next start removes
/// those that a crash left.
const TEMPORARY: (&str, &str) = (".tmp-", ".part");

/// Creates or empties a file that only the server's user can read.
///
/// # Errors
/// When it cannot be created.
pub fn create_private(path: &Path) -> io::Result<File> {
    create(path, PRIVATE)
}

fn create(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true);
    let file = options.mode(mode).open(path)?;
    // The mode above is that of a new file, without what the server's umask forbids. A file system without permissions
    // refuses to set them.
    let _ = file.set_permissions(Permissions::from_mode(mode));
    Ok(file)
}

/// Creates a folder, if it does not exist, in which files of this mode can be found by those who can read them. The folders
/// above it are created with the usual permissions.
///
/// # Errors
/// When a folder cannot be created.
pub fn create_folder(folder: &Path, file_mode: u32) -> io::Result<()> {
    if let Some(above) = folder.parent() {
        fs::create_dir_all(above)?;
    }
    let mode = 0o100 | file_mode | (file_mode & 0o444) >> 2;
    match DirBuilder::new().mode(mode).create(folder) {
        Err(_) if folder.is_dir() => Ok(()),
        Err(e) => Err(e),
        Ok(()) => {
            let _ = fs::set_permissions(folder, Permissions::from_mode(mode));
            Ok(())
        }
    }
}

/// Creates a folder that only the server's user can enter. An existing one is closed to others.
///
/// # Errors
/// When it cannot be created.
pub fn create_private_folder(folder: &Path) -> io::Result<()> {
    create_folder(folder, PRIVATE)?;
    let is_open = |m: &fs::Metadata| m.permissions().mode() & 0o077 != 0;
    if fs::metadata(folder).is_ok_and(|m| is_open(&m)) {
        // Another user's folder stays as it is.
        let _ = fs::set_permissions(folder, Permissions::from_mode(0o700));
    }
    Ok(())
}

/// Writes a private file under a temporary name, syncs it, renames it and syncs the folder. After a crash or a power cut there
/// is either the whole file or none.
///
/// # Errors
/// When a step fails. Nothing is left under the final name then.
pub fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    write_renamed(folder, name, |temporary| {
        write_synced(temporary, bytes, PRIVATE)
    })?;
    sync_folder(folder)
}

/// Writes a file of this mode under a temporary name and renames it, without syncing: for content that is worthless after a crash.
///
/// # Errors
/// When a step fails. An earlier file of that name is still there then.
pub fn replace(folder: &Path, name: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
    write_renamed(folder, name, |temporary| {
        create(temporary, mode)?.write_all(bytes)
    })
}

/// Has a file written under its temporary name, and renames it. Removes it if a step fails.
fn write_renamed(
    folder: &Path,
    name: &str,
    write: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let temporary = temporary(folder, name);
    let written = write(&temporary).and_then(|()| fs::rename(&temporary, folder.join(name)));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn temporary(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{}{name}{}", TEMPORARY.0, TEMPORARY.1))
}

/// Like [`write_whole`], but through another folder on the same file system, without replacing an existing file, and with
/// this mode.
///
/// # Errors
/// `AlreadyExists` when there is a file of that name; other errors when a step fails.
pub fn write_new(
    staging: &Path,
    folder: &Path,
    name: &str,
    bytes: &[u8],
    mode: u32,
) -> io::Result<()> {
    let temporary = temporary(staging, name);
    let path = folder.join(name);
    let written = write_synced(&temporary, bytes, mode).and_then(|()| {
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

fn write_synced(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = create(path, mode)?;
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
    fn folders_and_files_have_their_mode_whatever_the_umask() {
        let root = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for (file_mode, folder_mode) in [(0o640, 0o750), (0o644, 0o755), (0o664, 0o775)] {
            let folder = root.path().join(format!("{file_mode:o}/gametimes"));
            create_folder(&folder, file_mode).unwrap();
            assert_eq!(mode(&folder), folder_mode);
            let private = folder.join("outbox");
            fs::create_dir(&private).unwrap();
            create_private_folder(&private).unwrap();
            create_private_folder(&private).unwrap();
            assert_eq!(mode(&private), 0o700);
            write_new(&private, &folder, "a", b"x", file_mode).unwrap();
            assert_eq!(mode(&folder.join("a")), file_mode);
            fs::write(private.join("b"), "of an earlier version").unwrap();
            create_private(&private.join("b")).unwrap();
            write_whole(&private, "c", b"x").unwrap();
            assert_eq!(
                (mode(&private.join("b")), mode(&private.join("c"))),
                (0o600, 0o600)
            );
        }
        assert!(create_folder(&root.path().join("640/gametimes/a/b"), 0o640).is_err());
    }

    #[test]
    fn an_existing_file_is_never_replaced() {
        let staging = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let write = |bytes| write_new(staging.path(), folder.path(), "a.json", bytes, 0o640);
        write(b"one").unwrap();
        let refused = write(b"two").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(folder.path().join("a.json")).unwrap(), b"one");
        assert!(names(staging.path()).is_empty());
        assert!(
            write_new(
                staging.path(),
                &staging.path().join("gone"),
                "b",
                b"x",
                0o640
            )
            .is_err()
        );
        assert!(names(staging.path()).is_empty());
    }
}
