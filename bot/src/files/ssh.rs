//! Connections to game servers. Only known host keys are trusted, all folders of a server share one connection, and every step
//! has a time limit.

use std::borrow::Cow;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, Handle};
use russh::keys::{
    self, Algorithm, EcdsaCurve, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate,
};
use russh::{AlgorithmKind, Disconnect, Preferred};
use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error as SftpError;
use tokio::sync::Mutex;
use tokio::time;

use crate::config::{Secret, Ssh};

/// A game server. The connection is made when it is needed.
#[derive(Clone)]
pub struct SshServer {
    pub(super) settings: Ssh,
    connection: Arc<Mutex<Option<Connection>>>,
}

struct Connection {
    handle: Handle<KnownHosts>,
    sftp: RawSftpSession,
}

/// Accepts only the host keys in the known_hosts file.
struct KnownHosts {
    settings: Ssh,
}

/// Why the connection failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SshError {
    #[error("{0}")]
    HostKey(String),
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

/// Checks that no other user of this machine can read a key file. Like OpenSSH, it accepts the file of another owner: a secret
/// that the system mounts, for example.
///
/// # Errors
/// A text for the log, with what to do.
pub fn check_key_file(path: &Path) -> Result<(), String> {
    let file =
        std::fs::metadata(path).map_err(|e| format!("ssh.key_file {}: {e}", path.display()))?;
    let is_ours = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == file.uid());
    let mode = file.mode() & 0o777;
    if is_ours && mode & 0o077 != 0 {
        return Err(format!(
            "ssh.key_file {0}: other users can use this private key (mode {mode:04o}), so the bot does not; run chmod 600 {0}",
            path.display()
        ));
    }
    Ok(())
}

/// Reads a key file.
fn load_key(path: &Path, passphrase: Option<&str>) -> Result<PrivateKey, String> {
    check_key_file(path)?;
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

/// How connections are made and kept.
pub(super) fn client_config() -> client::Config {
    client::Config {
        inactivity_timeout: Some(Duration::from_secs(600)),
        keepalive_interval: Some(Duration::from_secs(30)),
        keepalive_max: 3,
        nodelay: true,
        preferred: Preferred {
            key: Cow::Borrowed(HOST_KEYS),
            ..Preferred::DEFAULT
        },
        ..client::Config::default()
    }
}

/// Explains why a connection failed.
pub(super) fn explain(host: &str, port: u16, error: &SshError) -> String {
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

impl client::Handler for KnownHosts {
    type Error = SshError;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, SshError> {
        let Ssh {
            host,
            port,
            known_hosts,
            ..
        } = &self.settings;
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else {
            return Err(SshError::HostKey(format!(
                "{host} sends a host certificate, which the bot does not support; configure a plain host key there"
            )));
        };
        check_known_hosts(known_hosts).map_err(SshError::HostKey)?;
        let fingerprint = key.fingerprint(keys::HashAlg::Sha256);
        match keys::check_known_hosts_path(host, *port, key, known_hosts) {
            Ok(true) => Ok(true),
            Ok(false) => Err(SshError::HostKey(format!(
                "the host key of {host}:{port} ({fingerprint}) is not in {}; compare the fingerprint and add the key with: \
                 ssh-keyscan -p {port} {host} >> {}",
                known_hosts.display(),
                known_hosts.display()
            ))),
            Err(error) => Err(SshError::HostKey(format!(
                "the host key of {host}:{port} ({fingerprint}) differs from the one in {} ({error}): the server was \
                 reinstalled, or the connection is intercepted; compare the fingerprint before you replace the key there",
                known_hosts.display()
            ))),
        }
    }
}

/// Checks that a known_hosts file exists and that the SSH library understands all of its lines.
///
/// # Errors
/// A text for the log, with what to do.
pub fn check_known_hosts(path: &Path) -> Result<(), String> {
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

impl SshServer {
    /// A server that is not connected yet.
    pub fn new(settings: Ssh) -> Self {
        Self {
            settings,
            connection: Arc::new(Mutex::new(None)),
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
        let key = load_key(key_file, key_passphrase.as_ref().map(Secret::reveal))?;
        let handler = KnownHosts {
            settings: self.settings.clone(),
        };
        let mut handle =
            client::connect(Arc::new(client_config()), (host.as_str(), *port), handler)
                .await
                .map_err(|e| explain(host, *port, &e))?;
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
        let answer = handle
            .authenticate_publickey(user, key)
            .await
            .map_err(|e| e.to_string())?;
        if !answer.success() {
            return Err(format!(
                "{host}:{port}: the server does not accept the key {} for the user {user}; add its public key to \
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
            .map_err(|e| format!("{host}:{port}: the server does not offer SFTP: {e}"))?;
        let sftp = RawSftpSession::new(channel.into_stream());
        sftp.set_timeout(timeout.as_secs().max(1));
        sftp.init()
            .await
            .map_err(|e| format!("{host}:{port}: SFTP: {e}"))?;
        Ok(Connection { handle, sftp })
    }

    /// Runs `work` on the connection, which is made first if necessary. Any error other than one about the file closes the
    /// connection, so that the next call makes a new one.
    pub(super) async fn with<T>(
        &self,
        what: &str,
        work: impl AsyncFnOnce(&RawSftpSession) -> Result<T, SftpError>,
    ) -> Result<T, String> {
        let limit = self.settings.timeout;
        let mut slot = self.connection.lock().await;
        if slot.as_ref().is_none_or(|c| c.handle.is_closed()) {
            let timed_out = || {
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
                    .map_err(|_| timed_out())??,
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
