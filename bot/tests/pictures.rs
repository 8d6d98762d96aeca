//! Pictures of large rounds that many clients ask for at once.

use gametimes_bot::Bot;
use gametimes_bot::db::IngestItem;
use gametimes_test_support::bot::{config_in, get, wait_for};
use gametimes_test_support::samples::native_files;
use serde_json::{Value, json};

/// Stores the recorded match of 40 players with more players and events, as anybody can make them up.
async fn store_enlarged(bot: &Bot, players: usize, events: usize) {
    let (name, bytes) = native_files("public40").remove(0);
    let mut file: Value = serde_json::from_slice(&bytes).unwrap();
    let enlarge = |list: &mut Value, count: usize, edit: &dyn Fn(usize, &mut Value)| {
        let list = list.as_array_mut().unwrap();
        let known = list.clone();
        for (n, item) in (known.len()..count).zip(known.iter().cycle()) {
            let mut item = item.clone();
            edit(n, &mut item);
            list.push(item);
        }
    };
    let meta = &mut file["meta"];
    enlarge(&mut meta["spawn_stats"], players, &|n, stats| {
        stats["guid"] = json!(format!("{n:032X}"));
        stats["name"] = json!(format!("player {n}"));
    });
    enlarge(&mut meta["events"], events, &|_, _| ());
    let bytes = serde_json::to_vec(&file).unwrap();
    let report = bot
        .store
        .ingest(&[IngestItem::from_file("folder", &name, "", bytes)])
        .await
        .unwrap();
    assert_eq!(report.rejected, 0, "{report:?}");
}

/// How many pictures of this format were drawn.
async fn drawn(bot: &Bot, format: &str) -> Option<u64> {
    let (_, metrics) = get(&bot.url("/metrics")).await;
    let name = format!("gametimes_pictures_drawn_total{{format=\"{format}\"}} ");
    let line = metrics
        .as_str()?
        .lines()
        .find_map(|line| line.strip_prefix(&name).map(str::to_owned));
    line?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn large_round_that_24_clients_ask_for_is_drawn_once_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bot = gametimes_bot::start(config_in(&folder)).await.unwrap();
    store_enlarged(&bot, 200, 10_000).await;
    let url = bot.url("/rounds/1/timeline.png");
    let ask = || {
        let url = url.clone();
        tokio::task::spawn_blocking(move || ureq::get(url).call().unwrap().status().as_u16())
    };
    let clients: Vec<_> = (0..24).map(|_| ask()).collect();
    wait_for("the picture to be begun", || async {
        drawn(&bot, "png").await
    })
    .await;
    assert_eq!(get(&bot.url("/api/health")).await.0, 200);
    assert_eq!(get(&bot.url("/")).await.0, 200);
    assert!(
        !clients.iter().any(tokio::task::JoinHandle::is_finished),
        "answered meanwhile"
    );
    for client in clients {
        assert_eq!(client.await.unwrap(), 200);
    }
    assert_eq!(get(&bot.url("/rounds/1")).await.0, 200);
    assert_eq!(
        (drawn(&bot, "svg").await, drawn(&bot, "png").await),
        (Some(1), Some(1))
    );
    // The round as large as a file may claim. It replaces the other one, so the kept pictures are not shown.
    store_enlarged(&bot, 512, 65_536).await;
    for path in ["/rounds/1", "/rounds/1/timeline.svg"] {
        let (status, page) = get(&bot.url(path)).await;
        assert_eq!(status, 200, "{path}");
        let page = page.as_str().unwrap();
        assert!(
            page.contains("65536 events of 512 players are too many for a picture"),
            "{page}"
        );
    }
    assert_eq!(ask().await.unwrap(), 200);
    bot.stop().await.unwrap();
}
