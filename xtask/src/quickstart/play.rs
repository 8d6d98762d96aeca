//! Plays docs/quickstart.md in an empty Debian, exactly as it is written, with the archives of `cargo xtask dist` and stand-ins for engine,
//! game and Discord.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gametimes_discord_standin::Discord;
use serde_json::Value;

use super::document::{Block, blocks};
use super::root::Root;
use super::server::GameServer;
use super::terminal::{Answer, converse};
use crate::dist::VERSION;
use crate::packages;
use crate::run::{output, target};

/// How long to wait for a message or a page.
const TIMEOUT: Duration = Duration::from_secs(90);
/// The folder that the document tells to create for the bot.
const BOT_FOLDER: &str = "/home/et/gametimes-bot";

/// Plays it on a new server and on one with the old script, and tries the Debian package.
pub fn run() -> Result<(), String> {
    if output(Command::new("id").arg("-u"))?.trim() != "0" {
        println!("skipped: only root can create an empty Debian");
        return Ok(());
    }
    packages::for_quickstart()?;
    let blocks = blocks(include_str!("../../../docs/quickstart.md"));
    for has_old_script in [false, true] {
        let what = match has_old_script {
            false => "a new server",
            true => "a server with stats_discord_webhook.lua",
        };
        println!("\n== {what}");
        Scenario::start(has_old_script)?.play(&blocks)?;
    }
    println!("\n== the Debian package");
    try_package()
}

/// One run through the document.
struct Scenario {
    root: Root,
    discord: Discord,
    stats_channel: u64,
    has_old_script: bool,
    /// Where the bot listens; the document has the default.
    port: u16,
    bot: Option<Child>,
    server: GameServer,
    began: Instant,
}

impl Scenario {
    fn start(has_old_script: bool) -> Result<Self, String> {
        let root = Root::create(&target().join("quickstart"))?;
        for package in ["gametimes", "gametimes-bot"] {
            let name = format!("{package}-{VERSION}-x86_64-linux.tar.gz");
            let archive = target().join("dist").join(&name);
            if !archive.exists() {
                return Err(format!(
                    "{} is missing: run `cargo xtask dist`",
                    archive.display()
                ));
            }
            root.put(&archive, &format!("/home/et/{name}"))?;
        }
        let discord = Discord::start().map_err(|e| e.to_string())?;
        let stats_channel = discord.add_channel();
        let old_webhook = has_old_script.then(|| discord.webhook_url());
        let server = GameServer::create(&root, old_webhook.as_deref())?;
        Ok(Self {
            root,
            discord,
            stats_channel,
            has_old_script,
            port: free_port()?,
            bot: None,
            server,
            began: Instant::now(),
        })
    }

    fn play(mut self, blocks: &[Block]) -> Result<(), String> {
        self.server.start(&self.root)?;
        if self.has_old_script {
            self.server.play_with_old_script(&self.discord)?;
        }
        self.began = Instant::now();
        for (n, block) in (1..).zip(blocks) {
            if block.chapter == 4 {
                self.play_a_round()?;
            }
            self.block(n, block)?;
        }
        self.stop_bot()?;
        println!("{:>7.1} s  in total", self.began.elapsed().as_secs_f64());
        Ok(())
    }

    /// Plays a block of commands as a person does who follows the document.
    fn block(&mut self, n: u32, block: &Block) -> Result<(), String> {
        let title = block.commands.lines().last().unwrap_or_default();
        if block.commands.contains("sudo ") {
            println!("   not played, because no systemd runs here: {title}");
            return Ok(());
        }
        let began = Instant::now();
        // A shell reads its file while it runs, so each block has one.
        let script = format!("/tmp/block-{n}");
        fs::write(
            self.root.path(&script),
            format!("set -e\n{}", block.commands),
        )
        .map_err(|e| e.to_string())?;
        let mut command = self.root.command("et");
        command
            .env("GAMETIMES_DISCORD_PROXY", self.discord.host())
            .env("GAMETIMES_DISCORD_GATEWAY_URL", self.discord.gateway_url())
            .env("GAMETIMES_DISCORD_CDN_HOSTS", self.discord.host())
            .env("GAMETIMES_LISTEN", format!("127.0.0.1:{}", self.port));
        if block.commands.ends_with(" run\n") {
            let log = fs::File::create(self.root.path("/tmp/bot.log"));
            command
                .args(["sh", &script])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log.map_err(|e| e.to_string())?);
            self.bot = Some(command.spawn().map_err(|e| e.to_string())?);
            self.wait_for("the bot", |s| {
                let health = s.get("/api/health")?;
                (health["discord_connected"] == true).then_some(())
            })?;
        } else {
            let in_terminal = format!("sh {script}");
            command.args(["script", "-qefc", &in_terminal, "/dev/null"]);
            let answers = self.answers(&block.commands)?;
            let shown = converse(&mut command, &answers).map_err(|e| format!("{title}: {e}"))?;
            step(began, title);
            return self.after(&block.commands, &shown);
        }
        step(began, title);
        Ok(())
    }

    /// What a person answers to the questions of these commands.
    fn answers(&self, commands: &str) -> Result<Vec<Answer>, String> {
        let lines: Vec<&str> = commands.lines().collect();
        let last = lines.last().copied().unwrap_or_default();
        if last.ends_with(" init") {
            let mut answers = vec![
                Answer::new("Database (", ""),
                Answer::new("Time zone", ""),
                Answer::new("Set up Discord?", ""),
                Answer::new("Token of the bot", self.discord.token()),
            ];
            if self.has_old_script {
                answers.push(Answer::key("Create a webhook", "n"));
                let id = self.discord.webhook().id.to_string();
                answers.push(Answer::new("Ids of the game servers' webhooks", &id));
            } else {
                answers.push(Answer::new("Create a webhook", ""));
            }
            answers.extend([
                Answer::new("Post the results", ""),
                Answer::new("The control channel", ""),
                // The second one in the list.
                Answer::new("The stats channel", "\u{1b}[B"),
                Answer::new("Does a game server run", ""),
                Answer::new("over SSH?", ""),
            ]);
            return Ok(answers);
        }
        if last == "./install.sh" {
            let mut answers = vec![Answer::new("Shall I do this?", "")];
            if !self.has_old_script {
                let file = self.root.path(BOT_FOLDER).join("webhooks.txt");
                let url = fs::read_to_string(&file);
                let url = url.map_err(|e| format!("{}: {e}", file.display()))?;
                // The only thing that is not as in the document: the stand-in has another address.
                let standin = format!("http://{}", self.discord.host());
                let url = url.trim().replace("https://discord.com", &standin);
                answers.push(Answer::new("Webhook URL", &url));
            }
            return Ok(answers);
        }
        Ok(Vec::new())
    }

    /// Checks what the document promises, and does what it tells between two blocks.
    fn after(&mut self, commands: &str, shown: &str) -> Result<(), String> {
        let promised = |text: &str| match shown.contains(text) {
            true => Ok(()),
            false => Err(format!("{text:?} was not shown:\n{shown}")),
        };
        if commands.ends_with(" --check\n") {
            promised("all is well")?;
            let began = Instant::now();
            self.server.restart(&self.root)?;
            let before = self.discord.messages().len();
            self.server.command("gametimes test")?;
            self.wait_for("the test message", |s| {
                (s.discord.messages().len() > before).then_some(())
            })?;
            step(began, "restart the game server, gametimes test");
        }
        if commands.ends_with(" rounds\n") {
            promised("room1")?;
        }
        Ok(())
    }

    /// Plays a round, and waits until it is where the document says.
    fn play_a_round(&mut self) -> Result<(), String> {
        let control = self.discord.channel_id();
        let reports = |s: &Self| -> Vec<Value> {
            let messages = s.discord.messages_in(control).into_iter();
            let reports = messages.map(|m| m.json);
            reports.filter(|m| m["content"] == "STATS_READY").collect()
        };
        let before = reports(self).len();
        let began = Instant::now();
        self.server.play(&self.discord)?;
        self.wait_for("the message of the round", |s| {
            (reports(s).len() > before).then_some(())
        })?;
        step(began, "the round's message is in the control channel");
        let id = self.wait_for("the round on the page", |s| {
            let rounds = s.get("/api/rounds")?;
            let mut recorded = rounds.as_array()?.iter();
            let round = recorded.find(|round| round["recorder"] == "native")?;
            Some(round["id"].clone())
        })?;
        let page = format!("http://127.0.0.1:{}/rounds/{id}", self.port);
        let text = ureq::get(&page).call().map_err(|e| e.to_string())?;
        let text = text.into_body().read_to_string();
        if !text.is_ok_and(|text| text.contains("room1")) {
            return Err(format!("{page} does not show the round"));
        }
        step(began, "the round is on the page");
        let stats = self.stats_channel;
        self.wait_for("the message for players", |s| {
            (!s.discord.messages_in(stats).is_empty()).then_some(())
        })?;
        step(began, "the round's message is in the stats channel");
        // The second round is too short to be posted, and another message would have come by now.
        match reports(self).len() - before {
            1 => Ok(()),
            n => Err(format!("the round was posted {n} times")),
        }
    }

    /// Stops the bot as Ctrl-C does.
    fn stop_bot(&mut self) -> Result<(), String> {
        let began = Instant::now();
        let mut bot = self
            .bot
            .take()
            .ok_or("the document does not start the bot")?;
        output(
            self.root
                .command("et")
                .args(["sh", "-c", "kill -INT $(pidof gametimes-bot)"]),
        )?;
        let status = bot.wait().map_err(|e| e.to_string())?;
        if !status.success() {
            return Err(format!("the bot ended with {status}"));
        }
        step(began, "stop the bot");
        Ok(())
    }

    /// The JSON that the bot answers.
    fn get(&self, path: &str) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let text = ureq::get(&url).call().ok()?.into_body().read_to_string();
        serde_json::from_str(&text.ok()?).ok()
    }

    fn wait_for<T>(&self, what: &str, poll: impl Fn(&Self) -> Option<T>) -> Result<T, String> {
        let deadline = Instant::now() + TIMEOUT;
        while Instant::now() < deadline {
            if let Some(found) = poll(self) {
                return Ok(found);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let log = fs::read_to_string(self.root.path("/tmp/bot.log")).unwrap_or_default();
        Err(format!(
            "timed out while waiting for {what}\nthe game server:\n{}\nthe bot:\n{log}",
            self.server.console()
        ))
    }
}

impl Drop for Scenario {
    fn drop(&mut self) {
        if let Some(bot) = &mut self.bot {
            let _ = bot.kill();
            let _ = bot.wait();
        }
    }
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0));
    let address = listener.and_then(|listener| listener.local_addr());
    Ok(address.map_err(|e| e.to_string())?.port())
}

fn step(began: Instant, what: &str) {
    println!("{:>7.1} s  {what}", began.elapsed().as_secs_f64());
}

/// Installs and removes the Debian package in an empty Debian, with a `systemctl` that only notes how it is called.
fn try_package() -> Result<(), String> {
    let root = Root::create(&target().join("quickstart"))?;
    let name = format!("gametimes-bot_{VERSION}_amd64.deb");
    root.put(&target().join("dist").join(&name), &format!("/root/{name}"))?;
    let systemctl = root.path("/usr/local/bin/systemctl");
    fs::write(&systemctl, "#!/bin/sh\necho \"$@\" >>/systemctl.log\n")
        .and_then(|()| fs::create_dir_all(root.path("/run/systemd/system")))
        .map_err(|e| e.to_string())?;
    let sh = |commands: &str| {
        let mut command = root.command("root");
        output(command.args(["sh", "-ec", commands]))
    };
    sh("chmod 755 /usr/local/bin/systemctl")?;
    let began = Instant::now();
    let install = format!("dpkg --install /root/{name}");
    let said = sh(&install)?;
    if !said.contains("was not started") {
        return Err(format!("{install}: {said}"));
    }
    step(began, &install);
    let version = sh("gametimes-bot --version; id -un gametimes-bot")?;
    let as_user = "cd /var/lib/gametimes-bot; runuser -u gametimes-bot -- gametimes-bot migrate";
    sh(as_user)?;
    sh(
        "dpkg --purge gametimes-bot; test -e /var/lib/gametimes-bot/gametimes.db; test ! -e /usr/bin/gametimes-bot",
    )?;
    let called = sh("cat /systemctl.log")?;
    let started = called.lines().find(|line| {
        ["start", "restart", "enable"].contains(&line.split(' ').next().unwrap_or_default())
    });
    match started {
        None => {
            step(
                began,
                &format!("removed; it was {}", version.replace('\n', " ")),
            );
            Ok(())
        }
        Some(line) => Err(format!("the package started something: systemctl {line}")),
    }
}
