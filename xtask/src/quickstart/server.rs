//! The game server of the quickstart: a folder as admins have it, and a stand-in for the engine.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gametimes_discord_standin::Discord;
use gametimes_standin::recorded::tape_path;
use serde_json::json;

use super::root::Root;
use crate::run::{cargo, run, target};

const BASE: &str = "/home/et/etlegacy";
const HOME: &str = "/home/et/.etlegacy";
const OLD_SCRIPT: &str = "luascripts/stats_discord_webhook.lua";
/// The match that is played. Of its two rounds on `room1`, the second is too short to be posted.
const TAPE: &str = "surrender";
const TAPE_INSIDE: &str = "/tapes/surrender.tape.jsonl.gz";
/// How long a command of the server may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A game server in a [`Root`].
pub struct GameServer {
    running: Option<Running>,
    console: Arc<Mutex<String>>,
}

struct Running {
    child: Child,
    /// Closed, it ends the server.
    commands: Option<ChildStdin>,
    lines: Receiver<String>,
    /// `lua_modules` as the server has it.
    scripts: String,
}

impl GameServer {
    /// Creates the server's files. With a webhook, it loads the old script, which posts there.
    pub fn create(root: &Root, old_webhook: Option<&str>) -> Result<Self, String> {
        run(&mut cargo(&[
            "build",
            "--quiet",
            "--package",
            "gametimes-standin",
            "--example",
            "etlded",
        ]))?;
        let engine = target().join("debug/examples/etlded");
        root.put(&engine, &format!("{BASE}/etlded.x86_64"))?;
        let game = Path::new(gametimes_standin::GAME);
        root.put(game, &format!("{BASE}/legacy/qagame.mp.x86_64.so"))?;
        root.put(&tape_path(TAPE), TAPE_INSIDE)?;
        let cfg = match old_webhook {
            None => "set sv_hostname \"Quickstart\"\nmap room1\n".to_owned(),
            Some(_) => format!(
                "set sv_hostname \"Quickstart\"\nset lua_modules \"{OLD_SCRIPT}\"\nmap room1\n"
            ),
        };
        let mut files = vec![("etmain/etl_server.cfg", cfg)];
        if let Some(url) = old_webhook {
            let script = format!(
                "local configuration = {{\n    discord_webhook_url = \"{url}\",\n}}\nlocal content = 'STATS_READY'\n"
            );
            files.push(("legacy/luascripts/stats_discord_webhook.lua", script));
        }
        for (name, text) in files {
            let file = root.path(BASE).join(name);
            let folder = file.parent().unwrap_or(&file);
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(&file, text))
                .map_err(|e| format!("{}: {e}", file.display()))?;
        }
        fs::create_dir_all(root.path(HOME).join("legacy")).map_err(|e| e.to_string())?;
        run(root
            .command("root")
            .args(["chown", "-R", "et:et", "/home/et"]))?;
        Ok(Self {
            running: None,
            console: Arc::default(),
        })
    }

    /// Everything that the server has printed.
    pub fn console(&self) -> String {
        self.console.lock().expect("no panic").clone()
    }

    /// Starts the server.
    pub fn start(&mut self, root: &Root) -> Result<(), String> {
        let mut child = root
            .command("et")
            .args(["sh", "-c", &format!("cd {BASE}; exec \"$0\" \"$@\"")])
            .arg("./etlded.x86_64")
            .args(["+set", "fs_basepath", BASE, "+set", "fs_homepath", HOME])
            .args(["+exec", "etl_server.cfg"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| e.to_string())?;
        let commands = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("it is a pipe"));
        let (sender, lines) = channel();
        let console = Arc::clone(&self.console);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                *console.lock().expect("no panic") += &format!("{line}\n");
                drop(sender.send(line));
            }
        });
        let mut running = Running {
            child,
            commands,
            lines,
            scripts: String::new(),
        };
        running.scripts = running.wait_for("lua_modules: ")?;
        self.running = Some(running);
        Ok(())
    }

    /// Stops the server, and starts it again.
    pub fn restart(&mut self, root: &Root) -> Result<(), String> {
        if let Some(mut running) = self.running.take() {
            running.commands = None;
            running.child.wait().map_err(|e| e.to_string())?;
        }
        self.start(root)
    }

    /// Types a command on the console.
    pub fn command(&mut self, command: &str) -> Result<(), String> {
        let running = self.running.as_mut().ok_or("the server does not run")?;
        let commands = running.commands.as_mut().ok_or("the server stops")?;
        writeln!(commands, "{command}").map_err(|e| e.to_string())?;
        running.wait_for(&format!("done: {command}")).map(drop)
    }

    /// Plays a recorded match, of which each loaded script posts its message.
    pub fn play(&mut self, discord: &Discord) -> Result<(), String> {
        self.command(&format!("play {TAPE_INSIDE}"))?;
        let running = self.running.as_ref().ok_or("the server does not run")?;
        if running.scripts.contains(OLD_SCRIPT) {
            post_as_old_script(discord);
        }
        Ok(())
    }

    /// A round before gametimes is installed, which only the old script reports.
    pub fn play_with_old_script(&mut self, discord: &Discord) -> Result<(), String> {
        let running = self.running.as_ref().ok_or("the server does not run")?;
        if !running.scripts.contains(OLD_SCRIPT) {
            return Err(format!("lua_modules is {:?}", running.scripts));
        }
        post_as_old_script(discord);
        Ok(())
    }
}

/// The message of the old script, which does not run here.
fn post_as_old_script(discord: &Discord) {
    let body = json!({ "username": "ET:Legacy Stats", "content": "STATS_READY", "embeds": [] });
    drop(discord.post(discord.webhook().id, &body, &[]));
}

impl Running {
    /// Waits for a line that begins with this text, and returns the rest of it.
    fn wait_for(&self, text: &str) -> Result<String, String> {
        loop {
            let line = self.lines.recv_timeout(TIMEOUT);
            let line = line.map_err(|e| format!("no line {text:?} of the server: {e}"))?;
            if let Some(rest) = line.strip_prefix(text) {
                return Ok(rest.to_owned());
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
