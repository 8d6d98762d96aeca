//! Webhook URLs and the signing key: how they are set, and that no log line, cvar or file shows them.

use std::os::unix::fs::PermissionsExt;

use gametimes_test_support::game::{Match, gametimes_files, outbox};
use gametimes_test_support::webhook::{Reply, Webhook};

#[test]
fn secrets_are_in_no_cvar_log_line_or_file() {
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
    // Between two maps, when no game runs that could list them, the cvars keep the secrets for the recorder of the next map.
    assert_eq!(game.server.cvar("gametimes_webhook_url"), hook.url());
    game.start();
    assert_eq!(game.server.cvar("gametimes_webhook_url"), "");
    assert_eq!(game.server.cvar("gametimes_hmac_key"), "");
    let listed = game.server.cvar_list();
    assert!(!listed.contains("SECRET"), "{listed}");
    console = game.after(console, "is disabled");
    console += &game.status_with("webhook 1: 401");
    assert!(!console.contains("SECRET"), "{console}");
    no_file_holds_a_secret(home.path());
    game.stop();
}

#[test]
fn answer_that_contains_the_url_shows_no_secret() {
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
        &[(
            "gametimes_webhook_url",
            &format!("{} {}", lost.url(), picky.url()),
        )],
    );
    let console = game.round();
    game.start();
    let console = game.after(console, "Cannot POST /…");
    let mut console = game.after(console, "message rejected: 400 no route for /…");
    console += &game.status_with("webhook 2: 400 no route for /…");
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
fn url_set_during_a_map_is_not_overwritten_by_the_old_one() {
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
fn signature_of_a_message_can_be_verified() {
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
fn invalid_settings_are_reported_in_one_line_each_and_urls_read_from_a_file() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([]);
    std::fs::create_dir_all(home.path().join("legacy")).unwrap();
    let list = format!(
        "# ours\n\n{}  # the league's\nhttps://\nftp://x/y\n\u{201c}{}\u{201d}\n{}\u{a0}\nhttps://example.com/SECRET\n",
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
            ("gametimes_backlog_seconds", "8 s"),
            ("gametimes_file_mode", "0755"),
            (
                "gametimes_webhook_hosts",
                "a.example https://b.example/SECRET",
            ),
        ],
    );
    let console = game.round();
    for line in [
        "gametimes_min_seconds: \"soon\" is not a whole number from 0 to 3600; 30 is used",
        "gametimes_keep_days: \"-5\" is not a whole number from 0 to 36500; 0 is used",
        "gametimes_backlog_seconds: \"8 s\" is not a whole number from 0 to 300; 8 is used",
        "gametimes_file_mode: \"0755\" is not a file mode such as 0640 or 0644; 0640 is used",
        "gametimes_webhook_hosts: entry 2 is not a host name such as hooks.example.org; it is ignored",
        "gametimes_webhook_file: entry 6 is not a webhook URL (its host is not discord.com",
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
fn host_that_is_not_discord_needs_to_be_allowed() {
    let home = tempfile::tempdir().unwrap();
    // Longer than a host name can be, so that the test needs no resolver.
    let host = "x".repeat(64) + ".invalid";
    let url = format!("http://{host}/SECRET-TOKEN");
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &url)]);
    let console = game.round();
    let line = "entry 1 is not a webhook URL (its host is not discord.com; gametimes_webhook_hosts can allow it)";
    assert!(console.contains(line), "{console}");
    assert!(console.contains("webhooks 0"), "{console}");
    assert!(
        console.contains("message not sent: no webhook is set"),
        "{console}"
    );
    let hosts = format!("hooks.example.org {}", host.to_uppercase());
    game.server.set_cvar("gametimes_webhook_hosts", hosts);
    let console = game.round();
    assert!(console.contains("webhooks 1"), "{console}");
    assert!(!console.contains("SECRET"), "{console}");
    game.start();
    game.after(console, "sending to webhook 1 failed: unknown host");
    game.stop();
}

#[test]
fn files_are_not_readable_by_every_user_unless_the_admin_wants_it() {
    for (setting, file_mode, folder_mode) in [("", 0o640, 0o750), ("0644", 0o644, 0o755)] {
        let home = tempfile::tempdir().unwrap();
        let gone = "http://127.0.0.1:9/x";
        let cvars = [
            ("gametimes_webhook_url", gone),
            ("gametimes_file_mode", setting),
        ];
        let mut game = Match::new(home.path(), &cvars);
        game.round();
        game.start(); // with a journal
        game.console_with("round start");
        let folder = home.path().join("legacy/gametimes");
        let mode =
            |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), folder_mode);
        let instance = folder.join("outbox/127.0.0.1_27960");
        assert_eq!(mode(&instance), 0o700);
        assert_eq!(outbox(home.path(), "queue").len(), 1);
        assert!(instance.join("round.journal").is_file());
        for path in walk(&folder) {
            let expected = match path.parent() == Some(&folder) {
                true => file_mode,
                false => 0o600,
            };
            assert_eq!(mode(&path), expected, "{}", path.display());
        }
        game.stop();
    }
}

#[test]
fn url_set_as_file_name_is_not_printed() {
    let home = tempfile::tempdir().unwrap();
    let url = "https://discord.com/api/webhooks/42/SECRET-TOKEN";
    let mut game = Match::new(home.path(), &[("gametimes_webhook_file", url)]);
    let console = game.round();
    assert!(console.contains("write the URL into a file"), "{console}");
    assert!(!console.contains("SECRET"), "{console}");
}

#[test]
fn webhook_file_that_is_a_device_or_too_long_is_reported_and_not_read() {
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
