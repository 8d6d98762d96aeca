//! From a message in Discord to the API, with the stand-in for Discord.

use std::collections::BTreeMap;

use gametimes_bot::Config;
use gametimes_bot::config::{Discord as DiscordSettings, Secret};
use gametimes_discord_standin::{Discord, FileAnswer};
use gametimes_format::{EventKind, GametimesFile, SpawnStats, TimelineEvent, limits};
use gametimes_test_support::bot::{
    config_in, delivery, get, settings_for, wait_for, wait_for_rounds,
};
use gametimes_test_support::samples::{native_files, sample};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn message_with_a_file_becomes_a_round() {
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    config.discord = Some(settings_for(&discord));
    let bot = gametimes_bot::start(config).await.unwrap();

    let file = sample("gametimes/gametime-room1-R1-1795179043.json");
    let body = serde_json::from_slice(&sample("messages/room1-R1-1795179043.json")).unwrap();
    discord
        .post(
            discord.webhook().id,
            &body,
            &[("gametime-room1-R1-1795179043.json", &file)],
        )
        .unwrap();

    let rounds = wait_for_rounds(&bot, 1).await;
    assert_eq!(rounds[0]["map_name"], "room1");
    assert_eq!(rounds[0]["end_reason"], "surrender");
    assert_eq!(rounds[0]["actual_duration_seconds"], 54);
    let id = rounds[0]["id"].as_i64().unwrap();
    let (status, players) = get(&bot.url(&format!("/api/rounds/{id}/players"))).await;
    assert_eq!((status, players.as_array().unwrap().len()), (200, 12));
    assert_eq!(
        (&players[0]["name"], &players[0]["dead_seconds"]),
        (&json!("Player02"), &json!(18))
    );
    let (status, page) = get(&bot.url(&format!("/rounds/{id}"))).await;
    assert_eq!(status, 200);
    assert!(
        page.as_str().unwrap().contains("<h1>room1, round 1</h1>"),
        "{page}"
    );
    let (_, health) = get(&bot.url("/api/health")).await;
    assert_eq!(health["discord_connected"], json!(true));
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_posted_while_the_bot_was_down_are_caught_up() {
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    config.discord = Some(settings_for(&discord));
    let post = |name: &str| {
        let body = serde_json::from_slice(&sample(&format!("messages/{name}.json"))).unwrap();
        discord.post(discord.webhook().id, &body, &[]).unwrap();
    };
    post("room2-R1-1795178021");
    let bot = gametimes_bot::start(config.clone()).await.unwrap();
    wait_for_rounds(&bot, 1).await;
    bot.stop().await.unwrap();
    post("room2-R2-1795178128");
    post("room1-R1-1795179043");
    let bot = gametimes_bot::start(config).await.unwrap();
    let rounds = wait_for_rounds(&bot, 3).await;
    assert_eq!(rounds[0]["recorder"], "message");
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_messages_are_rejected_and_reported() {
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    let other = discord.add_webhook(discord.channel_id());
    config.discord = Some(settings_for(&discord));
    let bot = gametimes_bot::start(config).await.unwrap();
    let good: serde_json::Value =
        serde_json::from_slice(&sample("messages/room1-R1-1795179043.json")).unwrap();
    discord.post(other.id, &good, &[]).unwrap();
    let mut renamed = good.clone();
    renamed["username"] = "Somebody".into();
    discord.post(discord.webhook().id, &renamed, &[]).unwrap();
    let mut broken = good.clone();
    broken["embeds"][0]["fields"][1]["value"] = "9".into();
    discord.post(discord.webhook().id, &broken, &[]).unwrap();
    discord.post_as_user(discord.channel_id(), "admin", "STATS_READY");
    discord
        .post(
            discord.webhook().id,
            &json!({"content": "hello", "username": "ET:Legacy Stats"}),
            &[],
        )
        .unwrap();
    discord
        .post(
            discord.webhook().id,
            &good,
            &[("gametime-room1-R1-1795179043.json", b"{\"meta\": 1}")],
        )
        .unwrap();
    discord.post(discord.webhook().id, &good, &[]).unwrap();
    // Messages of people are neither stored nor rejected. A file is downloaded while the messages after it are stored.
    wait_for("one round and four rejections", || async {
        let discord = bot.status.delivery().remove("discord")?;
        ((discord.stored, discord.failed) == (1, 4)).then_some(())
    })
    .await;
    let (_, rejected) = get(&bot.url("/api/rejected")).await;
    let reasons: Vec<&str> = rejected
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["reason"].as_str().unwrap())
        .collect();
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    for expected in [
        "is not in discord.webhook_ids",
        "the author is",
        "a round is 1 or 2",
        "not a gametimes file",
    ] {
        assert!(
            reasons.iter().any(|r| r.contains(expected)),
            "{expected}: {reasons:?}"
        );
    }
    bot.stop().await.unwrap();
}

/// Without the intent, the gateway refuses the bot and the history returns blank messages. The bot waits for their text and
/// does not skip them.
#[tokio::test(flavor = "multi_thread")]
async fn blank_messages_are_read_once_the_intent_is_enabled() {
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    config.discord = Some(settings_for(&discord));
    let post = |name: &str| {
        let body = serde_json::from_slice(&sample(&format!("messages/{name}.json"))).unwrap();
        discord.post(discord.webhook().id, &body, &[]).unwrap();
    };
    post("room2-R1-1795178021");
    discord.set_message_content(false);
    let bot = gametimes_bot::start(config).await.unwrap();
    let told = wait_for("what to do", || async {
        let delivery = bot.status.delivery();
        delivery.get("discord").and_then(|d| d.last_error.clone())
    })
    .await;
    assert!(told.contains("enable the Message Content intent"), "{told}");
    post("room2-R2-1795178128");
    discord.set_message_content(true);
    wait_for_rounds(&bot, 2).await;
    // Once connected again, messages arrive over the gateway.
    wait_for("a connection", || async {
        bot.status.is_discord_connected().then_some(())
    })
    .await;
    post("room1-R1-1795179043");
    wait_for_rounds(&bot, 3).await;
    bot.stop().await.unwrap();
}

/// The attachment of a message cannot be downloaded for a while. The bot downloads it later, also after restarts. Until
/// then, the round has the data of the message's fields; with a signing key it is not stored, and nothing is rejected.
#[tokio::test(flavor = "multi_thread")]
async fn attachment_that_cannot_be_downloaded_is_downloaded_later() {
    let key = "a key that server and bot share";
    for (status, key) in [(404, None), (503, Some(key))] {
        let discord = Discord::start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut config = config_in(&folder);
        let mut settings = settings_for(&discord);
        settings.hmac_key = key.map(Secret::new);
        config.discord = Some(settings);
        let (name, bytes) = native_files("surrender").remove(0);
        let mut file: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        if let Some(key) = key {
            let signature = gametimes_format::digest::sign(key.as_bytes(), &bytes);
            file["payload"]["embeds"][0]["footer"]["text"] =
                format!("gametimes v0.1.0 hmac-sha256 {signature}").into();
        }
        discord.fail_attachments(Some(status));
        discord
            .post(discord.webhook().id, &file["payload"], &[(&name, &bytes)])
            .unwrap();
        let bot = gametimes_bot::start(config.clone()).await.unwrap();
        let open = async |bot: &gametimes_bot::Bot, count: usize| {
            wait_for("what is open", || async {
                let open = bot.store.checkpoints("discord ").await.unwrap();
                // The checkpoint of the last message is there too.
                (open.len() == count + 1).then_some(())
            })
            .await;
        };
        open(&bot, 1).await;
        let told = delivery(&bot, "discord").unwrap().last_error.unwrap();
        assert!(told.contains(&format!("answers {status}")), "{told}");
        let (_, rounds) = get(&bot.url("/api/rounds")).await;
        match key {
            None => assert_eq!(rounds[0]["recorder"], "message"),
            Some(_) => assert_eq!(rounds, json!([])),
        }
        bot.stop().await.unwrap();
        discord.fail_attachments(None);
        let bot = gametimes_bot::start(config).await.unwrap();
        open(&bot, 0).await;
        let (_, rounds) = get(&bot.url("/api/rounds")).await;
        assert_eq!(rounds.as_array().unwrap().len(), 1);
        assert_eq!(rounds[0]["recorder"], "native");
        let (_, rejected) = get(&bot.url("/api/rejected")).await;
        assert_eq!(rejected, json!([]));
        wait_for("a source that is well", || async {
            delivery(&bot, "discord")?
                .last_error
                .is_none()
                .then_some(())
        })
        .await;
        bot.stop().await.unwrap();
    }
}

/// A file with every list as long as a recorder makes it.
fn largest_file(mut file: GametimesFile) -> Vec<u8> {
    let name = |n: usize| format!("{}{n:03}", "é".repeat(limits::NAME - 3));
    let player = file.meta.spawn_stats[0].clone();
    file.meta.spawn_stats = (0..limits::PLAYERS)
        .map(|n| SpawnStats {
            guid: String::new(),
            name: name(n),
            ..player.clone()
        })
        .collect();
    file.meta.events = (0..limits::EVENTS)
        .map(|n| TimelineEvent {
            t_ms: n as i64,
            kind: EventKind::Death,
            name: Some(name(n % limits::PLAYERS)),
            by: Some(name((n + 1) % limits::PLAYERS)),
            means_of_death: Some("M".repeat(limits::MEANS)),
            ..TimelineEvent::default()
        })
        .collect();
    serde_json::to_vec(&file).unwrap()
}

/// With a key, a round whose file is too large to be downloaded would be lost.
#[tokio::test(flavor = "multi_thread")]
async fn the_largest_file_of_a_recorder_is_stored_with_a_key_and_the_default_limit() {
    let key = "a key that server and bot share";
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    let text = format!("[discord]\ntoken = 't'\nchannel_id = 1\nhmac_key = '{key}'");
    let defaults = Config::parse(&text, BTreeMap::new()).unwrap().discord;
    let defaults = defaults.unwrap();
    config.discord = Some(DiscordSettings {
        hmac_key: defaults.hmac_key,
        max_attachment_bytes: defaults.max_attachment_bytes,
        ..settings_for(&discord)
    });
    let bot = gametimes_bot::start(config).await.unwrap();
    let (name, bytes) = native_files("surrender").remove(0);
    let bytes = largest_file(serde_json::from_slice(&bytes).unwrap());
    assert!(bytes.len() > 6_000_000, "{}", bytes.len());
    let mut file: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let signature = gametimes_format::digest::sign(key.as_bytes(), &bytes);
    file["payload"]["embeds"][0]["footer"]["text"] =
        format!("gametimes v0.1.0 hmac-sha256 {signature}").into();
    discord
        .post(discord.webhook().id, &file["payload"], &[(&name, &bytes)])
        .unwrap();
    let rounds = wait_for("the round, or why not", || async {
        let (_, rejected) = get(&bot.url("/api/rejected")).await;
        assert_eq!(rejected, json!([]));
        let (_, rounds) = get(&bot.url("/api/rounds")).await;
        (rounds != json!([])).then_some(rounds)
    })
    .await;
    assert_eq!(rounds[0]["recorder"], "native");
    bot.stop().await.unwrap();
}

/// Discord does not guarantee that messages appear in the order of their ids.
#[tokio::test(flavor = "multi_thread")]
async fn message_that_appears_late_is_not_skipped() {
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    config.discord = Some(settings_for(&discord));
    let webhook = discord.webhook().id;
    let body = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&sample(&format!("messages/{name}.json"))).unwrap()
    };
    let (live, missed) = (discord.reserve_id(), discord.reserve_id());
    let bot = gametimes_bot::start(config.clone()).await.unwrap();
    discord
        .post(webhook, &body("room2-R1-1795178021"), &[])
        .unwrap();
    wait_for_rounds(&bot, 1).await;
    wait_for("a connection", || async {
        bot.status.is_discord_connected().then_some(())
    })
    .await;
    discord
        .post_late(live, webhook, &body("room2-R2-1795178128"))
        .unwrap();
    wait_for_rounds(&bot, 2).await;
    bot.stop().await.unwrap();
    discord
        .post_late(missed, webhook, &body("room1-R1-1795179043"))
        .unwrap();
    let bot = gametimes_bot::start(config).await.unwrap();
    wait_for_rounds(&bot, 3).await;
    bot.stop().await.unwrap();
}

/// Downloads run side by side. Until all before it are finished, the checkpoint stays, so a bot that is killed loses nothing.
#[tokio::test(flavor = "multi_thread")]
async fn dripping_attachments_hold_up_no_message_and_are_downloaded_after_a_kill() {
    let key = "a key that server and bot share";
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    let mut settings = settings_for(&discord);
    settings.hmac_key = Some(Secret::new(key));
    config.discord = Some(settings);
    let mut files = native_files("stopwatch");
    files.extend(native_files("surrender"));
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    for name in &names[..3] {
        discord.set_file(name, FileAnswer::Dripping);
    }
    discord.set_file(names[3], FileAnswer::Missing);

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bot = runtime.spawn(gametimes_bot::start(config.clone()));
    let bot = bot.await.unwrap().unwrap();
    let mut ids = Vec::new();
    for (name, bytes) in &files {
        let mut file: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        let signature = gametimes_format::digest::sign(key.as_bytes(), bytes);
        file["payload"]["embeds"][0]["footer"]["text"] =
            format!("gametimes v0.1.0 hmac-sha256 {signature}").into();
        let posted = discord.post(discord.webhook().id, &file["payload"], &[(name, bytes)]);
        ids.push(posted.unwrap().id);
    }
    wait_for("three downloads at a time", || async {
        (discord.dripping() == 3).then_some(())
    })
    .await;
    let rounds = wait_for_rounds(&bot, 1).await;
    assert_eq!(discord.dripping(), 3, "it waited for the others");
    assert_eq!(rounds[0]["round_number"], 2, "the last message");
    let name = format!("discord {}", discord.channel_id());
    let checkpoint = bot.store.checkpoint(&name).await.unwrap();
    assert!(
        checkpoint < ids[0],
        "the checkpoint passed an unfinished message"
    );

    runtime.shutdown_background();
    drop(bot);
    for name in &names {
        discord.set_file(name, FileAnswer::Whole);
    }
    let bot = gametimes_bot::start(config).await.unwrap();
    wait_for_rounds(&bot, 5).await;
    let (_, rejected) = get(&bot.url("/api/rejected")).await;
    assert_eq!(rejected, json!([]));
    wait_for("the checkpoint after the last message", || async {
        let checkpoint = bot.store.checkpoint(&name).await.unwrap();
        (checkpoint >= ids[4]).then_some(())
    })
    .await;
    bot.stop().await.unwrap();
}
