//! `receive` and `serve` in processes of their own, with nothing but the database between them.

use std::path::Path;
use std::time::Duration;

use gametimes_bot::config::{Folder, StatsChannel};
use gametimes_bot::files::ingest::ingest;
use gametimes_bot::roles::start;
use gametimes_bot::{Bot, Config, Role};
use gametimes_discord_standin::Discord;
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::bot::{agent, config_in, get, settings_for, wait_for};
use gametimes_test_support::samples::{native_files, sample_files, samples};
use serde_json::{Value, json};

/// Longer than two checks of the stats channel.
const A_WHILE: Duration = Duration::from_secs(5);

async fn fetch(url: String) -> (u16, Vec<u8>) {
    let fetch = move || {
        let mut response = agent().get(url).call().unwrap();
        let body = response.body_mut().read_to_vec().unwrap();
        (response.status().as_u16(), body)
    };
    tokio::task::spawn_blocking(fetch).await.unwrap()
}

fn write(folder: &Path, files: Vec<(String, Vec<u8>)>) {
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

async fn number(bot: &Bot, sql: &str) -> i64 {
    let row = bot.store.database.row(sql, &[]).await.unwrap().unwrap();
    row.get("number")
}

/// Five bots on one PostgreSQL: both receivers read the same channel and folder, and all servers use a role that may
/// only read.
#[tokio::test(flavor = "multi_thread")]
async fn two_receivers_store_everything_once_and_three_servers_show_the_same() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let database = url.rsplit_once('/').unwrap().1.split('?').next().unwrap();
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::with_database(&url);
    config.poll = Duration::from_secs(1);
    config.folders = vec![Folder {
        path: folder.path().to_owned(),
        server: String::new(),
    }];
    let stats_channel = discord.add_channel();
    let mut settings = settings_for(&discord);
    settings.stats_channel = Some(StatsChannel {
        channel_id: stats_channel,
        settle: Duration::ZERO,
        // The tapes are old matches, and the bot must post them all the same.
        max_age: Duration::from_secs(u32::MAX.into()),
        digest: false,
    });
    config.discord = Some(settings);
    let (first, second) = tokio::join!(
        start(config.clone(), Role::Receive),
        start(config, Role::Receive)
    );
    let receivers = [first.unwrap(), second.unwrap()];
    assert!(receivers.iter().all(|bot| bot.address.is_none()));

    cluster.psql(
        database,
        "CREATE ROLE gametimes_web LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO gametimes_web",
    );
    let read_only = url.replace("postgres://postgres@", "postgres://gametimes_web@");
    let mut servers = Vec::new();
    for _ in 0..3 {
        let config = Config::with_database(&read_only);
        servers.push(start(config, Role::Serve).await.unwrap());
    }

    for tape in ["surrender", "public40"] {
        for (name, bytes) in native_files(tape) {
            let file: Value = serde_json::from_slice(&bytes).unwrap();
            discord
                .post(discord.webhook().id, &file["payload"], &[(&name, &bytes)])
                .unwrap();
        }
    }
    write(folder.path(), native_files("stopwatch"));
    write(folder.path(), sample_files("gamestats"));
    for bot in &receivers {
        wait_for("a receiver to store everything", || async {
            let delivery = bot.status.delivery();
            let stored = delivery
                .iter()
                .filter(|(source, _)| *source != "stats channel")
                .map(|(_, source)| source.stored);
            // 3 messages, 3 gametimes files and 5 stats files.
            (stored.sum::<u64>() >= 11).then_some(())
        })
        .await;
        assert!(bot.status.is_discord_connected());
    }
    let facts = "SELECT COUNT(*) AS number FROM gametimes_facts";
    let rounds = "SELECT COUNT(*) AS number FROM rounds";
    let rejected = "SELECT COUNT(*) AS number FROM gametimes_rejected";
    let players =
        "SELECT COUNT(*) - COUNT(DISTINCT (round_id, player_guid)) AS number FROM lua_spawn_stats";
    assert_eq!(number(&receivers[0], facts).await, 11);
    assert_eq!(number(&receivers[0], rounds).await, 6);
    assert_eq!(number(&receivers[0], rejected).await, 0);
    assert_eq!(number(&receivers[0], players).await, 0);
    // Two of the rounds are too short to be posted.
    let posts = || discord.messages_in(stats_channel).len();
    wait_for("the posts", || async { (posts() >= 4).then_some(()) }).await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(posts(), 4);

    let (_, list) = get(&servers[0].url("/api/rounds")).await;
    let id = &list[0]["id"];
    for path in [
        "/".to_owned(),
        "/audit".to_owned(),
        format!("/rounds/{id}"),
        format!("/rounds/{id}/timeline.svg"),
        format!("/rounds/{id}/timeline.png"),
        "/api/rounds".to_owned(),
        format!("/api/rounds/{id}"),
        format!("/api/rounds/{id}/timeline"),
        "/api/diagnostics/spawn-audit".to_owned(),
    ] {
        let expected = fetch(servers[0].url(&path)).await;
        assert_eq!(expected.0, 200, "{path}");
        for server in &servers[1..] {
            assert!(fetch(server.url(&path)).await == expected, "{path} differs");
        }
    }
    // The sources are in other processes, and so is their state.
    let (_, health) = get(&servers[0].url("/api/health")).await;
    assert_eq!(health["discord_connected"], json!(false));
    let (_, diagnostics) = get(&servers[0].url("/api/diagnostics/lua-webhook")).await;
    assert_eq!(diagnostics["delivery"], json!({}));

    for bot in servers.into_iter().chain(receivers) {
        bot.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_refuses_a_database_without_the_schema_and_creates_nothing() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let folder = tempfile::tempdir().unwrap();
    let on_sqlite = config_in(&folder);
    for (config, expected) in [
        (Config::with_database(&url), "run `gametimes-bot migrate`"),
        (on_sqlite, "does not exist yet: "),
    ] {
        let error = start(config, Role::Serve).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let database = url.rsplit_once('/').unwrap().1.split('?').next().unwrap();
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(cluster.psql(database, tables).trim(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_shows_what_arrives_in_an_sqlite_file_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = start(config_in(&folder), Role::Receive).await.unwrap();
    let server = start(config_in(&folder), Role::Serve).await.unwrap();
    let (_, before) = get(&server.url("/api/rounds")).await;
    assert_eq!(before, json!([]));
    let files = [samples().join("../native")];
    ingest(&receiver.store, &files, "", false).await.unwrap();
    let (status, rounds) = get(&server.url("/api/rounds")).await;
    assert_eq!((status, rounds.as_array().unwrap().len()), (200, 6));
    let write = server.store.database.begin().await;
    let written = match write {
        Ok(mut transaction) => transaction.execute("DELETE FROM rounds", &[]).await.is_ok(),
        Err(_) => false,
    };
    assert!(!written, "a server can write");
    server.stop().await.unwrap();
    receiver.stop().await.unwrap();
}
