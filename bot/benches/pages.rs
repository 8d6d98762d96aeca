//! Pages over 10,000 rounds with 12 players each, and the picture of 20 against 20.
//!
//! `cargo bench --package gametimes-bot --bench pages`

use std::time::Instant;

use gametimes_bot::chart::{Chart, PNG_SCALE, Theme, png};
use gametimes_bot::db::value::Value;
use gametimes_bot::files::ingest::ingest;
use gametimes_test_support::bot::{config_in, get};
use gametimes_test_support::samples::samples;

const ROUNDS: i64 = 10_000;
const CALLS: usize = 100;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let bot = gametimes_bot::start(config_in(&folder)).await.unwrap();
    let paths = [samples().join("../native/public40")];
    ingest(&bot.store, &paths, "", false).await.unwrap();
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)";
    let players = "(VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12)) AS p";
    let mut transaction = bot.store.database.begin().await.unwrap();
    for sql in [
        format!(
            "{numbers} INSERT INTO rounds (id, match_id, round_number, map_name, end_reason, round_end_unix) \
             SELECT 100 + i, '2025-01-01-' || i, 1, 'supply', 'objective', 1735700000 + i FROM n"
        ),
        format!(
            "{numbers} INSERT INTO lua_spawn_stats (match_id, round_number, round_id, map_name, round_end_unix, player_guid, \
             player_name, dead_ms, played_ms, denied_ms) SELECT '2025-01-01-' || i, 1, 100 + i, 'supply', 1735700000 + i, \
             'B00000' || (10 + p.column1) || 'D3F5A1B2C3D4E5F607182930', 'player', 20000, 60000, 3000 FROM n, {players}"
        ),
    ] {
        transaction
            .execute(&sql, &[Value::from(ROUNDS)])
            .await
            .unwrap();
    }
    transaction.commit().await.unwrap();
    for path in [
        "/rounds/1",
        "/",
        "/matches/1",
        "/rounds",
        "/rounds?player=layer01",
        "/players/B0000011",
        "/audit",
        "/delivery",
    ] {
        let mut times = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let started = Instant::now();
            let (status, _) = get(&bot.url(path)).await;
            times.push(started.elapsed().as_secs_f64() * 1000.0);
            assert_eq!(status, 200, "{path}");
        }
        tell(path, times);
    }
    let chart = Chart::load(&bot.store, 1).await.unwrap().unwrap();
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let started = Instant::now();
        png::render(&chart.svg(Theme::Auto), PNG_SCALE).unwrap();
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    tell("PNG of 20 against 20", times);
    bot.stop().await.unwrap();
}

fn tell(what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    println!(
        "{what}: median {:.1} ms, 95th percentile {:.1} ms",
        times[times.len() / 2],
        times[times.len() * 95 / 100]
    );
}
