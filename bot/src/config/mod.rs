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
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use gametimes_format::Secret;
use gametimes_format::text::counted;
use jiff::tz::TimeZone;

use reader::{NOT_SETTINGS, PREFIX, Reader};

/// All settings, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// `sqlite:FILE` or `postgres://...`.
    pub database_url: Secret,
    /// The permissions of an SQLite database and of the files beside it; `None` leaves those of an existing one as they are,
    /// and makes a new one private.
    pub database_file_mode: Option<u32>,
    /// The address of the API and the pages.
    pub listen: SocketAddr,
    /// The token that clients of the API must send; required unless `listen` is a loopback address.
    pub api_token: Option<Secret>,
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
    /// Larger attached files are not downloaded.
    pub max_attachment_bytes: u64,
    /// How many messages of a webhook per minute are accepted. Discord allows 30 per minute, and a server that was offline
    /// for hours sends its queue that fast; the default accepts all of these.
    pub messages_per_minute: usize,
    /// `host:port` of a proxy for Discord's REST API, which is reached over plain HTTP.
    pub proxy: Option<String>,
    /// `ws://...` or `wss://...` of a proxy for the gateway.
    pub gateway_url: Option<String>,
    /// The channel with messages for players; `None` posts nothing.
    pub stats_channel: Option<StatsChannel>,
}

/// The channel in which a message for players is posted after each round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsChannel {
    /// The channel's id.
    pub channel_id: u64,
    /// How long after its report a round is posted, so that its stats file can arrive too.
    pub settle: Duration,
    /// Rounds that ended longer ago than this are not posted.
    pub max_age: Duration,
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
            database_file_mode: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            api_token: None,
            time_zone: TimeZone::UTC,
            discord: None,
            ssh: Vec::new(),
            folders: Vec::new(),
            poll: Duration::from_secs(60),
            lookback: Duration::from_secs(7 * 24 * 3600),
        }
    }

    /// Reads the environment and, if given, a TOML file.
    ///
    /// # Errors
    /// All errors, not only the first.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigErrors> {
        let env = std::env::vars()
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        let text = match file {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path).map_err(|e| {
                ConfigErrors(vec![format!("settings file {}: {e}", path.display())])
            })?,
        };
        Self::parse(&text, env)
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
            values: BTreeMap::new(),
            env,
            errors: Vec::new(),
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

/// Describes a syntax error by its line. The error itself would print the whole line, which may contain a secret.
fn syntax_error(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    format!("settings file, line {line}: {}", error.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str, env: &[(&str, &str)]) -> Vec<String> {
        let env = env
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect();
        Config::parse(text, env)
            .err()
            .map(|e| e.0)
            .unwrap_or_default()
    }

    #[test]
    fn without_settings_the_bot_uses_sqlite_on_loopback() {
        let config = Config::parse("", BTreeMap::new()).unwrap();
        assert_eq!(config.database_url.reveal(), "sqlite:gametimes.db");
        assert!(config.discord.is_none() && config.ssh.is_empty());
        assert!(config.listen.ip().is_loopback());
    }

    #[test]
    fn all_errors_are_reported_at_once() {
        let found = errors(
            "listen = \"0.0.0.0:80\"\ntypo = 1\n[discord]\nchannel_id = \"x\"\n[ssh]\nhost = \"h\"\n[[folders]]\nserver = \"s\"",
            &[
                ("GAMETIMES_POLL_SECONDS", "0"),
                ("GAMETIMES_NOPE", "1"),
                ("GAMETIMES_TIME_ZONE", "Mars"),
            ],
        );
        for expected in [
            "api_token: must be set",
            "typo: no such setting",
            "GAMETIMES_NOPE: no such setting",
            "discord.channel_id: is not",
            "ssh.user: missing",
            "ssh.known_hosts: missing",
            "ssh.stats_dir, ssh.gametimes_dir",
            "folders[0].path: missing",
            "poll_seconds: 0",
            "time_zone: \"Mars\"",
        ] {
            assert!(
                found.iter().any(|e| e.starts_with(expected)),
                "{expected}: {found:#?}"
            );
        }
    }

    #[test]
    fn the_environment_overrides_the_file_and_secrets_are_not_printed() {
        let env = [
            ("GAMETIMES_DISCORD_TOKEN", "very-secret"),
            ("GAMETIMES_DISCORD_CHANNEL_ID", "12"),
            ("GAMETIMES_DISCORD_WEBHOOK_IDS", "1, 2"),
            ("GAMETIMES_CONFIG", "x"),
        ];
        let env = env
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect();
        let text = "[discord]\ntoken = \"other\"\nwebhook_ids = [7]\n[[ssh]]\nhost='a'\nuser='u'\nkey_file='k'\n\
                    known_hosts='h'\nstats_dir='d'\n[[folders]]\npath='p'";
        let config = Config::parse(text, env).unwrap();
        let discord = config.discord.as_ref().unwrap();
        assert_eq!(
            (discord.token.reveal(), discord.channel_id),
            ("very-secret", 12)
        );
        assert_eq!(discord.webhook_ids, [1, 2]);
        assert_eq!((config.ssh.len(), config.folders.len()), (1, 1));
        assert!(!format!("{config:?}").contains("very-secret"));
    }

    #[test]
    fn a_syntax_error_names_its_line_and_prints_no_secret() {
        for broken in [
            "[discord]\n\ntoken = \"very-secret",
            "[discord]\n\ntoken = very-secret",
            "[discord]\n\ntoken = 'very-secret\nchannel_id = 1",
            "[discord]\ntoken = 'a'\ntoken = 'very-secret'",
            "[discord]\n\nvery-secret",
        ] {
            let found = errors(broken, &[]).join("");
            assert!(found.starts_with("settings file, line "), "{found}");
            assert!(!found.contains("very-secret"), "{found}");
        }
        let found = errors("[discord]\n\ntoken = \"very-secret", &[]);
        assert!(found[0].starts_with("settings file, line 3: "), "{found:?}");
    }

    #[test]
    fn a_webhook_may_be_given_as_its_url_and_its_secret_is_not_printed() {
        let text =
            |id: &str| format!("[discord]\ntoken = 't'\nchannel_id = 5\nwebhook_ids = [{id}, 7]");
        for url in [
            "'https://discord.com/api/webhooks/42/very-secret'",
            "'https://canary.discord.com/api/v10/webhooks/42/very-secret?wait=true'",
            "'42'",
            "42",
        ] {
            let config = Config::parse(&text(url), BTreeMap::new()).unwrap();
            assert_eq!(config.discord.unwrap().webhook_ids, [42, 7], "{url}");
        }
        for bad in ["'very-secret'", "'https://x/webhooks/very-secret'", "true"] {
            let found = errors(&text(bad), &[]);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(
                found[0].starts_with("discord.webhook_ids: item 1 is not"),
                "{found:?}"
            );
            assert!(!found[0].contains("very-secret"), "{found:?}");
        }
        let text =
            "[discord]\ntoken = 't'\nchannel_id = 'very-secret'\nstats_channel_id = 'very-secret'";
        let found = errors(text, &[]).join("");
        assert!(found.contains("discord.channel_id: is not"), "{found}");
        assert!(!found.contains("very-secret"), "{found}");
    }

    #[test]
    fn the_example_contains_only_existing_settings() {
        let example = include_str!("../../.env.example");
        let env: BTreeMap<String, String> = example
            .lines()
            .filter_map(|line| line.trim_start_matches('#').split_once('='))
            .filter(|(name, _)| name.starts_with(PREFIX))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        assert_eq!(env.len(), 21);
        let unset = env.keys().map(|k| (k.clone(), String::new())).collect();
        assert!(Config::parse("", unset).is_ok());
        let config = Config::parse("", env).unwrap();
        assert_eq!((config.ssh.len(), config.poll.as_secs()), (1, 60));
    }
}
