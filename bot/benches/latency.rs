//! From the moment the game closes a round's stats file to the message in Discord and to the row in the database, all on
//! one machine: recorded matches, the built module, the stand-in for Discord, the bot on SQLite.
//!
//! `cargo bench --package gametimes-bot --bench latency`

use std::time::{Duration, Instant};

use gametimes_bot::Bot;
use gametimes_discord_standin::Discord;
use gametimes_standin::{Player, Server, recorded};
use gametimes_test_support::bot::{config_in, settings_for};

/// How often every match is played, each time with a new bot that has not seen its rounds.
const PLAYS: usize = 3;
/// The time that the module's worker needs to catch up, as a tape plays minutes in a moment.
const CATCH_UP: Duration = Duration::from_millis(200);
/// How long to wait for a round before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() {
    let (mut posted, mut stored) = (Vec::new(), Vec::new());
    for _ in 0..PLAYS {
        for name in recorded::NAMES {
            let discord = Discord::start().unwrap();
            let folder = tempfile::tempdir().unwrap();
            let mut config = config_in(&folder);
            config.discord = Some(settings_for(&discord));
            let bot = gametimes_bot::start(config).await.unwrap();
            let tape = recorded::tape(name).unwrap();
            let home = folder.path().join("home");
            let mut server =
                Server::new(&recorded::built_module(), &home, &home.join("base")).unwrap();
            server.set_cvar("gametimes_webhook_url", discord.webhook_url());
            server.set_cvar("gametimes_min_seconds", "0");
            let mut player = Player::new(&tape, false);
            loop {
                if !player.next_closes_stats_file() {
                    if player.step(&mut server, |_| {}).unwrap() {
                        continue;
                    }
                    break;
                }
                tokio::time::sleep(CATCH_UP).await;
                let before = (discord.messages().len(), rounds(&bot).await);
                player.step(&mut server, |_| {}).unwrap();
                let (post, row) = measure(&discord, &bot, before).await;
                posted.push(post);
                stored.push(row);
            }
            bot.stop().await.unwrap();
        }
    }
    println!("## From the end of a round to everybody, in milliseconds");
    println!();
    println!(
        "{} rounds of recorded matches; counted from the moment the game closes the stats file. The row is in SQLite, over the \
         stand-in's gateway.",
        posted.len()
    );
    println!();
    println!("| | median | 95th percentile | max |");
    println!("| --- | ---: | ---: | ---: |");
    row("the message is in Discord", posted);
    row("the row is in the database", stored);
}

/// Waits for the next message and the next row.
async fn measure(discord: &Discord, bot: &Bot, before: (usize, i64)) -> (f64, f64) {
    let closed = Instant::now();
    let mut posted = None;
    while closed.elapsed() < PATIENCE {
        if posted.is_none() && discord.messages().len() > before.0 {
            posted = Some(closed.elapsed());
        }
        if let Some(posted) = posted
            && rounds(bot).await > before.1
        {
            return (
                posted.as_secs_f64() * 1000.0,
                closed.elapsed().as_secs_f64() * 1000.0,
            );
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!(
        "a round was posted: {}, and is not stored",
        posted.is_some()
    );
}

async fn rounds(bot: &Bot) -> i64 {
    let row = bot
        .store
        .database
        .row("SELECT COUNT(*) AS rounds FROM rounds", &[])
        .await
        .unwrap();
    row.expect("a count").get("rounds")
}

fn row(what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    println!(
        "| {what} | {:.0} | {:.0} | {:.0} |",
        times[times.len() / 2],
        times[times.len() * 95 / 100],
        times[times.len() - 1]
    );
}
