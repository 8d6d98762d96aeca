//! `cargo xtask demo`: a recorded match, from the game server to the web page, without leaving this machine.
//!
//! Module and bot have been built beside this program.

#![forbid(unsafe_code)]

use std::fs;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;
use gametimes_discord_standin::Discord;
use gametimes_format::text::counted;
use gametimes_format::{GametimesFile, Meta};
use gametimes_standin::{Options, play, recorded};
use serde_json::Value;

/// How long to wait for the bot.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Plays a recorded match through the module, which posts to a local Discord stand-in. The bot receives the messages, stores the
/// rounds in SQLite and serves them.
#[derive(Debug, clap::Parser)]
#[command(name = "cargo xtask demo", version)]
struct Demo {
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
    /// Play the match at its own pace, some minutes, so that it can be watched at /live.
    #[arg(long)]
    realtime: bool,
}

/// The folder in the demo's folder from which the bot reads the stats files of the match.
const STATS_FOLDER: &str = "gamestats";

/// The folder in the demo's folder to which the module writes, with the live file in it.
const FILES_FOLDER: &str = "legacy/gametimes";

/// The bot's process, killed on drop.
struct Bot(Child);

impl Drop for Bot {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> ExitCode {
    match Demo::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository.
fn root() -> &'static Path {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    folders.nth(2).expect("this crate is in xtask/demo")
}

/// The folder of this program, in which the module and the bot are too.
fn built() -> Result<PathBuf, String> {
    let program =
        std::env::current_exe().map_err(|e| format!("the folder of this program: {e}"))?;
    Ok(program.parent().unwrap_or(Path::new("/")).to_owned())
}

impl Demo {
    fn run(self) -> Result<(), String> {
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
        fs::create_dir_all(folder.join(STATS_FOLDER))
            .and_then(|()| fs::create_dir_all(folder.join(FILES_FOLDER)))
            .and_then(|()| fs::write(&marker, ""))
            .map_err(|e| format!("{}: {e}", folder.display()))?;

        let built = built()?;
        println!("2. Starting a Discord stand-in and the bot");
        let discord = Discord::start()
            .map_err(|e| format!("the Discord stand-in cannot listen on loopback: {e}"))?;
        let settings = folder.join("bot.toml");
        let mut text = bot_settings(&folder, &self.listen, &discord);
        if self.realtime {
            text = format!("live_delay_seconds = 0\n{text}{}", files_folder(&folder));
        }
        fs::write(&settings, text).map_err(|e| e.to_string())?;
        let mut bot = self.start_bot(&built, &folder, &settings)?;
        let url = format!("http://{}", self.listen);
        wait_for("the bot", &mut bot, || {
            get(&format!("{url}/api/health")).filter(|h| h["discord_connected"] == true)
        })?;

        let tape = recorded::tape(&self.tape)?;
        let module = built.join("libgametimes.so");
        let mut options =
            Options::new(&module, &folder).cvar("gametimes_webhook_url", &discord.webhook_url());
        if self.realtime {
            let minutes = tape.duration().as_secs().div_ceil(60);
            println!(
                "3. Playing {} through the module, for {}. Watch it at {url}/live",
                self.tape,
                counted(minutes as usize, "minute")
            );
            options = options.cvar("gametimes_live", "1");
            options.realtime = true;
            options.starting_at = Some(unix_ms());
        } else {
            println!(
                "3. Playing {} through the module, as fast as possible",
                self.tape
            );
        }
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

        let mut posted = posted_rounds(&discord)?;
        if self.realtime {
            // Those of the match have the time of the recording in their names.
            posted.iter_mut().for_each(|meta| meta.stats_file = None);
        }
        add_stats_files(&posted, &folder.join(STATS_FOLDER))?;
        let messages = counted(posted.len(), "message");
        println!("4. Posted {messages}; the bot stores the rounds in SQLite");
        let rounds = wait_for("the rounds", &mut bot, || {
            finished(&posted, &get(&format!("{url}/api/rounds"))?)
        })?;
        let latest = show(&url, &rounds)?;

        let pages = pages(&url, &latest);
        for (_, page) in &pages {
            ureq::get(page).call().map_err(|e| format!("{page}: {e}"))?;
        }
        if !self.once && std::io::stdin().is_terminal() {
            println!("Until you press Enter, the bot serves:");
            for (what, page) in &pages {
                println!("  {page:<40} {what}");
            }
            let _ = std::io::stdin().read(&mut [0]);
        }
        drop(bot);
        println!("{}", left_behind(&folder, &built.join("gametimes-bot")));
        Ok(())
    }

    fn start_bot(&self, built: &Path, folder: &Path, settings: &Path) -> Result<Bot, String> {
        let log = fs::File::create(folder.join("bot.log")).map_err(|e| e.to_string())?;
        let program = built.join("gametimes-bot");
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
poll_seconds = 5

[discord]
token = "{token}"
channel_id = {channel}
webhook_ids = [{webhook}]
proxy = "{host}"
gateway_url = "{gateway}"
cdn_hosts = ["{host}"]

# The stats files of the match.
[[folders]]
path = "{stats}"
"#,
        database = folder.join("gametimes.sqlite").display(),
        token = discord.token(),
        channel = discord.channel_id(),
        webhook = discord.webhook().id,
        host = discord.host(),
        gateway = discord.gateway_url(),
        stats = folder.join(STATS_FOLDER).display(),
    )
}

/// The setting by which the bot watches the module's folder, for the live file. The rounds come through Discord, too, and are stored once.
fn files_folder(folder: &Path) -> String {
    format!(
        "\n[[folders]]\npath = \"{}\"\n",
        folder.join(FILES_FOLDER).display()
    )
}

/// The system's clock.
fn unix_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis() as i64)
}

/// The JSON that a URL returns; `None` if the request fails or the answer is not JSON.
fn get(url: &str) -> Option<Value> {
    let text = ureq::get(url)
        .call()
        .ok()?
        .into_body()
        .read_to_string()
        .ok()?;
    serde_json::from_str(&text).ok()
}

/// Polls until there is an answer. Fails if the bot exits or takes too long.
fn wait_for(what: &str, bot: &mut Bot, poll: impl Fn() -> Option<Value>) -> Result<Value, String> {
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

/// The rounds of which a message was posted: the files attached to the messages.
fn posted_rounds(discord: &Discord) -> Result<Vec<Meta>, String> {
    let read = |message| {
        let file = discord.attachment(&message, 0);
        let file = file.ok_or("a message has no gametimes file attached")?;
        let file: GametimesFile = serde_json::from_slice(&file).map_err(|e| e.to_string())?;
        Ok(file.meta)
    };
    discord.messages().into_iter().map(read).collect()
}

/// Copies the stats files that these rounds name to the folder that the bot reads.
fn add_stats_files(posted: &[Meta], folder: &Path) -> Result<(), String> {
    for name in posted.iter().filter_map(|meta| meta.stats_file.as_ref()) {
        let file = root().join("tests/data/samples/gamestats").join(name);
        if file.exists() {
            fs::copy(&file, folder.join(name)).map_err(|e| format!("{}: {e}", file.display()))?;
        }
    }
    Ok(())
}

/// The posted rounds in the API's list of rounds, latest first, once all of them are there with the recorder's report and, if
/// they have one, the stats file.
fn finished(posted: &[Meta], answer: &Value) -> Option<Value> {
    let rounds = answer.as_array()?;
    let mut finished = Vec::new();
    for meta in posted {
        let round = rounds.iter().find(|round| {
            round["recorder"] == "native"
                && round["map_name"] == meta.map.as_str()
                && round["round_number"] == meta.round
                && round["round_end_unix"] == meta.round_end_unix
        })?;
        if meta.stats_file.is_some() && round["stats_file"].is_null() {
            return None;
        }
        finished.push(round.clone());
    }
    finished.sort_by_key(|round| std::cmp::Reverse(round["round_end_unix"].as_i64()));
    Some(finished.into())
}

/// The pages worth a look, with what they show.
fn pages(url: &str, latest_round: &str) -> [(&'static str, String); 4] {
    [
        ("all matches", format!("{url}/")),
        ("the latest round", format!("{url}/rounds/{latest_round}")),
        ("recorder and stats files compared", format!("{url}/audit")),
        ("what the bot received", format!("{url}/delivery")),
    ]
}

/// What the demo leaves in its folder. The bot has stopped, so no page is mentioned.
fn left_behind(folder: &Path, bot: &Path) -> String {
    let folder = folder.display();
    format!(
        "The bot has stopped. These are in {folder}:\n  \
         legacy/gametimes/   the gametimes files\n  \
         gamestats/          the stats files\n  \
         gametimes.sqlite    the bot's database\n  \
         etconsole.log       the game server's log\n  \
         bot.log             the bot's log\n\
         To serve the pages again: {} --config {folder}/bot.toml serve",
        bot.display()
    )
}

/// Prints the rounds, and the players of the latest one, as tables. Returns the latest round's id.
fn show(url: &str, rounds: &Value) -> Result<String, String> {
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
    for round in rounds.as_array().into_iter().flatten() {
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
    let id = text(&rounds[0]["id"]);
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
    Ok(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn posted() -> Vec<Meta> {
        let read =
            |(_, bytes): (_, Vec<u8>)| -> GametimesFile { serde_json::from_slice(&bytes).unwrap() };
        let files = gametimes_test_support::samples::native_files("stopwatch");
        files.into_iter().map(|file| read(file).meta).collect()
    }

    fn stored(meta: &Meta) -> Value {
        json!({
            "id": 1, "map_name": meta.map, "round_number": meta.round, "round_end_unix": meta.round_end_unix,
            "recorder": "native", "stats_file": meta.stats_file,
        })
    }

    #[test]
    fn rounds_are_shown_when_each_has_its_report_and_its_stats_file() {
        let posted = posted();
        let complete: Vec<Value> = posted.iter().map(stored).collect();
        assert_eq!(finished(&posted, &json!([])), None);
        assert_eq!(finished(&posted, &json!(complete[1..])), None);
        // As many rounds as were posted, but not theirs: made from the stats files of other matches.
        for (key, value) in [
            ("recorder", json!(null)),
            ("stats_file", json!(null)),
            ("round_end_unix", json!(1)),
        ] {
            let mut rounds = complete.clone();
            rounds[0][key] = value;
            rounds.push(rounds[0].clone());
            assert_eq!(finished(&posted, &json!(rounds)), None, "{key}");
        }
        let mut rounds = complete;
        rounds.push(json!({ "id": 9, "recorder": null, "round_end_unix": i64::MAX }));
        let shown = finished(&posted, &json!(rounds)).unwrap();
        let ends: Vec<i64> = shown
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["round_end_unix"].as_i64().unwrap())
            .collect();
        assert_eq!(ends, [1_795_178_169, 1_795_178_128, 1_795_178_021]);
    }

    #[test]
    fn bot_reads_the_stats_files_of_this_match_only() {
        let folder = tempfile::tempdir().unwrap();
        add_stats_files(&posted(), folder.path()).unwrap();
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|f| f.unwrap().file_name())
            .collect();
        names.sort();
        let expected = [
            "2026-11-20-123344-room2-round-1.txt",
            "2026-11-20-123531-room2-round-2.txt",
            "2026-11-20-123609-room2-round-2.txt",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn no_page_is_named_after_the_bot_has_stopped() {
        assert!(!left_behind(Path::new("/demo-data"), Path::new("/bot")).contains("http"));
    }
}
