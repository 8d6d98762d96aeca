//! Rounds are listed in the order in which they were played, also in the night in which the clock is set back.

use gametimes_bot::db::IngestItem;
use gametimes_bot::{Bot, Config};
use gametimes_test_support::bot::get;
use gametimes_test_support::on_both_databases;
use gametimes_test_support::samples::{native_files, sample_files};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

/// By how much the stats files of the clock change are earlier than the gametimes files of the same match.
const EARLIER_SECONDS: i64 = 1_795_178_024 - 1_761_440_373;

/// A bot for a server in central Europe.
async fn bot_with(url: &str, items: &[IngestItem]) -> Bot {
    let mut config = Config::with_database(url);
    config.time_zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    let bot = gametimes_bot::start(config).await.unwrap();
    // In the wrong order, so that the order of the ids is wrong too.
    for item in items.iter().rev() {
        let report = bot.store.ingest(std::slice::from_ref(item)).await.unwrap();
        assert_eq!(report.rejected, 0, "{item:?}");
    }
    bot
}

fn stats_files(folder: &str) -> Vec<IngestItem> {
    let files = sample_files(&format!("../clock-change/{folder}"));
    let item = |(name, bytes): (String, _)| IngestItem::from_file("folder", &name, "", bytes);
    files.into_iter().map(item).collect()
}

/// The gametimes files of a recorded match, as a server writes them that plays it in the night of the clock change.
fn gametimes_files() -> Vec<IngestItem> {
    let files = native_files("stopwatch").into_iter().map(|(name, bytes)| {
        let mut file: Value = serde_json::from_slice(&bytes).unwrap();
        let meta = &mut file["meta"];
        for time in ["round_start_unix", "round_end_unix"] {
            meta[time] = json!(meta[time].as_i64().unwrap() - EARLIER_SECONDS);
        }
        let is_first = name.contains("1795178021");
        meta["utc_offset_seconds"] = json!(if is_first { 7200 } else { 3600 });
        meta["stats_file"] = json!(match meta["stats_file"].as_str().unwrap() {
            "2026-11-20-123344-room2-round-1.txt" => "2025-10-26-025933-room2-round-1.txt",
            "2026-11-20-123531-room2-round-2.txt" => "2025-10-26-020120-room2-round-2.txt",
            _ => "2025-10-26-020158-room2-round-2.txt",
        });
        IngestItem::from_file("folder", &name, "", serde_json::to_vec(&file).unwrap())
    });
    files.collect()
}

/// Checks that everything lists the rounds with these times of stats files in this order, latest first.
async fn assert_order(bot: &Bot, expected: &[&str]) {
    let (_, rounds) = get(&bot.url("/api/rounds")).await;
    let rounds = rounds.as_array().unwrap();
    let written: Vec<&str> = rounds
        .iter()
        .map(|r| &r["stats_file"].as_str().unwrap()[..17])
        .collect();
    assert_eq!(written, expected);
    let ids: Vec<String> = rounds.iter().map(|round| round["id"].to_string()).collect();
    for pair in ids.windows(2) {
        let (_, next) = get(&bot.url(&format!("/api/rounds?limit=1&before={}", pair[0]))).await;
        assert_eq!(
            next[0]["id"].to_string(),
            pair[1],
            "the page after {}",
            pair[0]
        );
    }
    let (_, players) = get(&bot.url(&format!("/api/rounds/{}/players", ids[0]))).await;
    let guid = players
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["guid"].as_str().unwrap());
    let guid = guid
        .into_iter()
        .find(|guid| !guid.starts_with("name:"))
        .unwrap();
    for page in ["/rounds".to_owned(), format!("/players/{}", &guid[..8])] {
        let (_, html) = get(&bot.url(&page)).await;
        let links = html
            .as_str()
            .unwrap()
            .split("<td><a href=\"/rounds/")
            .skip(1);
        let links: Vec<&str> = links.filter_map(|link| link.split('"').next()).collect();
        assert_eq!(links, ids, "{page}");
    }
    // Round 1 and round 2 of the match, the oldest two, link to each other.
    let [.., two, one] = &ids[..] else {
        panic!("{ids:?}");
    };
    for (this, other) in [(one, two), (two, one)] {
        let (_, html) = get(&bot.url(&format!("/rounds/{this}"))).await;
        let link = format!("href=\"/rounds/{other}\">Round ");
        assert!(html.as_str().unwrap().contains(&link), "{this}: {html}");
    }
}

async fn rounds_with_stats_files_alone_are_in_order_when_the_clock_is_set_back(url: &str) {
    let bot = bot_with(url, &stats_files("in")).await;
    assert_order(&bot, &["2025-10-26-020130", "2025-10-26-025500"]).await;
    // The pages show both ends in UTC, so that their order is visible.
    for (page, ends) in [
        ("/rounds", ["01:01", "00:55"]),
        ("/players/A0000004", ["01:01", "00:55"]),
    ] {
        let (_, html) = get(&bot.url(page)).await;
        for end in ends {
            assert!(
                html.as_str()
                    .unwrap()
                    .contains(&format!("2025-10-26 {end} UTC")),
                "{html}"
            );
        }
    }
    bot.stop().await.unwrap();
}

async fn recorded_rounds_are_in_order_when_the_clock_is_set_back(url: &str) {
    let mut items = stats_files("gamestats");
    items.extend(gametimes_files());
    let bot = bot_with(url, &items).await;
    let expected = [
        "2025-10-26-020158",
        "2025-10-26-020120",
        "2025-10-26-025933",
    ];
    assert_order(&bot, &expected).await;
    // As an earlier version, or another bot, has stored them.
    let mut transaction = bot.store.database.begin().await.unwrap();
    let sql = "UPDATE rounds SET gametimes_order = NULL";
    assert_eq!(transaction.execute(sql, &[]).await.unwrap(), 3);
    transaction.commit().await.unwrap();
    bot.stop().await.unwrap();
    let bot = bot_with(url, &[]).await;
    assert_order(&bot, &expected).await;
    bot.stop().await.unwrap();
}

on_both_databases!(
    rounds_with_stats_files_alone_are_in_order_when_the_clock_is_set_back,
    recorded_rounds_are_in_order_when_the_clock_is_set_back,
);
