//! Game servers over SFTP: strict host keys, key files, one connection for all folders, a limit on every step.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gametimes_format::{check, file};
use russh::client::{self, Handle};
use russh::keys::{
    self, Algorithm, EcdsaCurve, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate,
};
use russh::{AlgorithmKind, Disconnect, Preferred};
use russh_sftp::client::SftpSession;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::{FileAttributes, StatusCode};
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;
use tokio::time;

use super::poller::{Directory, Entry};
use crate::config::{Secret, Ssh};
use gametimes_rounds::report::FILE_BYTES_MAX;

/// A server, connected when needed.
#[derive(Clone)]
pub struct Server {
    settings: Ssh,
    connection: Arc<Mutex<Option<Connection>>>,
}

struct Connection {
    handle: Handle<HostKeys>,
    sftp: SftpSession,
}

/// Trusts the keys of a known_hosts file and no others.
struct HostKeys {
    settings: Ssh,
}

/// Why a step failed, in words for the log.
#[derive(Debug, thiserror::Error)]
enum SshError {
    #[error("{0}")]
    Said(String),
    #[error("ssh: {0}")]
    Ssh(#[from] russh::Error),
}

/// The host keys that are accepted. RSA is left out, see `docs/bot.md`.
const HOST_KEYS: &[Algorithm] = &[
    Algorithm::Ed25519,
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP256,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP384,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP521,
    },
];

/// The object identifier of an RSA key in a PKCS #8 file.
const RSA_OID: &str = "1.2.840.113549.1.1.1";

/// Reads a key file.
fn load_key(path: &Path, passphrase: Option<&str>) -> Result<PrivateKey, String> {
    let rsa = || {
        format!(
            "ssh.key_file {}: RSA keys are not supported; create an Ed25519 key with `ssh-keygen -t ed25519` and add its \
             public half to ~/.ssh/authorized_keys on the server",
            path.display()
        )
    };
    match keys::load_secret_key(path, passphrase) {
        Ok(key) if key.algorithm().is_rsa() => Err(rsa()),
        Ok(key) => Ok(key),
        Err(keys::Error::UnsupportedKeyType {
            key_type_string, ..
        }) if key_type_string == "RSA" => Err(rsa()),
        Err(keys::Error::UnknownAlgorithm(oid)) if oid.to_string() == RSA_OID => Err(rsa()),
        Err(error) => Err(format!("ssh.key_file {}: {error}", path.display())),
    }
}

/// Explains why a connection failed.
fn explain(host: &str, port: u16, error: &SshError) -> String {
    match error {
        SshError::Ssh(russh::Error::NoCommonAlgo {
            kind: AlgorithmKind::Key,
            theirs,
            ..
        }) => format!(
            "{host}:{port}: the server has only host keys that are not supported ({}); create an Ed25519 host key there \
             with `ssh-keygen -A`, restart its SSH server, and add the new key to known_hosts",
            theirs.join(", ")
        ),
        error => format!("{host}:{port}: {error}"),
    }
}

impl client::Handler for HostKeys {
    type Error = SshError;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, SshError> {
        let Ssh {
            host,
            port,
            known_hosts,
            ..
        } = &self.settings;
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else {
            return Err(SshError::Said(format!(
                "{host} shows a host certificate; only plain host keys are known"
            )));
        };
        readable_known_hosts(known_hosts).map_err(SshError::Said)?;
        let fingerprint = key.fingerprint(keys::HashAlg::Sha256);
        match keys::check_known_hosts_path(host, *port, key, known_hosts) {
            Ok(true) => Ok(true),
            Ok(false) => Err(SshError::Said(format!(
                "the host key of {host}:{port} ({fingerprint}) is not in {}; if it is right, add it with: \
                 ssh-keyscan -p {port} {host} >> {}",
                known_hosts.display(),
                known_hosts.display()
            ))),
            Err(error) => Err(SshError::Said(format!(
                "the host key of {host}:{port} ({fingerprint}) is not the one in {} ({error}): the server was set up \
                 anew, or somebody is in between",
                known_hosts.display()
            ))),
        }
    }
}

/// A known_hosts file must be there, and have no lines that the library does not understand.
pub fn readable_known_hosts(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| format!("ssh.known_hosts {}: {e}", path.display()))?;
    match text.lines().find(|line| line.trim_start().starts_with('@')) {
        None => Ok(()),
        Some(_) => Err(format!(
            "ssh.known_hosts {}: lines with @revoked or @cert-authority are not supported; use a file without them",
            path.display()
        )),
    }
}

impl Server {
    /// A server, not yet connected.
    pub fn new(settings: Ssh) -> Self {
        Self {
            settings,
            connection: Arc::new(Mutex::new(None)),
        }
    }

    /// One of its folders; `stats` tells that the stats files that messages name are there.
    pub fn directory(&self, path: &str, stats: bool) -> Remote {
        Remote {
            server: self.clone(),
            path: path.trim_end_matches('/').to_owned(),
            stats,
        }
    }

    async fn connect(&self) -> Result<Connection, String> {
        let Ssh {
            host,
            port,
            user,
            key_file,
            key_passphrase,
            timeout,
            ..
        } = &self.settings;
        let config = client::Config {
            inactivity_timeout: Some(Duration::from_secs(600)),
            keepalive_interval: Some(Duration::from_secs(30)),
            keepalive_max: 3,
            nodelay: true,
            preferred: Preferred {
                key: Cow::Borrowed(HOST_KEYS),
                ..Preferred::DEFAULT
            },
            ..client::Config::default()
        };
        let key = load_key(key_file, key_passphrase.as_ref().map(Secret::reveal))?;
        let handler = HostKeys {
            settings: self.settings.clone(),
        };
        let mut handle = client::connect(Arc::new(config), (host.as_str(), *port), handler)
            .await
            .map_err(|e| explain(host, *port, &e))?;
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
        let answer = handle
            .authenticate_publickey(user, key)
            .await
            .map_err(|e| e.to_string())?;
        if !answer.success() {
            return Err(format!(
                "{host}:{port}: the server does not accept the key {} for the user {user}; add its public half to \
                 ~/.ssh/authorized_keys there",
                key_file.display()
            ));
        }
        let channel = handle
            .channel_open_session()
            .await
            .map_err(|e| e.to_string())?;
        channel
            .request_subsystem(true, "sftp")
            .await
            .map_err(|e| format!("{host}:{port}: no SFTP: {e}"))?;
        let sftp = SftpSession::new(channel.into_stream())
            .await
            .map_err(|e| format!("{host}:{port}: SFTP: {e}"))?;
        sftp.set_timeout(timeout.as_secs().max(1));
        Ok(Connection { handle, sftp })
    }

    /// Does one thing on the connection, which is made if there is none. A failure that is not about the file closes it, so
    /// that the next try begins anew.
    async fn with<T>(
        &self,
        what: &str,
        work: impl AsyncFnOnce(&SftpSession) -> Result<T, SftpError>,
    ) -> Result<T, String> {
        let limit = self.settings.timeout;
        let mut slot = self.connection.lock().await;
        if slot.as_ref().is_none_or(|c| c.handle.is_closed()) {
            let late = || {
                format!(
                    "{}:{}: no answer in {} s",
                    self.settings.host,
                    self.settings.port,
                    limit.as_secs()
                )
            };
            *slot = Some(
                time::timeout(limit, self.connect())
                    .await
                    .map_err(|_| late())??,
            );
        }
        let Some(connection) = slot.as_ref() else {
            return Err("not connected".into());
        };
        let result = time::timeout(limit, work(&connection.sftp)).await;
        match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(SftpError::Status(status))) => Err(format!("{what}: {}", status.error_message)),
            other => {
                if let Some(connection) = slot.take() {
                    let end = connection
                        .handle
                        .disconnect(Disconnect::ByApplication, "", "");
                    drop(time::timeout(Duration::from_secs(1), end).await);
                }
                Err(match other {
                    Ok(Err(error)) => format!("{what}: {error}"),
                    _ => format!("{what}: no answer in {} s", limit.as_secs()),
                })
            }
        }
    }
}

/// A folder on a server.
pub struct Remote {
    server: Server,
    path: String,
    stats: bool,
}

impl Remote {
    fn path_of(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }
}

fn entry(name: &str, attributes: &FileAttributes) -> Entry {
    Entry {
        name: name.to_owned(),
        size_bytes: attributes.size.unwrap_or(0),
        modified_unix: attributes.mtime.map_or(0, i64::from),
    }
}

impl Directory for Remote {
    fn place(&self) -> String {
        let Ssh {
            host, port, user, ..
        } = &self.server.settings;
        format!("ssh {user}@{host}:{port}{}", self.path)
            .chars()
            .take(256)
            .collect()
    }

    fn source(&self) -> &'static str {
        "ssh"
    }

    fn expects(&self, name: &str) -> bool {
        if self.stats {
            check::is_stats_file_name(name)
        } else {
            file::is_file_name(name)
        }
    }

    async fn list(&mut self) -> Result<Vec<Entry>, String> {
        let path = self.path.clone();
        let list = self
            .server
            .with(&path, async |sftp| sftp.read_dir(path.as_str()).await)
            .await?;
        Ok(list
            .filter(|item| item.metadata().is_regular())
            .map(|item| entry(&item.file_name(), &item.metadata()))
            .collect())
    }

    async fn stat(&mut self, name: &str) -> Result<Option<Entry>, String> {
        let path = self.path_of(name);
        let found = self.server.with(&path, async |sftp| {
            match sftp.metadata(path.as_str()).await {
                Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => {
                    Ok(None)
                }
                other => other.map(Some),
            }
        });
        Ok(found
            .await?
            .filter(FileAttributes::is_regular)
            .map(|attributes| entry(name, &attributes)))
    }

    async fn read(&mut self, entry: &Entry) -> Result<Vec<u8>, String> {
        let path = self.path_of(&entry.name);
        let read = self.server.with(&path, async |sftp| {
            let file = sftp.open(path.as_str()).await?;
            let mut bytes = Vec::new();
            // One byte more than is said to be there shows that the file grew.
            let most = (entry.size_bytes + 1).min(FILE_BYTES_MAX as u64 + 1);
            file.take(most)
                .read_to_end(&mut bytes)
                .await
                .map_err(|e| SftpError::IO(e.to_string()))?;
            Ok(bytes)
        });
        read.await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_gametimes_files_waits_for_no_stats_file_and_for_none_without_a_name() {
        let server = Server::new(Ssh {
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
        for (name, by_stats, by_gametimes) in [
            (stats, true, false),
            (gametimes, false, true),
            ("", false, false),
            ("server.log", false, false),
        ] {
            assert_eq!(
                server.directory("/d", true).expects(name),
                by_stats,
                "{name}"
            );
            assert_eq!(
                server.directory("/d", false).expects(name),
                by_gametimes,
                "{name}"
            );
        }
    }
}
