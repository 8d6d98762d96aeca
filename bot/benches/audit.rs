//! The spawn audit of a million spawn rows, on both databases.
//!
//! `cargo bench --package gametimes-bot --bench audit`

use std::time::Instant;

use gametimes_bot::db::Db;
use gametimes_bot::db::value::{Columns, Value};
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::samples::native_files;
use jiff::tz::TimeZone;

const ROUNDS: i64 = 83_334;
const CALLS: usize = 200;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("bench.db").display());
    runtime.block_on(run("SQLite", &url));
    let cluster = Cluster::shared();
    runtime.block_on(run("PostgreSQL", &cluster.database()));
}

async fn run(name: &str, url: &str) {
    let store = Db::open(url, TimeZone::UTC).await.unwrap();
    let mut transaction = store.database.begin().await.unwrap();
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)";
    let no = if store.database.is_postgres() {
        "FALSE"
    } else {
        "0"
    };
    let players = "(VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12)) AS p";
    for sql in [
        format!(
            "{numbers} INSERT INTO rounds (id, match_id, round_number, map_name, end_reason, stats_file, recorder) \
             SELECT i, 'm' || i, 1, 'supply', 'objective', 'x', 'native' FROM n"
        ),
        format!(
            "{numbers} INSERT INTO lua_spawn_stats (match_id, round_number, round_id, map_name, player_guid, \
             player_name, spawn_count, death_count, dead_seconds, avg_respawn_seconds, max_respawn_seconds) \
             SELECT 'm' || i, 1, i, 'supply', 'A00000' || (10 + p.column1) || 'D3F5A1B2C3D4E5F607182930', 'player', \
             5, 4, 20 + (i + p.column1) % 60, 5, 9 FROM n, {players} ORDER BY i, p.column1"
        ),
        format!(
            "{numbers} INSERT INTO player_comprehensive_stats (round_id, round_date, map_name, round_number, \
             player_guid, player_name, time_played_seconds, time_dead_minutes) \
             SELECT i, '2026-01-01', 'supply', 1, 'A00000' || (10 + p.column1), 'player', 600, 0.5 FROM n, {players} \
             ORDER BY i, p.column1"
        ),
        // The columns from which the audit derives its reasons.
        format!(
            "{numbers} INSERT INTO lua_round_teams (match_id, round_number, round_id, lua_pause_events) \
             SELECT 'm' || i, 1, i, '[]' FROM n"
        ),
        format!(
            "{numbers} INSERT INTO gametimes_groups (id, round_id, match_id, round_number, content, tie, adopted) \
             SELECT i, i, 'm' || i, 1, '', {no}, {no} FROM n"
        ),
    ] {
        let rounds = Value::from(ROUNDS);
        transaction.execute(&sql, &[rounds]).await.unwrap();
    }
    // The latest rounds have timelines, as the module writes them.
    let (_, file) = native_files("surrender").remove(0);
    let file: serde_json::Value = serde_json::from_slice(&file).unwrap();
    let timeline = serde_json::to_vec(&file["meta"]["events"]).unwrap();
    let facts: Vec<Columns> = (ROUNDS - 1000..=ROUNDS)
        .map(|i| {
            vec![
                ("kind", "report".into()),
                ("identity", format!("fact {i}").into()),
                ("server", "".into()),
                ("at_unix", i.into()),
                ("stats_name", "".into()),
                ("event_id", "".into()),
                ("source", "folder".into()),
                ("origin", "".into()),
                ("body", b"{}".to_vec().into()),
                ("timeline", timeline.clone().into()),
                ("received_unix", 0.into()),
                ("group_id", i.into()),
            ]
        })
        .collect();
    transaction
        .insert("gametimes_facts", facts, "")
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    // The bot does this after every backfill.
    store.analyze().await.unwrap();
    let rows = store
        .database
        .row("SELECT COUNT(*) AS players FROM lua_spawn_stats", &[])
        .await
        .unwrap()
        .unwrap();
    for limit in [200, 1000] {
        let mut times: Vec<f64> = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let started = Instant::now();
            let audit = store.spawn_audit(limit, 10).await.unwrap();
            times.push(started.elapsed().as_secs_f64() * 1000.0);
            assert_eq!(audit.summary.checked, limit);
        }
        times.sort_by(f64::total_cmp);
        println!(
            "{name}, {} rows, limit {limit}: median {:.1} ms, 95th percentile {:.1} ms",
            rows.get::<i64>("players"),
            times[CALLS / 2],
            times[CALLS * 95 / 100]
        );
    }
    store.database.close().await;
}
