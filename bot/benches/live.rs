//! Live: 500 browsers on one bot, and how long it takes from the recorder to a browser over each transport.
//!
//! `cargo bench --package gametimes-bot --bench live`; the number of browsers can be given.

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use self::support::BotProcess;
use gametimes_format::digest::sign;
use gametimes_test_support::bot::sshd::Sshd;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

const KEY: &str = "the key of posted snapshots";
/// How long the browsers watch, and how often something happens: as often as recorders write.
const WATCH: Duration = Duration::from_secs(60);
const EVERY: Duration = Duration::from_millis(200);
/// Events of which the time to the browser is measured, for each transport.
const EVENTS: u64 = 100;

#[tokio::main]
async fn main() {
    let numbers = std::env::args().skip(1).find_map(|arg| arg.parse().ok());
    let browsers: usize = numbers.unwrap_or(500);
    println!("## Live");
    println!();
    println!("| {browsers} browsers, 5 snapshots of 12 players a second | |");
    println!("| --- | ---: |");
    many_browsers(browsers).await;
    println!();
    println!("| from the recorder to the browser, ms | median | 95th percentile | max |");
    println!("| --- | ---: | ---: | ---: |");
    latency("POST").await;
    latency("folder").await;
    latency("SFTP").await;
}

/// A bot, and what it uses.
struct Bot(BotProcess);

impl Bot {
    async fn start(folder: &Path, settings: &str) -> Self {
        let database = folder.join("bot.db");
        let common = format!(
            "database_url = 'sqlite:{}'\nlive_delay_seconds = 0\nlive_key = '{KEY}'\nmax_connections = 2000\n{settings}",
            database.display()
        );
        Self(BotProcess::start(folder, "run", &common).await)
    }

    /// Processor time so far, in clock ticks, of which a second has 100.
    fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.process.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let fields: Vec<&str> = fields.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    fn resident_mib(&self) -> f64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.0.process.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1024.0
    }

    async fn post(&self, snapshot: &Value) {
        let body = snapshot.to_string();
        let signature = sign(KEY.as_bytes(), body.as_bytes());
        let request = format!(
            "POST /api/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Gametimes-Signature: sha256={signature}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.0.port))
            .await
            .unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = String::new();
        BufReader::new(stream).read_line(&mut status).await.unwrap();
        assert!(status.contains(" 204 "), "{status}");
    }
}

/// A fight of 6 against 6. The map's name contains the number of the snapshot.
fn snapshot(seq: u64) -> Value {
    let player = |slot: u64| {
        json!({"slot": slot, "guid": format!("{slot:032X}"), "name": format!("player number {slot}"), "team": 1 + slot % 2,
            "class": "medic", "life": if (slot + seq).is_multiple_of(3) { "limbo" } else { "alive" }, "since_ms": 60_000, "kills": seq % 30,
            "deaths": 5, "revives": 1, "dead_ms": 45_000, "denied_ms": 30_000, "is_bot": false})
    };
    let event = |n: u64| {
        json!({"t_ms": 200_000 + n, "kind": "death", "guid": format!("{:032X}", n % 12), "by": format!("{:032X}", (n + 1) % 12),
            "mod": "MOD_MP40", "class": "medic"})
    };
    json!({"schema": 1, "seq": seq, "unix_ms": Timestamp::now().as_millisecond(),
        "server": {"ip": "192.0.2.7", "port": "27960", "hostname": "A server"}, "state": "playing", "map": format!("map_{seq}_"),
        "round": 2, "match_uid": "01a1", "gametype": 3, "config": "legacy6", "played_ms": 300_000, "limit_ms": 372_000,
        "target_ms": 372_000, "score": {"axis": 1, "allies": 0}, "sides": {"team_a": 1, "team_b": 2}, "pause": null,
        "waves": {"axis": {"interval_ms": 30_000, "next_in_ms": 21_000}, "allies": {"interval_ms": 20_000, "next_in_ms": 11_000}},
        "players": (0..12).map(player).collect::<Vec<_>>(), "events": (0..30).map(event).collect::<Vec<_>>()})
}

/// Reads streams, one after the other, and calls `seen` for each line.
async fn browse(port: u16, mut seen: impl FnMut(&str)) {
    loop {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = b"GET /live/stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut lines = BufReader::with_capacity(16 * 1024, stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            seen(&line);
        }
        sleep(Duration::from_millis(250)).await;
    }
}

/// The number of the snapshot that a line shows.
fn number_in(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("map_")?;
    rest.split('_').next()?.parse().ok()
}

async fn many_browsers(browsers: usize) {
    let folder = tempfile::tempdir().unwrap();
    let bot = Bot::start(folder.path(), "").await;
    bot.post(&snapshot(1)).await;
    let idle_mib = bot.resident_mib();
    let seen: Arc<Vec<AtomicUsize>> =
        Arc::new((0..browsers).map(|_| AtomicUsize::new(0)).collect());
    // They leave before the bot does.
    let mut open = JoinSet::new();
    for n in 0..browsers {
        let (seen, port) = (Arc::clone(&seen), bot.0.port);
        open.spawn(browse(port, move |line| {
            if number_in(line).is_some() {
                seen[n].fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    while seen.iter().any(|count| count.load(Ordering::Relaxed) == 0) {
        sleep(Duration::from_millis(50)).await;
    }
    let (before, started) = (bot.ticks(), Instant::now());
    let (mut ticks, mut sent, mut most_mib) = (interval(EVERY), 0, 0.0_f64);
    while started.elapsed() < WATCH {
        ticks.tick().await;
        sent += 1;
        bot.post(&snapshot(1 + sent)).await;
        most_mib = most_mib.max(bot.resident_mib());
    }
    let cpu = (bot.ticks() - before) as f64 / started.elapsed().as_secs_f64();
    let mut counts: Vec<usize> = seen
        .iter()
        .map(|count| count.load(Ordering::Relaxed))
        .collect();
    counts.sort_unstable();
    println!("| memory before the first browser | {idle_mib:.1} MiB |");
    println!(
        "| memory at most, in {} s | {most_mib:.1} MiB |",
        WATCH.as_secs()
    );
    println!("| processor, of one core | {cpu:.0} % |");
    println!("| snapshots sent | {sent} |");
    println!(
        "| snapshots that a browser got: fewest, median | {}, {} |",
        counts[0],
        counts[browsers / 2]
    );
}

async fn latency(transport: &str) {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("gametimes");
    std::fs::create_dir_all(home.join("live")).unwrap();
    let sshd = (transport == "SFTP").then(Sshd::start);
    let settings = match (&sshd, transport) {
        (Some(sshd), _) => {
            let ssh = sshd.settings(&home, Some(&home));
            format!(
                "[ssh]\nhost = '{}'\nport = {}\nuser = '{}'\nkey_file = '{}'\nknown_hosts = '{}'\ngametimes_dir = '{}'\n",
                ssh.host,
                ssh.port,
                ssh.user,
                ssh.key_file.display(),
                ssh.known_hosts.display(),
                home.display()
            )
        }
        (None, "folder") => format!("folders = ['{}']\n", home.display()),
        (None, _) => String::new(),
    };
    let (shown, mut shown_now) = watch::channel((0, Instant::now()));
    let file = home.join("live").join("192.0.2.7_27960.json");
    let write = |seq: u64| {
        std::fs::write(home.join("live").join("new"), snapshot(seq).to_string()).unwrap();
        std::fs::rename(home.join("live").join("new"), &file).unwrap();
    };
    if transport != "POST" {
        write(1);
    }
    let bot = Bot::start(folder.path(), &settings).await;
    if transport == "POST" {
        bot.post(&snapshot(1)).await;
    }
    let port = bot.0.port;
    let browser = tokio::spawn(browse(port, move |line| {
        if let Some(seq) = number_in(line) {
            shown.send_replace((seq, Instant::now()));
        }
    }));
    shown_now.wait_for(|shown| shown.0 == 1).await.unwrap();
    let mut times = Vec::new();
    for seq in 2..EVENTS + 2 {
        // At any moment between two reads.
        sleep(Duration::from_millis(150 + seq * 37 % 200)).await;
        let happened = Instant::now();
        match transport {
            "POST" => bot.post(&snapshot(seq)).await,
            _ => write(seq),
        }
        // A stream may end just now, and the next one begins with the newest.
        let (_, at) = *shown_now.wait_for(|shown| shown.0 >= seq).await.unwrap();
        times.push(at.duration_since(happened).as_secs_f64() * 1000.0);
    }
    browser.abort();
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    println!(
        "| {transport} | {:.0} | {:.0} | {:.0} |",
        at(50),
        at(95),
        at(100)
    );
}
