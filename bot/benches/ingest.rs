//! Backfill: 10,000 rounds of 12 players, a gametimes file and a stats file each, into both databases.
//!
//! `cargo bench --package gametimes-bot --bench ingest`; the number of rounds can be given.

use std::path::Path;

use gametimes_bot::db::Db;
use gametimes_bot::files::ingest::ingest;
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::samples::{native_files, sample};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

fn main() {
    let rounds = std::env::args()
        .skip(1)
        .find_map(|arg| arg.parse().ok())
        .unwrap_or(10_000);
    let folder = tempfile::tempdir().unwrap();
    write_rounds(folder.path(), rounds);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let databases = tempfile::tempdir().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite:{}", databases.path().join("bench.db").display());
        run("SQLite", &url, folder.path()).await;
    });
    let cluster = Cluster::shared();
    runtime.block_on(run("PostgreSQL", &cluster.database(), folder.path()));
}

async fn run(name: &str, url: &str, folder: &Path) {
    let store = Db::open(url, TimeZone::UTC).await.unwrap();
    let done = ingest(&store, &[folder.to_owned()], "", true)
        .await
        .unwrap();
    println!("{name}: {done}");
    let again = ingest(&store, &[folder.to_owned()], "", true)
        .await
        .unwrap();
    println!("{name}, everything again: {again}");
    store.database.close().await;
}

/// A round every ten minutes, on six maps in turn.
fn write_rounds(folder: &Path, rounds: i64) {
    let (_, bytes) = native_files("surrender").remove(0);
    let template: Value = serde_json::from_slice(&bytes).unwrap();
    let stats = sample("gamestats/2026-11-20-125046-room1-round-1.txt");
    let maps = [
        "supply",
        "goldrush",
        "te_escape2",
        "radar",
        "adlernest",
        "braundorf_b4",
    ];
    for n in 0..rounds {
        let map = maps[n as usize % maps.len()];
        let start = 1_600_000_000 + n * 600;
        let end = start + 70;
        let name = |unix| {
            let time = Timestamp::from_second(unix)
                .unwrap()
                .strftime("%Y-%m-%d-%H%M%S");
            format!("{time}-{map}-round-1.txt")
        };
        let mut file = template.clone();
        let meta = &mut file["meta"];
        meta["map"] = map.into();
        meta["round_start_unix"] = start.into();
        meta["round_end_unix"] = end.into();
        meta["match_id"] = end.to_string().into();
        meta["event_id"] = format!("01890a5d-ac96-774b-8cce-{n:012x}").into();
        meta["stats_file"] = name(end + 3).into();
        std::fs::write(
            folder.join(gametimes_format::file::file_name(map, 1, end)),
            serde_json::to_vec(&file).unwrap(),
        )
        .unwrap();
        let text = String::from_utf8_lossy(&stats).replacen("room1", map, 1);
        std::fs::write(folder.join(name(end + 3)), text).unwrap();
    }
}
