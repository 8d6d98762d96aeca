//! Every message ends in the right place, for every answer of the webhook.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gametimes_test_support::game::{Match, gametimes_files, outbox};
use gametimes_test_support::wait_for;
use gametimes_test_support::webhook::{NO_CONTENT, Reply, Webhook};

fn webhook_cvar(hooks: &[&Webhook]) -> String {
    hooks.iter().map(|h| h.url()).collect::<Vec<_>>().join(" ")
}

#[test]
fn message_is_delivered_once_after_any_temporary_failure() {
    const RETRY_BODY: Reply = Reply::Answer(
        429,
        "",
        r#"{"message":"limited","retry_after":0.3,"global":false}"#,
    );
    const RETRY_HEADER: Reply = Reply::Answer(429, "Retry-After: 1\r\n", "");
    let cases: [(&str, Vec<Reply>, usize); 13] = [
        ("204", vec![NO_CONTENT], 1),
        (
            "200 with a body",
            vec![Reply::Answer(200, "", r#"{"id":"1"}"#)],
            1,
        ),
        (
            "200 cut in its body: the message stands",
            vec![Reply::CutBody],
            1,
        ),
        ("500", vec![Reply::Answer(500, "", "")], 2),
        ("502 with a page", vec![Reply::Answer(502, "", "<html>")], 2),
        (
            "403, as a firewall says it",
            vec![Reply::Answer(403, "", "<html>")],
            2,
        ),
        (
            "404 of a proxy in between",
            vec![Reply::Answer(404, "", r#"{"message":"no route","code":0}"#)],
            2,
        ),
        ("cut in the headers", vec![Reply::CutHeaders], 2),
        ("refused", vec![Reply::Refuse], 2),
        ("garbage", vec![Reply::Garbage], 2),
        ("429 with a body", vec![RETRY_BODY], 2),
        ("429 with a header", vec![RETRY_HEADER], 2),
        (
            "two failures",
            vec![Reply::Refuse, Reply::Answer(503, "", "")],
            3,
        ),
    ];
    for (name, script, requests) in cases {
        let home = tempfile::tempdir().unwrap();
        let hook = Webhook::start(script);
        let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
        let console = game.round();
        game.start();
        let console = game.after(console, "message sent");
        assert!(!console.contains("SECRET"), "{name}");
        assert_eq!(hook.requests().len(), requests, "{name}");
        assert_eq!(hook.accepted().len(), 1, "{name}");
        assert!(
            hook.requests()[0].path.ends_with("?wait=true") || hook.requests()[0].path.is_empty()
        );
        assert!(hook.requests().last().unwrap().has_file(), "{name}");
        assert!(outbox(home.path(), "queue").is_empty(), "{name}");
        let file = &gametimes_files(home.path())[0];
        assert_eq!(hook.accepted()[0], file.meta.event_id, "{name}");
        assert_eq!(
            file.meta.stats_file.as_deref(),
            Some("2026-11-20-123344-supply-round-1.txt")
        );
        game.stop();
    }
}

#[test]
fn rate_limit_is_waited_for_as_long_as_discord_asks() {
    for (name, act, least) in [
        (
            "body",
            Reply::Answer(429, "", r#"{"retry_after":1.5}"#),
            1.5,
        ),
        (
            "header",
            Reply::Answer(429, "Retry-After: 2\r\n", "not json"),
            2.0,
        ),
        (
            "the longer of both",
            Reply::Answer(429, "Retry-After: 1\r\n", r#"{"retry_after":1.7}"#),
            1.7,
        ),
    ] {
        let home = tempfile::tempdir().unwrap();
        let hook = Webhook::start([act]);
        let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
        game.round();
        let requests = hook.wait(2);
        let waited = (requests[1].at - requests[0].at).as_secs_f64();
        assert!(waited >= least, "{name}: {waited}");
    }
}

#[test]
fn global_rate_limit_pauses_every_webhook() {
    let home = tempfile::tempdir().unwrap();
    let limited = Webhook::start([Reply::Answer(
        429,
        "",
        r#"{"retry_after":2.0,"global":true}"#,
    )]);
    let other = Webhook::start([]);
    let mut game = Match::new(
        home.path(),
        &[("gametimes_webhook_url", &webhook_cvar(&[&limited, &other]))],
    );
    game.round();
    let first = limited.wait(1)[0].at;
    other.wait(1);
    game.start();
    game.status_with("webhook 1: 429");
    game.frame(5000, []);
    game.finish();
    game.stop();
    let second = other.wait(2)[1].at;
    assert!((second - first).as_secs_f64() >= 2.0);
}

#[test]
fn at_most_five_messages_are_sent_in_two_seconds() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([]);
    let mut game = Match::new(
        home.path(),
        &[
            ("gametimes_webhook_url", &hook.url()),
            ("gametimes_backlog_seconds", "0"),
        ],
    );
    for _ in 0..8 {
        game.round();
    }
    let requests = hook.wait(8);
    for pair in requests.windows(6) {
        // Two seconds count where the messages are sent; the time that each travels varies.
        assert!((pair[5].at - pair[0].at).as_secs_f64() >= 1.5);
    }
}

/// Readers take 4 messages in 30 seconds and drop the rest.
#[test]
fn messages_that_waited_for_an_outage_are_sent_one_in_eight_seconds_and_a_new_one_at_once() {
    let home = tempfile::tempdir().unwrap();
    let is_down = Arc::new(AtomicBool::new(true));
    let hook = Webhook::start_with({
        let is_down = Arc::clone(&is_down);
        move |_, _| {
            Reply::status(if is_down.load(Ordering::SeqCst) {
                503
            } else {
                204
            })
        }
    });
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
    for _ in 0..4 {
        game.round();
    }
    is_down.store(false, Ordering::SeqCst);
    let arrived = || {
        let requests = hook.requests();
        let accepted = requests.iter().filter(|r| r.accepted);
        accepted.map(|r| r.at).collect::<Vec<_>>()
    };
    wait_for("the messages that waited", || arrived().len() == 4);
    for pair in arrived().windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_secs(8));
    }
    // The message of a round that ends right after them keeps the pace, too.
    game.round();
    wait_for("the next message", || arrived().len() == 5);
    assert!(arrived()[4] - arrived()[3] >= Duration::from_secs(8));
    // A message that waits for no other one is sent at once.
    std::thread::sleep(Duration::from_secs(9));
    for n in 6..=7 {
        let began = Instant::now();
        game.round();
        wait_for("a single message", || arrived().len() == n);
        assert!(began.elapsed() < Duration::from_secs(7));
    }
    let played = gametimes_files(home.path());
    let played: Vec<String> = played.into_iter().map(|f| f.meta.event_id).collect();
    assert_eq!(hook.accepted(), played);
}

/// What Discord answers a banned address, from a real case.
const BANNED: Reply = Reply::Answer(
    429,
    "Server: cloudflare\r\n",
    include_str!("data/answers/banned-address.body.json"),
);

#[test]
fn banned_address_is_asked_once_a_minute_at_most_and_reported_once() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([BANNED, BANNED, BANNED]);
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
    let mut console = game.round() + &game.round();
    game.start();
    console = game.after(console, "answers 429 without a time");
    // Before, it was asked again after 5 seconds.
    std::thread::sleep(Duration::from_secs(12));
    assert_eq!(hook.requests().len(), 1);
    console += &game.status_with("webhook 1: 429, waiting 6");
    assert_eq!(outbox(home.path(), "queue").len(), 2);
    // The admin has them sent now: it is asked, and the next pause is longer.
    for n in 2..=3 {
        assert!(game.server.console_command("gametimes reload"));
        hook.wait(n);
    }
    console += &game.status_with("webhook 1: 429, waiting 2");
    assert!(game.server.console_command("gametimes reload"));
    console += &game.console_with("webhook 1 works again");
    let lines = console.lines().filter(|l| l.contains("answers 429"));
    assert_eq!(
        lines.count(),
        3,
        "once, and once after each reload: {console}"
    );
    assert_eq!(hook.requests().len(), 4);
    game.stop();
}

#[test]
fn webhook_of_a_forum_keeps_its_messages_until_the_url_is_corrected() {
    const FORUM: &str = include_str!("data/answers/forum-webhook.body.json");
    for (status, body, cure) in [
        (400, FORUM, "append ?thread_id="),
        (
            400,
            r#"{"message":"Unknown Channel","code":10003}"#,
            "correct or remove it",
        ),
        (
            400,
            r#"{"thread_id":["Value \"abc\" is not snowflake."]}"#,
            "the thread_id in the URL is not a number",
        ),
        (
            403,
            r#"{"message":"Thread is locked","code":160005}"#,
            "its thread is closed",
        ),
        (405, "", "correct the URL"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let forum = Webhook::start_with(move |_, request| {
            let is_right = request.path.contains("thread_id=1");
            if is_right {
                Reply::status(204)
            } else {
                Reply::Answer(status, "", body)
            }
        });
        let url = forum.url();
        let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &url)]);
        let mut console = game.round() + &game.round();
        game.start();
        console = game.after(console, "webhook 1 accepts no message: ");
        assert!(console.contains(cure), "{console}");
        assert!(!console.contains("SECRET"), "{console}");
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(
            forum.requests().len(),
            1,
            "{body}: not even a shorter message"
        );
        assert_eq!(outbox(home.path(), "queue").len(), 2, "{body}");
        assert_eq!(outbox(home.path(), "rejected").len(), 0, "{body}");
        // The test command shows the cure, too.
        assert!(game.server.console_command("gametimes test"));
        console += &game.console_with("test: webhook 1: ");
        assert_eq!(console.matches(cure).count(), 2, "{console}");

        game.server.set_cvar("gametimes_backlog_seconds", "0");
        let corrected = format!("{url}?thread_id=1");
        game.server.set_cvar("gametimes_webhook_url", corrected);
        assert!(game.server.console_command("gametimes reload"));
        wait_for("what waited", || forum.accepted().len() == 2);
        let played = gametimes_files(home.path());
        let played: Vec<String> = played.into_iter().map(|f| f.meta.event_id).collect();
        assert_eq!(forum.accepted(), played, "{body}");
        game.stop();
    }
}

#[test]
fn answers_about_a_rate_limit_a_proxy_or_the_size_cost_no_message() {
    for (status, body, requests) in [
        (
            400,
            r#"{"message":"write rate limit","code":20028,"retry_after":0.2}"#,
            2,
        ),
        (407, "", 2),
        (451, "", 2),
        (
            400,
            r#"{"message":"Request entity too large","code":40005}"#,
            2,
        ),
    ] {
        let home = tempfile::tempdir().unwrap();
        let hook = Webhook::start([Reply::Answer(status, "", body)]);
        let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
        let console = game.round();
        game.start();
        game.after(console, "message sent");
        assert_eq!(hook.requests().len(), requests, "{status} {body}");
        assert_eq!(hook.accepted().len(), 1, "{status} {body}");
        assert_eq!(hook.requests()[1].has_file(), !body.contains("40005"));
        assert_eq!(outbox(home.path(), "rejected").len(), 0, "{status} {body}");
        game.stop();
    }
}

#[test]
fn messages_arrive_in_the_order_of_the_rounds() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([Reply::Refuse, NO_CONTENT, Reply::Answer(500, "", "")]);
    let mut game = Match::new(
        home.path(),
        &[
            ("gametimes_webhook_url", &hook.url()),
            ("gametimes_backlog_seconds", "0"),
        ],
    );
    for _ in 0..4 {
        game.round();
    }
    hook.wait(6);
    let played: Vec<String> = gametimes_files(home.path())
        .into_iter()
        .map(|f| f.meta.event_id)
        .collect();
    assert_eq!(hook.accepted(), played);
}

#[test]
fn rejected_message_is_retried_once_shortened_and_then_kept_with_the_answer() {
    const REFUSED: Reply =
        Reply::Answer(400, "", r#"{"message":"Invalid Form Body","code":50035}"#);
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([REFUSED, NO_CONTENT, REFUSED, REFUSED]);
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
    game.round();
    let requests = hook.wait(2);
    assert!(requests[0].has_file() && requests[1].has_file());
    // Once in the message, once in the attached file.
    let teams = |n: usize| requests[n].text().matches("Axis_JSON").count();
    assert_eq!((teams(0), teams(1)), (2, 1));
    let console = game.round();
    hook.wait(4);
    game.start();
    let console = game.after(console, "message rejected");
    assert!(console.contains("50035"), "{console}");
    let rejected = outbox(home.path(), "rejected");
    assert_eq!(rejected.len(), 2);
    let answer = home
        .path()
        .join("legacy/gametimes/outbox/127.0.0.1_27960/rejected")
        .join(&rejected[0]);
    assert!(
        std::fs::read_to_string(answer)
            .unwrap()
            .contains("Invalid Form Body")
    );
    assert!(outbox(home.path(), "queue").is_empty());
    game.stop();
    // The next message is not delayed.
    game.round();
    hook.wait(5);
}

#[test]
fn message_that_is_too_large_is_sent_without_its_file() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([Reply::Answer(413, "", "too large")]);
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
    game.round();
    let requests = hook.wait(2);
    assert!(requests[0].has_file() && !requests[1].has_file());
    assert_eq!(hook.accepted().len(), 1);
}

#[test]
fn deleted_webhook_is_disabled_and_gets_its_queue_once_the_url_is_corrected() {
    for (status, body) in [
        (401, r#"{"message":"401: Unauthorized","code":0}"#),
        (404, r#"{"message":"Unknown Webhook","code":10015}"#),
        (400, r#"{"message":"Invalid Webhook Token","code":50027}"#),
    ] {
        let home = tempfile::tempdir().unwrap();
        let gone = Webhook::start([Reply::Answer(status, "", body)]);
        let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &gone.url())]);
        let mut console = String::new();
        for _ in 0..3 {
            console += &game.round();
        }
        game.start();
        console = game.after(console, "is disabled");
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(gone.requests().len(), 1, "{status}: it is not asked again");
        assert_eq!(outbox(home.path(), "queue").len(), 3, "{status}");
        assert!(!console.contains("SECRET"));

        let mended = Webhook::start([]);
        game.server.set_cvar("gametimes_webhook_url", mended.url());
        assert!(game.server.console_command("gametimes reload"));
        assert_eq!(mended.wait(3).len(), 3, "{status}: what waited is sent");
        let off = console
            .lines()
            .filter(|l| l.contains("is disabled"))
            .count();
        assert_eq!(off, 1, "{console}");
        game.stop();
    }
}

#[test]
fn reload_enables_a_disabled_webhook_again() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([Reply::Answer(401, "", "")]);
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
    let console = game.round();
    game.start();
    game.after(console, "is disabled");
    assert!(game.server.console_command("gametimes reload"));
    game.console_with("message sent");
    assert_eq!(hook.requests().len(), 2);
    game.stop();
}

#[test]
fn messages_waiting_for_one_webhook_never_go_to_another() {
    // The first URL is removed, then mistyped.
    for instead in ["", "https//discord.com "] {
        let home = tempfile::tempdir().unwrap();
        let gone = Webhook::start([Reply::Answer(401, "", "")]);
        let good = Webhook::start([]);
        let mut game = Match::new(
            home.path(),
            &[("gametimes_webhook_url", &webhook_cvar(&[&gone, &good]))],
        );
        let console = game.round() + &game.round();
        game.start();
        game.after(console, "webhook 1 is disabled");
        good.wait(2);
        let url = instead.to_owned() + &good.url();
        game.server.set_cvar("gametimes_webhook_url", &url);
        assert!(game.server.console_command("gametimes reload"));
        game.console_with("messages for removed webhooks moved to dropped/: 2");
        assert_eq!(outbox(home.path(), "dropped").len(), 2);
        game.stop();
        game.round();
        good.wait(4);
        let played: Vec<String> = gametimes_files(home.path())
            .into_iter()
            .map(|f| f.meta.event_id)
            .collect();
        assert_eq!(good.accepted(), played, "each once");
        assert_eq!(gone.requests().len(), 1);
        wait_for("an empty queue", || outbox(home.path(), "queue").is_empty());
    }
}

#[test]
fn slow_webhook_does_not_delay_the_others() {
    // Nearly as long as the module waits for an answer.
    const SLOW: Duration = Duration::from_secs(29);
    let home = tempfile::tempdir().unwrap();
    let slow = Webhook::start([Reply::Slow(SLOW)]);
    let quick = Webhook::start([]);
    let mut game = Match::new(
        home.path(),
        &[("gametimes_webhook_url", &webhook_cvar(&[&slow, &quick]))],
    );
    for _ in 0..3 {
        game.round();
    }
    let quick = quick.wait(3);
    let slow = slow.wait(1);
    // On a busy machine the rounds may wait for each other, 8 seconds each, but not for the other webhook.
    assert!(quick[2].at - slow[0].at < SLOW);
}

#[test]
fn redirect_of_a_webhook_is_not_followed() {
    let home = tempfile::tempdir().unwrap();
    let elsewhere = Webhook::start([]);
    let location = format!("Location: {}\r\n", elsewhere.url());
    let webhook = Webhook::start([Reply::Answer(307, location.leak(), "")]);
    let mut game = Match::new(
        home.path(),
        &[("gametimes_webhook_url", &webhook_cvar(&[&webhook]))],
    );
    game.round();
    assert_eq!(webhook.wait(2).len(), 2);
    assert!(elsewhere.requests().is_empty());
}
