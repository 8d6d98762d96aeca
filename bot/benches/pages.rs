//! Every page over a made-up season, on both databases, and the picture of 20 against 20.
//!
//! `cargo bench --package gametimes-bot --bench pages`; the number of rounds can be given, 10,000 without one, and `sqlite` or
//! `postgresql` for one database only.

use std::time::{Duration, Instant};

use gametimes_bot::Bot;
use gametimes_bot::chart::{Chart, PNG_SCALE, Theme, png};
use gametimes_bot::db::{Db, IngestItem};
use gametimes_bot::files::ingest::ingest;
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::bot::{config_in, get};
use gametimes_test_support::samples::samples;
use gametimes_test_support::season::{RoundFiles, Season, TIME_ZONE};
use jiff::Timestamp;
use jiff::tz::TimeZone;

const CALLS: usize = 100;

fn main() {
    let numbers = std::env::args().skip(1).find_map(|arg| arg.parse().ok());
    let rounds: usize = numbers.unwrap_or(10_000);
    // About ten rounds an evening; a large community plays on several servers at a time.
    let season = Season {
        evenings: (rounds / 10).min(2_000),
        players: 40 + rounds / 250,
        rounds,
        evenings_with_timelines: 10,
        ..Season::default()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let only = |database: &str| std::env::args().any(|arg| arg == database);
    if !only("postgresql") {
        let folder = tempfile::tempdir().unwrap();
        let url = config_in(&folder).database_url.reveal().to_owned();
        runtime.block_on(run("SQLite", &url, &season));
    }
    if !only("sqlite") {
        let cluster = Cluster::shared();
        runtime.block_on(run("PostgreSQL", &cluster.database(), &season));
    }
    runtime.block_on(pictures());
}

async fn run(name: &str, url: &str, season: &Season) {
    let mut config = gametimes_bot::Config::with_database(url);
    config.time_zone = TimeZone::get(TIME_ZONE).unwrap();
    config.public_url = Some("http://localhost".to_owned());
    let bot = gametimes_bot::start(config).await.unwrap();
    let started = Instant::now();
    let mut files = Vec::new();
    for evening in season.evenings() {
        files.extend(evening.iter().flat_map(RoundFiles::contents).map(item));
        if files.len() > 2_000 {
            bot.store.ingest(&std::mem::take(&mut files)).await.unwrap();
        }
    }
    bot.store.ingest(&files).await.unwrap();
    let stored = started.elapsed().as_secs_f64();
    bot.store.refresh_players().await.unwrap();
    spread_over_the_season(&bot.store).await;
    bot.store.analyze().await.unwrap();
    println!(
        "\n{name}, {} rounds, stored in {stored:.0} s, figures of players and maps in {:.0} s more\n",
        season.rounds,
        started.elapsed().as_secs_f64() - stored
    );
    println!("| page | median | 95th percentile |\n| --- | ---: | ---: |");
    for path in paths(&bot).await {
        let mut times = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let started = Instant::now();
            let (status, body) = get(&bot.url(&path)).await;
            times.push(started.elapsed());
            assert_eq!(status, 200, "{path}: {body}");
        }
        tell(&path, times);
    }
    bot.stop().await.unwrap();
    size_and_rebuild(url).await;
}

/// Lets each report have arrived when its round ended, and the last one now. All of them arrived within a minute.
async fn spread_over_the_season(db: &Db) {
    let sql = "SELECT MAX(round_end_unix) AS latest_unix FROM lua_round_teams";
    let latest = db.database.row(sql, &[]).await.unwrap().unwrap();
    let later_seconds = Timestamp::now().as_second() - latest.get::<i64>("latest_unix");
    let captured = format!("round_end_unix + {later_seconds}");
    let captured = db.database.timestamp(&captured);
    let sql = format!("UPDATE lua_round_teams SET captured_at = {captured}");
    db.database.rows(&sql, &[]).await.unwrap();
}

/// How large the database is, and how long it takes to open it and to compute everything again.
async fn size_and_rebuild(url: &str) {
    let began = Instant::now();
    let db = Db::open(url, TimeZone::get(TIME_ZONE).unwrap())
        .await
        .unwrap();
    let opened = began.elapsed().as_secs_f64();
    let sql = match db.database.is_postgres() {
        true => "SELECT pg_database_size(current_database()) AS bytes",
        false => {
            "SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()"
        }
    };
    let row = db.database.row(sql, &[]).await.unwrap().unwrap();
    let mib = row.get::<i64>("bytes") as f64 / f64::from(1 << 20);
    let began = Instant::now();
    db.rebuild(|_, _| {}).await.unwrap();
    println!(
        "\n{mib:.0} MiB; opened in {opened:.2} s; `rebuild` takes {:.0} s",
        began.elapsed().as_secs_f64()
    );
    db.database.close().await;
}

fn item((name, bytes): (String, Vec<u8>)) -> IngestItem {
    IngestItem::from_file("ingest", &name, "", bytes)
}

/// The pages, with those that have the most to read: old ones, and filters that find little.
async fn paths(bot: &Bot) -> Vec<String> {
    let latest = bot.store.evenings(None, 1).await.unwrap();
    let played = &latest.evenings[0].series[0].matches[0].played;
    let round = played.rounds[0].id;
    let player = &played.team_a.players[0].guid;
    // Half of the season back.
    let (_, old) = get(&bot.url(&format!("/api/rounds/{}", round / 2))).await;
    let before = &old["round_end_unix"];
    let mut paths = vec![
        format!("/rounds/{round}"),
        format!("/rounds/{}", round / 2),
        format!("/matches/{round}"),
        format!("/matches/{}", round / 2),
        format!("/?before={before}"),
        format!("/players/{player}"),
        format!("/players/compare?a={player}&b=moke"),
    ];
    let lists = [
        "/",
        "/rounds",
        "/rounds?page=100",
        "/rounds?map=dlerne",
        "/rounds?player=moke",
        "/rounds?player=nobody-has-this-name",
        "/rounds?from=2026-03-01&to=2026-03-31",
        "/players",
        "/players?sort=kd&player=moke",
        "/players?period=30d",
        "/players?map=supply&sort=dpm",
        "/maps",
        "/maps/supply",
        "/audit",
        "/delivery",
        "/feed.atom",
    ];
    paths.extend(lists.map(str::to_owned));
    paths
}

async fn pictures() {
    let folder = tempfile::tempdir().unwrap();
    let bot = gametimes_bot::start(config_in(&folder)).await.unwrap();
    let paths = [samples().join("../native/public40")];
    ingest(&bot.store, &paths, "", false).await.unwrap();
    let chart = Chart::load(&bot.store, 1).await.unwrap().unwrap();
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let started = Instant::now();
        png::render(&chart.svg(Theme::Auto), PNG_SCALE).unwrap();
        times.push(started.elapsed());
    }
    println!();
    tell("PNG of 20 against 20", times);
    bot.stop().await.unwrap();
}

fn tell(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let ms = |at: usize| times[at].as_secs_f64() * 1000.0;
    println!(
        "| {what} | {:.1} ms | {:.1} ms |",
        ms(times.len() / 2),
        ms(times.len() * 95 / 100)
    );
}
