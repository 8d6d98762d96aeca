//! The server is killed at random moments: every finished round is on disk and delivered, the current round is recovered up
//! to its last second, and no file is ever half-written.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gametimes_format::Meta;
use gametimes_standin::Step;
use gametimes_test_support::game::{Match, gametimes_files, outbox};
use gametimes_test_support::webhook::Webhook;

/// The number of kills in one run. Each takes about a third of a second.
const KILLS: usize = 200;

/// A server in a separate process, which plays rounds until it is killed, and prints after every map which rounds are
/// finished. It does nothing unless the test below starts it.
#[test]
#[ignore = "started by server_killed_at_random_moments_loses_no_finished_round"]
fn server_that_is_killed() {
    let home = std::env::var("GAMETIMES_TEST_HOME").unwrap();
    let url = std::env::var("GAMETIMES_TEST_WEBHOOK").unwrap();
    let begin: i64 = std::env::var("GAMETIMES_TEST_UNIX_MS")
        .unwrap()
        .parse()
        .unwrap();
    let frames: i64 = std::env::var("GAMETIMES_TEST_FRAMES")
        .unwrap()
        .parse()
        .unwrap();
    let mut game = Match::new(
        Path::new(&home),
        &[
            ("gametimes_webhook_url", &url),
            ("gametimes_backlog_seconds", "0"),
        ],
    );
    game.at(begin);
    for n in 0..10_000 {
        game.start();
        println!("started");
        for frame in 0..frames {
            let killed = Step::kill(2, 1, 1 + frame);
            let alive = Step::Write(1, vec![(288, 2 + frame)]);
            game.frame(100, killed);
            game.frame(150, [alive]);
            println!("frame");
            std::thread::sleep(Duration::from_millis(4));
        }
        if n % 4 != 3 {
            game.finish();
        }
        game.stop();
        println!("over");
    }
}

fn child(home: &Path, url: &str, unix_ms: i64, frames: i64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "server_that_is_killed",
            "--nocapture",
        ])
        .env("GAMETIMES_TEST_HOME", home)
        .env("GAMETIMES_TEST_WEBHOOK", url)
        .env("GAMETIMES_TEST_UNIX_MS", unix_ms.to_string())
        .env("GAMETIMES_TEST_FRAMES", frames.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills a server this long after it has printed this many beginnings and ends of rounds. Returns the number of
/// finished rounds.
fn kill_after(mut child: Child, said: usize, pause: Duration) -> usize {
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .filter(|l| l == "started" || l == "over");
    let is_over = |l: &String| l == "over";
    let before = lines.by_ref().take(said).filter(is_over).count();
    std::thread::sleep(pause);
    child.kill().unwrap();
    child.wait().unwrap();
    before + lines.filter(is_over).count()
}

#[test]
fn server_killed_at_random_moments_loses_no_finished_round() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([]);
    let folder = home.path().join("legacy/gametimes");
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut rounds_over = 0;
    for n in 0..KILLS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // During the start, in the first round, between two rounds, or in the next one: a round takes about 120 ms.
        let said = (random % 6) as usize;
        let pause = Duration::from_micros(random / 6 % 120_000);
        // Each server is a day later, so that no two rounds have the same name.
        let unix_ms = 1_700_000_000_000 + n as i64 * 86_400_000;
        rounds_over += kill_after(child(home.path(), &hook.url(), unix_ms, 20), said, pause);
        // At every moment, each file with a final name is complete.
        if folder.exists() {
            gametimes_files(home.path());
        }
        assert!(outbox(home.path(), "queue").len() < 400);
    }
    // One more start recovers everything that is left.
    let mut last = Match::new(
        home.path(),
        &[
            ("gametimes_webhook_url", &hook.url()),
            ("gametimes_backlog_seconds", "0"),
        ],
    );
    last.at(1_900_000_000_000);
    last.start();
    let until = Instant::now() + Duration::from_secs(300);
    while !outbox(home.path(), "queue").is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(100));
    }
    last.stop();

    let files = gametimes_files(home.path());
    let finished = files
        .iter()
        .filter(|f| f.meta.end_reason.as_str() != "server_crash")
        .count();
    let crashed = files.len() - finished;
    println!(
        "{KILLS} kills, {rounds_over} rounds said to be over, {finished} files of them, {crashed} recovered"
    );
    assert!(
        finished >= rounds_over,
        "{finished} files of {rounds_over} rounds that were over"
    );
    assert!(
        rounds_over > KILLS / 2 && crashed > KILLS / 4,
        "the kills came at moments that prove nothing"
    );

    let mut delivered: BTreeMap<String, usize> = BTreeMap::new();
    for id in hook.accepted() {
        *delivered.entry(id).or_default() += 1;
    }
    let repeats: usize = delivered.values().map(|n| n - 1).sum();
    println!(
        "{} events delivered, {repeats} of them again",
        delivered.len()
    );
    // A server killed before its players were counted leaves a round without players, which has a file but is not posted.
    let is_posted = |m: &Meta| !m.spawn_stats.is_empty();
    for file in &files {
        let m = &file.meta;
        assert_eq!(
            delivered.contains_key(&m.event_id),
            is_posted(m),
            "{}: {m:?}",
            file.file_name()
        );
        assert!(
            is_posted(m) || m.end_reason.as_str() == "server_crash",
            "{m:?}"
        );
        assert!(
            gametimes_format::check::check(file).is_empty(),
            "{}",
            file.file_name()
        );
        if m.end_reason.as_str() == "server_crash" {
            assert!(m.duration_ms <= 5000 && m.spawn_stats.len() <= 2, "{m:?}");
        }
    }
    // No two files are about the same round.
    let mut ids: Vec<_> = files.iter().map(|f| &f.meta.event_id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), files.len());
    let posted = files.iter().filter(|f| is_posted(&f.meta)).count();
    assert_eq!(delivered.len(), posted, "every event has a file");
    // A message is repeated only after a kill between the answer and the removal from the queue. That is rare, and the
    // event_id shows it.
    assert!(repeats <= KILLS / 10, "{repeats} repeats");
}

/// The recovered round contains everything up to the last second: who killed whom, and how long the round lasted.
#[test]
fn recovered_round_has_everything_up_to_the_last_second() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([]);
    // A round without an end, with a death in every frame.
    let mut child = child(home.path(), &hook.url(), 1_700_000_000_000, 1_000_000);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let frames = lines.map_while(Result::ok).filter(|l| l == "frame");
    // Killed after three seconds of play. Then the rest of its output arrives.
    let mut seen = Vec::new();
    for _ in frames {
        seen.push(Instant::now());
        if seen[0].elapsed() >= Duration::from_secs(3) {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    let known = Duration::from_millis(1500);
    let known = seen.iter().filter(|at| at.duration_since(seen[0]) < known);
    let known = known.count() as u32;

    let mut next = Match::new(home.path(), &[]);
    next.at(1_700_000_100_000);
    next.start();
    assert!(next.console_with("file written").contains("is recovered"));
    next.stop();
    let files = gametimes_files(home.path());
    let m = &files[0].meta;
    assert_eq!(m.end_reason.as_str(), "server_crash");
    assert_eq!(m.round_start_unix, 1_700_000_000);
    assert_eq!(m.spawn_stats.len(), 2);
    let deaths: u32 = m.spawn_stats.iter().map(|s| s.deaths).sum();
    println!("{deaths} deaths, {known} of them more than 1.5 seconds before the kill");
    assert!(known > 20, "{known}");
    assert!(deaths >= known, "{deaths} of {known} deaths");
    assert!(m.duration_ms >= i64::from(known) * 250 - 250);
    assert_eq!(
        m.spawn_stats[1].kills, deaths,
        "every death was a kill of the other"
    );
}
