//! The message in the stats channel: posted once, edited when late data arrives, and never posted again after it
//! was deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use gametimes_bot::config::Folder;
use gametimes_bot::db::IngestItem;
use gametimes_bot::files::ingest::ingest;
use gametimes_bot::{Bot, Config};
use gametimes_discord_standin::{Discord, Message};
use gametimes_format::GametimesFile;
use gametimes_standin::stopwatch::CASES;
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::bot::stats_channel::{
    A_WHILE, compare_golden, compare_golden_texts, settled, text_of, with_stats_channel,
};
use gametimes_test_support::bot::stopwatch::{evening, files_of, item};
use gametimes_test_support::bot::{config_in, get, sqlite, wait_for};
use gametimes_test_support::samples::{native_files, sample, samples};
use serde_json::Value;

/// The description of a message as Discord shows it.
fn description(message: &Message) -> &str {
    message.json["embeds"][0]["description"].as_str().unwrap()
}

/// Compares what was sent with a golden file, which `UPDATE_GOLDEN=1` regenerates.
fn golden(name: &str, message: &Message) {
    let mut body = message.body.clone();
    // It depends on the channel's id.
    let nonce = body.as_object_mut().unwrap().remove("nonce");
    assert!(nonce.is_none_or(|n| n.as_str().unwrap().len() == 25));
    let text = serde_json::to_string_pretty(&body).unwrap() + "\n";
    compare_golden(&format!("{name}.json"), &text);
}

#[tokio::test(flavor = "multi_thread")]
async fn round_is_posted_once_edited_and_not_posted_again_after_deletion() {
    let discord = Discord::start().unwrap();
    let channel = discord.add_channel();
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("gamestats");
    std::fs::create_dir(&stats).unwrap();
    let mut settings = with_stats_channel(config_in(&folder), &discord, channel);
    settings.folders = vec![Folder {
        path: stats.clone(),
        server: String::new(),
    }];
    let bot = gametimes_bot::start(settings.clone()).await.unwrap();
    // The messages as the module posts them. The second round lasted only 26 s.
    for (name, bytes) in native_files("surrender") {
        let file: Value = serde_json::from_slice(&bytes).unwrap();
        discord
            .post(discord.webhook().id, &file["payload"], &[(&name, &bytes)])
            .unwrap();
    }
    let posted = settled(&discord, channel, |m| m.len() == 1).await;
    golden("summary-surrender", &posted[0]);
    assert!(!description(&posted[0]).contains("The stats file said"));
    assert_eq!(posted[0].json["edited_timestamp"], Value::Null);
    let picture = discord.attachment(&posted[0], 0).unwrap();
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 10_000);

    // The stats file arrives late: the same message is edited.
    let name = "2026-11-20-125046-room1-round-1.txt";
    std::fs::write(stats.join(name), sample(&format!("gamestats/{name}"))).unwrap();
    let edited = settled(&discord, channel, |m| {
        m.iter()
            .all(|m| description(m).ends_with("The stats file said: 3:00"))
    })
    .await;
    assert_eq!((edited.len(), edited[0].id), (1, posted[0].id));
    golden("summary-surrender-edited", &edited[0]);
    assert_eq!(edited[0].json["attachments"].as_array().unwrap().len(), 1);

    // A restart posts and edits nothing.
    bot.stop().await.unwrap();
    let bot = gametimes_bot::start(settings).await.unwrap();
    tokio::time::sleep(A_WHILE).await;
    let still = discord.messages_in(channel);
    assert_eq!(still.len(), 1);
    assert_eq!(still[0].json, edited[0].json);

    // After the message is deleted by hand, changes of the round post no new one.
    discord.delete_message(posted[0].id);
    let text = String::from_utf8(sample(&format!("gamestats/{name}"))).unwrap();
    let one_more = text.lines().last().unwrap().replacen('A', "B", 1);
    let text = text.replacen("3:00", "2:30", 2) + &one_more + "\n";
    let better = folder.path().join(name);
    std::fs::write(&better, text).unwrap();
    ingest(&bot.store, &[better], "", false).await.unwrap();
    wait_for("the bot to see that the message is gone", || async {
        let sql = "SELECT round_id FROM gametimes_summaries WHERE state = 'deleted'";
        bot.store.database.row(sql, &[]).await.unwrap()
    })
    .await;
    settled(&discord, channel, <[Message]>::is_empty).await;
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn old_short_and_bot_rounds_are_not_posted() {
    let discord = Discord::start().unwrap();
    let channel = discord.add_channel();
    let folder = tempfile::tempdir().unwrap();
    let mut settings = with_stats_channel(config_in(&folder), &discord, channel);
    let hour = 3600;
    if let Some(stats_channel) = settings.discord.as_mut().unwrap().stats_channel.as_mut() {
        stats_channel.max_age = Duration::from_secs(6 * hour);
    }
    let bot = gametimes_bot::start(settings).await.unwrap();
    let now = jiff::Timestamp::now().as_second();
    let files = folder.path().join("files");
    std::fs::create_dir(&files).unwrap();
    let write = |map: &str, ended: i64, edit: &dyn Fn(&mut Value)| {
        let mut file: Value = serde_json::from_slice(&native_files("surrender")[0].1).unwrap();
        let meta = &mut file["meta"];
        let shift = ended - meta["round_end_unix"].as_i64().unwrap();
        for key in ["round_start_unix", "round_end_unix"] {
            meta[key] = (meta[key].as_i64().unwrap() + shift).into();
        }
        for pause in meta["pauses"].as_array_mut().unwrap() {
            for key in ["start", "end"] {
                pause[key] = (pause[key].as_i64().unwrap() + shift).into();
            }
        }
        for key in ["event_id", "round_canonical_id"] {
            meta[key] = "".into();
        }
        meta["stats_file"] = Value::Null;
        meta["match_id"] = ended.to_string().into();
        meta["map"] = map.into();
        edit(meta);
        std::fs::write(
            files.join(format!("gametime-{map}-R1-{ended}.json")),
            file.to_string(),
        )
        .unwrap();
    };
    write("old", now - 7 * 3600, &|_| {});
    write("bots", now - 600, &|meta| {
        let rename = |guid: &Value| format!("OMNIBOT{}", &guid.as_str().unwrap()[7..]);
        for player in meta["spawn_stats"].as_array_mut().unwrap() {
            player["guid"] = rename(&player["guid"]).into();
        }
        for team in ["axis", "allies"] {
            for player in meta["teams"][team].as_array_mut().unwrap() {
                player["guid"] = rename(&player["guid"]).into();
            }
        }
        for event in meta["events"].as_array_mut().unwrap() {
            event["guid"] = rename(&event["guid"]).into();
        }
    });
    write("fresh", now - 60, &|_| {});
    let done = ingest(&bot.store, &[files], "", false).await.unwrap();
    assert!(done.rejected.is_empty(), "{done}");
    let (_, rounds) = get(&bot.url("/api/rounds")).await;
    assert_eq!(rounds.as_array().unwrap().len(), 3);
    let posted = settled(&discord, channel, |m| m.len() == 1).await;
    assert!(
        posted[0].json["embeds"][0]["title"]
            .as_str()
            .unwrap()
            .contains("fresh")
    );
    bot.stop().await.unwrap();
}

/// Discord refuses, is busy, or accepts the message and loses the answer: the result is one message.
#[tokio::test(flavor = "multi_thread")]
async fn failed_posts_are_retried_and_nothing_is_posted_twice() {
    let discord = Discord::start().unwrap();
    let channel = discord.add_channel();
    let folder = tempfile::tempdir().unwrap();
    discord.fail_bot(&[500]);
    discord.lose_next_answer();
    let bot = gametimes_bot::start(with_stats_channel(config_in(&folder), &discord, channel))
        .await
        .unwrap();
    let files = [samples().join("../native/surrender")];
    ingest(&bot.store, &files, "", false).await.unwrap();
    wait_for("a failure to be told", || async {
        let delivery = bot.status.delivery();
        let failed = delivery.get("stats channel")?;
        (failed.failed >= 1)
            .then(|| failed.last_error.clone())
            .flatten()
    })
    .await;
    wait_for("the message to be noted", || async {
        let sql = "SELECT round_id FROM gametimes_summaries WHERE state = 'posted' AND seen <> ''";
        bot.store.database.row(sql, &[]).await.unwrap()
    })
    .await;
    let posted = settled(&discord, channel, |m| m.len() == 1).await;
    assert_eq!(posted[0].json["edited_timestamp"], Value::Null);
    bot.stop().await.unwrap();
}

/// A round could not be posted, and then the setting names another channel. Edits go to the channel of the message.
#[tokio::test(flavor = "multi_thread")]
async fn round_posted_to_another_channel_is_edited_there() {
    let discord = Discord::start().unwrap();
    let channel = discord.add_channel();
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder).await;
    let files = [samples().join("../native/surrender")];
    ingest(&store, &files, "", false).await.unwrap();
    let mut transaction = store.database.begin().await.unwrap();
    let sql =
        "INSERT INTO gametimes_summaries SELECT id, 'claimed', 1, NULL, '', '', 1, 0 FROM rounds";
    transaction.execute(sql, &[]).await.unwrap();
    transaction.commit().await.unwrap();
    store.database.close().await;
    let bot = gametimes_bot::start(with_stats_channel(config_in(&folder), &discord, channel))
        .await
        .unwrap();
    let posted = wait_for("the message to be noted", || async {
        let sql = "SELECT channel_id FROM gametimes_summaries WHERE message_id IS NOT NULL";
        bot.store.database.row(sql, &[]).await.unwrap()
    })
    .await;
    assert_eq!(posted.get::<u64>("channel_id"), channel);
    bot.stop().await.unwrap();
}

/// The messages of a round 2 show who won the map and why, and the score of the series until then.
#[tokio::test(flavor = "multi_thread")]
async fn messages_of_the_seven_stopwatch_matches() {
    let discord = Discord::start().unwrap();
    let channel = discord.add_channel();
    let folder = tempfile::tempdir().unwrap();
    let mut settings = with_stats_channel(config_in(&folder), &discord, channel);
    settings.public_url = Some("https://stats.example.org".into());
    let bot = gametimes_bot::start(settings).await.unwrap();
    let files = evening();
    let items: Vec<IngestItem> = files.iter().map(item).collect();
    bot.store.ingest(&items).await.unwrap();
    // Drawing the timelines takes a while.
    for count in 1..=files.len() {
        wait_for("the next message", || async {
            (discord.messages_in(channel).len() >= count).then_some(())
        })
        .await;
    }
    let posted = settled(&discord, channel, |m| m.len() == files.len()).await;
    let texts: Vec<String> = posted.iter().map(text_of).collect();
    compare_golden_texts("stopwatch-messages", &texts);
    bot.stop().await.unwrap();
}

/// A round 1 that arrives after its round 2 decides the map: the message of round 2 is edited, although its round is as before.
#[tokio::test(flavor = "multi_thread")]
async fn late_round_1_edits_the_result_in_the_message_of_round_2() {
    let discord = Discord::start().unwrap();
    let channel = discord.add_channel();
    let folder = tempfile::tempdir().unwrap();
    let bot = gametimes_bot::start(with_stats_channel(config_in(&folder), &discord, channel))
        .await
        .unwrap();
    let mut files = files_of(&CASES[0]);
    for file in &mut files {
        file.meta.map_result = None;
    }
    bot.store.ingest(&[item(&files[1])]).await.unwrap();
    let posted = settled(&discord, channel, |m| m.len() == 1).await;
    assert!(description(&posted[0]).starts_with("**Undecided**, round 1 is missing"));
    bot.store.ingest(&[item(&files[0])]).await.unwrap();
    let edited = settled(&discord, channel, |m| {
        m.len() == 2 && description(&m[0]).contains("won**, faster by 0:15.0")
    })
    .await;
    assert_eq!(edited[0].id, posted[0].id);
    bot.stop().await.unwrap();
}

/// 64 players with long names: every message is within Discord's limits, which the stand-in checks.
#[tokio::test(flavor = "multi_thread")]
async fn crowd_with_long_names_fits_into_a_message() {
    let discord = Discord::start().unwrap();
    let channel = discord.add_channel();
    let folder = tempfile::tempdir().unwrap();
    let bot = gametimes_bot::start(with_stats_channel(config_in(&folder), &discord, channel))
        .await
        .unwrap();
    let bytes = &native_files("public40")[0].1;
    let mut file: GametimesFile = serde_json::from_slice(bytes).unwrap();
    let names = [
        "```js\n**@everyone** <@1> [x](https://x.y)",
        "日本語の名前の長い選手ですよね日本語の名前の長い選手ですよね",
        "שלום עולם ארוך מאוד",
        "a long name, longer than the column",
    ];
    let players = file.meta.spawn_stats.clone();
    for (n, player) in (0..).zip(players.iter().cycle().take(64)) {
        let mut player = player.clone();
        player.guid = format!("{n:08X}{}", &player.guid[8..]);
        if n >= players.len() {
            file.meta.spawn_stats.push(player);
        } else {
            file.meta.spawn_stats[n] = player;
        }
    }
    for (n, player) in file.meta.spawn_stats.iter_mut().enumerate() {
        player.name = format!("{}{n}", names[n % names.len()]);
    }
    bot.store.ingest(&[item(&file)]).await.unwrap();
    let posted = settled(&discord, channel, |m| m.len() == 1).await;
    compare_golden_texts("crowd-message", &[text_of(&posted[0])]);
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_bots_on_one_database_post_once() {
    let cluster = Cluster::shared();
    let discord = Discord::start().unwrap();
    let channel = discord.add_channel();
    let url = cluster.database();
    let mut bots: Vec<Bot> = Vec::new();
    for _ in 0..2 {
        let settings = with_stats_channel(Config::with_database(&url), &discord, channel);
        bots.push(gametimes_bot::start(settings).await.unwrap());
    }
    let files = [samples().join("../native")];
    ingest(&bots[0].store, &files, "", false).await.unwrap();
    let long = native_files("stopwatch")
        .into_iter()
        .chain(native_files("surrender"))
        .chain(native_files("public40"))
        .map(|(_, bytes)| serde_json::from_slice::<Value>(&bytes).unwrap())
        .filter(|file| file["meta"]["actual_duration_seconds"].as_i64() >= Some(30))
        .count();
    assert!(long >= 4);
    let posted = settled(&discord, channel, |m| m.len() == long).await;
    let ends: BTreeSet<&str> = posted
        .iter()
        .map(|m| m.json["embeds"][0]["timestamp"].as_str().unwrap())
        .collect();
    assert_eq!(ends.len(), long, "each round once: {ends:?}");
    let crowd =
        |m: &&Message| m.json["embeds"][0]["timestamp"] == "2026-11-20T12:45:27.000000+00:00";
    golden("summary-public40", posted.iter().find(crowd).unwrap());
    for bot in bots {
        bot.stop().await.unwrap();
    }
}
