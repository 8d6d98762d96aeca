//! Folders of game servers, over SFTP.

use gametimes_format::{check, file};
use gametimes_rounds::report::FILE_BYTES_MAX;
use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};

use super::is_live_file;
use super::poller::{Directory, ENTRIES_MAX, FileEntry, too_many_entries};
use super::ssh::SshServer;
use crate::config::Ssh;
use crate::db::sources::FileVersion;

/// Bytes per read. Servers may return less.
const READ_BYTES: u32 = 128 * 1024;
/// Longer names exist in no file system.
const NAME_BYTES_MAX: usize = 255;

/// Which files a folder on a server contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderKind {
    /// Stats files, as messages name them.
    Stats,
    /// Gametimes files.
    Gametimes,
}

/// A folder on a server.
pub struct RemoteDirectory {
    server: SshServer,
    path: String,
    kind: FolderKind,
}

impl RemoteDirectory {
    /// A folder on a server: the one with stats files, or the one with gametimes files.
    pub fn new(server: SshServer, path: &str, kind: FolderKind) -> Self {
        Self {
            server,
            path: path.trim_end_matches('/').to_owned(),
            kind,
        }
    }

    fn path_of(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }
}

/// The folder with live files on a server, below the one with gametimes files.
pub struct LiveFolder {
    server: SshServer,
    path: String,
}

impl LiveFolder {
    /// The folder `live` in this one.
    pub fn new(server: SshServer, gametimes_dir: &str) -> Self {
        let path = format!("{}/live", gametimes_dir.trim_end_matches('/'));
        Self { server, path }
    }

    /// A name for the log.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.server.settings.host, self.path)
    }

    /// The names of the live files, at most so many.
    pub(super) async fn names(&self, most: usize) -> Result<Vec<String>, String> {
        let list = async |sftp: &RawSftpSession| list(sftp, &self.path).await;
        let files = self.server.with(&self.path, list).await?;
        let names = files.into_iter().map(|file| file.name);
        Ok(names.filter(|name| is_live_file(name)).take(most).collect())
    }

    /// The first `most` bytes of a file.
    pub(super) async fn read(&self, name: &str, most: usize) -> Result<Vec<u8>, String> {
        let path = format!("{}/{name}", self.path);
        let read = async |sftp: &RawSftpSession| read(sftp, &path, most).await;
        self.server.with(&path, read).await
    }
}

fn entry(name: String, attributes: &FileAttributes) -> FileEntry {
    FileEntry {
        name,
        version: FileVersion {
            size_bytes: attributes.size.unwrap_or(0),
            modified_unix: attributes.mtime.map_or(0, i64::from),
        },
    }
}

/// The regular files in a folder. The server may be hostile, so its list may be endless.
async fn list(sftp: &RawSftpSession, path: &str) -> Result<Vec<FileEntry>, SftpError> {
    let handle = sftp.opendir(path).await?.handle;
    let (mut files, mut entries) = (Vec::new(), 0);
    loop {
        let page = match sftp.readdir(handle.as_str()).await {
            // Without this, the list could be endless pages without an entry.
            Ok(page) if page.files.is_empty() => break,
            Ok(page) => page.files,
            Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => break,
            Err(error) => return Err(error),
        };
        entries += page.len();
        if entries > ENTRIES_MAX {
            return Err(SftpError::Limited(too_many_entries()));
        }
        files.extend(
            page.into_iter()
                .filter(|f| f.attrs.is_regular() && f.filename.len() <= NAME_BYTES_MAX)
                .map(|f| entry(f.filename, &f.attrs)),
        );
    }
    sftp.close(handle).await?;
    Ok(files)
}

/// The first `most` bytes of a file.
async fn read(sftp: &RawSftpSession, path: &str, most: usize) -> Result<Vec<u8>, SftpError> {
    let attributes = FileAttributes::empty();
    let handle = sftp.open(path, OpenFlags::READ, attributes).await?.handle;
    let mut bytes: Vec<u8> = Vec::new();
    while bytes.len() < most {
        let rest = u32::try_from(most - bytes.len()).unwrap_or(READ_BYTES);
        let offset = bytes.len() as u64;
        match sftp
            .read(handle.as_str(), offset, rest.min(READ_BYTES))
            .await
        {
            Ok(data) if data.data.is_empty() => break,
            Ok(data) => bytes.extend(data.data),
            Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => break,
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(most);
    sftp.close(handle).await?;
    Ok(bytes)
}

impl Directory for RemoteDirectory {
    fn place(&self) -> String {
        let Ssh {
            host, port, user, ..
        } = &self.server.settings;
        super::place(&format!("ssh {user}@{host}:{port}{}", self.path))
    }

    fn source(&self) -> &'static str {
        "ssh"
    }

    fn expects(&self, name: &str) -> bool {
        match self.kind {
            FolderKind::Stats => check::is_stats_file_name(name),
            FolderKind::Gametimes => file::is_file_name(name),
        }
    }

    async fn list(&mut self) -> Result<Vec<FileEntry>, String> {
        let path = self.path.clone();
        self.server
            .with(&path, async |sftp| list(sftp, &path).await)
            .await
    }

    async fn stat(&mut self, name: &str) -> Result<Option<FileEntry>, String> {
        let path = self.path_of(name);
        let found = self
            .server
            .with(&path, async |sftp| match sftp.stat(path.as_str()).await {
                Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => {
                    Ok(None)
                }
                other => other.map(|found| Some(found.attrs)),
            });
        Ok(found
            .await?
            .filter(FileAttributes::is_regular)
            .map(|attributes| entry(name.to_owned(), &attributes)))
    }

    async fn read(&mut self, file: &FileEntry) -> Result<Vec<u8>, String> {
        let path = self.path_of(&file.name);
        // One byte more than the listed size, to notice that the file grew.
        let size = usize::try_from(file.version.size_bytes).unwrap_or(FILE_BYTES_MAX);
        let most = size.min(FILE_BYTES_MAX) + 1;
        self.server
            .with(&path, async |sftp| read(sftp, &path, most).await)
            .await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use russh_sftp::protocol::{Attrs, Data, File, Handle, Name, Status};
    use russh_sftp::server::{self, Handler};

    use super::*;

    /// A server whose folder has so many more pages, and whose file has `size` bytes. It returns at most 1000 of them at a time.
    struct Hostile {
        pages: usize,
        entries_per_page: usize,
        size: usize,
    }

    impl Handler for Hostile {
        type Error = StatusCode;

        fn unimplemented(&self) -> StatusCode {
            StatusCode::OpUnsupported
        }

        async fn opendir(&mut self, id: u32, _: String) -> Result<Handle, StatusCode> {
            let handle = "folder".into();
            Ok(Handle { id, handle })
        }

        async fn readdir(&mut self, id: u32, _: String) -> Result<Name, StatusCode> {
            self.pages = self.pages.checked_sub(1).ok_or(StatusCode::Eof)?;
            let mut attrs = FileAttributes::empty();
            attrs.set_regular(true);
            let file = File::new("2026-11-20-125046-room1-round-1.txt", attrs);
            let files = vec![file; self.entries_per_page];
            Ok(Name { id, files })
        }

        async fn open(
            &mut self,
            id: u32,
            _: String,
            _: OpenFlags,
            _: FileAttributes,
        ) -> Result<Handle, StatusCode> {
            let handle = "file".into();
            Ok(Handle { id, handle })
        }

        async fn stat(&mut self, id: u32, _: String) -> Result<Attrs, StatusCode> {
            let attrs = FileAttributes::empty();
            Ok(Attrs { id, attrs })
        }

        async fn read(
            &mut self,
            id: u32,
            _: String,
            offset: u64,
            len: u32,
        ) -> Result<Data, StatusCode> {
            let rest = self.size.saturating_sub(offset as usize);
            match rest.min(len as usize).min(1000) {
                0 => Err(StatusCode::Eof),
                count => Ok(Data {
                    id,
                    data: vec![b'x'; count],
                }),
            }
        }

        async fn close(&mut self, id: u32, _: String) -> Result<Status, StatusCode> {
            Ok(Status {
                id,
                status_code: StatusCode::Ok,
                error_message: String::new(),
                language_tag: String::new(),
            })
        }
    }

    async fn connected(hostile: Hostile) -> RawSftpSession {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        server::run(theirs, hostile).await;
        let session = RawSftpSession::new(ours);
        session.init().await.unwrap();
        session
    }

    #[tokio::test]
    async fn a_list_of_files_without_an_end_is_refused() {
        let hostile = |entries_per_page| {
            connected(Hostile {
                pages: 400,
                entries_per_page,
                size: 0,
            })
        };
        let error = list(&hostile(1000).await, "/gamestats").await.unwrap_err();
        assert!(
            error.to_string().contains("more than 200000 entries"),
            "{error}"
        );
        let session = hostile(0).await;
        assert_eq!(list(&session, "/gamestats").await.unwrap(), []);
        let page = session.readdir("folder").await;
        assert!(page.is_ok(), "a page without an entry ended the list");
    }

    #[tokio::test]
    async fn a_file_is_read_in_parts_up_to_its_end_or_to_the_limit() {
        for (size, most) in [(0, 10), (2_500, 10_000), (2_500, 2_500), (2_500, 1_500)] {
            let session = connected(Hostile {
                pages: 0,
                entries_per_page: 0,
                size,
            });
            let bytes = read(&session.await, "/x", most).await.unwrap();
            assert_eq!(bytes.len(), size.min(most), "{size} {most}");
        }
    }

    #[test]
    fn each_folder_waits_only_for_its_kind_of_file() {
        let server = SshServer::new(Ssh {
            host: "h".into(),
            port: 22,
            user: "u".into(),
            key_file: "k".into(),
            key_passphrase: None,
            known_hosts: "n".into(),
            stats_dir: None,
            gametimes_dir: None,
            server: String::new(),
            timeout: Duration::from_secs(1),
        });
        let (stats, gametimes) = (
            "2026-11-20-125046-room1-round-1.txt",
            "gametime-room1-R1-1795179043.json",
        );
        for (name, in_stats, in_gametimes) in [
            (stats, true, false),
            (gametimes, false, true),
            ("", false, false),
            ("server.log", false, false),
        ] {
            assert_eq!(
                RemoteDirectory::new(server.clone(), "/d", FolderKind::Stats).expects(name),
                in_stats,
                "{name}"
            );
            assert_eq!(
                RemoteDirectory::new(server.clone(), "/d", FolderKind::Gametimes).expects(name),
                in_gametimes,
                "{name}"
            );
        }
    }
}
