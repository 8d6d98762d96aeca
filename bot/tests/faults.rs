//! The database, the disk and Discord fail: nothing is lost, and nothing is stored twice.

use std::sync::Arc;
use std::time::Duration;

use gametimes_bot::db::{Database, Db, IngestItem};
use gametimes_bot::status::Status;
use gametimes_bot::writer::Writer;
use gametimes_discord_standin::Discord;
use gametimes_test_support::bot::chaos::Chaos;
use gametimes_test_support::bot::databases::dump;
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::bot::{
    config_in, get, settings_for, sqlite, wait_for, wait_for_rounds,
};
use gametimes_test_support::samples::{native_files, sample, sample_files};
use jiff::tz::TimeZone;
use serde_json::json;
use sqlx::{Executor, Row};
use tokio::sync::watch;

fn arrivals() -> Vec<IngestItem> {
    let mut arrivals = Vec::new();
    for (name, bytes) in sample_files("gamestats") {
        arrivals.push(IngestItem::from_file("ssh", &name, "", bytes));
    }
    for tape in ["stopwatch", "surrender", "public40"] {
        for (name, bytes) in native_files(tape) {
            arrivals.push(IngestItem::from_file("folder", &name, "", bytes));
        }
    }
    arrivals
}

async fn expected() -> String {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder).await;
    store.ingest(&arrivals()).await.unwrap();
    dump(&store).await
}

#[tokio::test(flavor = "multi_thread")]
async fn database_connection_cut_in_a_transaction_loses_nothing() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let direct = Db::open(&url, TimeZone::UTC).await.unwrap();
    let chaos = Chaos::before(([127, 0, 0, 1], cluster.port()).into()).await;
    let through = url.replace(
        &cluster.port().to_string(),
        &chaos.address.port().to_string(),
    );
    let store = Db::open(&through, TimeZone::UTC).await.unwrap();
    let status = Arc::new(Status::default());
    let (_stop, stopped) = watch::channel(false);
    let (writer, task) = Writer::new(store, Arc::clone(&status), stopped);
    let task = tokio::spawn(task);
    // Each connection lasts for a few statements only, then for more, and finally none is accepted. Each step begins once
    // the previous one has cut a connection.
    chaos.cut_after(3_000);
    for item in arrivals() {
        writer.submit(item).await;
    }
    drop(writer);
    let cut = async |cuts: u64| {
        wait_for("a cut", || async { (chaos.cuts() > cuts).then_some(()) }).await;
    };
    cut(0).await;
    for limit in [9_000, 20_000, 40_000] {
        let cuts = chaos.cuts();
        chaos.cut_after(limit);
        cut(cuts).await;
    }
    let cuts = chaos.cuts();
    chaos.refuse(true);
    cut(cuts).await;
    assert!(!task.is_finished(), "stored although it was cut");
    chaos.refuse(false);
    chaos.cut_after(0);
    tokio::time::timeout(Duration::from_secs(60), task)
        .await
        .expect("everything is stored in the end")
        .unwrap();
    assert_eq!(dump(&direct).await, expected().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn full_disk_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder).await;
    store.ingest(&arrivals()[..1]).await.unwrap();
    let Database::Sqlite(pool) = &store.database else {
        unreachable!("opened as SQLite")
    };
    // SQLite answers as on a full disk if the file must not grow. The setting belongs to a connection.
    let set = async |limit: Option<i64>| {
        let mut all = Vec::new();
        for _ in 0..pool.options().get_max_connections() {
            all.push(pool.acquire().await.unwrap());
        }
        for connection in &mut all {
            let pages: i64 = connection
                .fetch_one("PRAGMA page_count")
                .await
                .unwrap()
                .get(0);
            let limit = limit.map_or(1_000_000, |more| pages + more);
            let sql = format!("PRAGMA max_page_count = {limit}");
            connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        }
    };
    set(Some(3)).await;
    let status = Arc::new(Status::default());
    let (_stop, stopped) = watch::channel(false);
    let (writer, task) = Writer::new(store.clone(), Arc::clone(&status), stopped);
    // All of them are one batch: a single small item may still have room.
    for item in arrivals() {
        writer.submit(item).await;
    }
    drop(writer);
    let task = tokio::spawn(task);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!task.is_finished(), "the disk is not full");
    let count = store
        .database
        .row("SELECT COUNT(*) AS rounds FROM rounds", &[])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(count.get::<i64>("rounds"), 1, "half a batch was stored");
    set(None).await;
    tokio::time::timeout(Duration::from_secs(30), task)
        .await
        .expect("stored when there is room")
        .unwrap();
    assert_eq!(dump(&store).await, expected().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_forgotten_and_silent_gateway_sessions_lose_nothing() {
    let discord = Discord::start().unwrap();
    discord.set_heartbeat_interval(Duration::from_millis(300));
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    config.discord = Some(settings_for(&discord));
    let bot = gametimes_bot::start(config).await.unwrap();
    let connected = || async { bot.status.is_discord_connected().then_some(()) };
    wait_for("a connection", connected).await;
    let mut number = 0;
    let mut post = || {
        number += 1;
        discord
            .post(discord.webhook().id, &message(number), &[])
            .unwrap();
        number as usize
    };
    let count = post();
    wait_for_rounds(&bot, count).await;
    // Connection cut: the session is resumed, and the messages in between are replayed.
    discord.drop_connections();
    let count = post();
    wait_for_rounds(&bot, count).await;
    assert!(
        discord.connection_counts().1 >= 1,
        "the session was resumed"
    );
    // Connection cut, and the session forgotten.
    discord.forget_sessions();
    let count = post();
    wait_for_rounds(&bot, count).await;
    // Heartbeats are not acknowledged.
    wait_for("a connection", connected).await;
    discord.set_zombie(true);
    post();
    let count = post();
    tokio::time::sleep(Duration::from_millis(900)).await;
    discord.set_zombie(false);
    wait_for_rounds(&bot, count).await;
    // Discord is unreachable for a while.
    discord.set_gone(true);
    for _ in 0..3 {
        post();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    discord.set_gone(false);
    let count = post();
    let rounds = wait_for_rounds(&bot, count).await;
    assert_eq!(rounds.len(), count, "nothing twice");
    let (_, rejected) = get(&bot.url("/api/rejected")).await;
    assert_eq!(rejected, json!([]));
    bot.stop().await.unwrap();
}

fn message(number: i64) -> serde_json::Value {
    let mut body: serde_json::Value =
        serde_json::from_slice(&sample("messages/room1-R1-1795179043.json")).unwrap();
    let fields = body["embeds"][0]["fields"].as_array_mut().unwrap();
    for (field, base) in [
        ("Lua_RoundStart", 1_795_178_973),
        ("Lua_RoundEnd", 1_795_179_043),
    ] {
        let field = fields.iter_mut().find(|f| f["name"] == field).unwrap();
        field["value"] = (base + number * 1000).to_string().into();
    }
    body
}

async fn wait_for_count(bot: &gametimes_bot::Bot, count: i64) {
    wait_for(&format!("{count} rounds"), || async {
        let sql = "SELECT COUNT(*) AS rounds FROM rounds";
        let row = bot.store.database.row(sql, &[]).await.unwrap().unwrap();
        (row.get::<i64>("rounds") >= count).then_some(())
    })
    .await;
}

/// More than an hour's worth of messages: several pages of the history, among them messages of a person.
#[tokio::test(flavor = "multi_thread")]
async fn hour_without_discord_is_caught_up_page_by_page() {
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    config.discord = Some(settings_for(&discord));
    let bot = gametimes_bot::start(config).await.unwrap();
    discord
        .post(discord.webhook().id, &message(0), &[])
        .unwrap();
    wait_for_count(&bot, 1).await;
    discord.set_gone(true);
    discord.forget_sessions();
    for number in 1..=220 {
        discord
            .post(discord.webhook().id, &message(number), &[])
            .unwrap();
        discord.post_as_user(discord.channel_id(), "admin", "hello?");
    }
    discord.set_gone(false);
    wait_for_count(&bot, 221).await;
    discord
        .post(discord.webhook().id, &message(221), &[])
        .unwrap();
    wait_for_count(&bot, 222).await;
    let (_, rejected) = get(&bot.url("/api/rejected")).await;
    assert_eq!(rejected, json!([]));
    bot.stop().await.unwrap();
}

/// While the database is locked, more messages arrive than the queue holds. The dropped ones are read from the history
/// before a later message moves the checkpoint past them.
#[tokio::test(flavor = "multi_thread")]
async fn messages_dropped_from_a_full_queue_are_read_from_the_history() {
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    config.discord = Some(settings_for(&discord));
    let bot = gametimes_bot::start(config).await.unwrap();
    discord
        .post(discord.webhook().id, &message(0), &[])
        .unwrap();
    wait_for_count(&bot, 1).await;
    let lock = bot.store.database.begin().await.unwrap();
    for number in 0..2500 {
        discord.post_as_user(discord.channel_id(), "admin", "hello?");
        // Some of them fit into the queue, and some do not.
        if number % 500 == 400 {
            discord
                .post(discord.webhook().id, &message(1 + number / 500), &[])
                .unwrap();
        }
    }
    wait_for("a full queue", || async {
        let queued = bot.status.delivery().get("discord").map(|d| d.queued);
        (queued >= Some(512)).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    drop(lock);
    discord
        .post(discord.webhook().id, &message(6), &[])
        .unwrap();
    wait_for_count(&bot, 7).await;
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_valid_signatures_are_accepted_if_a_key_is_set() {
    let key = "a key that server and bot share";
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    let mut settings = settings_for(&discord);
    settings.hmac_key = Some(gametimes_bot::config::Secret::new(key));
    config.discord = Some(settings);
    let bot = gametimes_bot::start(config).await.unwrap();
    let (name, bytes) = native_files("surrender").remove(0);
    let mut file: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let mut post = |footer: String, bytes: &[u8]| {
        file["payload"]["embeds"][0]["footer"]["text"] = footer.into();
        discord
            .post(discord.webhook().id, &file["payload"], &[(&name, bytes)])
            .unwrap();
    };
    let signature = gametimes_format::digest::sign(key.as_bytes(), &bytes);
    post("gametimes v0.1.0".into(), &bytes);
    post(
        format!("gametimes v0.1.0 hmac-sha256 {}", "0".repeat(64)),
        &bytes,
    );
    let mut forged = bytes.clone();
    forged.push(b' ');
    post(format!("gametimes v0.1.0 hmac-sha256 {signature}"), &forged);
    post(format!("gametimes v0.1.0 hmac-sha256 {signature}"), &bytes);
    wait_for_rounds(&bot, 1).await;
    let (_, rejected) = get(&bot.url("/api/rejected")).await;
    assert_eq!(rejected.as_array().unwrap().len(), 3, "{rejected}");
    assert!(
        rejected[0]["reason"]
            .as_str()
            .unwrap()
            .contains("signature")
    );
    bot.stop().await.unwrap();
}
