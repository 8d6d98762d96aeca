//! `gametimes-bot init`: asks for everything the bot needs, checks each answer at once, and writes the settings file.
//!
//! [`prompt`] asks, [`discord`] and [`servers`] check their part, [`settings`] is the file.

mod discord;
pub mod prompt;
mod servers;
mod settings;

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use self::prompt::{Prompt, Question};
use self::settings::Settings;
use crate::config::Config;
use crate::db::{Database, Db};
use crate::doctor;

/// The variable with the token of the bot's account, so that it need not be in the command line.
const TOKEN_VARIABLE: &str = "GAMETIMES_DISCORD_TOKEN";
/// The variable with the URL of the database, which may contain a password.
const DATABASE_VARIABLE: &str = "GAMETIMES_DATABASE_URL";

/// Answers in advance. Questions that they answer are not asked.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// The settings file to write.
    #[arg(long, default_value = "gametimes-bot.toml")]
    pub output: PathBuf,
    /// Ask nothing; what has no default must be given as an option.
    #[arg(long)]
    pub no_input: bool,
    /// `sqlite:FILE` or `postgres://...`; safer in the environment variable GAMETIMES_DATABASE_URL if it contains a password.
    #[arg(long)]
    pub database_url: Option<String>,
    /// The time zone of the game servers, such as Europe/Berlin.
    #[arg(long)]
    pub time_zone: Option<String>,
    /// Set up no Discord: rounds come from folders and SSH servers only.
    #[arg(long)]
    pub no_discord: bool,
    /// A file with the token of the bot's account; the environment variable GAMETIMES_DISCORD_TOKEN may contain it instead.
    #[arg(long)]
    pub token_file: Option<PathBuf>,
    /// The control channel, to which the game servers' webhooks post.
    #[arg(long)]
    pub channel: Option<u64>,
    /// The stats channel, in which players read results.
    #[arg(long)]
    pub stats_channel: Option<u64>,
    /// The id of a webhook of a game server; may be repeated.
    #[arg(long = "webhook-id")]
    pub webhook_ids: Vec<u64>,
    /// Create a webhook for a game server in the control channel, and write its URL to `webhooks.txt` beside the settings file.
    #[arg(long)]
    pub create_webhook: bool,
    /// A folder with files of a game server on this machine; may be repeated.
    #[arg(long = "folder")]
    pub folders: Vec<PathBuf>,
    /// A game server reached over SSH: USER@HOST or USER@HOST:PORT.
    #[arg(long, requires = "ssh_folder")]
    pub ssh: Option<String>,
    /// The folder of the game on that server: <fs_homepath>/<fs_game>.
    #[arg(long)]
    pub ssh_folder: Option<String>,
    /// The private key for that server.
    #[arg(long)]
    pub ssh_key: Option<PathBuf>,
    /// The fingerprint of that server's host key, SHA256:..., as `ssh-keygen -l` prints it there.
    #[arg(long)]
    pub host_key: Option<String>,
}

/// Asks, checks, writes the settings file, creates the database, and examines everything once more.
///
/// # Errors
/// A text with what to do. Nothing is written before the last answer, except a webhook that was asked for and a host key that
/// was confirmed.
pub async fn run(options: &Options, prompt: &mut dyn Prompt) -> Result<(), String> {
    // Both Discord and PostgreSQL may be reached over TLS.
    drop(rustls::crypto::ring::default_provider().install_default());
    let output = std::path::absolute(&options.output)
        .map_err(|e| format!("{}: {e}", options.output.display()))?;
    if output.exists() {
        return Err(format!(
            "{} exists already; edit it, move it away, or choose another name with --output",
            output.display()
        ));
    }
    let folder = output.parent().unwrap_or(Path::new("/")).to_owned();
    if !folder.is_dir() {
        return Err(format!("{}: no such folder", folder.display()));
    }
    let mut settings = Settings {
        database_url: database_url(options, prompt, &folder).await?,
        time_zone: time_zone(options, prompt).await?,
        ..Settings::default()
    };
    settings.discord = discord::ask(options, prompt, &folder).await?;
    servers::ask(options, prompt, &folder, &mut settings).await?;
    if settings.discord.is_none() && settings.folders.is_empty() && settings.ssh.is_empty() {
        return Err(
            "there is nothing that rounds could come from: set up Discord, a folder, or a game server".into(),
        );
    }
    write_new(&output, &settings.to_toml()).map_err(|e| format!("{}: {e}", output.display()))?;
    prompt.say(&format!("\nwritten: {}", output.display()));
    let config = Config::load(Some(&output)).map_err(|e| e.to_string())?;
    let zone = config.time_zone.clone();
    let db = Db::open_as(config.database_url.reveal(), zone, config.database_mode).await;
    db.map_err(|e| e.to_string())?.database.close().await;
    let findings = doctor::examine(&config).await;
    for finding in &findings {
        prompt.say(&finding.to_string());
    }
    let with_settings = format!("{} --config {}", program(), output.display());
    let start = format!("{with_settings} run");
    if findings.iter().all(|f| f.good) {
        prompt.say(&format!("\nStart the bot with: {start}"));
        return Ok(());
    }
    Err(format!(
        "correct what failed in {}, check it with `{with_settings} doctor`, then start the bot with: {start}",
        output.display()
    ))
}

/// Takes the answer that was given in advance, or asks, until `check` accepts it.
async fn checked<T>(
    prompt: &mut dyn Prompt,
    given: Option<String>,
    question: Question<'_>,
    check: impl AsyncFn(&str) -> Result<T, String>,
) -> Result<T, String> {
    if let Some(given) = given {
        let checked = check(given.trim()).await;
        return checked.map_err(|e| format!("--{}: {e}", question.option));
    }
    loop {
        let answer = prompt.text(question)?;
        match check(answer.trim()).await {
            Ok(value) => return Ok(value),
            Err(error) if prompt.is_interactive() => prompt.say(&format!("  {error}")),
            Err(error) => return Err(format!("--{}: {error}", question.option)),
        }
    }
}

/// Runs a check until it succeeds, as long as the user wants to try again.
async fn retried<T>(
    prompt: &mut dyn Prompt,
    check: impl AsyncFn() -> Result<T, String>,
) -> Result<T, String> {
    loop {
        match check().await {
            Ok(value) => return Ok(value),
            Err(error) if prompt.is_interactive() => {
                prompt.say(&format!("  {error}"));
                if !prompt.confirm("Try again?", true)? {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// A value of the environment; an empty one counts as missing.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

async fn database_url(
    options: &Options,
    prompt: &mut dyn Prompt,
    folder: &Path,
) -> Result<String, String> {
    let default = format!("sqlite:{}", folder.join("gametimes.db").display());
    let question = Question {
        text: "Database (sqlite:FILE, or postgres://USER:PASSWORD@HOST/DATABASE):",
        option: "database-url",
        default: Some(&default),
    };
    let given = options.database_url.clone();
    let given = given.or_else(|| variable(DATABASE_VARIABLE));
    checked(prompt, given, question, async |url| {
        check_database(url).await?;
        Ok(url.to_owned())
    })
    .await
}

/// Checks that a database can be used, without creating or changing anything.
async fn check_database(url: &str) -> Result<(), String> {
    if let Some(file) = Database::missing_file(url) {
        let folder = file.parent().unwrap_or(Path::new(""));
        return match folder.as_os_str().is_empty() || folder.is_dir() {
            true => Ok(()),
            false => Err(format!("{}: no such folder", folder.display())),
        };
    }
    let opened = Database::open_read_only(url).await;
    let database = opened.map_err(|e| e.at(url).to_string())?;
    database.close().await;
    Ok(())
}

async fn time_zone(options: &Options, prompt: &mut dyn Prompt) -> Result<String, String> {
    let system = TimeZone::system();
    let question = Question {
        text: "Time zone of the game servers:",
        option: "time-zone",
        default: system.iana_name(),
    };
    checked(prompt, options.time_zone.clone(), question, async |name| {
        let known = TimeZone::get(name).is_ok();
        let error = || format!("{name:?} is no time zone; write it like Europe/Berlin or UTC");
        known.then(|| name.to_owned()).ok_or_else(error)
    })
    .await
}

/// How this program was called: it need not be in a folder of `PATH`.
fn program() -> String {
    let called = std::env::args_os().next();
    called.map_or_else(
        || "gametimes-bot".to_owned(),
        |path| PathBuf::from(path).display().to_string(),
    )
}

/// Writes a file that only this user can read. If it is interrupted, there is no half-written file of this name.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}
