//! `cargo xtask demo`: the main job end to end, with nothing outside this machine.

use std::fs;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gametimes_discord_standin::Discord;
use gametimes_standin::{Options, play, recorded};
use serde_json::Value;

use crate::run::{build_module, cargo, root, run, target};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Plays a recorded match through the module, posts to a local stand-in for Discord, lets the bot store it in SQLite, and
/// shows the rounds.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Where server, database and files go; removed and made anew.
    #[arg(long, default_value = "demo-data")]
    folder: PathBuf,
    /// The match, a name from `tests/data/tapes`.
    #[arg(long, default_value = "stopwatch")]
    tape: String,
    /// Where the bot serves pages and API.
    #[arg(long, default_value = "127.0.0.1:8650")]
    listen: String,
    /// Ends when the rounds are shown, instead of serving them until Enter. So it is where no terminal is.
    #[arg(long)]
    once: bool,
}

/// The bot's process; ended when the task is.
pub struct Bot(pub Child);

impl Drop for Bot {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Demo {
    /// # Errors
    /// A line for people.
    pub fn run(self) -> Result<(), String> {
        let folder = root().join(&self.folder);
        // Only a folder that an earlier demo made is removed.
        let mark = folder.join(".gametimes-demo");
        if mark.exists() {
            fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        } else if folder.exists() {
            return Err(format!(
                "{} is there and was not made by a demo; choose another --folder",
                folder.display()
            ));
        }
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&mark, ""))
            .map_err(|e| format!("{}: {e}", folder.display()))?;

        println!("1. Building the module and the bot (the first time takes some minutes)");
        let module = build_module()?;
        run(&mut cargo(&["build", "--package", "gametimes-bot"]))?;

        println!("2. Starting a stand-in for Discord and the bot");
        let discord =
            Discord::start().map_err(|e| format!("no loopback port for the stand-in: {e}"))?;
        let settings = folder.join("bot.toml");
        fs::write(&settings, bot_settings(&folder, &self.listen, &discord))
            .map_err(|e| e.to_string())?;
        let mut bot = self.start_bot(&folder, &settings)?;
        let url = format!("http://{}", self.listen);
        wait_for("the bot", &mut bot, || {
            get(&format!("{url}/api/health")).filter(|h| h["discord_connected"] == true)
        })?;

        println!(
            "3. Playing {} through the module, as fast as it goes",
            self.tape
        );
        let tape = recorded::tape(&self.tape)?;
        let mut options =
            Options::new(&module, &folder).cvar("gametimes_webhook_url", &discord.webhook_url());
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
        println!("4. Posted {posted} messages; the bot stores the rounds in SQLite");
        let rounds = wait_for("the rounds", &mut bot, || {
            get(&format!("{url}/api/rounds")).filter(|r| round_list(r).len() >= posted)
        })?;
        show(&url, &rounds)?;
        println!("Highlight at them: {url}/");
        println!(
            "Files, outbox and database are in {}; what the server's admin read is in etconsole.log there",
            folder.display()
        );
        if !self.once && std::io::stdin().is_terminal() {
            println!("The bot serves the page until you press Enter.");
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

/// What an address answers, if it is JSON.
pub fn get(url: &str) -> Option<Value> {
    let text = ureq::get(url)
        .call()
        .ok()?
        .into_body()
        .read_to_string()
        .ok()?;
    serde_json::from_str(&text).ok()
}

/// Asks until there is an answer, as long as the bot lives.
///
/// # Errors
/// When the bot ends, or it takes too long.
pub fn wait_for(
    what: &str,
    bot: &mut Bot,
    ask: impl Fn() -> Option<Value>,
) -> Result<Value, String> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(answer) = ask() {
            return Ok(answer);
        }
        if let Ok(Some(status)) = bot.0.try_wait() {
            return Err(format!(
                "the bot ended ({status}); see bot.log in the demo's folder"
            ));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!(
        "{what} did not come within {} seconds; see bot.log in the demo's folder",
        PATIENCE.as_secs()
    ))
}

/// The rounds of an answer, whether it is a list or holds one.
fn round_list(answer: &Value) -> Vec<&Value> {
    let list = answer.as_array().or_else(|| answer["rounds"].as_array());
    list.map(|list| list.iter().collect()).unwrap_or_default()
}

/// The rounds and the players of the latest one, as tables.
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
    let latest = rounds.first().ok_or("the bot has no rounds")?;
    let id = text(&latest["id"]);
    let players =
        get(&format!("{url}/api/rounds/{id}/players")).ok_or("the bot gave no players")?;
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
