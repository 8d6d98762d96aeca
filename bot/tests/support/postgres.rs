//! A PostgreSQL cluster of the Debian package, started by the test on a free loopback port.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A running cluster; dropping it ends it.
#[derive(Debug)]
pub struct Cluster {
    folder: tempfile::TempDir,
    server: Child,
    port: u16,
}

static DATABASES: AtomicUsize = AtomicUsize::new(0);

impl Cluster {
    /// Makes and starts a cluster.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("gametimes-pg")
            .tempdir()
            .unwrap();
        let data = folder.path().join("data");
        give_to_postgres(folder.path());
        run(as_postgres(&binary("initdb"))
            .args([
                "-A",
                "trust",
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--locale=C",
                // What a test writes need not outlive a power failure.
                "-N",
                "-D",
            ])
            .arg(&data));
        let port = free_port();
        let log = folder.path().join("log");
        let server = as_postgres(&binary("postgres"))
            .arg("-D")
            .arg(&data)
            .args([
                "-p",
                &port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
                "-c",
                "fsync=off",
            ])
            .stdout(Stdio::null())
            .stderr(File::create(log).unwrap())
            .spawn()
            .unwrap();
        let mut cluster = Self {
            folder,
            server,
            port,
        };
        cluster.wait();
        cluster
    }

    fn wait(&mut self) {
        let until = Instant::now() + Duration::from_secs(30);
        while !Command::new(binary("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .status()
            .unwrap()
            .success()
        {
            let ended = self.server.try_wait().unwrap();
            if ended.is_some() || Instant::now() >= until {
                let log = std::fs::read_to_string(self.folder.path().join("log"));
                panic!("PostgreSQL does not start ({ended:?}): {log:?}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL as the superuser in a database.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let output = Command::new(binary("psql"))
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-U",
                "postgres",
                "-d",
                database,
            ])
            .args(["-v", "ON_ERROR_STOP=1", "-XqAt", "-c", sql])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// A new empty database; returns its URL.
    pub fn database(&self) -> String {
        let name = format!("test{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable",
            self.port
        )
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGQUIT: at once, and the shared memory is given back.
        let pid = std::fs::read_to_string(self.folder.path().join("data/postmaster.pid"))
            .unwrap_or_default();
        if let Some(pid) = pid.lines().next() {
            drop(Command::new("kill").args(["-QUIT", pid]).status());
        }
        drop(self.server.wait());
    }
}

/// A program of the Debian package.
fn binary(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> =
            versions.map(|e| e.path().join("bin")).filter(|p| p.join("initdb").exists()).collect();
        folders.sort();
        folders.pop().unwrap_or_else(|| {
            panic!("PostgreSQL is missing: install the Debian package `postgresql` (apt-get install postgresql)")
        })
    });
    folder.join(name)
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout == b"0\n"
}

/// PostgreSQL refuses to run as root; then it runs as the user of its package.
fn as_postgres(program: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    // The folder of the repository may be closed to that user.
    command.current_dir("/");
    command
}

fn give_to_postgres(folder: &Path) {
    if is_root() {
        run(Command::new("chown").arg("postgres").arg(folder));
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A port that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
