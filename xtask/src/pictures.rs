//! `cargo xtask pictures`: draws the pictures of the documentation from recorded matches, processed like any other match.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gametimes_format::GametimesFile;
use gametimes_standin::{Options, play, recorded};
use serde_json::Value;

use crate::run::{build_module, cargo, output, root, run, target};

/// Plays recorded matches through the module, lets the bot ingest the files, and draws the pictures in README.
#[derive(Debug, clap::Args)]
pub struct Pictures {
    /// Folder for the pictures.
    #[arg(long, default_value = "docs/pictures")]
    folder: PathBuf,
    /// Use this module instead of building it.
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// Address at which the bot serves the page while it is captured.
    #[arg(long, default_value = "127.0.0.1:8651")]
    listen: String,
}

/// The matches: 3 against 3, 6 against 6 with two pauses, 20 against 20.
const TAPES: [&str; 3] = ["timelimit", "stopwatch", "public40"];
/// Timelines to draw: match, theme, file.
const TIMELINES: [(&str, &str, &str); 4] = [
    ("stopwatch", "auto", "timeline-light.png"),
    ("stopwatch", "dark", "timeline-dark.png"),
    ("timelimit", "auto", "timeline-3v3.png"),
    ("public40", "auto", "timeline-20v20.png"),
];
/// The page to capture: match, file, size.
const PAGE: (&str, &str, &str) = ("stopwatch", "round-page.png", "1100,1000");

impl Pictures {
    pub fn run(self) -> Result<(), String> {
        let module = self.module.clone().map_or_else(build_module, Ok)?;
        run(&mut cargo(&["build", "--package", "gametimes-bot"]))?;
        let pictures = root().join(&self.folder);
        let work = tempfile::tempdir().map_err(|e| e.to_string())?;
        fs::create_dir_all(&pictures).map_err(|e| format!("{}: {e}", pictures.display()))?;
        let settings = work.path().join("bot.toml");
        let text = format!(
            "database_url = \"sqlite:{}\"\nlisten = \"{}\"\ntime_zone = \"UTC\"\n",
            work.path().join("bot.db").display(),
            self.listen
        );
        fs::write(&settings, text).map_err(|e| e.to_string())?;

        let mut ends = Vec::new();
        let mut ingest = bot(&settings);
        ingest
            .arg("ingest")
            .arg(root().join("tests/data/samples/gamestats"));
        for name in TAPES {
            let home = work.path().join(name);
            let tape = recorded::tape(name)?;
            play(&tape, &Options::new(&module, &home))?;
            let files = home.join("legacy/gametimes");
            ends.push((name, latest_complete_round(&files)?));
            ingest.arg(files);
        }
        run(ingest.stdout(Stdio::null()))?;
        let rounds = output(bot(&settings).args(["rounds", "--json"]))?;
        let rounds: Vec<Value> = serde_json::from_str(&rounds).map_err(|e| e.to_string())?;
        let id_of = |name: &str| {
            let end = ends.iter().find(|(tape, _)| *tape == name);
            let round = rounds
                .iter()
                .find(|r| r["round_end_unix"].as_i64() == end.map(|(_, end)| *end));
            round
                .map(|r| r["id"].to_string())
                .ok_or(format!("the bot did not store the round of {name}"))
        };
        for (name, theme, file) in TIMELINES {
            let id = id_of(name)?;
            run(bot(&settings)
                .args(["timeline", &id, "--theme", theme, "--output"])
                .arg(pictures.join(file)))?;
        }
        let (name, file, size) = PAGE;
        let url = format!("http://{}/rounds/{}", self.listen, id_of(name)?);
        let mut server = bot(&settings);
        let server = server.arg("run").stderr(Stdio::null()).spawn();
        let mut server = server.map_err(|e| e.to_string())?;
        let captured = wait_for(&mut server, &self.listen)
            .and_then(|()| screenshot(work.path(), &url, size, &pictures.join(file)));
        let _ = server.kill();
        let _ = server.wait();
        captured?;
        for entry in fs::read_dir(&pictures).map_err(|e| e.to_string())? {
            let entry = entry.map_err(|e| e.to_string())?;
            let bytes = entry.metadata().map_err(|e| e.to_string())?.len();
            println!("{:>8} bytes  {}", bytes, entry.path().display());
        }
        Ok(())
    }
}

fn bot(settings: &Path) -> Command {
    let mut command = Command::new(target().join("debug/gametimes-bot"));
    command.arg("--config").arg(settings).stdin(Stdio::null());
    command
}

/// Waits until the bot accepts connections.
fn wait_for(bot: &mut Child, listen: &str) -> Result<(), String> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(listen).is_err() {
        if let Ok(Some(status)) = bot.try_wait() {
            return Err(format!("the bot exited ({status})"));
        }
        if Instant::now() > deadline {
            return Err("the bot does not listen".to_owned());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The unix time at which the latest complete round ended.
fn latest_complete_round(folder: &Path) -> Result<i64, String> {
    let mut latest = None;
    for entry in fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let path = entry.map_err(|e| e.to_string())?.path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let bytes = fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let file: GametimesFile =
            serde_json::from_slice(&bytes).map_err(|e| format!("{}: {e}", path.display()))?;
        if file.meta.end_reason.is_finished() {
            latest = latest.max(Some(file.meta.round_end_unix));
        }
    }
    latest.ok_or_else(|| format!("{}: no complete round", folder.display()))
}

/// Captures a page with Chromium.
fn screenshot(work: &Path, url: &str, size: &str, file: &Path) -> Result<(), String> {
    let mut chromium = Command::new("chromium");
    chromium
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
        ])
        .arg("--disable-background-networking")
        .arg(format!(
            "--user-data-dir={}",
            work.join("chromium").display()
        ))
        .arg(format!("--window-size={size}"))
        .arg(format!("--screenshot={}", file.display()))
        .arg(url)
        .stderr(Stdio::null());
    run(&mut chromium).map_err(|e| format!("{e}; is the Debian package chromium installed?"))
}
