//! `gametimes-bot init`: what it asks, checks and writes.

use std::collections::VecDeque;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gametimes_bot::config::Config;
use gametimes_bot::init::prompt::{Prompt, Question};
use gametimes_bot::init::{Options, run};
use gametimes_discord_standin::Discord;
use gametimes_test_support::bot::sshd::Sshd;
use gametimes_test_support::samples::sample_files;

/// A user who answers what a test has written down, and what was shown.
#[derive(Default)]
struct Script {
    answers: VecDeque<&'static str>,
    shown: Vec<String>,
}

impl Script {
    fn new(answers: &[&'static str]) -> Self {
        Self {
            answers: answers.iter().copied().collect(),
            shown: Vec::new(),
        }
    }

    fn next(&mut self, question: &str) -> Result<String, String> {
        self.shown.push(question.to_owned());
        let answer = self.answers.pop_front();
        let answer = answer.ok_or_else(|| format!("no answer is left for: {question}"))?;
        Ok(answer.to_owned())
    }

    fn text(&self) -> String {
        self.shown.join("\n")
    }
}

impl Prompt for Script {
    fn say(&mut self, text: &str) {
        self.shown.push(text.to_owned());
    }

    fn is_interactive(&self) -> bool {
        true
    }

    fn text(&mut self, question: Question<'_>) -> Result<String, String> {
        let answer = self.next(question.text)?;
        Ok(match (answer.as_str(), question.default) {
            ("", Some(default)) => default.to_owned(),
            _ => answer,
        })
    }

    fn secret(&mut self, question: Question<'_>) -> Result<String, String> {
        self.next(question.text)
    }

    fn confirm(&mut self, question: &str, default: bool) -> Result<bool, String> {
        Ok(match self.next(question)?.as_str() {
            "" => default,
            answer => answer == "y",
        })
    }

    fn choose(&mut self, question: Question<'_>, items: &[String]) -> Result<usize, String> {
        assert!(!items.is_empty(), "{}", question.text);
        Ok(self.next(question.text)?.parse().unwrap())
    }
}

fn options(folder: &Path) -> Options {
    Options {
        output: folder.join("gametimes-bot.toml"),
        no_input: false,
        database_url: None,
        time_zone: Some("Europe/Ljubljana".into()),
        no_discord: true,
        token_file: None,
        channel: None,
        stats_channel: None,
        webhook_ids: Vec::new(),
        create_webhook: false,
        folders: Vec::new(),
        ssh: None,
        ssh_folder: None,
        ssh_key: None,
        host_key: None,
    }
}

/// The folder of a game with the recorded stats files and an empty folder of gametimes files.
fn game_folder(in_folder: &Path) -> PathBuf {
    let game = in_folder.join("legacy");
    std::fs::create_dir_all(game.join("gamestats")).unwrap();
    std::fs::create_dir_all(game.join("gametimes")).unwrap();
    for (name, bytes) in sample_files("gamestats") {
        std::fs::write(game.join("gamestats").join(name), bytes).unwrap();
    }
    game
}

/// Runs the program without a terminal, with the stand-in as Discord.
fn init(discord: Option<&Discord>, token: &str, folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gametimes-bot"));
    command
        .arg("init")
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("TZ", "UTC");
    if let Some(discord) = discord {
        command
            .env("GAMETIMES_DISCORD_TOKEN", token)
            .env("GAMETIMES_DISCORD_PROXY", discord.host())
            .env("GAMETIMES_DISCORD_GATEWAY_URL", discord.gateway_url());
    }
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    let bytes = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8(bytes).unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn init_without_questions_sets_up_a_bot_that_doctor_approves() {
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let game = game_folder(folder.path());
    let channel = discord.channel_id().to_string();
    let stats = discord.add_channel().to_string();
    let game = game.to_str().unwrap();
    let args = [
        "--time-zone",
        "Europe/Ljubljana",
        "--channel",
        &channel,
        "--stats-channel",
        &stats,
        "--create-webhook",
        "--folder",
        game,
    ];
    let output = init(Some(&discord), discord.token(), folder.path(), &args);
    let shown = text(&output);
    assert!(output.status.success(), "{shown}");
    // View Channel, Send Messages, Embed Links, Attach Files, Read Message History, Manage Webhooks
    let permissions = 1 << 10 | 1 << 11 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 29;
    let link = format!("client_id=1001&scope=bot+applications.commands&permissions={permissions}");
    assert!(shown.contains(&link), "{shown}");
    assert!(!shown.contains("FAIL"), "{shown}");
    assert!(!shown.contains(discord.token()), "{shown}");

    let file = folder.path().join("gametimes-bot.toml");
    let webhooks = folder.path().join("webhooks.txt");
    assert_eq!((mode(&file), mode(&webhooks)), (0o600, 0o600));
    let url = std::fs::read_to_string(&webhooks).unwrap();
    assert!(
        url.starts_with("https://discord.com/api/webhooks/"),
        "{url}"
    );
    assert!(!shown.contains(url.trim()), "the URL is a secret: {shown}");
    let config =
        Config::parse(&std::fs::read_to_string(&file).unwrap(), Default::default()).unwrap();
    let settings = config.discord.unwrap();
    let id: u64 = url.split('/').nth(5).unwrap().parse().unwrap();
    assert_eq!(settings.webhook_ids, [id]);
    assert_eq!(settings.channel_id, discord.channel_id());
    assert_eq!(config.folders.len(), 2);

    // It never replaces settings.
    let again = init(Some(&discord), discord.token(), folder.path(), &args);
    assert!(!again.status.success());
    assert!(text(&again).contains("exists already"), "{}", text(&again));
}

#[test]
fn init_names_the_option_for_each_answer_that_is_missing_or_wrong() {
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let channel = discord.channel_id().to_string();
    let token = discord.token();
    // Embed Links
    let stats = discord.add_channel();
    discord.deny(stats, 1 << 14);
    let stats = stats.to_string();
    let nowhere = "postgres://bot:very-secret@127.0.0.1:1/stats";
    for (token, args, expected) in [
        (
            token,
            vec!["--time-zone", "Mars/Base"],
            "--time-zone: \"Mars/Base\" is no time zone",
        ),
        (
            token,
            vec!["--database-url", nowhere],
            "--database-url: database stats on 127.0.0.1:1",
        ),
        (
            token,
            vec!["--database-url", "sqlite:no/such/bot.db"],
            "no/such: no such folder",
        ),
        ("wrong-token", vec![], "Discord refuses the token"),
        (token, vec![], "Pass --channel"),
        (token, vec!["--channel", "5"], "--channel: "),
        (token, vec!["--channel", &channel], "Pass --webhook-id"),
        (
            token,
            vec![
                "--channel",
                &channel,
                "--webhook-id",
                "7",
                "--stats-channel",
                &stats,
            ],
            "give the bot Embed Links there",
        ),
        (
            token,
            vec!["--no-discord"],
            "nothing that rounds could come from",
        ),
        (
            token,
            vec!["--no-discord", "--folder", "nowhere"],
            "--folder: ",
        ),
        (
            token,
            vec!["--no-discord", "--ssh", "nobody", "--ssh-folder", "/"],
            "--ssh: \"nobody\" is not like",
        ),
        (
            token,
            vec![
                "--no-discord",
                "--ssh",
                "et@127.0.0.1:1",
                "--ssh-folder",
                "/",
            ],
            "127.0.0.1:1: ",
        ),
    ] {
        let output = init(Some(&discord), token, folder.path(), &args);
        let shown = text(&output);
        assert!(!output.status.success(), "{args:?}: {shown}");
        assert!(shown.contains(expected), "{args:?}: {shown}");
        assert!(
            !shown.contains(token) && !shown.contains("very-secret"),
            "{shown}"
        );
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert!(left.is_empty(), "{args:?} left {left:?}");
    }
    discord.set_message_content(false);
    let output = init(
        Some(&discord),
        token,
        folder.path(),
        &["--channel", &channel],
    );
    assert!(
        text(&output).contains("enable the Message Content intent"),
        "{}",
        text(&output)
    );
    // The network, not the token.
    discord.set_gone(true);
    let output = init(
        Some(&discord),
        token,
        folder.path(),
        &["--channel", &channel],
    );
    assert!(
        !text(&output).contains("refuses the token"),
        "{}",
        text(&output)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn init_trusts_a_host_key_only_after_a_yes() {
    let sshd = tokio::task::spawn_blocking(Sshd::start).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let game = game_folder(folder.path());
    let server = sshd.settings(&game, None);
    let mut options = options(folder.path());
    options.ssh = Some(format!("{}@127.0.0.1:{}", server.user, server.port));
    options.ssh_folder = Some(game.display().to_string());
    options.ssh_key = Some(server.key_file.clone());
    let known_hosts = folder.path().join("known_hosts");
    let fingerprint = Command::new("ssh-keygen")
        .arg("-lf")
        .arg(sshd.path("host_key.pub"))
        .output()
        .unwrap();
    let fingerprint = String::from_utf8(fingerprint.stdout).unwrap();
    let fingerprint = fingerprint.split(' ').nth(1).unwrap().to_owned();

    let mut no = Script::new(&["", "n"]);
    let error = run(&options, &mut no).await.unwrap_err();
    assert!(error.contains("is not trusted"), "{error}");
    assert!(no.text().contains(&fingerprint), "{}", no.text());
    assert!(!known_hosts.exists() && !options.output.exists());

    options.host_key = Some("SHA256:other".into());
    let error = run(&options, &mut Script::new(&[""])).await.unwrap_err();
    assert!(error.contains("not SHA256:other"), "{error}");
    assert!(!known_hosts.exists());

    options.host_key = None;
    let mut yes = Script::new(&["", "y"]);
    run(&options, &mut yes)
        .await
        .unwrap_or_else(|e| panic!("{e}\n{}", yes.text()));
    let config = Config::load(Some(&options.output)).unwrap();
    assert_eq!(config.ssh.len(), 1);
    assert_eq!(
        config.ssh[0].stats_dir,
        Some(game.join("gamestats").display().to_string())
    );
    assert_eq!(
        config.ssh[0].gametimes_dir,
        Some(game.join("gametimes").display().to_string())
    );
    assert!(known_hosts.exists());
    // The key is known now.
    std::fs::remove_file(&options.output).unwrap();
    run(&options, &mut Script::new(&[""])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn init_asks_again_until_an_answer_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let game = game_folder(folder.path());
    let game: &'static str = game.display().to_string().leak();
    let mut options = options(folder.path());
    options.time_zone = None;
    let mut user = Script::new(&[
        "mysql://no", // database
        "",
        "Mars/Base", // time zone
        "UTC",
        "y", // a game server on this machine
        "/no/such/folder",
        game,
        "n", // no other server
    ]);
    let result = run(&options, &mut user).await;
    result.unwrap_or_else(|e| panic!("{e}\n{}", user.text()));
    assert!(user.answers.is_empty());
    let shown = user.text();
    for expected in [
        "must begin with sqlite:",
        "is no time zone",
        "/no/such/folder",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let config = Config::load(Some(&options.output)).unwrap();
    assert_eq!(config.folders.len(), 2);
    assert!(folder.path().join("gametimes.db").exists());
}
