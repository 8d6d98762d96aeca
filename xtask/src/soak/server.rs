//! The server of a soak.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use gametimes_format::GametimesFile;
use gametimes_standin::play::Player;
use gametimes_standin::tape::{Bytes, Line};
use gametimes_standin::{Server, Tape, recorded};

use super::usage::count;

/// The time between two recorded matches, as between two maps.
const BETWEEN_MATCHES_MS: i64 = 20_000;
/// The server waits while more messages than this are in its outbox, because Discord's limits run in real time.
const QUEUE_LIMIT: usize = 60;
/// When the first evening begins, in unix milliseconds.
const BEGIN_MS: i64 = 1_790_000_000_000;
/// A community plays in the evening. A day of nothing but matches would be more than any bot has to summarize.
const EVENING_MS: i64 = 4 * 3_600_000;
/// The rest of the day.
const BETWEEN_EVENINGS_MS: i64 = 20 * 3_600_000;

/// The server of a soak. It ends when its input does.
#[derive(Debug, clap::Args)]
pub struct SoakServer {
    #[arg(long)]
    module: PathBuf,
    #[arg(long)]
    home: PathBuf,
    #[arg(long)]
    port: u16,
    #[arg(long)]
    webhook: String,
    /// Where the live snapshots are posted; if missing, nowhere.
    #[arg(long)]
    live_url: Option<String>,
    #[arg(long)]
    key: String,
    #[arg(long)]
    hours: u32,
}

/// What a server reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It has played another hour, and waits for [`ServerProcess::go_on`].
    Hour,
    /// The day is over, and one last match begins.
    LastMatch,
    /// Everything is played, and the outbox is empty.
    Done,
    /// A line of its console.
    Console(String),
}

/// A running server process.
pub struct ServerProcess {
    process: Child,
    input: Option<ChildStdin>,
}

impl SoakServer {
    pub fn run(self) -> Result<(), String> {
        let mut tapes = Vec::new();
        for name in recorded::NAMES {
            tapes.push(self.on_this_server(recorded::tape(name)?));
        }
        let mut server = Server::new(&self.module, &self.home, &self.home.join("base"))?;
        server.set_cvar("gametimes_webhook_url", &self.webhook);
        server.set_cvar("gametimes_backlog_seconds", "0");
        server.set_cvar("gametimes_min_seconds", "0");
        server.set_cvar("gametimes_keep_days", "0");
        server.set_cvar("gametimes_hmac_key", &self.key);
        server.set_cvar("gametimes_live", "1");
        if let Some(url) = &self.live_url {
            server.set_cvar("gametimes_live_url", url);
        }
        let (mut now_ms, mut played_ms) = (BEGIN_MS, 0);
        let mut hours = 0;
        for tape in tapes.iter().cycle() {
            let end_ms = self.play(&mut server, tape, now_ms)?;
            let evenings = played_ms / EVENING_MS;
            played_ms += end_ms - now_ms;
            now_ms = end_ms + (played_ms / EVENING_MS - evenings) * BETWEEN_EVENINGS_MS;
            while hours < played_ms / 3_600_000 {
                hours += 1;
                println!("hour");
                if !is_told_to_continue() {
                    return Ok(());
                }
            }
            if hours >= i64::from(self.hours) {
                break;
            }
        }
        println!("last match");
        self.play(&mut server, &tapes[0], now_ms)?;
        wait_for_outbox(&self.home, 0);
        println!("done");
        is_told_to_continue();
        Ok(())
    }

    /// A match that was recorded on some server, on this one.
    fn on_this_server(&self, mut tape: Tape) -> Tape {
        for line in &mut tape.lines {
            if let Line::Cvars { values } = line {
                let port = self.port.to_string().into_bytes();
                values.insert("net_port".to_owned(), Bytes(port));
            }
        }
        tape
    }

    /// Plays a match; returns when the next one begins.
    fn play(&self, server: &mut Server, tape: &Tape, begin_ms: i64) -> Result<i64, String> {
        let mut player = Player::new(tape, false).starting_at(begin_ms);
        while player.step(server, |_| {})? {}
        for line in server.take_console().lines() {
            if ["internal error", "were lost", "cannot be", "disk is slow"]
                .iter()
                .any(|bad| line.contains(bad))
            {
                println!("{line}");
            }
        }
        wait_for_outbox(&self.home, QUEUE_LIMIT);
        Ok(player.unix_ms() + BETWEEN_MATCHES_MS)
    }
}

/// Waits for a line on the input; false at its end.
fn is_told_to_continue() -> bool {
    std::io::stdin()
        .read_line(&mut String::new())
        .is_ok_and(|bytes| bytes > 0)
}

impl ServerProcess {
    /// Starts a server with these options of [`SoakServer`]; `report` gets its events.
    pub fn start(
        home: &Path,
        options: &[(&str, &str)],
        report: impl Fn(Event) + Send + 'static,
    ) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut command = Command::new(program);
        command.arg("soak-server").arg("--home").arg(home);
        command.args(options.iter().flat_map(|(name, value)| [name, value]));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(|e| e.to_string())?;
        let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                report(match line.as_str() {
                    "hour" => Event::Hour,
                    "last match" => Event::LastMatch,
                    "done" => Event::Done,
                    _ => Event::Console(line),
                });
            }
        });
        Ok(Self {
            input: process.stdin.take(),
            process,
        })
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Lets the server play the next hour.
    pub fn go_on(&mut self) -> Result<(), String> {
        let input = self.input.as_mut().ok_or("the server was stopped")?;
        writeln!(input).map_err(|e| format!("the server has ended: {e}"))
    }

    /// Lets the server end.
    pub fn stop(mut self) -> Result<(), String> {
        drop(self.input.take());
        let status = self.process.wait().map_err(|e| e.to_string())?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the server exited with {status}"))
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The names in a folder.
pub fn names(folder: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().into_string().ok())
}

/// The folder with a server's files.
pub fn files_folder(home: &Path) -> PathBuf {
    home.join("legacy/gametimes")
}

/// The server's folder in the outbox.
pub fn outbox(home: &Path) -> PathBuf {
    let outbox = files_folder(home).join("outbox");
    let instance = names(&outbox).next();
    outbox.join(instance.unwrap_or_default())
}

/// How many messages wait to be sent.
pub fn waiting(home: &Path) -> usize {
    count(&outbox(home).join("queue"))
}

/// How many rounds were written.
pub fn round_count(home: &Path) -> usize {
    let names = names(&files_folder(home));
    names.filter(|n| n.ends_with(".json")).count()
}

/// The ids of the events of all rounds that were written.
pub fn rounds(home: &Path) -> Result<BTreeSet<String>, String> {
    let folder = files_folder(home);
    let mut rounds = BTreeSet::new();
    for name in names(&folder).filter(|n| n.ends_with(".json")) {
        let bytes = std::fs::read(folder.join(&name)).map_err(|e| format!("{name}: {e}"))?;
        let file: GametimesFile =
            serde_json::from_slice(&bytes).map_err(|e| format!("{name}: {e}"))?;
        if !rounds.insert(file.meta.event_id) {
            return Err(format!("{name}: another file has the same event_id"));
        }
    }
    Ok(rounds)
}

/// Waits until at most this many messages are in the outbox, up to 15 minutes.
fn wait_for_outbox(home: &Path, messages: usize) {
    let deadline = Instant::now() + Duration::from_secs(900);
    while waiting(home) > messages && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
    }
}
