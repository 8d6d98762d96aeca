//! The console: the commands `gametimes test` and `gametimes status`, and the debug lines.

use std::time::Duration;

use gametimes_standin::Step;
use gametimes_test_support::game::Match;
use gametimes_test_support::webhook::{Reply, Webhook};

#[test]
fn test_command_posts_a_marked_message_and_prints_the_answer() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([Reply::Answer(
        404,
        "",
        r#"{"message":"Unknown Webhook","code":10015}"#,
    )]);
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
    game.start();
    assert!(game.server.console_command("gametimes test"));
    let console = game.console_with("test: webhook 1");
    assert!(
        console.contains("Unknown Webhook (code 10015)"),
        "{console}"
    );
    game.server.console_command("gametimes test");
    game.console_with("test message delivered");
    game.status_with("webhook 1: test: test message delivered");
    let requests = hook.requests();
    let body = requests[1].text();
    assert!(body.contains("gametimes test") && !body.contains("STATS_READY"));
    game.stop();
}

/// Over rcon, only what is printed before the command returns reaches the admin.
#[test]
fn commands_are_answered_before_they_return() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([]);
    let mut game = Match::new(home.path(), &[]);
    let answer = |game: &mut Match, command: &str| {
        game.server.take_console();
        assert!(game.server.console_command(command));
        game.server.take_console()
    };
    game.start();
    let said = answer(&mut game, "gametimes test");
    assert!(said.contains("test: no webhook is set; see"), "{said}");
    game.server.set_cvar("gametimes_webhook_url", hook.url());
    let said = answer(&mut game, "gametimes reload");
    assert!(said.contains("settings read: webhooks 1;"), "{said}");
    let said = answer(&mut game, "gametimes test");
    let line = "test: a test message goes to 1 webhook; the result will be in the server's log and in gametimes status";
    assert!(said.contains(line), "{said}");
    hook.wait(1);
    game.frame(5000, Step::kill(2, 1, 1));
    game.frame(3000, []);
    // What the worker publishes is a moment old.
    std::thread::sleep(Duration::from_secs(2));
    game.frame(2000, []);
    let said = answer(&mut game, "gametimes status");
    for line in [
        "records, engine 2.83.1",
        "cost per frame",
        "round: supply R1 played 0:10.000",
        " 1 Axis   dead  dead 0:05.000 p1",
        " 2 Allies alive dead 0:00.000 p2",
        "outbox: 0 messages waiting, 0 rounds not written yet",
        "webhook 1: test: test message delivered",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    game.frame(0, []);
    assert!(!game.server.take_console().contains("round: "), "said once");
    game.stop();
}

#[test]
fn debug_setting_logs_every_event() {
    let home = tempfile::tempdir().unwrap();
    let mut game = Match::new(home.path(), &[("gametimes_debug", "1")]);
    game.start();
    game.frame(5000, Step::kill(2, 1, 1));
    let console = game.console_with("Death");
    assert!(
        console.contains(r#"debug: 5000 Death { slot: 1, by: Some(2), means: "MOD_MP40" }"#),
        "{console}"
    );
    game.stop();
}

#[test]
fn status_shows_round_players_and_last_message() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([]);
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
    game.round();
    hook.wait(1);
    game.start();
    game.frame(5000, Step::kill(2, 1, 1));
    game.frame(3000, []);
    let console = game.status_with("dead 0:03.000 p1");
    for line in [
        "records, engine 2.83.1",
        "cost per frame",
        "round: supply R1 played 0:08.000",
        " 1 Axis   dead  dead 0:03.000 p1",
        " 2 Allies alive dead 0:00.000 p2",
        "outbox: 0 messages waiting, 0 rounds not written yet",
        "webhook 1: sent",
    ] {
        assert!(console.contains(line), "{line}\n{console}");
    }
    game.stop();
}
