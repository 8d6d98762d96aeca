//! What the integration tests share.

#![allow(dead_code, reason = "each test uses its part")]

/// Runs each test, an `async fn(url: &str)`, on a fresh SQLite file and on a fresh database of a real PostgreSQL.
#[macro_export]
macro_rules! on_both_databases {
    ($($test:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let folder = tempfile::tempdir().unwrap();
                let config = super::support::config_in(&folder);
                super::$test(config.database_url.reveal()).await;
            })*
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn on_postgres() {
            let cluster = tokio::task::spawn_blocking(support::postgres::Cluster::start)
                .await
                .unwrap();
            $(
                println!("{}", stringify!($test));
                self::$test(&cluster.database()).await;
            )*
        }
    };
}

pub mod browser;
pub mod chaos;
pub mod postgres;
pub mod sshd;

use std::path::PathBuf;
use std::time::Duration;

use gametimes_bot::Config;
use gametimes_bot::config::{Discord as DiscordSettings, Secret};
use gametimes_bot::db::Db;
use gametimes_discord_standin::Discord;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Nothing may take longer than this.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The samples: what real servers wrote.
pub fn samples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data/samples")
}

/// A file of the samples.
pub fn sample(path: &str) -> Vec<u8> {
    std::fs::read(samples().join(path)).unwrap()
}

/// All files of the samples' folder, by name.
pub fn sample_files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(samples().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                std::fs::read(entry.path()).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

/// The gametimes files that the module wrote when it played a tape.
pub fn native_files(tape: &str) -> Vec<(String, Vec<u8>)> {
    sample_files(&format!("../native/{tape}"))
}

/// Settings that point a bot at the stand-in.
pub fn settings_for(discord: &Discord) -> DiscordSettings {
    DiscordSettings {
        token: Secret::new(discord.token()),
        channel_id: discord.channel_id(),
        webhook_ids: vec![discord.webhook().id],
        username: "ET:Legacy Stats".into(),
        hmac_key: None,
        cdn_hosts: vec![discord.host()],
        max_attachment_bytes: 2 << 20,
        messages_per_minute: 10_000,
        proxy: Some(discord.host()),
        gateway_url: Some(discord.gateway_url()),
        stats_channel: None,
    }
}

/// A bot's settings with a database in a folder.
pub fn config_in(folder: &tempfile::TempDir) -> Config {
    Config::with_database(&format!(
        "sqlite:{}",
        folder.path().join("bot.db").display()
    ))
}

/// A store on a fresh SQLite file.
pub async fn sqlite(folder: &tempfile::TempDir) -> Db {
    Db::open(config_in(folder).database_url.reveal(), TimeZone::UTC)
        .await
        .unwrap()
}

/// GET of JSON.
pub async fn get(url: &str) -> (u16, Value) {
    get_with(url, None).await
}

/// GET of JSON with a bearer token.
pub async fn get_with(url: &str, token: Option<&str>) -> (u16, Value) {
    let (url, token) = (url.to_owned(), token.map(str::to_owned));
    tokio::task::spawn_blocking(move || {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let mut request = agent.get(url);
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut response = request.call().unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        (
            response.status().as_u16(),
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )
    })
    .await
    .unwrap()
}

/// Asks until the answer is right.
pub async fn wait_for<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            tokio::time::Instant::now() < until,
            "waited in vain: {what}"
        );
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Waits until the bot shows this many rounds.
pub async fn wait_for_rounds(bot: &gametimes_bot::Bot, count: usize) -> Vec<Value> {
    let url = bot.url("/api/rounds");
    wait_for(&format!("{count} rounds"), || async {
        let (_, body) = get(&url).await;
        body.as_array().filter(|list| list.len() >= count).cloned()
    })
    .await
}

/// The state of the first source whose name begins so.
pub fn delivery(bot: &gametimes_bot::Bot, begins: &str) -> Option<gametimes_bot::status::Delivery> {
    let mut sources = bot.status.delivery().into_iter();
    Some(sources.find(|(name, _)| name.starts_with(begins))?.1)
}

/// Everything that the tables hold, as text, without what depends on when and in which order things came: ids and times
/// of capture.
pub async fn dump(store: &Db) -> String {
    let round =
        "(SELECT r.match_id || ' ' || r.round_number FROM rounds r WHERE r.id = t.round_id)";
    let mut text = String::new();
    for (table, link) in [
        ("rounds", "NULL"),
        ("lua_round_teams", round),
        ("lua_spawn_stats", round),
        ("player_comprehensive_stats", round),
    ] {
        let columns = gametimes_bot::db::migrations::columns_of(&store.database, &[table])
            .await
            .unwrap();
        let columns: Vec<String> = columns[table]
            .iter()
            .filter(|c| !["id", "round_id", "captured_at", "created_at"].contains(&c.as_str()))
            .map(|c| format!("t.{c}"))
            .collect();
        let sql = format!("SELECT {link}, {} FROM {table} t", columns.join(", "));
        let rows = store.database.rows(&sql, &[]).await.unwrap();
        let mut lines: Vec<String> = rows
            .iter()
            .map(|row| format!("{:?}", normal(row)))
            .collect();
        lines.sort();
        text.push_str(&format!(
            "{table} {}\n{}\n",
            columns.join(" "),
            lines.join("\n")
        ));
    }
    text
}

/// A row in which both databases' ways to hold the same value look the same.
fn normal(row: &gametimes_bot::db::value::Row) -> Vec<String> {
    use gametimes_bot::db::value::{FromValue, Value as Cell};
    let text = |cell: &Cell| match (cell, f64::from_value(cell)) {
        (Cell::Text(Some(text)), _) => serde_json::from_str::<Value>(text)
            .ok()
            .filter(Value::is_array)
            .map_or_else(|| text.clone(), |list| list.to_string()),
        (_, Some(n)) => format!("{}", (n * 1000.0).round() / 1000.0),
        _ => Value::from_value(cell).unwrap_or_default().to_string(),
    };
    row.values().iter().map(text).collect()
}
