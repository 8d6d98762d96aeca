//! Files from local folders and from a real OpenSSH server.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use gametimes_bot::config::Folder;
use gametimes_bot::doctor;
use gametimes_discord_standin::Discord;
use gametimes_test_support::bot::sshd::Sshd;
use gametimes_test_support::bot::{
    config_in, delivery, get, settings_for, wait_for, wait_for_rounds,
};
use gametimes_test_support::samples::{native_files, sample, sample_files};

fn put(folder: &Path, files: &[(String, Vec<u8>)]) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stats_files_arrive_over_sftp_and_link_with_the_message() {
    let mut sshd = tokio::task::spawn_blocking(Sshd::start).await.unwrap();
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("gamestats");
    put(&stats, &[]);
    let mut config = config_in(&folder);
    config.discord = Some(settings_for(&discord));
    config.ssh = vec![sshd.settings(&stats, None)];
    // The message alone must make the bot look for the file.
    config.poll = Duration::from_secs(3600);
    let bot = gametimes_bot::start(config.clone()).await.unwrap();
    wait_for("a first look at the folder", || async {
        delivery(&bot, "ssh").and_then(|d| d.last_seen_unix)
    })
    .await;
    let mut files = sample_files("gamestats");
    files.retain(|(name, _)| name.contains("125046"));
    put(&stats, &files);
    let (name, bytes) = native_files("surrender").remove(0);
    let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    discord
        .post(discord.webhook().id, &body["payload"], &[(&name, &bytes)])
        .unwrap();
    let rounds = wait_for("the stats file", || async {
        let (_, rounds) = get(&bot.url("/api/rounds")).await;
        rounds
            .as_array()
            .filter(|r| r.iter().any(|r| r["stats_file"].is_string()))
            .cloned()
    })
    .await;
    assert_eq!(rounds.len(), 1, "{rounds:?}");
    assert_eq!(rounds[0]["match_id"], "2026-11-20-125046");
    assert_eq!(rounds[0]["duration_ms"], 54_950);

    // The server stops and starts again: the files written meanwhile are read once.
    bot.stop().await.unwrap();
    sshd.down();
    config.poll = Duration::from_secs(1);
    let bot = gametimes_bot::start(config).await.unwrap();
    wait_for("a failure", || async {
        delivery(&bot, "ssh").and_then(|d| d.last_error.clone())
    })
    .await;
    put(&stats, &sample_files("gamestats"));
    let mut sshd = tokio::task::spawn_blocking(move || {
        sshd.up();
        sshd
    })
    .await
    .unwrap();
    wait_for_rounds(&bot, 5).await;
    let stored = delivery(&bot, "ssh").unwrap().stored;
    assert!(stored >= 4, "{stored}");
    // The connection is cut: the bot connects again.
    sshd.down();
    sshd.up();
    let late = sample_files("gamestats").remove(0);
    put(
        &stats,
        &[("2026-11-20-133344-room2-round-1.txt".into(), late.1)],
    );
    wait_for_rounds(&bot, 6).await;
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_host_key_is_refused_with_advice() {
    let sshd = tokio::task::spawn_blocking(Sshd::start).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("gamestats");
    put(&stats, &sample_files("gamestats"));
    let mut config = config_in(&folder);
    config.ssh = vec![sshd.settings(&stats, None)];
    config.poll = Duration::from_secs(1);
    sshd.known_hosts("");
    let bot = gametimes_bot::start(config).await.unwrap();
    let error = |what: &'static str| {
        let bot = &bot;
        wait_for(what, move || async move {
            let error = delivery(bot, "ssh").and_then(|d| d.last_error.clone());
            error.filter(|e| e.contains(what))
        })
    };
    assert!(error("ssh-keyscan").await.contains("SHA256:"));
    let key = std::fs::read_to_string(sshd.path("client_key.pub")).unwrap();
    let port = config_port(&sshd);
    sshd.known_hosts(&format!("[127.0.0.1]:{port} {key}"));
    error("the connection is intercepted").await;
    sshd.known_hosts(&format!("@revoked [127.0.0.1]:{port} {key}"));
    error("@revoked").await;
    // A hashed entry, as Debian writes it.
    sshd.trust();
    let hashed = std::process::Command::new("ssh-keygen")
        .args(["-q", "-H", "-f"])
        .arg(sshd.path("known_hosts"))
        .output();
    assert!(hashed.unwrap().status.success());
    assert!(
        std::fs::read_to_string(sshd.path("known_hosts"))
            .unwrap()
            .starts_with("|1|")
    );
    wait_for_rounds(&bot, 5).await;
    bot.stop().await.unwrap();
}

/// Writes a new key pair.
fn new_key(path: &Path, options: &[&str]) {
    for file in [path.to_owned(), path.with_extension("pub")] {
        std::fs::remove_file(file).unwrap();
    }
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-N", "", "-f"])
        .arg(path)
        .args(options)
        .status()
        .unwrap();
    assert!(made.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn rsa_keys_are_refused_with_advice_and_ecdsa_keys_are_accepted() {
    let mut sshd = tokio::task::spawn_blocking(Sshd::start).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("gamestats");
    put(&stats, &sample_files("gamestats"));
    let mut config = config_in(&folder);
    config.ssh = vec![sshd.settings(&stats, None)];
    config.poll = Duration::from_secs(1);
    let client_key = sshd.path("client_key");
    new_key(&client_key, &["-t", "rsa"]);
    let bot = gametimes_bot::start(config).await.unwrap();
    let error = |what: &'static str| {
        let bot = &bot;
        wait_for(what, move || async move {
            let error = delivery(bot, "ssh").and_then(|d| d.last_error.clone());
            error.filter(|e| e.contains(what))
        })
    };
    let advice = "RSA keys are not supported; create an Ed25519 key";
    error(advice).await;
    // Another error in between shows that each of the other formats was read.
    for format in ["PEM", "PKCS8"] {
        std::fs::write(&client_key, "no key").unwrap();
        error("Could not read key").await;
        new_key(&client_key, &["-t", "rsa", "-m", format]);
        error(advice).await;
    }

    // A server that has only an RSA host key.
    sshd.down();
    new_key(&client_key, &["-t", "ecdsa"]);
    std::fs::copy(sshd.path("client_key.pub"), sshd.path("authorized_keys")).unwrap();
    new_key(&sshd.path("host_key"), &["-t", "rsa"]);
    sshd.trust();
    let mut sshd = tokio::task::spawn_blocking(move || {
        sshd.up();
        sshd
    })
    .await
    .unwrap();
    let said = error("create an Ed25519 host key").await;
    assert!(said.contains("rsa-sha2-512"), "{said}");

    sshd.down();
    new_key(&sshd.path("host_key"), &["-t", "ecdsa"]);
    sshd.trust();
    let _sshd = tokio::task::spawn_blocking(move || {
        sshd.up();
        sshd
    })
    .await
    .unwrap();
    wait_for_rounds(&bot, 5).await;
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn key_file_that_other_users_can_read_is_refused_with_advice() {
    let sshd = tokio::task::spawn_blocking(Sshd::start).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("gamestats");
    put(&stats, &sample_files("gamestats"));
    let mut config = config_in(&folder);
    config.ssh = vec![sshd.settings(&stats, None)];
    config.poll = Duration::from_secs(1);
    let key = sshd.path("client_key");
    let set_mode = |mode| std::fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
    set_mode(0o640);
    let bot = gametimes_bot::start(config.clone()).await.unwrap();
    let error = wait_for("a failure", || async {
        delivery(&bot, "ssh").and_then(|d| d.last_error)
    })
    .await;
    let advice = format!(
        "(mode 0640), so the bot does not; run chmod 600 {}",
        key.display()
    );
    assert!(error.contains(&advice), "{error}");
    assert!(delivery(&bot, "ssh").unwrap().last_seen_unix.is_none());
    let found = doctor::examine(&config).await;
    assert!(
        found.iter().any(|f| !f.good && f.text.ends_with(&advice)),
        "{found:#?}"
    );
    set_mode(0o600);
    wait_for_rounds(&bot, 5).await;
    bot.stop().await.unwrap();
}

fn config_port(sshd: &Sshd) -> u16 {
    sshd.settings(Path::new("/"), None).port
}

#[tokio::test(flavor = "multi_thread")]
async fn files_in_a_local_folder_are_read_as_they_appear() {
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("gamestats");
    put(&stats, &[]);
    let mut config = config_in(&folder);
    config.folders = vec![Folder {
        path: stats.clone(),
        server: String::new(),
    }];
    config.poll = Duration::from_secs(3600);
    let bot = gametimes_bot::start(config).await.unwrap();
    wait_for("a first look", || async {
        delivery(&bot, "folder").and_then(|d| d.last_seen_unix)
    })
    .await;
    let name = "2026-11-20-125046-room1-round-1.txt";
    let whole = sample(&format!("gamestats/{name}"));
    std::fs::write(stats.join(name), &whole).unwrap();
    let rounds = wait_for_rounds(&bot, 1).await;
    let id = rounds[0]["id"].as_i64().unwrap();
    let (_, players) = get(&bot.url(&format!("/api/rounds/{id}/players"))).await;
    assert_eq!(players.as_array().unwrap().len(), 12);
    let (_, rejected) = get(&bot.url("/api/rejected")).await;
    assert_eq!(rejected, serde_json::json!([]));
    // Other files are not read.
    std::fs::write(stats.join("notes.txt"), "x").unwrap();
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn gametimes_files_replace_messages_that_never_came() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("gametimes");
    put(&files, &native_files("stopwatch"));
    let mut config = config_in(&folder);
    config.folders = vec![Folder {
        path: files,
        server: String::new(),
    }];
    let bot = gametimes_bot::start(config.clone()).await.unwrap();
    wait_for_rounds(&bot, 3).await;
    bot.stop().await.unwrap();
    // At the next start, nothing is read again.
    let bot = gametimes_bot::start(config).await.unwrap();
    wait_for("a look", || async {
        delivery(&bot, "folder").and_then(|d| d.last_seen_unix)
    })
    .await;
    assert_eq!(delivery(&bot, "folder").unwrap().stored, 0);
    bot.stop().await.unwrap();
}
