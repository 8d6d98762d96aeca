//! One PostgreSQL database with several receivers, and with several servers of pages.
//!
//! `cargo bench --package gametimes-bot --bench scale`; the number of rounds of each receiver's backlog can be given. Everything runs on
//! this machine, the database and the clients too, and PostgreSQL does not wait for the disk.

mod support;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gametimes_test_support::bot::agent;
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::season::{RoundFiles, Season, TIME_ZONE};

use self::support::{BotProcess, spawn};

/// How many receivers, or servers, run at the same time.
const NUMBERS: [usize; 3] = [1, 2, 4];
/// How many clients ask, each without a pause, and for how long.
const CLIENTS: usize = 8;
const ASK_FOR: Duration = Duration::from_secs(15);

fn main() {
    let numbers = std::env::args().skip(1).find_map(|arg| arg.parse().ok());
    let rounds: usize = numbers.unwrap_or(2_000);
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::shared();
    println!("## Receivers on one PostgreSQL\n");
    println!(
        "Each runs `ingest` with about {rounds} rounds, each with other evenings, and computes the figures of players afterwards.\n"
    );
    println!("| receivers | rounds per second |\n| ---: | ---: |");
    let mut database = String::new();
    for receivers in NUMBERS {
        let files = folder.path().join(receivers.to_string());
        write(&files, rounds, receivers);
        database = cluster.database();
        let seconds = receive(folder.path(), &files, &database, receivers);
        let stored = (rounds * receivers) as f64 / seconds;
        println!("| {receivers} | {stored:.0} |");
    }
    println!("\n## Servers of pages on one PostgreSQL\n");
    let stored = rounds * NUMBERS[NUMBERS.len() - 1];
    println!(
        "{stored} rounds; {CLIENTS} clients that always wait for a page: evenings, a round, a match, players, players by a part of the name.\n"
    );
    println!(
        "| servers | requests per second | median | 95th percentile |\n| ---: | ---: | ---: | ---: |"
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for servers in NUMBERS {
        let settings = settings(&database);
        let start = || BotProcess::start(folder.path(), "serve", &settings);
        let servers: Vec<BotProcess> = runtime.block_on(async {
            let mut all = Vec::new();
            for _ in 0..servers {
                all.push(start().await);
            }
            all
        });
        ask(&servers, stored);
    }
}

fn settings(database: &str) -> String {
    format!("database_url = '{database}'\ntime_zone = '{TIME_ZONE}'\n")
}

/// Writes the files of a season into as many folders as there are receivers: the evenings go to them in turn.
fn write(folder: &Path, rounds: usize, receivers: usize) {
    let season = Season {
        evenings: rounds * receivers / 10,
        rounds: rounds * receivers,
        evenings_with_timelines: 0,
        ..Season::default()
    };
    for (n, evening) in season.evenings().enumerate() {
        let folder = folder.join((n % receivers).to_string());
        std::fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in evening.iter().flat_map(RoundFiles::contents) {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }
}

/// Stores the files of all receivers at the same time; returns how many seconds it took.
fn receive(configs: &Path, files: &Path, database: &str, receivers: usize) -> f64 {
    let config = configs.join("receiver.toml");
    std::fs::write(&config, settings(database)).unwrap();
    assert!(spawn(&config, &["migrate"]).wait().unwrap().success());
    let began = Instant::now();
    let receivers: Vec<_> = (0..receivers)
        .map(|n| files.join(n.to_string()))
        .map(|folder| spawn(&config, &["ingest", &folder.to_string_lossy()]))
        .collect();
    for mut receiver in receivers {
        assert!(receiver.wait().unwrap().success());
    }
    began.elapsed().as_secs_f64()
}

/// Asks the servers in turn for pages, and prints how many they answered.
fn ask(servers: &[BotProcess], stored: usize) {
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    let client = || {
        let agent = agent();
        let mut times = Vec::new();
        while began.elapsed() < ASK_FOR {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let port = servers[n % servers.len()].port;
            // Rounds all over the season.
            let round = 1 + n * 37 % stored;
            let path = match n / servers.len() % 5 {
                0 => "/".to_owned(),
                1 => format!("/rounds/{round}"),
                2 => format!("/matches/{round}"),
                3 => "/players".to_owned(),
                _ => "/players?player=moke".to_owned(),
            };
            let asked = Instant::now();
            let answer = agent.get(format!("http://127.0.0.1:{port}{path}")).call();
            let mut answer = answer.unwrap();
            answer.body_mut().read_to_vec().unwrap();
            assert_eq!(answer.status().as_u16(), 200, "{path}");
            times.push(asked.elapsed().as_secs_f64() * 1000.0);
        }
        times
    };
    let mut times: Vec<f64> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        let joined = clients.into_iter().map(|client| client.join().unwrap());
        joined.flatten().collect()
    });
    times.sort_by(f64::total_cmp);
    println!(
        "| {} | {:.0} | {:.1} ms | {:.1} ms |",
        servers.len(),
        times.len() as f64 / began.elapsed().as_secs_f64(),
        times[times.len() / 2],
        times[times.len() * 95 / 100]
    );
}
