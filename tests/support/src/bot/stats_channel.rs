//! The stats channel of a bot: its messages, and golden files of them.

use std::path::Path;
use std::time::Duration;

use gametimes_bot::Config;
use gametimes_bot::config::StatsChannel;
use gametimes_discord_standin::{Discord, Message};
use serde_json::Value;

use super::{settings_for, wait_for};

/// Longer than two checks of the bot.
pub const A_WHILE: Duration = Duration::from_secs(5);

/// A configuration with this stats channel, to which rounds of any age are posted at once, and no digests.
pub fn with_stats_channel(mut config: Config, discord: &Discord, channel_id: u64) -> Config {
    let mut settings = settings_for(discord);
    settings.stats_channel = Some(StatsChannel {
        channel_id,
        settle: Duration::ZERO,
        // The tapes are old matches, and the bot must post them all the same.
        max_age: Duration::from_secs(u32::MAX.into()),
        digest: false,
    });
    config.discord = Some(settings);
    config
}

/// Waits until the channel's messages are right, and checks that they remain so.
///
/// # Panics
/// When they do not.
pub async fn settled(
    discord: &Discord,
    channel: u64,
    right: impl Fn(&[Message]) -> bool,
) -> Vec<Message> {
    wait_for("the stats channel's messages", || async {
        Some(discord.messages_in(channel)).filter(|m| right(m))
    })
    .await;
    tokio::time::sleep(A_WHILE).await;
    let messages = discord.messages_in(channel);
    assert!(right(&messages), "{messages:#?}");
    messages
}

/// Everything that people read in a message.
pub fn text_of(message: &Message) -> String {
    text_of_embed(&message.json["embeds"][0])
}

/// Everything that people read in an embed.
pub fn text_of_embed(embed: &Value) -> String {
    let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut parts = vec![
        part(&embed["title"]),
        part(&embed["url"]),
        part(&embed["description"]),
    ];
    for field in embed["fields"].as_array().into_iter().flatten() {
        parts.extend([part(&field["name"]), part(&field["value"])]);
    }
    parts.push(part(&embed["footer"]["text"]));
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

/// Compares texts with a golden file of the bot, which `UPDATE_GOLDEN=1` regenerates.
///
/// # Panics
/// When they differ.
pub fn compare_golden_texts(name: &str, texts: &[String]) {
    compare_golden(&format!("{name}.md"), &(texts.join("\n\n---\n\n") + "\n"));
}

/// Compares a text with a golden file of the bot, which `UPDATE_GOLDEN=1` regenerates.
///
/// # Panics
/// When they differ.
pub fn compare_golden(name: &str, text: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bot/tests/golden");
    let path = folder.join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "{} differs:\n{text}", path.display());
}
