//! Settings, from a TOML file and from the environment, which overrides the file. Everything that is wrong or missing is
//! reported at once.
//!
//! The types are here. [`sections`] has every setting with its default and limits; [`reader`] finds the values and collects
//! the errors.
//!
//! The setting `discord.token` in the file is `GAMETIMES_DISCORD_TOKEN` in the environment.

mod reader;
mod sections;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use gametimes_format::Secret;
use gametimes_format::text::counted;
use jiff::tz::TimeZone;

use crate::db::Mode;
pub use reader::{CONFIG_VARIABLE, LOG_VARIABLE};
use reader::{NOT_SETTINGS, PREFIX, Reader};
use sections::MAX_CONNECTIONS;

/// All settings, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// `sqlite:FILE` or `postgres://...`.
    pub database_url: Secret,
    /// Whether the shared tables are the bot's own; `None` decides at the start, see [`crate::db::mode`].
    pub database_mode: Option<Mode>,
    /// The permissions of an SQLite database and of the files beside it; `None` leaves those of an existing one as they are,
    /// and makes a new one private.
    pub database_file_mode: Option<u32>,
    /// The address of the API and the pages.
    pub listen: SocketAddr,
    /// The token that clients of the API must send; required unless `listen` is a loopback address.
    pub api_token: Option<Secret>,
    /// Host names under which a reverse proxy passes requests on. Without a token, requests for other names than this machine's
    /// own are refused.
    pub allowed_hosts: Vec<String>,
    /// Websites whose scripts may read the API, such as `https://stats.example.org`; `*` allows all.
    pub cors_origins: Vec<String>,
    /// Where people open the pages, such as `https://stats.example.org`, without a slash at the end. Needed for the feed and for
    /// previews of links.
    pub public_url: Option<String>,
    /// How many connections to the API and the pages may be open at a time.
    pub max_connections: usize,
    /// The time zone of the game servers.
    pub time_zone: TimeZone,
    /// Discord; `None` if it is not configured.
    pub discord: Option<Discord>,
    /// Game servers reached over SFTP.
    pub ssh: Vec<Ssh>,
    /// Local folders with stats files or gametimes files.
    pub folders: Vec<Folder>,
    /// How often folders and servers are polled.
    pub poll: Duration,
    /// Older files on servers are only read by `ingest`.
    pub lookback: Duration,
    /// How much later everybody sees what happens on the servers.
    pub live_delay: Duration,
    /// The token with which it is seen at once; `None` means [`Self::api_token`].
    pub live_token: Option<Secret>,
    /// The key with which recorders sign the snapshots that they post, by default [`Discord::hmac_key`]; `None` takes no posts.
    pub live_key: Option<Secret>,
}

/// The bot's account, and the control channel.
#[derive(Debug, Clone)]
pub struct Discord {
    /// The token of the bot's account.
    pub token: Secret,
    /// The control channel, the only one that is read.
    pub channel_id: u64,
    /// Webhooks whose messages are accepted. With an empty list all messages are rejected.
    pub webhook_ids: Vec<u64>,
    /// The name under which messages must be posted.
    pub username: String,
    /// The key with which attached files are signed; `None` accepts files without a signature.
    pub hmac_key: Option<Secret>,
    /// Hosts from which attached files may be downloaded.
    pub cdn_hosts: Vec<String>,
    /// Larger attached files are not downloaded. The default is the size of the largest file that a recorder makes.
    pub max_attachment_bytes: u64,
    /// How many messages of a webhook per minute are accepted. Discord allows 30 per minute, and a server that was offline
    /// for hours sends its queue that fast; the default accepts all of these.
    pub messages_per_minute: usize,
    /// `host:port` of a proxy for Discord's REST API, which is reached over plain HTTP.
    pub proxy: Option<String>,
    /// `ws://...` or `wss://...` of a proxy for the gateway.
    pub gateway_url: Option<String>,
    /// The stats channel, with messages for players; `None` posts nothing.
    pub stats_channel: Option<StatsChannel>,
    /// The live channel, with a message about each round that is being played; `None` posts nothing.
    pub live_channel_id: Option<u64>,
    /// Whether the bot registers and answers slash commands.
    pub commands: bool,
}

/// The stats channel, in which a message for players is posted after each round, and after each evening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsChannel {
    /// The channel's id.
    pub channel_id: u64,
    /// How long after its report a round is posted, so that its stats file can arrive too.
    pub settle: Duration,
    /// Rounds and evenings that ended longer ago than this are not posted.
    pub max_age: Duration,
    /// Whether a digest is posted after each evening.
    pub digest: bool,
}

/// A game server reached over SFTP.
#[derive(Debug, Clone)]
pub struct Ssh {
    /// Its name or address.
    pub host: String,
    /// Its SSH port, usually 22.
    pub port: u16,
    /// The user to log in as.
    pub user: String,
    /// The file with the private key.
    pub key_file: PathBuf,
    /// The passphrase of the private key.
    pub key_passphrase: Option<Secret>,
    /// The file with the host keys that are trusted; no others are.
    pub known_hosts: PathBuf,
    /// The folder with stats files on the server, usually named `gamestats`.
    pub stats_dir: Option<String>,
    /// The folder with gametimes files on the server, usually named `gametimes`.
    pub gametimes_dir: Option<String>,
    /// `ip:port` of the game server as in its gametimes files; empty if unknown.
    pub server: String,
    /// How long each step of a connection may take.
    pub timeout: Duration,
}

/// A local folder with files of a game server.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// `ip:port` of the game server, like [`Ssh::server`].
    pub server: String,
}

/// All errors in the settings, one text each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<String>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let are = if self.0.len() == 1 { "is" } else { "are" };
        let settings = counted(self.0.len(), "setting");
        write!(f, "{settings} {are} wrong or missing:")?;
        for error in &self.0 {
            write!(f, "\n  - {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl Config {
    /// The default settings with this database: no Discord, no SSH, no folders, the API on a free loopback port, and UTC.
    pub fn with_database(url: &str) -> Self {
        Self {
            database_url: Secret::new(url),
            database_mode: None,
            database_file_mode: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            api_token: None,
            allowed_hosts: Vec::new(),
            cors_origins: Vec::new(),
            public_url: None,
            max_connections: MAX_CONNECTIONS,
            time_zone: TimeZone::UTC,
            discord: None,
            ssh: Vec::new(),
            folders: Vec::new(),
            poll: Duration::from_secs(60),
            lookback: Duration::from_secs(7 * 24 * 3600),
            live_delay: Duration::from_secs(60),
            live_token: None,
            live_key: None,
        }
    }

    /// Whether there is anything that rounds are received from.
    pub fn has_sources(&self) -> bool {
        self.discord.is_some() || !self.ssh.is_empty() || !self.folders.is_empty()
    }

    /// Reads the environment and, if given, a TOML file.
    ///
    /// # Errors
    /// All errors, not only the first.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigErrors> {
        let (env, mut errors) = environment(std::env::vars_os());
        let text = match file {
            None => Ok(String::new()),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|e| format!("settings file {}: {e}", path.display())),
        };
        let config = match text {
            Ok(text) => Self::parse(&text, env),
            Err(error) => Err(ConfigErrors(vec![error])),
        };
        match config {
            Ok(config) if errors.is_empty() => Ok(config),
            config => {
                errors.extend(config.err().into_iter().flat_map(|e| e.0));
                Err(ConfigErrors(errors))
            }
        }
    }

    /// Reads settings from the text of a TOML file and from environment variables.
    ///
    /// # Errors
    /// All errors, not only the first.
    pub fn parse(text: &str, env: BTreeMap<String, String>) -> Result<Self, ConfigErrors> {
        let table = text
            .parse::<toml::Table>()
            .map_err(|e| ConfigErrors(vec![syntax_error(text, &e)]))?;
        let mut reader = Reader {
            env,
            ..Reader::default()
        };
        for name in NOT_SETTINGS {
            reader.env.remove(name);
        }
        let mut folder_tables = Vec::new();
        let mut ssh_tables = Vec::new();
        for (key, value) in table {
            match (key.as_str(), value) {
                ("discord" | "ssh", toml::Value::Table(inner)) => {
                    reader
                        .values
                        .extend(inner.into_iter().map(|(k, v)| (format!("{key}.{k}"), v)));
                }
                ("folders", toml::Value::Array(list)) => folder_tables = list,
                ("ssh", toml::Value::Array(list)) => ssh_tables = list,
                (_, value) => drop(reader.values.insert(key, value)),
            }
        }
        let config = reader.config(folder_tables, ssh_tables);
        let mut errors = reader.errors;
        errors.extend(
            reader
                .values
                .keys()
                .map(|key| format!("{key}: no such setting")),
        );
        errors.extend(
            reader
                .env
                .keys()
                .map(|name| format!("{name}: no such setting")),
        );
        if errors.is_empty() {
            Ok(config)
        } else {
            Err(ConfigErrors(errors))
        }
    }
}

/// The variables of the bot, and an error for each that is not UTF-8. It names the variable only, whose value may be a secret.
/// Variables of other programs may contain any bytes.
fn environment(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> (BTreeMap<String, String>, Vec<String>) {
    let (mut env, mut errors) = (BTreeMap::new(), Vec::new());
    for (name, value) in variables {
        if !name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => drop(env.insert(name, value)),
            // A path in any encoding.
            (Ok(name), Err(_)) if name == CONFIG_VARIABLE => {}
            (Ok(name), Err(_)) => errors.push(format!("{name}: is not valid UTF-8")),
            (Err(name), _) => errors.push(format!("{}: no such setting", name.display())),
        }
    }
    (env, errors)
}

/// Describes a syntax error by its line. The error itself would print the whole line, which may contain a secret.
fn syntax_error(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    format!("settings file, line {line}: {}", error.message())
}

#[cfg(test)]
mod tests;
