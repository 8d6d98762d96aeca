//! Every message ends where it should, whatever the webhook answers.

use std::time::Duration;

use gametimes_standin::Step;
use gametimes_test_support::game::{Match, gametimes_files, outbox};
use gametimes_test_support::wait_for;
use gametimes_test_support::webhook::{NO_CONTENT, Reply, Webhook};

fn webhook_cvar(hooks: &[&Webhook]) -> String {
    hooks.iter().map(|h| h.url()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_message_is_taken_once_whatever_went_wrong_before() {
    const RETRY_BODY: Reply = Reply::Answer(
        429,
        "",
        r#"{"message":"limited","retry_after":0.3,"global":false}"#,
    );
    const RETRY_HEADER: Reply = Reply::Answer(429, "Retry-After: 1\r\n", "");
    let cases: [(&str, Vec<Reply>, usize); 14] = [
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
            "404 of somebody who is not Discord",
            vec![Reply::Answer(404, "", r#"{"message":"no route","code":0}"#)],
            2,
        ),
        ("cut in the headers", vec![Reply::CutHeaders], 2),
        ("refused", vec![Reply::Refuse], 2),
        ("garbage", vec![Reply::Garbage], 2),
        ("429 with a body", vec![RETRY_BODY], 2),
        ("429 with a header", vec![RETRY_HEADER], 2),
        ("429 with nothing", vec![Reply::Answer(429, "", "")], 2),
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
fn a_429_is_obeyed_as_long_as_discord_says() {
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
fn a_global_429_stops_every_target() {
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
fn five_messages_in_two_seconds_are_the_most() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([]);
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
    for _ in 0..8 {
        game.round();
    }
    let requests = hook.wait(8);
    for pair in requests.windows(6) {
        // Two seconds where they are sent; how long each is under way is another matter.
        assert!((pair[5].at - pair[0].at).as_secs_f64() >= 1.5);
    }
}

#[test]
fn messages_arrive_in_the_order_of_the_rounds() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([Reply::Refuse, NO_CONTENT, Reply::Answer(500, "", "")]);
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
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
fn a_refused_message_is_tried_once_with_less_and_then_kept_with_the_answer() {
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
    // The next message is not held up.
    game.round();
    hook.wait(5);
}

#[test]
fn a_message_too_large_is_sent_without_its_file() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([Reply::Answer(413, "", "too large")]);
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
    game.round();
    let requests = hook.wait(2);
    assert!(requests[0].has_file() && !requests[1].has_file());
    assert_eq!(hook.accepted().len(), 1);
}

#[test]
fn a_target_that_is_gone_is_switched_off_once_and_takes_up_its_queue_when_the_url_is_mended() {
    for (status, body) in [
        (401, r#"{"message":"401: Unauthorized","code":0}"#),
        (404, r#"{"message":"Unknown Webhook","code":10015}"#),
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
fn a_reload_asks_a_webhook_again_that_was_switched_off() {
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
fn what_waits_for_one_webhook_never_goes_to_another() {
    // The first line removed, and mistyped.
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
fn a_slow_target_delays_no_other() {
    let home = tempfile::tempdir().unwrap();
    let slow = Webhook::start([Reply::Slow(Duration::from_secs(8))]);
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
    assert!((quick[2].at - slow[0].at).as_secs_f64() < 5.0);
}

#[test]
fn no_secret_is_left_where_somebody_could_read_it() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([Reply::Refuse, Reply::Answer(401, "", "")]);
    let mut game = Match::new(
        home.path(),
        &[
            ("gametimes_webhook_url", &hook.url()),
            ("gametimes_hmac_key", "SECRET-KEY"),
        ],
    );
    let mut console = game.round();
    // Between two maps, when nothing runs that could list them, the cvars hold them for whoever records the next one.
    assert_eq!(game.server.cvar("gametimes_webhook_url"), hook.url());
    game.start();
    assert_eq!(game.server.cvar("gametimes_webhook_url"), "");
    assert_eq!(game.server.cvar("gametimes_hmac_key"), "");
    let listed = game.server.cvar_list();
    assert!(!listed.contains("SECRET"), "{listed}");
    console = game.after(console, "is disabled");
    game.server.console_command("gametimes status");
    console += &game.console_with("webhook 1:");
    assert!(!console.contains("SECRET"), "{console}");
    no_file_holds_a_secret(home.path());
    game.stop();
}

#[test]
fn an_answer_that_repeats_the_url_shows_no_secret() {
    const PAGE: Reply = Reply::Answer(
        404,
        "",
        "<pre>Cannot POST /api/webhooks/42/SECRET-TOKEN?wait=true</pre>",
    );
    const JSON: Reply = Reply::Answer(
        400,
        "",
        r#"{"message":"no route for \/api\/webhooks\/42\/SECRET-TOKEN"}"#,
    );
    let home = tempfile::tempdir().unwrap();
    let (lost, picky) = (Webhook::start([PAGE]), Webhook::start([JSON, JSON]));
    let mut game = Match::new(
        home.path(),
        &[("gametimes_webhook_url", &webhook_cvar(&[&lost, &picky]))],
    );
    let console = game.round();
    game.start();
    let console = game.after(console, "Cannot POST /…");
    let mut console = game.after(console, "message rejected: 400 no route for /…");
    game.server.console_command("gametimes status");
    console += &game.console_with("webhook 2: 400 no route for /…");
    assert!(!console.contains("SECRET"), "{console}");
    assert_eq!(outbox(home.path(), "rejected").len(), 2);
    no_file_holds_a_secret(home.path());
    game.stop();
}

fn no_file_holds_a_secret(folder: &std::path::Path) {
    for path in walk(folder) {
        let text = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains("SECRET"), "{}", path.display());
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else if path.extension().is_none_or(|e| e != "so") {
            files.push(path);
        }
    }
    files
}

#[test]
fn a_url_set_in_mid_map_is_not_overwritten_by_the_old_one() {
    let home = tempfile::tempdir().unwrap();
    let (old, new) = (Webhook::start([]), Webhook::start([]));
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &old.url())]);
    game.start();
    game.server.set_cvar("gametimes_webhook_url", new.url());
    game.stop();
    game.round();
    new.wait(1);
}

#[test]
fn a_signed_message_can_be_told_from_a_forged_one() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([]);
    let mut game = Match::new(
        home.path(),
        &[
            ("gametimes_webhook_url", &hook.url()),
            ("gametimes_hmac_key", " between us\t"),
        ],
    );
    game.round();
    let requests = hook.wait(1);
    let body = requests[0].text();
    let signature = body
        .split("hmac-sha256 ")
        .nth(1)
        .unwrap()
        .get(..64)
        .unwrap();
    let folder = home.path().join("legacy/gametimes");
    let name = gametimes_files(home.path())[0].file_name();
    let bytes = std::fs::read(folder.join(name)).unwrap();
    assert!(gametimes_format::digest::verify(
        b"between us",
        &bytes,
        signature
    ));
    assert!(
        body.contains(std::str::from_utf8(&bytes).unwrap()),
        "the file is attached byte for byte"
    );
}

#[test]
fn urls_come_from_a_file_too_and_a_wrong_value_is_said_in_one_line() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([]);
    std::fs::create_dir_all(home.path().join("legacy")).unwrap();
    let list = format!(
        "# ours\n\n{}  # the league's\nhttps://\nftp://x/y\n\u{201c}{}\u{201d}\n{}\u{a0}\n",
        hook.url(),
        hook.url(),
        hook.url()
    );
    std::fs::write(home.path().join("legacy/webhooks.txt"), list).unwrap();
    let mut game = Match::new(
        home.path(),
        &[
            ("gametimes_webhook_file", "webhooks.txt"),
            ("gametimes_min_seconds", "soon"),
            ("gametimes_keep_days", "-5"),
        ],
    );
    let console = game.round();
    for line in [
        "gametimes_min_seconds: \"soon\" is not a whole number from 0 to 3600; 30 is used",
        "gametimes_keep_days: \"-5\" is not a whole number from 0 to 36500; 90 is used",
        "gametimes_webhook_file: entry 2 is not a webhook URL",
        "gametimes_webhook_file: entry 3 is not a webhook URL",
        "gametimes_webhook_file: entry 4 is not a webhook URL (it contains invalid characters)",
        "other users can read",
        "webhooks 1",
        "the round of 6 sec is shorter than gametimes_min_seconds 30",
    ] {
        assert!(console.contains(line), "{line}\n{console}");
    }
    assert!(!console.contains("SECRET"), "{console}");
}

#[test]
fn a_url_where_the_name_of_a_file_belongs_is_not_repeated() {
    let home = tempfile::tempdir().unwrap();
    let url = "https://discord.com/api/webhooks/42/SECRET-TOKEN";
    let mut game = Match::new(home.path(), &[("gametimes_webhook_file", url)]);
    let console = game.round();
    assert!(console.contains("write the URL into a file"), "{console}");
    assert!(!console.contains("SECRET"), "{console}");
}

#[test]
fn a_file_of_urls_that_is_none_or_too_long_is_said_and_not_used() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(home.path().join("legacy")).unwrap();
    let url = |n| format!("http://127.0.0.1:9/api/webhooks/{n}/SECRET\n");
    let many: String = (0..17).map(url).collect();
    std::fs::write(home.path().join("legacy/many.txt"), many).unwrap();
    for (file, line, webhooks) in [
        (
            "many.txt",
            "17 webhooks are set; only the first 16 are used",
            "webhooks 16",
        ),
        (
            "/dev/zero",
            "it is not a regular file of at most 65536 bytes",
            "webhooks 0",
        ),
    ] {
        let mut game = Match::new(home.path(), &[("gametimes_webhook_file", file)]);
        let console = game.round();
        assert!(console.contains(line), "{console}");
        assert!(console.contains(webhooks), "{console}");
        assert!(!console.contains("SECRET"), "{console}");
    }
}

#[test]
fn the_test_command_posts_a_marked_message_and_prints_what_came_of_it() {
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
    let requests = hook.requests();
    let body = requests[1].text();
    assert!(body.contains("gametimes test") && !body.contains("STATS_READY"));
    game.stop();
}

#[test]
fn debug_says_every_event() {
    let home = tempfile::tempdir().unwrap();
    let mut game = Match::new(home.path(), &[("gametimes_debug", "1")]);
    game.start();
    game.frame(
        5000,
        [Step::print("Kill: 2 1 9: p2 killed p1 by MOD_MP40\n")],
    );
    let console = game.console_with("Death");
    assert!(
        console.contains(r#"debug: 5000 Death { slot: 1, by: Some(2), means: "MOD_MP40" }"#),
        "{console}"
    );
    game.stop();
}

#[test]
fn status_tells_the_round_the_players_and_the_last_message() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([]);
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
    game.round();
    hook.wait(1);
    game.start();
    game.frame(
        5000,
        [Step::print("Kill: 2 1 9: p2 killed p1 by MOD_MP40\n")],
    );
    game.frame(3000, []);
    game.server.console_command("gametimes status");
    let console = game.console_with("webhook 1:");
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

#[test]
fn a_folder_that_cannot_be_used_is_said_and_nothing_is_lost_once_it_can() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([]);
    let blocked = home.path().join("legacy/gametimes");
    std::fs::create_dir_all(home.path().join("legacy")).unwrap();
    std::fs::write(&blocked, "a file where the folder should be").unwrap();
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
    let console = game.round();
    assert!(
        console.contains("kept in memory and written later"),
        "{console}"
    );
    std::fs::remove_file(&blocked).unwrap();
    game.start();
    game.console_with("file written");
    assert_eq!(gametimes_files(home.path()).len(), 1);
    hook.wait(1);
    game.stop();
}

#[test]
fn a_folder_removed_in_mid_round_is_made_again() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([]);
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
    game.start();
    game.frame(5000, []);
    let folder = home.path().join("legacy/gametimes");
    let journal = folder.join("outbox/127.0.0.1_27960/round.journal");
    wait_for("the journal", || journal.exists());
    std::fs::remove_dir_all(folder).unwrap();
    game.finish();
    game.stop();
    assert_eq!(gametimes_files(home.path()).len(), 1);
    hook.wait(1);
}

#[test]
fn another_folder_set_in_mid_round_counts_from_the_next_map() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([Reply::Answer(401, "", "")]);
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
    game.start();
    game.frame(5000, []);
    game.server.set_cvar("gametimes_dir", "elsewhere");
    assert!(game.server.console_command("gametimes reload"));
    let console = game.console_with("gametimes_dir take effect with the next map");
    game.frame(5000, []);
    game.finish();
    let console = console + &game.stop();
    let old = gametimes_files(home.path());
    assert_eq!(old.len(), 1, "{console}");
    assert_eq!(old[0].meta.duration_ms, 11_000);
    hook.wait(1);
    let instance = home.path().join("legacy/gametimes/outbox/127.0.0.1_27960");
    assert!(!instance.join("round.journal").exists());

    let console = console + &game.round();
    let console = console.replace(&home.path().display().to_string(), "");
    // What waited is not forgotten without a word.
    let left = "no server uses /legacy/gametimes/outbox/127.0.0.1_27960; it contains 1 message;";
    assert!(console.contains(left), "{console}");
    assert!(!console.contains("recovered"), "{console}");
    assert_eq!(gametimes_files(home.path()).len(), 1);
    let new = home.path().join("legacy/elsewhere");
    let is_round = |name: &str| name.starts_with("gametime-");
    let names = std::fs::read_dir(new).unwrap();
    let names = names.map(|e| e.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| is_round(name)).count(), 1);
    hook.wait(2);
}

#[test]
fn a_clock_set_back_in_mid_round_is_said_and_the_rounds_times_stay_sound() {
    let home = tempfile::tempdir().unwrap();
    let mut game = Match::new(home.path(), &[]);
    game.start();
    game.frame(60_000, []);
    game.at(1_795_000_000_000 - 3_600_000);
    game.frame(60_000, []);
    game.finish();
    let console = game.stop();
    assert!(console.contains("clock was changed"), "{console}");
    let meta = &gametimes_files(home.path())[0].meta;
    assert_eq!(meta.duration_ms, 121_000);
    assert_eq!(meta.round_end_unix - meta.round_start_unix, 121);
    assert!(gametimes_format::check::check(&gametimes_files(home.path())[0]).is_empty());
}
