//! Checks everything outside of the bot, and explains what to do.

mod database;
mod discord;

use std::fmt;

use gametimes_format::text::{counted, one_line};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::net::TcpListener;

use crate::config::{Config, Ssh};
use crate::files::folder::LocalDirectory;
use crate::files::is_round_file;
use crate::files::poller::Directory;
use crate::files::sftp::{FolderKind, RemoteDirectory};
use crate::files::ssh::{SshServer, check_key_file, check_known_hosts};
use crate::log::LINE_CHARS_MAX;

/// Clocks that differ by more than this are reported, because times in the log and on the pages would not match.
const CLOCK_SECONDS: i64 = 5;

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub what: String,
    /// What was found; or what is wrong, and what to do.
    pub text: String,
    /// Whether it is as it should be.
    pub good: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.good { "ok  " } else { "FAIL" };
        // Servers and Discord write parts of the text.
        let line = format!("{}: {}", self.what, self.text);
        write!(f, "{mark}  {}", one_line(&line, LINE_CHARS_MAX))
    }
}

/// All findings, in the order in which they are printed.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn good(&mut self, what: &str, text: impl Into<String>) {
        self.0.push(Finding {
            what: what.into(),
            text: text.into(),
            good: true,
        });
    }

    fn bad(&mut self, what: &str, text: impl Into<String>) {
        self.0.push(Finding {
            what: what.into(),
            text: text.into(),
            good: false,
        });
    }
}

/// Checks everything that the settings name.
pub async fn examine(config: &Config) -> Vec<Finding> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut found = Findings::default();
    database::examine(config, &mut found).await;
    match &config.discord {
        Some(settings) => discord::examine(settings, &mut found).await,
        None if config.has_sources() => found.good(
            "discord",
            "not configured; rounds come from folders and SSH servers only",
        ),
        None => found.bad(
            "sources",
            "nothing is configured that rounds could come from; run `gametimes-bot init`, or set discord, folders or ssh",
        ),
    }
    for ssh in &config.ssh {
        ssh_server(ssh, &mut found).await;
    }
    for folder in &config.folders {
        let what = format!("folder {}", folder.path.display());
        directory(&what, LocalDirectory::new(&folder.path), &mut found).await;
    }
    listen(config, &mut found).await;
    time_zone(config, &mut found);
    found.0
}

fn clock(what: &str, unix: i64, found: &mut Findings) {
    let apart = (unix - Timestamp::now().as_second()).abs();
    if apart <= CLOCK_SECONDS {
        found.good(what, format!("differs by {apart} s from this machine's"));
    } else {
        found.bad(
            what,
            format!(
                "differs by {apart} s from this machine's; synchronize both with an NTP server"
            ),
        );
    }
}

fn time_zone(config: &Config, found: &mut Findings) {
    let zone = config
        .time_zone
        .iana_name()
        .map_or_else(|| "this machine's".to_owned(), str::to_owned);
    let now = Timestamp::now().to_zoned(config.time_zone.clone());
    let text = format!(
        "{zone}, where it is {} now; must be the time zone of the game servers (time_zone)",
        now.strftime("%H:%M")
    );
    if config.time_zone == TimeZone::unknown() {
        found.bad(
            "time zone",
            "this machine's is unknown; set time_zone to that of the game servers, for example Europe/Berlin",
        );
    } else {
        found.good("time zone", text);
    }
}

async fn ssh_server(ssh: &Ssh, found: &mut Findings) {
    let what = format!("ssh {}@{}:{}", ssh.user, ssh.host, ssh.port);
    if let Err(error) = check_known_hosts(&ssh.known_hosts) {
        let (host, port) = (&ssh.host, ssh.port);
        return found.bad(
            &what,
            format!("{error}; create the file with: ssh-keyscan -p {port} {host} (and compare the fingerprint)"),
        );
    }
    if let Err(error) = check_key_file(&ssh.key_file) {
        return found.bad(&what, error);
    }
    let server = SshServer::new(ssh.clone());
    let folders = [
        (&ssh.stats_dir, FolderKind::Stats),
        (&ssh.gametimes_dir, FolderKind::Gametimes),
    ];
    for (path, kind) in folders {
        if let Some(path) = path {
            let what = format!("{what} {path}");
            directory(
                &what,
                RemoteDirectory::new(server.clone(), path, kind),
                found,
            )
            .await;
        }
    }
}

/// Checks that a folder can be listed, and counts the files in it that the bot reads.
async fn directory(what: &str, mut directory: impl Directory, found: &mut Findings) {
    match directory.list().await {
        Err(error) => found.bad(
            what,
            format!("{error}; check that the folder exists and that the bot may read it"),
        ),
        Ok(files) => {
            let wanted = files.iter().filter(|f| is_round_file(&f.name)).count();
            let text = format!(
                "{wanted} of {} are stats files or gametimes files",
                counted(files.len(), "file")
            );
            found.good(what, text);
        }
    }
}

async fn listen(config: &Config, found: &mut Findings) {
    match TcpListener::bind(config.listen).await {
        Ok(_) => found.good("listen", format!("{} is free", config.listen)),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            found.good(
                "listen",
                format!(
                    "{} is in use: either the bot is running already, or change listen",
                    config.listen
                ),
            );
        }
        Err(error) => found.bad(
            "listen",
            format!(
                "{}: {error}; choose an address of this machine",
                config.listen
            ),
        ),
    }
}
