//! A running bot, and real servers for it.

pub mod browser;
pub mod chaos;
pub mod databases;
pub mod items;
pub mod other_bot;
pub mod sshd;
pub mod stats_channel;
pub mod stopwatch;

use std::time::Duration;

use gametimes_bot::config::{Discord as DiscordSettings, Secret};
use gametimes_bot::db::Db;
use gametimes_bot::{Bot, Config};
use gametimes_discord_standin::Discord;
use jiff::tz::TimeZone;
use serde_json::Value;

pub use crate::{free_port, postgres};

/// How long a test waits for anything.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// Settings that connect a bot to the stand-in for Discord.
pub fn settings_for(discord: &Discord) -> DiscordSettings {
    DiscordSettings {
        token: Secret::new(discord.token()),
        channel_id: discord.channel_id(),
        webhook_ids: vec![discord.webhook().id],
        username: "ET:Legacy Stats".into(),
        hmac_key: None,
        cdn_hosts: vec![discord.host()],
        max_attachment_bytes: gametimes_format::limits::FILE_BYTES as u64,
        messages_per_minute: 10_000,
        proxy: Some(discord.host()),
        gateway_url: Some(discord.gateway_url()),
        stats_channel: None,
        live_channel_id: None,
        commands: false,
    }
}

/// A bot's configuration with an SQLite database in this folder.
pub fn config_in(folder: &tempfile::TempDir) -> Config {
    Config::with_database(&format!(
        "sqlite:{}",
        folder.path().join("bot.db").display()
    ))
}

/// Opens a database. The bot's time zone is UTC.
pub async fn open(url: &str) -> Db {
    Db::open(url, TimeZone::UTC).await.unwrap()
}

/// A new SQLite database in this folder.
pub async fn sqlite(folder: &tempfile::TempDir) -> Db {
    open(config_in(folder).database_url.reveal()).await
}

/// An HTTP client that does not take an error status for a failure.
pub fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(TIMEOUT));
    config.build().into()
}

/// GET: the status, and the body as JSON (as a JSON string if it is not JSON).
pub async fn get(url: &str) -> (u16, Value) {
    get_with(url, None).await
}

/// GET with a bearer token.
pub async fn get_with(url: &str, token: Option<&str>) -> (u16, Value) {
    let (url, token) = (url.to_owned(), token.map(str::to_owned));
    tokio::task::spawn_blocking(move || {
        let mut request = agent().get(url);
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

/// GET with these headers: the whole answer, whatever its status.
pub async fn fetch(url: &str, headers: &[(&'static str, &str)]) -> ureq::http::Response<Vec<u8>> {
    let mut request = ureq::http::Request::get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(()).unwrap();
    tokio::task::spawn_blocking(move || {
        let (head, mut body) = agent().run(request).unwrap().into_parts();
        ureq::http::Response::from_parts(head, body.read_to_vec().unwrap())
    })
    .await
    .unwrap()
}

/// Asks again and again until there is an answer.
pub async fn wait_for<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let until = tokio::time::Instant::now() + TIMEOUT;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            tokio::time::Instant::now() < until,
            "waited in vain for {what}"
        );
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Waits until the bot shows this many rounds.
pub async fn wait_for_rounds(bot: &Bot, count: usize) -> Vec<Value> {
    let url = bot.url("/api/rounds");
    wait_for(&format!("{count} rounds"), || async {
        let (_, body) = get(&url).await;
        body.as_array().filter(|list| list.len() >= count).cloned()
    })
    .await
}

/// The state of the first source whose name begins like this.
pub fn delivery(bot: &Bot, prefix: &str) -> Option<gametimes_bot::status::Delivery> {
    let mut sources = bot.status.delivery().into_iter();
    Some(sources.find(|(name, _)| name.starts_with(prefix))?.1)
}
