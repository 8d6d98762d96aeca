//! Posted snapshots: the newest arrives at a receiver that works, and one that is slow, dead or hostile costs nothing but a log line.

use std::path::Path;
use std::time::Duration;

use gametimes_format::digest::verify;
use gametimes_format::live::{BYTES, Snapshot, State};
use gametimes_standin::Step;
use gametimes_test_support::game::{Match, gametimes_files};
use gametimes_test_support::live::{snapshot, wait_for_snapshot};
use gametimes_test_support::wait_for;
use gametimes_test_support::webhook::{Reply, Request, Webhook};

fn posting_to(home: &Path, url: &str) -> Match {
    Match::new(
        home,
        &[("gametimes_live", "1"), ("gametimes_live_url", url)],
    )
}

fn posted(request: &Request) -> Snapshot {
    serde_json::from_slice(&request.body).unwrap()
}

/// Waits until a snapshot has arrived for which this holds.
fn wait_for_post(receiver: &Webhook, holds: impl Fn(&Snapshot) -> bool) {
    wait_for("a snapshot at the receiver", || {
        let requests = receiver.requests();
        requests.iter().any(|request| holds(&posted(request)))
    });
}

#[test]
fn receiver_gets_what_the_file_contains_with_a_signature_if_there_is_a_key() {
    for key in ["", "correct-horse-battery"] {
        let home = tempfile::tempdir().unwrap();
        let receiver = Webhook::start([]);
        let mut game = posting_to(home.path(), &receiver.url());
        game.server.set_cvar("gametimes_hmac_key", key);
        game.start();
        let written = wait_for_snapshot(home.path(), |s| s.state == State::Playing);
        wait_for_post(&receiver, |s| s.seq >= written.seq);
        game.status_with("snapshot delivered");
        game.finish();
        game.stop();
        let last = snapshot(home.path()).unwrap();
        wait_for_post(&receiver, |s| *s == last);
        for request in receiver.requests() {
            assert!(request.body.len() < BYTES);
            assert_eq!(request.headers["content-type"], "application/json");
            let signature = request.headers.get("x-gametimes-signature");
            let is_valid = signature.map(|signature| {
                let signature = signature.strip_prefix("sha256=").unwrap();
                verify(key.as_bytes(), &request.body, signature)
            });
            assert_eq!(is_valid, (!key.is_empty()).then_some(true));
            assert!(!request.text().contains("horse"));
        }
    }
}

#[test]
fn slow_receiver_gets_the_newest_snapshot_one_at_a_time() {
    const SLOW: Duration = Duration::from_millis(700);
    let home = tempfile::tempdir().unwrap();
    let receiver = Webhook::start_with(|_, _| Reply::Slow(SLOW));
    let mut game = posting_to(home.path(), &receiver.url());
    game.start();
    for n in 1..40 {
        game.frame(50, Step::kill(2, 1, n));
        game.frame(50, [Step::Write(1, vec![(288, 1 + n)])]);
        std::thread::sleep(Duration::from_millis(60));
    }
    game.finish();
    game.stop();
    let last = snapshot(home.path()).unwrap();
    assert_eq!(
        last.state,
        State::Idle,
        "the end of the map did not wait for the receiver"
    );
    wait_for_post(&receiver, |s| *s == last);
    for pair in receiver.requests().windows(2) {
        assert!(posted(&pair[0]).seq < posted(&pair[1]).seq);
        assert!(pair[1].at - pair[0].at >= SLOW, "only one at a time");
    }
}

#[test]
fn dead_receiver_costs_one_log_line_and_gets_snapshots_once_it_lives() {
    let home = tempfile::tempdir().unwrap();
    let mut game = posting_to(home.path(), "http://127.0.0.1:9/api/live");
    game.start();
    let mut console = game.console_with("does not take snapshots: network: connection refused");
    console += &game.status_with("failures in a row: 2");
    let said = console.matches("does not take snapshots").count();
    assert_eq!(said, 1, "{console}");

    // A receiver that refuses for a while.
    let receiver = Webhook::start([Reply::status(500), Reply::Garbage, Reply::CutHeaders]);
    game.server.set_cvar("gametimes_live_url", receiver.url());
    game.server.console_command("gametimes reload");
    let console = game.console_with("takes snapshots again");
    assert!(
        console.contains("does not take snapshots: HTTP 500;"),
        "{console}"
    );
    wait_for_post(&receiver, |s| s.state == State::Playing);
    game.finish();
    let console = console + &game.stop();
    assert_eq!(
        console.matches("does not take snapshots").count(),
        1,
        "{console}"
    );
    assert_eq!(gametimes_files(home.path()).len(), 1);
}

#[test]
fn redirect_is_not_followed() {
    let home = tempfile::tempdir().unwrap();
    let other = Webhook::start([]);
    let location: &'static str = format!("location: {}\r\n", other.url()).leak();
    let receiver = Webhook::start_with(move |_, _| Reply::Answer(307, location, ""));
    let mut game = posting_to(home.path(), &receiver.url());
    game.start();
    game.console_with("does not take snapshots: HTTP 307: redirects are not followed");
    receiver.wait(2);
    game.stop();
    assert!(other.requests().is_empty());
}

#[test]
fn wrong_url_is_reported_without_showing_it_and_the_file_is_written() {
    for url in [
        "http://stats.example.org/SECRET",
        "https://user:SECRET@stats.example.org/api/live",
        "SECRET",
    ] {
        let home = tempfile::tempdir().unwrap();
        let mut game = posting_to(home.path(), url);
        game.start();
        let mut console = game.console_with(
            "expected https://HOST/api/live, or http and a private address; it is ignored",
        );
        wait_for_snapshot(home.path(), |s| s.state == State::Playing);
        console += &game.status_with("live file: ");
        console += &game.stop();
        assert!(!console.contains("SECRET"), "{console}");
        assert!(!console.contains("live: posts to"), "{console}");
    }
}

#[test]
fn url_without_gametimes_live_posts_nothing_and_shows_no_secret() {
    let home = tempfile::tempdir().unwrap();
    let receiver = Webhook::start([]);
    let mut game = posting_to(home.path(), &receiver.url_with("hunter2?token=hunter3"));
    game.server.set_cvar("gametimes_live", "0");
    let console = game.round();
    assert!(receiver.requests().is_empty());
    assert_eq!(snapshot(home.path()), None);

    game.server.set_cvar("gametimes_live", "1");
    game.start();
    receiver.wait(1);
    let console = console + &game.status_with("live: posts to http://127.0.0.1:") + &game.stop();
    assert!(!console.contains("hunter"), "{console}");
}
