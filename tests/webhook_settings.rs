//! Webhook URLs and the signing key: how they are set, and that no log line, cvar or file shows them.

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
    game.server.console_command("gametimes status");
    console += &game.console_with("webhook 1:");
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
