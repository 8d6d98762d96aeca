//! `cargo xtask soak`: a day of matches in a few minutes, against a webhook that fails a lot. Nothing may leak or be lost.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gametimes_standin::play::Player;
use gametimes_standin::tape::{Bytes, Line};
use gametimes_standin::{Server, recorded};
use gametimes_test_support::webhook::{NO_CONTENT, Reply, Webhook};

use crate::run::build_module;

/// The time between two recorded matches, as between two maps.
const BETWEEN_MATCHES_MS: i64 = 20_000;
/// The server waits while more messages than this are in its outbox, because Discord's limits run in real time.
const QUEUE_LIMIT: usize = 60;
/// How much more memory, in KiB, the last third of the day may use than the second: the normal variation of a heap.
const NOISE_KIB: u64 = 1024;

/// Plays the recorded matches in a loop through one server process, loading and unloading every map, and posts every round to a
/// webhook that refuses, hangs, cuts off and answers garbage. Fails if memory, threads or file descriptors grow, or if a
/// round is lost.
#[derive(Debug, clap::Args)]
pub struct Soak {
    /// Hours of match time to play.
    #[arg(long, default_value_t = 24)]
    hours: u32,
}

/// The server of a soak. It runs in a separate process, whose memory can be measured.
#[derive(Debug, clap::Args)]
pub struct SoakServer {
    #[arg(long)]
    module: PathBuf,
    #[arg(long)]
    home: PathBuf,
    #[arg(long)]
    webhook: String,
    #[arg(long)]
    hours: u32,
}

/// What the server process uses at the end of an hour.
#[derive(Debug, Clone, Copy)]
struct Sample {
    rss_kib: u64,
    threads: usize,
    descriptors: usize,
    rounds: usize,
    waiting: usize,
}

impl Soak {
    pub fn run(self) -> Result<(), String> {
        let module = build_module()?;
        let home = tempfile::tempdir().map_err(|e| e.to_string())?;
        let hook = Webhook::start(hostile(self.hours as usize * 200));
        let began = Instant::now();
        let mut server = Command::new(std::env::current_exe().map_err(|e| e.to_string())?)
            .args(["soak-server", "--webhook", &hook.url()])
            .args(["--hours", &self.hours.to_string()])
            .arg("--module")
            .arg(module)
            .arg("--home")
            .arg(home.path())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| e.to_string())?;
        println!(
            "| hour | memory KiB | threads | descriptors | rounds written | messages waiting | posts | delivered |"
        );
        println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        let mut samples = Vec::new();
        for line in BufReader::new(server.stdout.take().expect("piped")).lines() {
            let line = line.map_err(|e| e.to_string())?;
            if line != "hour" {
                println!("server: {line}");
                continue;
            }
            let sample = Sample::take(server.id(), home.path())?;
            samples.push(sample);
            let requests = hook.requests();
            println!(
                "| {} | {} | {} | {} | {} | {} | {} | {} |",
                samples.len(),
                sample.rss_kib,
                sample.threads,
                sample.descriptors,
                sample.rounds,
                sample.waiting,
                requests.len(),
                requests.iter().filter(|r| r.accepted).count()
            );
        }
        let status = server.wait().map_err(|e| e.to_string())?;
        println!(
            "\n{} hours in {} seconds",
            self.hours,
            began.elapsed().as_secs()
        );
        if !status.success() {
            return Err(format!("the server exited with {status}"));
        }
        check_nothing_is_lost(home.path(), &hook)?;
        check_nothing_grew(&samples)
    }
}

impl Sample {
    fn take(process: u32, home: &Path) -> Result<Self, String> {
        let process = Path::new("/proc").join(process.to_string());
        let status = std::fs::read_to_string(process.join("status")).map_err(|e| e.to_string())?;
        let rss = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        let rss = rss.and_then(|l| l.split_whitespace().next()?.parse().ok());
        let folder = home.join("legacy/gametimes");
        Ok(Self {
            rss_kib: rss.ok_or("no VmRSS in /proc")?,
            threads: count(&process.join("task")),
            descriptors: count(&process.join("fd")),
            rounds: names(&folder).filter(|n| n.ends_with(".json")).count(),
            waiting: count(&queue(home)),
        })
    }
}

fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().into_string().ok())
}

fn count(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

fn outbox(home: &Path) -> PathBuf {
    let outbox = home.join("legacy/gametimes/outbox");
    let instance = names(&outbox).next();
    outbox.join(instance.unwrap_or_default())
}

fn queue(home: &Path) -> PathBuf {
    outbox(home).join("queue")
}

/// Checks that every saved round was delivered, or is kept in `rejected/` because the webhook refused it permanently.
fn check_nothing_is_lost(home: &Path, hook: &Webhook) -> Result<(), String> {
    let folder = home.join("legacy/gametimes");
    let mut rounds = BTreeSet::new();
    for name in names(&folder).filter(|n| n.ends_with(".json")) {
        let bytes = std::fs::read(folder.join(&name)).map_err(|e| format!("{name}: {e}"))?;
        let file: gametimes_format::GametimesFile =
            serde_json::from_slice(&bytes).map_err(|e| format!("{name}: {e}"))?;
        rounds.insert(file.meta.event_id);
    }
    let taken = hook.accepted();
    let unique: BTreeSet<String> = taken.iter().cloned().collect();
    let rejected: Vec<String> = names(&outbox(home).join("rejected"))
        .filter(|n| n.ends_with(".json"))
        .collect();
    let lost: Vec<&String> = rounds
        .difference(&unique)
        .filter(|id| !rejected.iter().any(|name| name.contains(id.as_str())))
        .collect();
    println!(
        "{} rounds, {} messages delivered ({} repeated), {} refused permanently, {} lost",
        rounds.len(),
        unique.len(),
        taken.len() - unique.len(),
        rejected.len(),
        lost.len()
    );
    if lost.is_empty() && rounds.len() == unique.len() + rejected.len() {
        Ok(())
    } else {
        Err(format!("messages were lost: {lost:?}"))
    }
}

/// Compares the last third of the day with the second; after the first, all buffers have reached their size.
fn check_nothing_grew(samples: &[Sample]) -> Result<(), String> {
    let third = samples.len() / 3;
    if third == 0 {
        println!("the soak is too short to measure growth");
        return Ok(());
    }
    let (second, last) = (
        &samples[third..2 * third],
        &samples[samples.len() - third..],
    );
    let median = |samples: &[Sample], of: fn(&Sample) -> u64| {
        let mut values: Vec<u64> = samples.iter().map(of).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    type Resource = (&'static str, fn(&Sample) -> u64, u64);
    let resources: [Resource; 3] = [
        ("KiB of memory", |s| s.rss_kib, NOISE_KIB),
        ("threads", |s| s.threads as u64, 0),
        ("file descriptors", |s| s.descriptors as u64, 0),
    ];
    let mut grew = Vec::new();
    for (what, of, noise) in resources {
        let (before, after) = (median(second, of), median(last, of));
        println!("{what}: median {before} in the second third of the day, {after} in the last");
        if after > before + noise {
            grew.push(what);
        }
    }
    if grew.is_empty() {
        Ok(())
    } else {
        Err(format!("{} grew", grew.join(" and ")))
    }
}

/// How the webhook answers the posts of the day. Deterministic for a given length.
fn hostile(length: usize) -> Vec<Reply> {
    const LIMITED: Reply = Reply::Answer(
        429,
        "",
        r#"{"message":"limited","retry_after":0.4,"global":false}"#,
    );
    const INVALID: Reply =
        Reply::Answer(400, "", r#"{"message":"Invalid Form Body","code":50035}"#);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        match random >> 32 & 0xff {
            0..16 => Reply::Answer(500, "", ""),
            16..22 => Reply::Answer(502, "", "<html>bad gateway</html>"),
            22..38 => LIMITED,
            38..46 => Reply::Refuse,
            46..54 => Reply::CutHeaders,
            54..62 => Reply::CutBody,
            62..70 => Reply::Garbage,
            70..78 => Reply::Slow(Duration::from_secs(2)),
            78..88 => INVALID,
            88 => Reply::Hang(Duration::from_secs(100)), // longer than the module waits
            _ => NO_CONTENT,
        }
    };
    (0..length).map(|_| next()).collect()
}

impl SoakServer {
    pub fn run(self) -> Result<(), String> {
        let tapes = recorded::NAMES.map(recorded::tape);
        let mut tapes = tapes.into_iter().collect::<Result<Vec<_>, _>>()?;
        for line in tapes.iter_mut().flat_map(|tape| &mut tape.lines) {
            // They were recorded on several servers; here all of them are played on one.
            if let Line::Cvars { values } = line {
                values.insert("net_port".to_owned(), Bytes(b"27960".to_vec()));
            }
        }
        let mut server = Server::new(&self.module, &self.home, &self.home.join("base"))?;
        server.set_cvar("gametimes_webhook_url", &self.webhook);
        server.set_cvar("gametimes_backlog_seconds", "0");
        server.set_cvar("gametimes_min_seconds", "0");
        server.set_cvar("gametimes_keep_days", "0");
        let begin_ms = 1_795_000_000_000;
        let mut now_ms = begin_ms;
        let mut hours = 0;
        for tape in tapes.iter().cycle() {
            let mut player = Player::new(tape, false).starting_at(now_ms);
            while player.step(&mut server, |_| {})? {}
            now_ms = player.unix_ms() + BETWEEN_MATCHES_MS;
            for line in server.take_console().lines() {
                if ["internal error", "were lost", "cannot be", "disk is slow"]
                    .iter()
                    .any(|bad| line.contains(bad))
                {
                    println!("{line}");
                }
            }
            wait_for_outbox(&self.home, QUEUE_LIMIT);
            while hours < (now_ms - begin_ms) / 3_600_000 {
                hours += 1;
                println!("hour");
                std::thread::sleep(Duration::from_millis(200)); // time to take the sample
            }
            if hours >= i64::from(self.hours) {
                break;
            }
        }
        wait_for_outbox(&self.home, 0);
        Ok(())
    }
}

/// Waits until at most this many messages are in the outbox, up to 15 minutes.
fn wait_for_outbox(home: &Path, messages: usize) {
    let deadline = Instant::now() + Duration::from_secs(900);
    while count(&queue(home)) > messages && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
    }
}
