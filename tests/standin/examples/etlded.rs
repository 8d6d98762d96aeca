//! A program in the place of `etlded`, for trying an installation: it executes the server's cfgs as an engine does, loads
//! the module from `fs_homepath`, and plays recorded matches.
//!
//! ```text
//! etlded.x86_64 +set fs_basepath FOLDER +set fs_homepath FOLDER +exec etl_server.cfg
//! ```
//!
//! Commands on standard input: `play TAPE` plays a match as if it had just ended, anything else is a command for the game. The end of
//! standard input ends the server.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gametimes_standin::{Player, Server, Tape};

/// Commands of the engine to the game, and the engine's version.
const INIT: i32 = 0;
const SHUTDOWN: i32 = 1;
const ENGINE_VERSION: isize = 283_010_000;

fn main() -> Result<(), String> {
    let mut cvars = BTreeMap::from([("fs_game".to_owned(), "legacy".to_owned())]);
    let words: Vec<String> = std::env::args().skip(1).collect();
    let line = words.join(" ");
    let commands: Vec<&str> = line.split('+').map(str::trim).collect();
    // As in the engine: all `+set` before the first `+exec`.
    for is_set in [true, false] {
        for command in commands.iter().filter(|c| c.starts_with("set ") == is_set) {
            execute(command, &mut cvars);
        }
    }
    let folder = |name: &str| PathBuf::from(cvars.get(name).cloned().unwrap_or_default());
    let mut server = Server::at(&folder("fs_homepath"), &folder("fs_basepath"));
    for (name, value) in &cvars {
        server.set_cvar(name, value);
    }
    let scripts = cvars.get("lua_modules").cloned().unwrap_or_default();
    // A map that nobody plays. Without the module, this server has no game.
    let mut has_game = server.load().is_ok();
    if has_game {
        server.call(INIT, &[0, 7, 1, 1, ENGINE_VERSION], []);
    }
    print!("{}", server.take_console());
    println!("lua_modules: {scripts}");
    for line in std::io::stdin().lines() {
        let line = line.map_err(|e| e.to_string())?;
        match line.split_once(' ') {
            Some(("play", tape)) => {
                if has_game {
                    server.call(SHUTDOWN, &[0], []);
                    server.unload();
                }
                play(&mut server, Path::new(tape))?;
                has_game = false;
            }
            _ if has_game => drop(server.console_command(&line)),
            _ => println!("no map is loaded"),
        }
        print!("{}", server.take_console());
        println!("done: {line}");
    }
    Ok(())
}

fn play(server: &mut Server, tape: &Path) -> Result<(), String> {
    let tape = Tape::read(tape)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let began = now.unwrap_or_default().saturating_sub(tape.duration());
    let mut player = Player::new(&tape, false).starting_at(began.as_millis() as i64);
    while player.step(server, |_| {})? {}
    // The module sends in the background, at the time of the real clock.
    std::thread::sleep(Duration::from_millis(100));
    Ok(())
}

/// Carries out a line of a cfg, as far as it sets cvars or executes another cfg.
fn execute(line: &str, cvars: &mut BTreeMap<String, String>) {
    let line = line.split("//").next().unwrap_or_default().trim();
    let (command, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match command.to_ascii_lowercase().as_str() {
        "set" | "seta" | "sets" => {
            let rest = rest.trim();
            let (name, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            let value = value.trim().trim_matches('"');
            cvars.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        "exec" => {
            let name = rest.trim().trim_matches('"');
            let folders = ["fs_homepath", "fs_basepath"].map(|f| cvars.get(f).cloned());
            let game = cvars["fs_game"].clone();
            let texts = [game.as_str(), "etmain"].into_iter().flat_map(|game| {
                let folders = folders.iter().flatten();
                folders.map(move |folder| Path::new(folder).join(game).join(name))
            });
            let mut texts = texts.filter_map(|path| fs::read_to_string(path).ok());
            if let Some(text) = texts.next() {
                for line in text.lines() {
                    execute(line, cvars);
                }
            }
        }
        _ => {}
    }
}
