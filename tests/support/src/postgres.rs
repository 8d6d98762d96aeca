//! A PostgreSQL cluster of the Debian package on a free loopback port.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::free_port;

/// The life of a cluster. Its standard input is a pipe from the test's process. When that process ends, even by a signal,
/// the pipe is closed; then the script ends the server and removes the folder.
const LIFE: &str = r#"
folder=$1 programs=$2 port=$3
# The server's user may not be allowed to enter the repository.
cd /
if [ "$(id -u)" = 0 ]; then
    # PostgreSQL refuses to run as root.
    chown postgres "$folder"
    as='setpriv --reuid postgres --regid postgres --init-groups'
fi
# What a test writes need not survive a power failure: -N and fsync=off.
$as "$programs/initdb" -A trust -U postgres -E UTF8 --locale=C -N -D "$folder/data" </dev/null || exit
$as "$programs/postgres" -D "$folder/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    -c fsync=off -c max_connections=500 </dev/null &
read -r _
# SIGQUIT: at once, and the shared memory is given back.
kill -QUIT $!
wait
rm -rf "$folder"
"#;

/// A running cluster, with a database for each test.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    life: Child,
    port: u16,
}

impl Cluster {
    /// The cluster that all tests of one program share. It starts with the first test that asks for it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("gametimes-pg")
            .tempdir()
            .unwrap()
            .keep();
        let port = free_port();
        let log = File::create(folder.join("log")).unwrap();
        let life = Command::new("sh")
            .args(["-c", LIFE, "sh"])
            .args([&folder, programs()])
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            // Ctrl-C ends the test only; the end of the test ends the cluster.
            .process_group(0)
            .spawn()
            .unwrap();
        let mut cluster = Self { folder, life, port };
        cluster.wait();
        cluster
    }

    fn wait(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !Command::new(programs().join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .status()
            .unwrap()
            .success()
        {
            let ended = self.life.try_wait().unwrap();
            if ended.is_some() || Instant::now() >= deadline {
                let log = std::fs::read_to_string(self.folder.join("log"));
                panic!(
                    "PostgreSQL does not start ({ended:?}): {}",
                    log.unwrap_or_default()
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL as the superuser in a database, and returns the rows as text.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let output = Command::new(programs().join("psql"))
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-U", "postgres", "-d", database])
            .args(["-v", "ON_ERROR_STOP=1", "-XqAt", "-c", sql])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes a new empty database and returns its URL.
    pub fn database(&self) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test{}", COUNT.fetch_add(1, Ordering::Relaxed));
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

/// The folder of PostgreSQL's programs, those of the newest version that is installed.
fn programs() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
        let folders = versions.flatten().map(|version| version.path().join("bin"));
        folders.filter(|folder| folder.join("initdb").exists()).max().expect(
            "PostgreSQL is missing: install the Debian package `postgresql` (apt-get install postgresql)",
        )
    })
}
