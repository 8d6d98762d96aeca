//! Three servers, a Discord that loses connections, and three bots on one PostgreSQL: one receives, one receives and serves, one serves.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use gametimes_discord_standin::{Discord, Webhook};
use gametimes_format::live::Snapshot;
use gametimes_test_support::live::snapshot;
use gametimes_test_support::postgres::Cluster;
use gametimes_test_support::{free_port, wait_for};
use serde_json::Value;

use super::server::{Event, ServerProcess, files_folder, round_count, rounds};
use super::usage::{Noise, Usage, check_nothing_grew};
use super::{KEY, SERVER_NOISE};
use crate::run::{build_module, cargo, run as run_command, target};

/// The token that shows everything at once.
const TOKEN: &str = "token-of-the-soak";
const SERVERS: u16 = 3;
/// A bot opens connections to the database, and threads for files, when it needs them, and closes them when they have been idle. Its heap
/// keeps the size of the largest batches, in pieces, of which most is free (docs/hardness.md). In a third of the day 900 rounds are stored: if
/// a bot kept the report of each, 60 KiB in memory, it would grow by more.
const BOT_NOISE: Noise = Noise {
    memory_kib: 32 * 1024,
    threads: 16,
    descriptors: 8,
};
/// What is asked of the bots that serve, each hour.
const PATHS: [&str; 7] = [
    "/",
    "/rounds",
    "/players",
    "/maps",
    "/live",
    "/api/rounds?limit=500",
    "/metrics",
];

/// A bot's process, killed on drop.
struct Bot {
    role: &'static str,
    process: Child,
    log: PathBuf,
    url: String,
    samples: Vec<Usage>,
}

pub fn run(hours: u32) -> Result<(), String> {
    let module = build_module()?;
    run_command(&mut cargo(&["build", "--package", "gametimes-bot"]))?;
    // Stays, so that the logs can be read afterwards.
    let folder = target().join("soak");
    drop(fs::remove_dir_all(&folder));
    let discord = Discord::start().map_err(|e| e.to_string())?;
    let cluster = Cluster::shared();
    let database = Database::new(cluster);
    let webhooks: Vec<Webhook> = std::iter::once(discord.webhook())
        .chain((1..SERVERS).map(|_| discord.add_webhook(discord.channel_id())))
        .collect();
    let homes: Vec<PathBuf> = (0..SERVERS)
        .map(|n| folder.join(format!("server{n}")))
        .collect();
    for home in &homes {
        fs::create_dir_all(files_folder(home)).map_err(|e| e.to_string())?;
    }
    let began = Instant::now();
    let start_bot = |role, homes: &[PathBuf]| {
        let settings = Settings {
            discord: &discord,
            webhooks: &webhooks,
            database: &database.url,
            homes,
        };
        Bot::start(role, &folder, &settings)
    };
    // The last server posts its snapshots to the second bot, which does not see its folder.
    let mut bots = vec![
        start_bot("receive", &homes)?,
        start_bot("run", &homes[..2])?,
    ];
    bots[1].wait_until(|health| health["discord_connected"] == true)?;
    bots.push(start_bot("serve", &[])?);
    bots[2].wait_until(|health| health["status"] == "ok")?;

    let (report, events) = mpsc::channel();
    let mut servers = Vec::new();
    for (n, (home, webhook)) in homes.iter().zip(&webhooks).enumerate() {
        let live_url = format!("{}/api/live", bots[1].url);
        let port = (27960 + n).to_string();
        let (module, hours) = (module.display().to_string(), hours.to_string());
        let webhook = discord.url_of(webhook);
        let mut options = vec![
            ("--module", module.as_str()),
            ("--port", &port),
            ("--webhook", &webhook),
            ("--key", KEY),
            ("--hours", &hours),
        ];
        if n == 2 {
            options.push(("--live-url", &live_url));
        }
        let report = report.clone();
        let report = move |event| drop(report.send((n, event)));
        servers.push(ServerProcess::start(home, &options, report)?);
    }
    drop(report);
    let samples = follow(
        &mut servers,
        &homes,
        &mut bots,
        &events,
        &discord,
        &database,
    )?;
    println!("\n{hours} hours in {} seconds", began.elapsed().as_secs());
    check_live(&homes, &bots)?;
    for server in servers {
        server.stop()?;
    }
    check_rounds(&homes, &database)?;
    for bot in &bots {
        bot.check_log()?;
    }
    let servers = samples.iter().enumerate();
    let servers = servers.map(|(n, samples)| {
        check_nothing_grew(&format!("server {}", n + 1), samples, SERVER_NOISE)
    });
    let bots = bots
        .iter()
        .map(|bot| check_nothing_grew(bot.role, &bot.samples, BOT_NOISE));
    let results: Vec<_> = servers.chain(bots).collect();
    results.into_iter().collect()
}

/// Takes samples each hour, until all servers are done. Returns those of the servers. They wait until everything is stored, so that the bots
/// are measured in the same state each time, and a slow machine does not count as growth.
fn follow(
    servers: &mut [ServerProcess],
    homes: &[PathBuf],
    bots: &mut [Bot],
    events: &mpsc::Receiver<(usize, Event)>,
    discord: &Discord,
    database: &Database,
) -> Result<Vec<Vec<Usage>>, String> {
    println!("| hour | rounds stored | servers: memory KiB | `receive` | `run` | `serve` |");
    println!("| ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut samples = vec![Vec::new(); servers.len()];
    let mut done = 0;
    for (n, event) in events {
        match event {
            Event::Hour => {
                samples[n].push(Usage::of(servers[n].id())?);
                let hour = samples.iter().map(Vec::len).min().unwrap_or(0);
                if hour > bots[0].samples.len() {
                    let stored = wait_until_stored(homes, database)?;
                    for bot in &mut *bots {
                        bot.sample()?;
                    }
                    let of_servers = samples.iter().map(|s| s[hour - 1].memory_kib);
                    let of_bots = bots.iter().map(|bot| bot.samples[hour - 1].memory_kib);
                    println!(
                        "| {hour} | {stored} | {} | {} |",
                        list(of_servers, ", "),
                        list(of_bots, " | "),
                    );
                    for server in &mut *servers {
                        server.go_on()?;
                    }
                    disturb(discord, hour);
                }
            }
            Event::LastMatch => {}
            Event::Done => {
                done += 1;
                if done == servers.len() {
                    break;
                }
            }
            Event::Console(line) => println!("server {}: {line}", n + 1),
        }
    }
    match done == servers.len() {
        true => Ok(samples),
        false => Err("a server ended too early".to_owned()),
    }
}

/// Waits until all rounds that were written are stored; returns how many there are.
fn wait_until_stored(homes: &[PathBuf], database: &Database) -> Result<usize, String> {
    let deadline = Instant::now() + Duration::from_secs(300);
    let written = || homes.iter().map(|home| round_count(home)).sum::<usize>();
    while database.number("SELECT COUNT(*) FROM rounds")? < written() {
        if Instant::now() > deadline {
            return Err(format!("{} rounds are not stored in 5 minutes", written()));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    // What follows the last round, such as the sums of players.
    std::thread::sleep(Duration::from_secs(1));
    Ok(written())
}

fn list(numbers: impl Iterator<Item = u64>, between: &str) -> String {
    let numbers: Vec<String> = numbers.map(|n| n.to_string()).collect();
    numbers.join(between)
}

/// What Discord does on a bad day, another thing each hour.
fn disturb(discord: &Discord, hour: usize) {
    match hour % 4 {
        0 => discord.drop_connections(),
        1 => discord.fail_next(5, 500),
        2 => discord.forget_sessions(),
        _ => {
            discord.set_gone(true);
            std::thread::sleep(Duration::from_secs(1));
            discord.set_gone(false);
        }
    }
}

/// Checks that all bots that serve show the snapshots in the live files.
fn check_live(homes: &[PathBuf], bots: &[Bot]) -> Result<(), String> {
    let mut written = Vec::new();
    for home in homes {
        written.push(snapshot(home).ok_or("there is no live file")?);
    }
    for bot in bots.iter().filter(|bot| bot.role != "receive") {
        wait_for(&format!("the last snapshots at {}", bot.role), || {
            let answer = get(&format!("{}/api/live", bot.url), true);
            let shown = answer.unwrap_or_default();
            let servers = shown["servers"].as_array().into_iter().flatten();
            let snapshots = servers
                .map(|server| serde_json::from_value::<Snapshot>(server["snapshot"].clone()).ok());
            // By address, as the servers are.
            snapshots.eq(written.iter().cloned().map(Some))
        });
    }
    println!(
        "the last snapshots of {} servers are shown by both bots that serve",
        homes.len()
    );
    Ok(())
}

/// Checks that each round that was written is stored once.
fn check_rounds(homes: &[PathBuf], database: &Database) -> Result<(), String> {
    let mut written = BTreeSet::new();
    let mut count = 0;
    for home in homes {
        let rounds = rounds(home)?;
        count += rounds.len();
        written.extend(rounds);
    }
    assert_eq!(count, written.len(), "two servers wrote the same event_id");
    wait_for("all rounds in the database", || {
        let stored = database.number("SELECT COUNT(*) FROM gametimes_facts");
        stored.is_ok_and(|stored| stored >= count)
    });
    // What would be stored twice would be stored now.
    std::thread::sleep(Duration::from_secs(5));
    let stored = database.ask("SELECT event_id FROM gametimes_facts");
    let stored: Vec<&str> = stored.lines().collect();
    let unique: BTreeSet<String> = stored.iter().map(|id| (*id).to_owned()).collect();
    let rounds = database.number("SELECT COUNT(*) FROM rounds")?;
    let repeated = database
        .number("SELECT COUNT(*) - COUNT(DISTINCT (round_id, player_guid)) FROM lua_spawn_stats")?;
    let rejected = database.number("SELECT COUNT(*) FROM gametimes_rejected")?;
    println!(
        "{count} rounds written, {} reports and {rounds} rounds stored, {repeated} players repeated, {rejected} items rejected",
        stored.len()
    );
    match unique == written && [stored.len(), rounds] == [count; 2] && repeated + rejected == 0 {
        true => Ok(()),
        false => Err("the rounds written and those stored are not the same".to_owned()),
    }
}

/// A new database of the cluster.
struct Database {
    cluster: &'static Cluster,
    url: String,
    name: String,
}

impl Database {
    fn new(cluster: &'static Cluster) -> Self {
        let url = cluster.database();
        let name = url.rsplit('/').next().and_then(|end| end.split('?').next());
        Self {
            cluster,
            name: name.unwrap_or_default().to_owned(),
            url,
        }
    }

    fn ask(&self, sql: &str) -> String {
        self.cluster.psql(&self.name, sql)
    }

    fn number(&self, sql: &str) -> Result<usize, String> {
        let answer = self.ask(sql);
        let number = answer.trim().parse();
        number.map_err(|e| format!("{sql}: {answer}: {e}"))
    }
}

/// What a bot needs to know.
struct Settings<'a> {
    discord: &'a Discord,
    webhooks: &'a [Webhook],
    database: &'a str,
    /// The servers whose folders it reads.
    homes: &'a [PathBuf],
}

impl Settings<'_> {
    fn text(&self, port: u16) -> String {
        let ids: Vec<String> = self.webhooks.iter().map(|w| w.id.to_string()).collect();
        let folders = self.homes.iter().map(|home| {
            let path = files_folder(home);
            format!("\n[[folders]]\npath = \"{}\"\n", path.display())
        });
        format!(
            r#"database_url = "{database}"
listen = "127.0.0.1:{port}"
time_zone = "UTC"
poll_seconds = 5
live_key = "{KEY}"
live_token = "{TOKEN}"

[discord]
token = "{token}"
channel_id = {channel}
webhook_ids = [{ids}]
hmac_key = "{KEY}"
messages_per_minute = 10000
proxy = "{host}"
gateway_url = "{gateway}"
cdn_hosts = ["{host}"]
{folders}"#,
            database = self.database,
            token = self.discord.token(),
            channel = self.discord.channel_id(),
            ids = ids.join(", "),
            host = self.discord.host(),
            gateway = self.discord.gateway_url(),
            folders = folders.collect::<String>(),
        )
    }
}

impl Bot {
    fn start(role: &'static str, folder: &Path, settings: &Settings<'_>) -> Result<Self, String> {
        let port = free_port();
        let config = folder.join(format!("{role}.toml"));
        let log = folder.join(format!("{role}.log"));
        fs::write(&config, settings.text(port)).map_err(|e| e.to_string())?;
        let program = target().join("debug/gametimes-bot");
        let process = Command::new(&program)
            .arg("--config")
            .arg(config)
            .arg(role)
            // Otherwise each of dozens of threads gets a heap of its own, which keeps the size of the largest batch that it had.
            .env("MALLOC_ARENA_MAX", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).map_err(|e| e.to_string())?)
            .spawn()
            .map_err(|e| format!("{}: {e}", program.display()))?;
        Ok(Self {
            role,
            process,
            log,
            url: format!("http://127.0.0.1:{port}"),
            samples: Vec::new(),
        })
    }

    /// Waits for this health.
    fn wait_until(&mut self, holds: impl Fn(&Value) -> bool) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !get(&format!("{}/api/health", self.url), false).is_ok_and(|h| holds(&h)) {
            let ended = self.process.try_wait().map_err(|e| e.to_string())?;
            if ended.is_some() || Instant::now() > deadline {
                let log = self.log.display();
                return Err(format!(
                    "{} does not start ({ended:?}); see {log}",
                    self.role
                ));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Asks for its pages, if it serves any, and looks what it uses.
    fn sample(&mut self) -> Result<(), String> {
        if self.role != "receive" {
            for path in PATHS {
                ureq::get(format!("{}{path}", self.url))
                    .call()
                    .and_then(|mut answer| answer.body_mut().read_to_vec())
                    .map_err(|e| format!("{}: {path}: {e}", self.role))?;
            }
        }
        self.samples.push(Usage::of(self.process.id())?);
        Ok(())
    }

    /// Checks that nothing went wrong in the bot itself. Warnings are about Discord.
    fn check_log(&self) -> Result<(), String> {
        let log = fs::read_to_string(&self.log).map_err(|e| e.to_string())?;
        let is_bad = |line: &&str| line.contains("ERROR") || line.contains("panicked");
        let bad: Vec<&str> = log.lines().filter(is_bad).collect();
        match bad.is_empty() {
            true => Ok(()),
            false => Err(format!("{}: {}", self.role, bad.join("\n"))),
        }
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The JSON that a URL returns, without delay or as for everybody.
fn get(url: &str, with_token: bool) -> Result<Value, String> {
    let mut request = ureq::get(url);
    if with_token {
        request = request.header("Authorization", format!("Bearer {TOKEN}"));
    }
    let mut answer = request.call().map_err(|e| format!("{url}: {e}"))?;
    let text = answer.body_mut().read_to_string();
    let text = text.map_err(|e| format!("{url}: {e}"))?;
    serde_json::from_str(&text).map_err(|e| format!("{url}: {e}"))
}
