//! Messages posted by a real curl in the background.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gametimes_format::{Message, check, digest};
use gametimes_lua_tests::SCRIPT;
use gametimes_lua_tests::results::rounds;
use gametimes_lua_tests::round::{Round, play_round};
use gametimes_lua_tests::world::Server;
use gametimes_test_support::wait_for;
use gametimes_test_support::webhook::{Reply, Webhook};

fn server(home: &Path, urls: &str) -> Server {
    let server = Server::new(home, SCRIPT);
    server.set("gametimes_webhook_url", urls);
    server
}

fn outbox(server: &Server) -> PathBuf {
    server.game_dir().join("gametimes/outbox/lua")
}

/// The names in the outbox with this ending.
fn names(server: &Server, end: &str) -> Vec<String> {
    let Ok(dir) = fs::read_dir(outbox(server)) else {
        return Vec::new();
    };
    let mut names: Vec<_> = dir
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.ends_with(end))
        .collect();
    names.sort();
    names
}

fn is_idle(server: &Server) -> bool {
    names(server, ".curl").is_empty() && names(server, ".lock").is_empty()
}

/// Makes every webhook retry now instead of in a few seconds.
fn forget_waits(server: &Server) {
    for name in names(server, ".wait") {
        let _ = fs::write(outbox(server).join(name), "0 1\n");
    }
}

#[test]
fn round_is_posted_with_its_file_and_leaves_the_outbox_empty() {
    let hook = Webhook::start([]);
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path(), &hook.url_with("secret-token"));
    server.set("gametimes_hmac_key", " key\t");
    play_round(&mut server, 0);
    let request = &hook.wait(1)[0];
    assert_eq!(request.path, "/api/webhooks/42/secret-token");

    let message: Message = serde_json::from_slice(&request.part("payload_json").unwrap()).unwrap();
    assert_eq!(check::check_message(&message, "payload"), []);
    assert_eq!(
        message.allowed_mentions.unwrap().parse,
        Vec::<String>::new()
    );
    let (name, file) = rounds(&server.game_dir().join("gametimes")).remove(0);
    let bytes = fs::read(server.game_dir().join("gametimes").join(&name)).unwrap();
    assert_eq!(request.part("files[0]").unwrap(), bytes);
    let embed = &message.embeds[0];
    assert_eq!(
        embed.field("Lua_EventID"),
        Some(file.meta.event_id.as_str())
    );
    assert_eq!(
        embed.field("Lua_RoundID"),
        Some(file.meta.round_canonical_id.as_str())
    );
    let signature = embed
        .footer
        .text
        .strip_prefix(concat!(
            "gametimes v",
            env!("CARGO_PKG_VERSION"),
            " lua hmac-sha256 "
        ))
        .unwrap();
    assert!(digest::verify(b"key", &bytes, signature));
    assert_eq!(
        file.payload.embeds[0].footer.text,
        concat!("gametimes v", env!("CARGO_PKG_VERSION"), " lua")
    );
    assert_eq!(embed.fields, file.payload.embeds[0].fields);

    wait_for("an idle outbox", || is_idle(&server));
    assert_eq!(names(&server, ".json"), [""; 0]);
    let mut next = Round::start(&mut server, 1);
    next.frames(1);
    let log = next.server.log();
    assert!(
        log.contains(&format!("message sent: {}", file.meta.event_id)),
        "{log}"
    );
    assert!(!log.contains("secret-token"), "{log}");
    assert_eq!(hook.requests().len(), 1);
}

#[test]
fn url_is_in_no_argument_no_cvar_and_no_file_that_others_can_read() {
    let hook = Webhook::start([Reply::Slow(Duration::from_secs(2))]);
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path(), &hook.url_with("secret-token"));
    let mut round = Round::start(&mut server, 0);
    assert_eq!(
        round.server.world.borrow().cvar("gametimes_webhook_url"),
        ""
    );
    round.play_to_the_end();
    hook.wait(1);
    // Now curl waits for its answer.
    let mut curls = 0;
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(arguments) = fs::read(process.path().join("cmdline")) else {
            continue;
        };
        let arguments = String::from_utf8_lossy(&arguments).into_owned();
        assert!(!arguments.contains("secret-token"), "{arguments}");
        let here =
            fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(home.path()));
        curls += usize::from(here && arguments.starts_with("curl"));
    }
    assert_eq!(curls, 1);
    let outbox = outbox(round.server);
    assert_eq!(
        fs::metadata(&outbox).unwrap().permissions().mode() & 0o777,
        0o700
    );
    let url = names(round.server, ".url").remove(0);
    assert_eq!(
        fs::metadata(outbox.join(url)).unwrap().permissions().mode() & 0o777,
        0o600
    );
    for name in names(round.server, ".curl") {
        assert!(
            !fs::read_to_string(outbox.join(name))
                .unwrap()
                .contains("secret-token")
        );
    }
    // The recorder of the next map finds the URL again.
    let url = hook.url_with("secret-token");
    round.shutdown(1);
    assert_eq!(server.world.borrow().cvar("gametimes_webhook_url"), url);
    let mut next = Round::start(&mut server, 1);
    assert_eq!(next.server.world.borrow().cvar("gametimes_webhook_url"), "");
    // lua_restart closes the script without a callback.
    next.frames(1);
    next.server.unload();
    assert_eq!(server.world.borrow().cvar("gametimes_webhook_url"), url);
    wait_for("an idle outbox", || is_idle(&server));
}

#[test]
fn message_is_delivered_once_after_any_temporary_failure() {
    // Every temporary failure, then success.
    let hook = Webhook::start([
        Reply::status(500),
        Reply::Hang(Duration::ZERO),
        Reply::status(403),
        Reply::Answer(
            404,
            "",
            r#"{"message":"no route to /api/webhooks/42/secret-token","code":100150}"#,
        ),
        Reply::Answer(429, "Retry-After: 1\r\n", ""),
        Reply::status(200),
    ]);
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path(), &hook.url_with("secret-token"));
    play_round(&mut server, 0);
    for n in 1..=4 {
        hook.wait(n);
        wait_for("the next try", || {
            forget_waits(&server);
            hook.requests().len() > n
        });
    }
    // After a 429, the script waits as long as the server asks.
    hook.wait(6);
    wait_for("an idle outbox", || is_idle(&server));
    // An answer that contains the URL is in no file and no log line.
    for entry in fs::read_dir(outbox(&server)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.extension().is_none_or(|e| e != "url") {
            let text = fs::read_to_string(&path).unwrap();
            assert!(!text.contains("secret-token"), "{}", path.display());
        }
    }
    assert!(!server.log().contains("secret-token"));
    let events: Vec<_> = hook
        .requests()
        .iter()
        .map(|r| {
            let message: Message =
                serde_json::from_slice(&r.part("payload_json").unwrap()).unwrap();
            message.embeds[0].field("Lua_EventID").unwrap().to_owned()
        })
        .collect();
    assert!(events.iter().all(|e| *e == events[0]), "{events:?}");
    assert_eq!(events.len(), 6);
}

/// Readers take 4 messages in 30 seconds and drop the rest.
#[test]
fn messages_that_waited_for_an_outage_are_sent_one_in_eight_seconds_and_a_new_one_at_once() {
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
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path(), &hook.url_with("t"));
    for restart in [0, 1, 1] {
        play_round(&mut server, restart);
    }
    hook.wait(1);
    is_down.store(false, Ordering::SeqCst);
    let arrived = || {
        let requests = hook.requests();
        let accepted = requests.iter().filter(|r| r.accepted);
        accepted.map(|r| r.at).collect::<Vec<_>>()
    };
    wait_for("the first message", || {
        if arrived().is_empty() {
            forget_waits(&server);
        }
        !arrived().is_empty()
    });
    wait_for("the others", || arrived().len() == 3);
    for pair in arrived().windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_secs(8));
    }
    std::thread::sleep(Duration::from_secs(10));
    let began = Instant::now();
    play_round(&mut server, 1);
    wait_for("a single message", || arrived().len() == 4);
    assert!(began.elapsed() < Duration::from_secs(7));
    wait_for("an idle outbox", || is_idle(&server));
}

#[test]
fn banned_address_is_asked_at_growing_intervals_and_reported_once() {
    const BANNED: Reply = Reply::Answer(
        429,
        "Server: cloudflare\r\n",
        include_str!("../../data/answers/banned-address.body.json"),
    );
    let hook = Webhook::start([BANNED, BANNED]);
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path(), &hook.url_with("t"));
    // Seconds until the next try; negative before the answer.
    let due_in = |server: &Server| {
        let name = names(server, ".wait").pop();
        let text = name.and_then(|name| fs::read_to_string(outbox(server).join(name)).ok());
        let due = text.and_then(|text| text.split(' ').next()?.parse::<i64>().ok());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        due.unwrap_or(0) - now.as_secs() as i64
    };
    play_round(&mut server, 0);
    for (n, least, most) in [(1, 50, 60), (2, 110, 120)] {
        hook.wait(n);
        wait_for("the pause", || due_in(&server) >= least);
        assert!(due_in(&server) <= most);
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(hook.requests().len(), n);
        Round::start(&mut server, 1).shutdown(1); // logs the results
        forget_waits(&server);
    }
    hook.wait(3);
    wait_for("an idle outbox", || names(&server, ".curl").is_empty());
    wait_for("an idle sender", || is_idle(&server));
    Round::start(&mut server, 1).shutdown(1);
    let log = server.log();
    for line in ["answers 429 without a time", "works again"] {
        assert_eq!(log.matches(line).count(), 1, "{line}\n{log}");
    }
}

#[test]
fn webhook_of_a_forum_keeps_its_messages_until_the_url_is_corrected() {
    const FORUM: &str = include_str!("../../data/answers/forum-webhook.body.json");
    for (status, body, cure) in [
        (400, FORUM, "append ?thread_id="),
        (
            400,
            r#"{"thread_id":["Value \"abc\" is not snowflake."]}"#,
            "the thread_id in the URL is not a number",
        ),
        (
            403,
            r#"{"message": "Thread is locked", "code": 160005}"#,
            "its thread is closed",
        ),
        (405, "", "correct the URL"),
    ] {
        let forum = Webhook::start_with(move |_, request| {
            let is_right = request.path.contains("thread_id=1");
            if is_right {
                Reply::status(204)
            } else {
                Reply::Answer(status, "", body)
            }
        });
        let home = tempfile::tempdir().unwrap();
        let url = forum.url_with("t");
        let mut server = server(home.path(), &url);
        server.set("gametimes_backlog_seconds", "0");
        play_round(&mut server, 0);
        forum.wait(1);
        wait_for("the answer", || !names(&server, ".wait").is_empty());
        play_round(&mut server, 1);
        assert_eq!(forum.requests().len(), 1, "{body}");
        assert_eq!(names(&server, ".curl").len(), 2, "{body}");
        let rejected = fs::read_dir(outbox(&server).join("rejected")).unwrap();
        assert_eq!(rejected.count(), 0, "{body}");
        let log = server.log();
        assert_eq!(log.matches("accepts no message: HTTP").count(), 1, "{log}");
        assert!(log.contains(cure), "{log}");
        server.set("gametimes_webhook_url", &format!("{url}?thread_id=1"));
        Round::start(&mut server, 1).shutdown(1);
        forum.wait(3);
        wait_for("an idle outbox", || names(&server, ".curl").is_empty());
        let played = rounds(&server.game_dir().join("gametimes"));
        let played: Vec<_> = played.into_iter().map(|(_, f)| f.meta.event_id).collect();
        assert_eq!(forum.accepted(), played[..2], "{body}");
    }
}

#[test]
fn messages_for_a_removed_webhook_never_go_to_another() {
    let gone = Webhook::start_with(|_, _| Reply::status(401));
    let good = Webhook::start([]);
    let home = tempfile::tempdir().unwrap();
    let urls = format!("{} {}", gone.url_with("a"), good.url_with("b"));
    let mut server = server(home.path(), &urls);
    play_round(&mut server, 0);
    good.wait(1);
    wait_for("the answers", || {
        names(&server, ".off").len() == 1 && names(&server, ".lock").is_empty()
    });
    server.set("gametimes_webhook_url", &good.url_with("b"));
    Round::start(&mut server, 1).shutdown(1);
    assert_eq!(names(&server, ".curl"), [""; 0]);
    assert_eq!(
        fs::read_dir(outbox(&server).join("dropped"))
            .unwrap()
            .count(),
        1
    );
    let line = "messages for removed webhooks moved to dropped/: 1";
    assert!(server.log().contains(line), "{}", server.log());
    assert_eq!((gone.requests().len(), good.requests().len()), (1, 1));
}

#[test]
fn answers_about_a_rate_limit_a_proxy_or_the_size_cost_no_message() {
    for (status, body) in [
        (429, r#"{"message": "limited", "retry_after": 1.2}"#),
        (
            400,
            r#"{"message": "write rate limit", "code": 20028, "retry_after": 0.2}"#,
        ),
        (407, ""),
        (
            400,
            r#"{"message": "Request entity too large", "code": 40005}"#,
        ),
    ] {
        let hook = Webhook::start([Reply::Answer(status, "", body)]);
        let home = tempfile::tempdir().unwrap();
        let mut server = server(home.path(), &hook.url_with("t"));
        play_round(&mut server, 0);
        hook.wait(1);
        if status == 407 {
            wait_for("the next try", || {
                forget_waits(&server);
                hook.requests().len() > 1
            });
        }
        let requests = hook.wait(2);
        assert_eq!(requests[1].has_file(), !body.contains("40005"), "{body}");
        wait_for("an idle outbox", || is_idle(&server));
        let rejected = fs::read_dir(outbox(&server).join("rejected")).unwrap();
        assert_eq!(rejected.count(), 0, "{body}");
        assert_eq!(hook.requests().len(), 2, "{body}");
    }
}

#[test]
fn webhooks_succeed_and_fail_independently() {
    let hook = Webhook::start_with(|_, request| match request.path.rsplit('/').next() {
        Some("gone") => Reply::Answer(404, "", r#"{"message": "Unknown Webhook", "code": 10015}"#),
        Some("picky") => Reply::status(400),
        Some("slow") => Reply::Slow(Duration::from_secs(3)),
        _ => Reply::status(204),
    });
    let home = tempfile::tempdir().unwrap();
    let urls = ["gone", "picky", "slow", "good"].map(|t| hook.url_with(t));
    fs::create_dir_all(home.path().join("legacy")).unwrap();
    let file = format!("# webhooks\n\n{}\n", urls.join("\n"));
    fs::write(home.path().join("legacy/hooks.txt"), file).unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    server.set("gametimes_webhook_file", "hooks.txt");
    play_round(&mut server, 0);
    wait_for("a verdict of three", || {
        names(&server, ".off").len() == 1
            && names(&server, ".curl").len() <= 2
            && hook.requests().len() == 4
    });
    wait_for("the slow one", || {
        names(&server, ".curl").len() == 1 && names(&server, ".lock").is_empty()
    });
    assert_eq!(
        fs::read_dir(outbox(&server).join("rejected"))
            .unwrap()
            .count(),
        1
    );
    // The next round goes to the webhooks that accepted the first one, and to the one that refused only that message.
    play_round(&mut server, 1);
    hook.wait(7);
    wait_for("the next round", || {
        names(&server, ".curl").len() == 2 && names(&server, ".lock").is_empty()
    });
    let log = server.log();
    for words in [
        "is disabled until the server restarts: HTTP 404/10015",
        "message rejected",
        "(HTTP 204)",
        "other users can read",
    ] {
        assert!(log.contains(words), "{words}\n{log}");
    }
    assert!(
        !hook.requests()[4..]
            .iter()
            .any(|r| r.path.ends_with("/gone"))
    );
    assert!(!log.contains("/api/webhooks"), "{log}");
}

#[test]
fn sender_inherits_no_socket_and_can_be_killed() {
    let hook = Webhook::start([Reply::Slow(Duration::from_secs(20))]);
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path(), &hook.url_with("t"));
    let mut round = Round::start(&mut server, 0);
    // Processes that Lua starts inherit its files, as they inherit the engine's sockets.
    let mark = home.path().join("held");
    fs::write(&mark, "").unwrap();
    let _: bool = round.server.eval(&format!(
        "(function() HELD = io.open({:?}) return true end)()",
        mark.to_str().unwrap()
    ));
    round.play_to_the_end();
    hook.wait(1);
    let lock = outbox(round.server)
        .join(&names(round.server, ".lock")[0])
        .join("pid");
    let pid = fs::read_to_string(&lock).unwrap().trim().to_owned();
    let open: Vec<_> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .flatten()
        .filter_map(|fd| fs::read_link(fd.path()).ok())
        .collect();
    assert!(!open.contains(&mark), "{open:?}");
    assert!(
        !open
            .iter()
            .any(|f| f.to_string_lossy().starts_with("socket:")),
        "{open:?}"
    );
    // While it runs, no other process sends.
    round.shutdown(1);
    let mut round = Round::start(&mut server, 1);
    round.frames(1);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(hook.requests().len(), 1);
    // After a power failure, the next start sends the rest.
    kill(&pid);
    round.shutdown(1);
    Round::start(&mut server, 1).shutdown(1);
    hook.wait(2);
    wait_for("an idle outbox", || is_idle(&server));
    let events = hook.requests().len();
    assert_eq!(events, 2);
}

/// Ends one process and the curl it waits for.
fn kill(pid: &str) {
    let children =
        fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let kill = format!("kill -9 {pid} {children}");
    assert!(
        Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn short_rounds_are_saved_but_not_posted() {
    let hook = Webhook::start([]);
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path(), &hook.url_with("t"));
    let mut round = Round::start(&mut server, 0);
    round.frames(200);
    round.shutdown(1);
    assert_eq!(rounds(&server.game_dir().join("gametimes")).len(), 1);
    assert_eq!(names(&server, ".curl"), [""; 0]);
    assert!(
        server
            .log()
            .contains("shorter than gametimes_min_seconds 30"),
        "{}",
        server.log()
    );
    server.set("gametimes_min_seconds", "5");
    let mut round = Round::start(&mut server, 0);
    round.frames(200);
    round.shutdown(1);
    hook.wait(1);
    wait_for("an idle outbox", || is_idle(&server));
}

#[test]
fn no_process_is_started_in_a_frame_of_play() {
    let hook = Webhook::start([]);
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path(), &hook.url_with("t"));
    let mut round = Round::start(&mut server, 0);
    let _: bool = round.server.eval(
        "(function() STARTED = 0
            local execute = os.execute
            os.execute = function(...)
              STARTED = STARTED + 1
              if et.trap_Cvar_Get('gamestate') == '0' then error('in play') end
              return execute(...)
            end
            io.popen = function() error('popen') end
            return true end)()",
    );
    round.play_to_the_end();
    assert_eq!(round.server.eval::<i64>("STARTED"), 1);
    assert!(
        !round.server.log().contains("error"),
        "{}",
        round.server.log()
    );
    round.shutdown(1);
    hook.wait(1);
    wait_for("an idle outbox", || is_idle(&server));
}

#[test]
fn full_outbox_drops_the_oldest_message_and_reports_it() {
    let home = tempfile::tempdir().unwrap();
    let url = "http://127.0.0.1:1/api/webhooks/42/t";
    let target = &digest::hex(&digest::sha256([url.as_bytes()]))[..8];
    let mut server = server(home.path(), url);
    let dir = outbox(&server);
    fs::create_dir_all(&dir).unwrap();
    for n in 0..503 {
        fs::write(
            dir.join(format!("00000000-0000-7000-8000-{n:012}.json")),
            "{}",
        )
        .unwrap();
        fs::write(
            dir.join(format!("00000000-0000-7000-8000-{n:012}.{target}.curl")),
            "",
        )
        .unwrap();
    }
    Round::start(&mut server, 0).shutdown(0);
    assert_eq!(names(&server, ".curl").len(), 500);
    assert_eq!(fs::read_dir(dir.join("dropped")).unwrap().count(), 3);
    assert!(
        !dir.join("00000000-0000-7000-8000-000000000002.json")
            .exists()
    );
    assert_eq!(
        server.log().matches("the outbox is full").count(),
        3,
        "{}",
        server.log()
    );
}
