//! The host key of a server that is not in known_hosts yet: asked for once, shown, and stored.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client;
use russh::keys::{self, HashAlg, PublicKey, PublicKeyOrCertificate};
use tokio::time;

use super::ssh::client_config;

/// The key of a server.
#[derive(Debug, Clone)]
pub struct HostKey {
    key: PublicKey,
}

/// Takes the key, and ends the connection before anything is sent to the server.
struct Asker(Arc<Mutex<Option<PublicKey>>>);

impl client::Handler for Asker {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        if let PublicKeyOrCertificate::PublicKey { key, .. } = key {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.clone());
        }
        Ok(false)
    }
}

impl HostKey {
    /// Asks a server for its key.
    ///
    /// # Errors
    /// A text with what to do, if the server cannot be reached or has no key that the bot supports.
    pub async fn of(host: &str, port: u16, timeout: Duration) -> Result<Self, String> {
        let seen = Arc::new(Mutex::new(None));
        let asker = Asker(Arc::clone(&seen));
        let attempt = client::connect(Arc::new(client_config()), (host, port), asker);
        let result = time::timeout(timeout, attempt).await;
        let key = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(key) = key {
            return Ok(Self { key });
        }
        Err(match result {
            Err(_) => format!(
                "{host}:{port}: no answer in {} s; check host and port, and that a firewall allows the connection",
                timeout.as_secs()
            ),
            Ok(Err(error)) => super::ssh::explain(host, port, &error.into()),
            Ok(Ok(_)) => {
                format!("{host}:{port}: the server sends no host key that the bot supports")
            }
        })
    }

    /// The fingerprint, as `ssh-keygen -l` prints it: `SHA256:...`.
    pub fn fingerprint(&self) -> String {
        self.key.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The kind of the key, such as `ssh-ed25519`.
    pub fn algorithm(&self) -> String {
        self.key.algorithm().to_string()
    }

    /// Whether a known_hosts file contains the key. A file that does not exist contains none.
    ///
    /// # Errors
    /// If the file contains another key of the server, or cannot be read.
    pub fn is_known(&self, host: &str, port: u16, known_hosts: &Path) -> Result<bool, String> {
        if !known_hosts.exists() {
            return Ok(false);
        }
        keys::check_known_hosts_path(host, port, &self.key, known_hosts).map_err(|error| {
            format!(
                "{host}:{port}: the host key {} differs from the one in {} ({error}): the server was reinstalled, or the \
                 connection is intercepted",
                self.fingerprint(),
                known_hosts.display()
            )
        })
    }

    /// Adds the key to a known_hosts file, which is created if it does not exist.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn store(&self, host: &str, port: u16, known_hosts: &Path) -> Result<(), String> {
        keys::known_hosts::learn_known_hosts_path(host, port, &self.key, known_hosts)
            .map_err(|e| format!("{}: {e}", known_hosts.display()))
    }
}
