//! How the commands open the database: beside a long writer, while PostgreSQL is down, and with which file permissions.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

use gametimes_bot::doctor::examine;
use gametimes_test_support::bot::chaos::Chaos;
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::bot::{TIMEOUT, config_in, open, sqlite};
use gametimes_test_support::on_both_databases;
use gametimes_test_support::samples::samples;

/// A command of the bot. The umask is that of the most careless shell.
fn command(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 0; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_gametimes-bot"))
        .args(arguments)
        .env("GAMETIMES_DATABASE_URL", url)
        .env("GAMETIMES_LISTEN", "127.0.0.1:0");
    command
}

async fn output(mut command: Command) -> Output {
    let run = move || command.output().unwrap();
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// A command that runs, and what it writes to standard error.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                drop(sender.send(line));
            }
        });
        Self { child, lines }
    }

    /// Waits for a line that contains this text; returns the lines before it.
    fn wait_for_line(&self, text: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            match self.lines.recv_timeout(TIMEOUT) {
                Ok(line) if line.contains(text) => return before,
                Ok(line) => before.push(line),
                Err(error) => panic!("no line with {text:?} ({error}): {before:#?}"),
            }
        }
    }

    /// The exit code.
    fn end(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    fn terminate(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        self.end()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn commands_read_beside_a_long_writer_and_ingest_waits_for_it(url: &str) {
    let store = open(url).await;
    let native = samples().join("../native");
    let native = native.to_str().unwrap();
    let first = output(command(url, &["ingest", native])).await;
    assert!(first.status.success(), "{first:?}");
    let mut lock = store.database.begin().await.unwrap();
    let sql = "INSERT INTO gametimes_state (name, value) VALUES ('long', '1')";
    lock.execute(sql, &[]).await.unwrap();
    for arguments in [&["rounds"][..], &["rounds", "--json"], &["audit"]] {
        let found = output(command(url, arguments)).await;
        assert!(found.status.success(), "{arguments:?}: {found:?}");
    }
    let mut ingest = Running::start(command(url, &["ingest", native]));
    ingest.wait_for_line("another process is writing to the database");
    assert_eq!(ingest.child.try_wait().unwrap(), None);
    lock.commit().await.unwrap();
    assert_eq!(ingest.end(), Some(0));
}

on_both_databases!(commands_read_beside_a_long_writer_and_ingest_waits_for_it);

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_only_read_create_no_database_and_say_what_to_run() {
    let folder = tempfile::tempdir().unwrap();
    let config = config_in(&folder);
    let found = output(command(config.database_url.reveal(), &["rounds"])).await;
    let errors = String::from_utf8_lossy(&found.stderr).into_owned();
    assert!(!found.status.success(), "{errors}");
    assert!(errors.contains("does not exist yet: "), "{errors}");
    assert!(errors.contains("`migrate` creates it"), "{errors}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn run_waits_for_a_postgresql_that_is_down_at_the_start() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    open(&url).await.database.close().await;
    let chaos = Chaos::before(([127, 0, 0, 1], cluster.port()).into()).await;
    let (direct, through) = (cluster.port().to_string(), chaos.address.port().to_string());
    let through = url.replace(&direct, &through);
    chaos.refuse(true);
    for role in ["run", "receive", "serve"] {
        let mut bot = Running::start(command(&through, &[role]));
        bot.wait_for_line("waiting for the database");
        assert_eq!(bot.terminate(), Some(0), "{role} stops while it waits");
    }
    let mut bot = Running::start(command(&through, &["run"]));
    bot.wait_for_line("waiting for the database");
    let cuts = chaos.cuts();
    gametimes_test_support::wait_for("more attempts", || chaos.cuts() > cuts + 2);
    chaos.refuse(false);
    let meanwhile = bot.wait_for_line("the database answers");
    assert_eq!(meanwhile, Vec::<String>::new(), "one line for each change");
    bot.wait_for_line("listening on");
    assert_eq!(bot.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_postgresql_is_reported_with_the_reason() {
    let url = "postgres://nobody:very-secret@127.0.0.1:1/x";
    for arguments in [
        &["rounds"][..],
        &["ingest", "/dev/null"],
        &["migrate"],
        &["doctor"],
    ] {
        let found = output(command(url, arguments)).await;
        let text = [found.stdout, found.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(!found.status.success());
        assert!(text.contains("Connection refused"), "{arguments:?}: {text}");
        assert!(!text.contains("very-secret"), "{text}");
    }
}

fn modes(folder: &Path) -> Vec<(String, u32)> {
    let mut modes: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            (entry.file_name().into_string().unwrap(), mode & 0o777)
        })
        .collect();
    modes.sort();
    modes
}

fn all(mode: u32) -> Vec<(String, u32)> {
    ["bot.db", "bot.db-shm", "bot.db-wal"]
        .map(|name| (name.to_owned(), mode))
        .to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn database_files_are_private_whatever_the_umask_unless_a_setting_opens_them() {
    let folder = tempfile::tempdir().unwrap();
    let config = config_in(&folder);
    let url = config.database_url.reveal();
    let mut bot = Running::start(command(url, &["run"]));
    bot.wait_for_line("listening on");
    assert_eq!(modes(folder.path()), all(0o600));
    assert_eq!(bot.terminate(), Some(0));
    // The setting also applies to a database that exists.
    for (setting, mode) in [("0640", 0o640), ("600", 0o600)] {
        let mut command = command(url, &["run"]);
        command.env("GAMETIMES_DATABASE_FILE_MODE", setting);
        let mut bot = Running::start(command);
        bot.wait_for_line("listening on");
        assert_eq!(modes(folder.path()), all(mode));
        assert_eq!(bot.terminate(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn database_that_everybody_may_read_is_reported_by_doctor() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder).await;
    let config = config_in(&folder);
    let reported = async || {
        let found = examine(&config).await;
        let finding = found.into_iter().find(|f| f.what == "database files")?;
        (!finding.good).then_some(finding.text)
    };
    assert_eq!(reported().await, None);
    let file = folder.path().join("bot.db-wal");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    let text = reported().await.expect("a finding");
    assert!(
        text.contains("chmod 600") && text.contains("bot.db-wal"),
        "{text}"
    );
    store.database.close().await;
}
