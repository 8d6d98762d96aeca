//! An OpenSSH server of the Debian package, started by the test on a free loopback port.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gametimes_bot::config::Ssh;

use super::free_port;

/// A running server that accepts the current user with a key. Dropping it ends it.
#[derive(Debug)]
pub struct Sshd {
    folder: tempfile::TempDir,
    server: Option<Child>,
    port: u16,
}

impl Sshd {
    /// Makes keys and starts the server.
    pub fn start() -> Self {
        let program = Path::new("/usr/sbin/sshd");
        assert!(
            program.exists(),
            "OpenSSH's server is missing: install the Debian package `openssh-server` (apt-get install openssh-server)"
        );
        let folder = tempfile::Builder::new()
            .prefix("gametimes-ssh")
            .tempdir()
            .unwrap();
        for name in ["host_key", "client_key"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(folder.path().join(name))
                .status()
                .unwrap();
            assert!(made.success());
        }
        std::fs::copy(
            folder.path().join("client_key.pub"),
            folder.path().join("authorized_keys"),
        )
        .unwrap();
        // Needed by sshd when it runs as root.
        drop(std::fs::create_dir_all("/run/sshd"));
        let mut sshd = Self {
            folder,
            server: None,
            port: free_port(),
        };
        sshd.trust();
        sshd.up();
        sshd
    }

    /// Starts the server (again).
    pub fn up(&mut self) {
        let path = |name: &str| self.path(name).display().to_string();
        let config = format!(
            "Port {}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
             UsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n",
            self.port,
            path("host_key"),
            path("authorized_keys")
        );
        std::fs::write(self.path("sshd_config"), config).unwrap();
        let server = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(self.path("sshd_config"))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.path("log")).unwrap())
            .spawn()
            .unwrap();
        self.server = Some(server);
        let until = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(
                Instant::now() < until,
                "sshd does not start: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the server and all open connections.
    pub fn down(&mut self) {
        if let Some(mut server) = self.server.take() {
            // It has one child process for each connection.
            let parent = server.id().to_string();
            if let Ok(children) = Command::new("pgrep").args(["-P", &parent]).output() {
                for pid in String::from_utf8_lossy(&children.stdout).lines() {
                    drop(Command::new("kill").args(["-KILL", pid]).status());
                }
            }
            drop(server.kill());
            drop(server.wait());
        }
    }

    /// Writes the host key to `known_hosts`.
    pub fn trust(&self) {
        let key = std::fs::read_to_string(self.path("host_key.pub")).unwrap();
        self.known_hosts(&format!("[127.0.0.1]:{} {key}", self.port));
    }

    /// Writes `known_hosts`.
    pub fn known_hosts(&self, text: &str) {
        std::fs::write(self.path("known_hosts"), text).unwrap();
    }

    /// The path of a file beside the keys.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The server's log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// A bot's settings to read these folders over SFTP.
    pub fn settings(&self, stats: &Path, gametimes: Option<&Path>) -> Ssh {
        let user = Command::new("id").arg("-un").output().unwrap();
        Ssh {
            host: "127.0.0.1".into(),
            port: self.port,
            user: String::from_utf8(user.stdout).unwrap().trim().to_owned(),
            key_file: self.path("client_key"),
            key_passphrase: None,
            known_hosts: self.path("known_hosts"),
            stats_dir: Some(stats.display().to_string()),
            gametimes_dir: gametimes.map(|p| p.display().to_string()),
            server: String::new(),
            timeout: Duration::from_secs(5),
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.down();
    }
}
