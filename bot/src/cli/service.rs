//! `gametimes-bot service`: the bot as a systemd service.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use askama::Template;
use clap::Subcommand;

/// The name of the service.
const NAME: &str = "gametimes-bot.service";
/// Where administrators' units are.
const UNITS: &str = "/etc/systemd/system";
/// It exists if systemd runs this machine.
const SYSTEMD: &str = "/run/systemd/system";

/// What to do with the service.
#[derive(Debug, Clone, Subcommand)]
pub enum Service {
    /// Install the service, start it now and at every start of the machine. It runs as the user that owns the settings file.
    Install {
        /// Only print the unit.
        #[arg(long)]
        print: bool,
    },
    /// Stop the service and remove it. Settings and database stay.
    Uninstall,
}

#[derive(Template)]
#[template(path = "gametimes-bot.service", escape = "none")]
struct Unit {
    user: u32,
    group: u32,
    program: String,
    settings: String,
    /// The folder of the settings file, in which the bot may write.
    folder: String,
    /// The same folder. systemd takes it as it is written, without quotes.
    working_directory: String,
}

/// Carries out the command. `settings` is the settings file.
///
/// # Errors
/// A text with what to do.
pub fn execute(service: &Service, settings: Option<&Path>) -> Result<(), String> {
    match service {
        Service::Install { print: true } => {
            println!("{}", unit(settings)?);
            Ok(())
        }
        Service::Install { print: false } => install(&unit(settings)?),
        Service::Uninstall => uninstall(),
    }
}

/// The text of the unit.
fn unit(settings: Option<&Path>) -> Result<String, String> {
    let settings = settings
        .ok_or("--config: name the settings file; `gametimes-bot init` writes one")
        .map_err(str::to_owned)?;
    let error = |e: std::io::Error| format!("settings file {}: {e}", settings.display());
    let settings = settings.canonicalize().map_err(error)?;
    let metadata = settings.metadata().map_err(error)?;
    let folder = settings.parent().unwrap_or(Path::new("/"));
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let unit = Unit {
        user: metadata.uid(),
        group: metadata.gid(),
        program: quoted(&program)?,
        settings: quoted(&settings)?,
        folder: quoted(folder)?,
        working_directory: folder.display().to_string().replace('%', "%%"),
    };
    unit.render().map_err(|e| e.to_string())
}

/// A path for a unit: in quotes, with what systemd would replace escaped.
fn quoted(path: &Path) -> Result<String, String> {
    let text = path
        .to_str()
        .filter(|text| !text.contains(char::is_control));
    let text = text.ok_or_else(|| format!("{}: not a path for systemd", path.display()))?;
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '%' | '$' => quoted.extend([c, c]),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    Ok(quoted)
}

fn install(unit: &str) -> Result<(), String> {
    let file = unit_file()?;
    std::fs::write(&file, unit).map_err(|e| failed(&file, &e))?;
    println!("written: {}", file.display());
    systemctl(&["daemon-reload"])?;
    systemctl(&["enable", NAME])?;
    systemctl(&["restart", NAME])?;
    println!("started; see its log with: journalctl -u {NAME} -f");
    Ok(())
}

fn uninstall() -> Result<(), String> {
    let file = unit_file()?;
    if !file.exists() {
        return Err(format!("{}: not installed", file.display()));
    }
    systemctl(&["disable", "--now", NAME])?;
    std::fs::remove_file(&file).map_err(|e| failed(&file, &e))?;
    systemctl(&["daemon-reload"])?;
    println!("removed: {}", file.display());
    Ok(())
}

fn unit_file() -> Result<PathBuf, String> {
    if !Path::new(SYSTEMD).is_dir() {
        return Err(
            "systemd does not run on this machine; `gametimes-bot service install --print` prints the unit".into(),
        );
    }
    Ok(Path::new(UNITS).join(NAME))
}

fn failed(file: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}; run this as root", file.display())
}

fn systemctl(args: &[&str]) -> Result<(), String> {
    let command = format!("systemctl {}", args.join(" "));
    let status = Command::new("systemctl").args(args).status();
    match status.map_err(|e| format!("{command}: {e}"))? {
        status if status.success() => Ok(()),
        status => Err(format!("{command}: {status}")),
    }
}
