//! Tries a release in empty folders, without using anything from the repository but the stand-ins.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gametimes_standin::{Options, play, recorded};

use super::{SUMS, VERSION};
use crate::run::{output, run};

/// Tries everything in this folder.
pub fn verify(dist: &Path) -> Result<(), String> {
    run(Command::new("sha256sum")
        .args(["--check", "--quiet", SUMS])
        .current_dir(dist))?;
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let folder = folder.path();
    let server = unpack(dist, "gametimes", folder)?;
    let bot = unpack(dist, "gametimes-bot", folder)?;
    let written = plays(&server, folder)?;
    bot_stores(&bot.join("gametimes-bot"), &written, folder)?;
    installs(&server, folder)?;
    let package = dist.join(format!("gametimes-bot_{VERSION}_amd64.deb"));
    let content = folder.join("deb");
    run(Command::new("dpkg-deb")
        .arg("--extract")
        .arg(&package)
        .arg(&content))?;
    run(Command::new("cmp")
        .arg(content.join("usr/bin/gametimes-bot"))
        .arg(bot.join("gametimes-bot")))?;
    println!("{}: unpacked and tested", dist.display());
    Ok(())
}

/// Unpacks an archive and returns its folder.
fn unpack(dist: &Path, package: &str, folder: &Path) -> Result<PathBuf, String> {
    let name = format!("{package}-{VERSION}-x86_64-linux");
    run(Command::new("tar")
        .arg("-xzf")
        .arg(dist.join(format!("{name}.tar.gz")))
        .current_dir(folder))?;
    let unpacked = folder.join(name);
    run(Command::new("sha256sum")
        .args(["--check", "--quiet", SUMS])
        .current_dir(&unpacked))?;
    Ok(unpacked)
}

/// Plays a match through the module, and returns the file of its first round.
fn plays(server: &Path, folder: &Path) -> Result<PathBuf, String> {
    let tape = recorded::tape("surrender")?;
    let home = folder.join("home");
    play(
        &tape,
        &Options::new(&server.join("qagame.mp.x86_64.so"), &home),
    )?;
    let written = home.join("legacy/gametimes/gametime-room1-R1-1795179043.json");
    if !written.exists() {
        return Err(format!("{} was not written", written.display()));
    }
    Ok(written)
}

fn bot_stores(bot: &Path, written: &Path, folder: &Path) -> Result<(), String> {
    let version = output(Command::new(bot).arg("--version"))?;
    if version.trim() != format!("gametimes-bot {VERSION}") {
        return Err(format!("{}: has the version {version}", bot.display()));
    }
    let database = format!("sqlite:{}", folder.join("bot.sqlite").display());
    let bot = |arguments: &[&str]| {
        let mut command = Command::new(bot);
        command
            .args(arguments)
            .env("GAMETIMES_DATABASE_URL", &database);
        command
    };
    run(bot(&["ingest"]).arg(written))?;
    let rounds = output(&mut bot(&["rounds", "--json"]))?;
    if !rounds.contains("room1") {
        return Err(format!(
            "the bot did not store the round that it ingested: {rounds}"
        ));
    }
    Ok(())
}

/// Installs in a server folder that contains only a stock game and a cfg.
fn installs(package: &Path, folder: &Path) -> Result<(), String> {
    let server = folder.join("server");
    let legacy = server.join("legacy");
    fs::create_dir_all(&legacy)
        .and_then(|()| fs::copy(gametimes_standin::GAME, legacy.join("qagame.mp.x86_64.so")))
        .and_then(|_| fs::write(legacy.join("etl_server.cfg"), "set sv_hostname \"x\"\n"))
        .and_then(|()| fs::write(server.join("etlded.x86_64"), ""))
        .map_err(|e| format!("{}: {e}", server.display()))?;
    let server_home = folder.join("server-home");
    fs::create_dir_all(server_home.join("legacy")).map_err(|e| e.to_string())?;
    let install = |arguments: &[&str]| {
        let mut command = Command::new("sh");
        command.arg(package.join("install.sh")).args(arguments);
        command.arg("--homepath").arg(&server_home).arg(&server);
        command
    };
    run(&mut install(&[
        "--webhook",
        "https://discord.com/api/webhooks/1/example",
    ]))?;
    run(&mut install(&["--check"]))
}
