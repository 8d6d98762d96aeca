//! `cargo xtask demo`: a recorded match, from the game server to the web page, without leaving this machine.

use std::fs;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gametimes_discord_standin::Discord;
use gametimes_standin::{Options, play, recorded};
use serde_json::Value;

use crate::run::{build_module, cargo, root, run, target};

/// How long to wait for the bot.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Plays a recorded match through the module, which posts to a local Discord stand-in. The bot receives the messages, stores the
/// rounds in SQLite and serves them.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Folder for the server, the database and all files; deleted and created again.
    #[arg(long, default_value = "demo-data")]
    folder: PathBuf,
    /// Name of the match in `tests/data/tapes`.
    #[arg(long, default_value = "stopwatch")]
    tape: String,
    /// Address at which the bot serves pages and API.
    #[arg(long, default_value = "127.0.0.1:8650")]
    listen: String,
    /// Exit after showing the rounds instead of serving them until Enter is pressed. Implied without a terminal.
    #[arg(long)]
    once: bool,
}

/// The bot's process, killed on drop.
pub struct Bot(pub Child);

impl Drop for Bot {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Demo {
    pub fn run(self) -> Result<(), String> {
        let folder = root().join(&self.folder);
        // Only a folder that an earlier demo created may be deleted.
        let marker = folder.join(".gametimes-demo");
        if marker.exists() {
            fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        } else if folder.exists() {
            return Err(format!(
                "{} exists and was not created by a demo; choose another --folder",
                folder.display()
            ));
        }
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&marker, ""))
            .map_err(|e| format!("{}: {e}", folder.display()))?;

        println!("1. Building module and bot (takes a few minutes the first time)");
        let module = build_module()?;
        run(&mut cargo(&["build", "--package", "gametimes-bot"]))?;

        println!("2. Starting a Discord stand-in and the bot");
        let discord = Discord::start()
            .map_err(|e| format!("the Discord stand-in cannot listen on loopback: {e}"))?;
        let settings = folder.join("bot.toml");
        fs::write(&settings, bot_settings(&folder, &self.listen, &discord))
            .map_err(|e| e.to_string())?;
        let mut bot = self.start_bot(&folder, &settings)?;
        let url = format!("http://{}", self.listen);
        wait_for("the bot", &mut bot, || {
            get(&format!("{url}/api/health")).filter(|h| h["discord_connected"] == true)
        })?;

        println!(
            "3. Playing {} through the module, as fast as possible",
            self.tape
        );
        let tape = recorded::tape(&self.tape)?;
        let mut options =
            Options::new(&module, &folder).cvar("gametimes_webhook_url", &discord.webhook_url());
        // The bot reads any number of messages at once.
        options = options.cvar("gametimes_backlog_seconds", "0");
        options.drain_outbox = true;
        let console = play(&tape, &options)?;
        fs::write(folder.join("etconsole.log"), &console).map_err(|e| e.to_string())?;
        for line in console
            .lines()
            .filter(|l| l.contains("] round ") || l.contains("] pause"))
        {
            println!("   {line}");
        }

        let posted = discord.messages().len();
        let messages = if posted == 1 { "message" } else { "messages" };
        println!("4. Posted {posted} {messages}; the bot stores the rounds in SQLite");
        let rounds = wait_for("the rounds", &mut bot, || {
            get(&format!("{url}/api/rounds")).filter(|r| round_list(r).len() >= posted)
        })?;
        show(&url, &rounds)?;
        println!("View the rounds at {url}/");
        println!(
            "Files, outbox, database and the server's log (etconsole.log) are in {}",
            folder.display()
        );
        if !self.once && std::io::stdin().is_terminal() {
            println!("The bot serves the pages until you press Enter.");
            let _ = std::io::stdin().read(&mut [0]);
        }
        Ok(())
    }

    fn start_bot(&self, folder: &Path, settings: &Path) -> Result<Bot, String> {
        let log = fs::File::create(folder.join("bot.log")).map_err(|e| e.to_string())?;
        let program = target().join("debug/gametimes-bot");
        Command::new(&program)
            .arg("--config")
            .arg(settings)
            .arg("run")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map(Bot)
            .map_err(|e| format!("{}: {e}", program.display()))
    }
}

fn bot_settings(folder: &Path, listen: &str, discord: &Discord) -> String {
    format!(
        r#"# Written by `cargo xtask demo`.
database_url = "sqlite:{database}"
listen = "{listen}"

[discord]
token = "{token}"
channel_id = {channel}
webhook_ids = [{webhook}]
proxy = "{host}"
gateway_url = "{gateway}"
cdn_hosts = ["{host}"]

[[folders]]
path = "{stats}"
"#,
        database = folder.join("gametimes.sqlite").display(),
        token = discord.token(),
        channel = discord.channel_id(),
        webhook = discord.webhook().id,
        host = discord.host(),
        gateway = discord.gateway_url(),
        stats = root().join("tests/data/samples/gamestats").display(),
    )
}

/// The JSON that a URL returns; `None` if the request fails or the answer is not JSON.
pub fn get(url: &str) -> Option<Value> {
    let text = ureq::get(url)
        .call()
        .ok()?
        .into_body()
        .read_to_string()
        .ok()?;
    serde_json::from_str(&text).ok()
}

/// Polls until there is an answer. Fails if the bot exits or takes too long.
pub fn wait_for(
    what: &str,
    bot: &mut Bot,
    poll: impl Fn() -> Option<Value>,
) -> Result<Value, String> {
    let deadline = Instant::now() + TIMEOUT;
    while Instant::now() < deadline {
        if let Some(answer) = poll() {
            return Ok(answer);
        }
        if let Ok(Some(status)) = bot.0.try_wait() {
            return Err(format!(
                "the bot exited ({status}); see bot.log in the folder of the demo"
            ));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!(
        "timed out after {} seconds while waiting for {what}; see bot.log in the folder of the demo",
        TIMEOUT.as_secs()
    ))
}

/// The rounds in an answer of the API, which is a list or an object with the key `rounds`.
fn round_list(answer: &Value) -> Vec<&Value> {
    let list = answer.as_array().or_else(|| answer["rounds"].as_array());
    list.map(|list| list.iter().collect()).unwrap_or_default()
}

/// Prints the rounds, and the players of the latest one, as tables.
fn show(url: &str, rounds: &Value) -> Result<(), String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    println!();
    println!(
        "  {:<4} {:<12} {:>5} {:>9} {:>7} {:<12}",
        "id", "map", "round", "played", "pauses", "ended by"
    );
    let rounds = round_list(rounds);
    for round in &rounds {
        println!(
            "  {:<4} {:<12} {:>5} {:>7} s {:>7} {:<12}",
            text(&round["id"]),
            text(&round["map_name"]),
            text(&round["round_number"]),
            text(&round["actual_duration_seconds"]),
            text(&round["pause_count"]),
            text(&round["end_reason"])
        );
    }
    let latest = rounds.first().ok_or("the bot stored no rounds")?;
    let id = text(&latest["id"]);
    let players = get(&format!("{url}/api/rounds/{id}/players"))
        .ok_or("the bot did not return the players")?;
    println!();
    println!("  Players of round {id}");
    println!(
        "  {:<22} {:>6} {:>7} {:>7} {:>9} {:>10}",
        "name", "spawns", "deaths", "kills", "dead ms", "denied ms"
    );
    let players = players.as_array().filter(|p| !p.is_empty());
    for player in players.ok_or("the bot stored no players")? {
        println!(
            "  {:<22} {:>6} {:>7} {:>7} {:>9} {:>10}",
            text(&player["name"]),
            text(&player["spawns"]),
            text(&player["deaths"]),
            text(&player["kills"]),
            text(&player["dead_ms"]),
            text(&player["denied_ms"])
        );
    }
    println!();
    Ok(())
}
