//! A recorded match, from the engine's calls to the API: tape, built module, stand-in for Discord, bot, database. The stats
//! files come from a real OpenSSH server; the databases are SQLite and a real PostgreSQL.

use std::collections::BTreeMap;
use std::path::Path;

use gametimes_bot::config::Secret;
use gametimes_bot::{Bot, Config};
use gametimes_discord_standin::Discord;
use gametimes_standin::recorded::{Figures, Round};
use gametimes_standin::{Options, play, recorded};
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::bot::sshd::Sshd;
use gametimes_test_support::bot::{config_in, get, settings_for, wait_for};
use gametimes_test_support::samples::sample_files;
use serde_json::Value;

const KEY: &str = "a key that server and bot share";

/// Plays a tape as a server that posts to the stand-in.
fn play_tape(name: &str, home: &Path, discord: &Discord) -> Vec<Round> {
    let tape = recorded::tape(name).unwrap();
    let options = Options::new(&recorded::built_module(), home)
        .cvar("gametimes_webhook_url", &discord.webhook_url())
        .cvar("gametimes_hmac_key", KEY);
    let console = play(&tape, &options).unwrap();
    assert!(console.contains("[gametimes] message sent"), "{console}");
    recorded::expected(name)
}

async fn bot_shows(bot: &Bot, expected: &[Round]) {
    let rounds = wait_for("all rounds with their stats files", || async {
        let (_, rounds) = get(&bot.url("/api/rounds")).await;
        let rounds = rounds.as_array().cloned()?;
        let whole = rounds
            .iter()
            .filter(|r| r["stats_file"].is_string() && r["duration_ms"].is_i64())
            .count();
        (whole == expected.len()).then_some(rounds)
    })
    .await;
    assert_eq!(rounds.len(), expected.len(), "{rounds:?}");
    let mut rounds: Vec<&Value> = rounds.iter().collect();
    rounds.sort_by_key(|r| r["round_end_unix"].as_i64());
    for (round, expected) in rounds.into_iter().zip(expected) {
        let which = format!("{} {}", round["match_id"], expected.end_t);
        assert_eq!(round["duration_ms"], expected.play_ms, "{which}");
        assert_eq!(round["recorder"], "native", "{which}");
        let (_, players) = get(&bot.url(&format!("/api/rounds/{}/players", round["id"]))).await;
        let found: BTreeMap<String, Figures> = players
            .as_array()
            .unwrap()
            .iter()
            .map(|p| {
                let n = |key: &str| p[key].as_i64().unwrap();
                let figures = Figures {
                    spawns: n("spawns"),
                    revives: n("revives"),
                    deaths: n("deaths"),
                    dead_ms: n("dead_ms"),
                    max_dead_ms: n("max_dead_ms"),
                    denied_ms: n("denied_ms"),
                    kills: n("kills"),
                };
                (p["guid"].as_str().unwrap().to_owned(), figures)
            })
            .collect();
        assert_eq!(found, expected.players, "{which}");
    }
    let (_, diagnostics) = get(&bot.url("/api/diagnostics/lua-webhook")).await;
    assert_eq!(diagnostics["linkage_health"]["linkage_pct"], 100.0);
    let (_, rejected) = get(&bot.url("/api/rejected")).await;
    assert_eq!(rejected, serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn match_arrives_exactly_on_both_databases() {
    let (cluster, sshd) = (Cluster::shared(), Sshd::start());
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("gamestats");
    let home = folder.path().join("home");
    let gametimes = home.join("legacy/gametimes");
    std::fs::create_dir_all(&stats).unwrap();
    std::fs::create_dir_all(&gametimes).unwrap();
    let with = |mut config: Config| {
        let mut settings = settings_for(&discord);
        settings.hmac_key = Some(Secret::new(KEY));
        config.discord = Some(settings);
        config.ssh = vec![sshd.settings(&stats, Some(&gametimes))];
        config.poll = std::time::Duration::from_secs(2);
        config
    };
    let on_sqlite = gametimes_bot::start(with(config_in(&folder)))
        .await
        .unwrap();
    let on_postgres = gametimes_bot::start(with(Config::with_database(&cluster.database())))
        .await
        .unwrap();
    // The old scripts wrote these files during the match.
    for (name, bytes) in sample_files("gamestats")
        .into_iter()
        .filter(|(name, _)| name.contains("room2"))
    {
        std::fs::write(stats.join(name), bytes).unwrap();
    }
    let (discord, expected) = tokio::task::spawn_blocking(move || {
        let expected = play_tape("stopwatch", &home, &discord);
        (discord, expected)
    })
    .await
    .unwrap();
    bot_shows(&on_sqlite, &expected).await;
    bot_shows(&on_postgres, &expected).await;
    // The third round ended after 3 s, too short for a message. Its file came over SFTP.
    assert_eq!(discord.messages().len(), 2);
    on_sqlite.stop().await.unwrap();
    on_postgres.stop().await.unwrap();
}
