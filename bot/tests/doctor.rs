//! What `gametimes-bot doctor` reports.

use std::time::Duration;

use gametimes_bot::config::{Folder, Secret, StatsChannel};
use gametimes_bot::db::Db;
use gametimes_bot::doctor::examine;
use gametimes_discord_standin::Discord;
use gametimes_test_support::bot::sshd::Sshd;
use gametimes_test_support::bot::{config_in, settings_for};
use gametimes_test_support::samples::{sample, sample_files};
use jiff::tz::TimeZone;

#[tokio::test(flavor = "multi_thread")]
async fn doctor_confirms_a_healthy_bot_and_advises_on_problems() {
    let sshd = tokio::task::spawn_blocking(Sshd::start).await.unwrap();
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("gamestats");
    std::fs::create_dir(&stats).unwrap();
    for (name, bytes) in sample_files("gamestats") {
        std::fs::write(stats.join(name), bytes).unwrap();
    }
    let mut config = config_in(&folder);
    let mut settings = settings_for(&discord);
    settings.stats_channel = Some(StatsChannel {
        channel_id: discord.add_channel(),
        settle: Duration::ZERO,
        max_age: Duration::ZERO,
        digest: false,
    });
    config.discord = Some(settings);
    config.ssh = vec![sshd.settings(&stats, None)];
    config.folders = vec![Folder {
        path: stats.clone(),
        server: String::new(),
    }];
    let found = examine(&config).await;
    let to_do: Vec<String> = found
        .iter()
        .filter(|f| !f.good)
        .map(ToString::to_string)
        .collect();
    assert_eq!(to_do.len(), 1, "{to_do:?}");
    assert!(to_do[0].contains("gametimes-bot migrate"), "{to_do:?}");
    assert!(
        !folder.path().join("bot.db").exists(),
        "looking makes no database"
    );
    Db::open(config.database_url.reveal(), TimeZone::UTC)
        .await
        .unwrap()
        .database
        .close()
        .await;
    let found = examine(&config).await;
    assert!(found.iter().all(|f| f.good), "{found:#?}");
    let text: Vec<String> = found.iter().map(ToString::to_string).collect();
    let text = text.join("\n");
    for part in [
        "logged in as gametimes",
        "5 of 5 files",
        "Discord's clock:",
        "its history can be read",
        "#stats-control can be written to",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }

    let stats_channel = config.discord.as_ref().unwrap().stats_channel.as_ref();
    // Embed Links
    discord.deny(stats_channel.unwrap().channel_id, 1 << 14);
    let stranger = discord.add_webhook(discord.channel_id());
    let body = serde_json::from_slice(&sample("messages/room1-R1-1795179043.json")).unwrap();
    discord.post(stranger.id, &body, &[]).unwrap();
    config.folders[0].path = folder.path().join("nowhere");
    config.ssh[0].stats_dir = Some("/nowhere/at/all".into());
    sshd.known_hosts("");
    let found = examine(&config).await;
    let to_do: Vec<String> = found
        .iter()
        .filter(|f| !f.good)
        .map(ToString::to_string)
        .collect();
    for part in [
        "other webhooks posted STATS_READY",
        "ssh-keyscan",
        "nowhere: No such file",
        "give the bot Embed Links there",
    ] {
        assert!(to_do.iter().any(|f| f.contains(part)), "{part}: {to_do:#?}");
    }
    config.discord.as_mut().unwrap().token = Secret::new("wrong-token");
    config.database_url = Secret::new("postgres://nobody:very-secret@127.0.0.1:1/x");
    let found = examine(&config).await;
    let to_do: Vec<String> = found
        .iter()
        .filter(|f| !f.good)
        .map(ToString::to_string)
        .collect();
    assert!(
        to_do
            .iter()
            .any(|f| f.contains("discord.token") && f.contains("Developer Portal")),
        "{to_do:#?}"
    );
    assert!(
        to_do.iter().any(|f| f.contains("check database_url")),
        "{to_do:#?}"
    );
    assert!(
        !to_do.join("").contains("very-secret") && !to_do.join("").contains("wrong-token"),
        "{to_do:#?}"
    );
}
