//! The digest in the stats channel: once after each evening, edited when late files change the evening.

use std::time::Duration;

use gametimes_bot::db::IngestItem;
use gametimes_bot::{Bot, Config};
use gametimes_discord_standin::{Discord, Message};
use gametimes_format::GametimesFile;
use gametimes_test_support::bot::items::everything;
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::bot::stats_channel::{
    A_WHILE, compare_golden_texts, settled, text_of, with_stats_channel,
};
use gametimes_test_support::bot::stopwatch::{evening, item};
use gametimes_test_support::bot::{config_in, wait_for};
use serde_json::Value;

/// Settings that post digests only: the rounds of the tapes are older than the bot edits messages of rounds.
fn config(config: Config, discord: &Discord, channel: u64) -> Config {
    let mut config = with_stats_channel(config, discord, channel);
    if let Some(settings) = &mut config.discord
        && let Some(stats_channel) = &mut settings.stats_channel
    {
        stats_channel.digest = true;
    }
    config.public_url = Some("https://stats.example.org".into());
    config
}

fn is_digest(message: &Message) -> bool {
    let title = message.json["embeds"][0]["title"].as_str();
    title.is_some_and(|title| title.starts_with("The evening of"))
}

fn digests(messages: &[Message]) -> Vec<Message> {
    messages.iter().filter(|m| is_digest(m)).cloned().collect()
}

/// Waits for a digest that says so, and checks that it is the only one.
async fn the_digest(discord: &Discord, channel: u64, says: &str) -> Message {
    for count in 1.. {
        // Each round is posted first, and drawing its timeline takes a while.
        let posted = || discord.messages_in(channel);
        if digests(&posted()).iter().any(|m| text_of(m).contains(says)) {
            break;
        }
        wait_for("another message", || async {
            let is_there = digests(&posted()).iter().any(|m| text_of(m).contains(says));
            (is_there || posted().len() > count).then_some(())
        })
        .await;
    }
    let messages = settled(discord, channel, |m| {
        let digests = digests(m);
        digests.len() == 1 && text_of(&digests[0]).contains(says)
    })
    .await;
    digests(&messages).remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn evening_is_posted_once_and_edited_when_a_late_file_changes_it() {
    let discord = Discord::start().unwrap();
    let channel = discord.add_channel();
    let folder = tempfile::tempdir().unwrap();
    let settings = config(config_in(&folder), &discord, channel);
    let bot = gametimes_bot::start(settings.clone()).await.unwrap();
    let files = evening();
    let (late, on_time) = files.split_last().unwrap();
    let items: Vec<IngestItem> = on_time.iter().map(item).collect();
    bot.store.ingest(&items).await.unwrap();
    let posted = the_digest(&discord, channel, "14 rounds").await;
    assert!(text_of(&posted).contains("round 2 is missing"));

    // A restart posts and edits nothing.
    bot.stop().await.unwrap();
    let bot = gametimes_bot::start(settings).await.unwrap();
    tokio::time::sleep(A_WHILE).await;
    let still = the_digest(&discord, channel, "14 rounds").await;
    assert_eq!(still.json, posted.json);

    bot.store.ingest(&[item(late)]).await.unwrap();
    let edited = the_digest(&discord, channel, "15 rounds").await;
    assert_eq!(edited.id, posted.id);
    compare_golden_texts("stopwatch-digest", &[text_of(&edited)]);
    bot.stop().await.unwrap();
}

/// With stats files, the digest also shows who revived most.
#[tokio::test(flavor = "multi_thread")]
async fn digest_of_the_samples() {
    let discord = Discord::start().unwrap();
    let channel = discord.add_channel();
    let folder = tempfile::tempdir().unwrap();
    let bot = gametimes_bot::start(config(config_in(&folder), &discord, channel))
        .await
        .unwrap();
    bot.store.ingest(&everything()).await.unwrap();
    let posted = the_digest(&discord, channel, "Most revives").await;
    compare_golden_texts("samples-digest", &[text_of(&posted)]);
    bot.stop().await.unwrap();
}

/// The first file, as that of a round that ended then.
fn ended_at(end_unix: i64) -> GametimesFile {
    let mut file = evening().remove(0);
    let meta = &mut file.meta;
    let later = end_unix - meta.round_end_unix;
    meta.round_start_unix += later;
    meta.round_end_unix += later;
    meta.event_id = format!("{end_unix}");
    meta.match_uid.clear();
    meta.match_id = end_unix.to_string();
    meta.round_canonical_id.clear();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn only_evenings_that_ended_lately_are_posted() {
    let discord = Discord::start().unwrap();
    let channel = discord.add_channel();
    let folder = tempfile::tempdir().unwrap();
    let mut settings = config(config_in(&folder), &discord, channel);
    if let Some(discord) = &mut settings.discord
        && let Some(stats_channel) = &mut discord.stats_channel
    {
        stats_channel.max_age = Duration::from_secs(6 * 3600);
    }
    let bot = gametimes_bot::start(settings).await.unwrap();
    let now = jiff::Timestamp::now().as_second();
    // Long ago, over, and perhaps not over yet.
    let hours = [7, 2, 0];
    let items: Vec<IngestItem> = hours
        .iter()
        .map(|hours| item(&ended_at(now - hours * 3600 - 600)))
        .collect();
    bot.store.ingest(&items).await.unwrap();
    let over = format!("<t:{}:t> ·", now - 2 * 3600 - 600);
    the_digest(&discord, channel, &over).await;
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_bots_on_one_database_post_one_digest() {
    let cluster = Cluster::shared();
    let discord = Discord::start().unwrap();
    let channel = discord.add_channel();
    let url = cluster.database();
    let mut bots: Vec<Bot> = Vec::new();
    for _ in 0..2 {
        let settings = config(Config::with_database(&url), &discord, channel);
        bots.push(gametimes_bot::start(settings).await.unwrap());
    }
    let items: Vec<IngestItem> = evening()[..2].iter().map(item).collect();
    bots[0].store.ingest(&items).await.unwrap();
    let posted = the_digest(&discord, channel, "2 rounds").await;
    assert_eq!(posted.json["edited_timestamp"], Value::Null);
    for bot in bots {
        bot.stop().await.unwrap();
    }
}
