//! Settings: from the environment and from a TOML file; the environment wins. Everything that is wrong or missing is
//! reported at once.
//!
//! The types are here; [`sections`] knows every setting with its default and limits, [`reader`] how a value is found and
//! what is said when it is wrong.
//!
//! A key `discord.token` of the file is `GAMETIMES_DISCORD_TOKEN` in the environment.

mod reader;
mod sections;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use gametimes_format::Secret;
use jiff::tz::TimeZone;

use reader::{OTHERS, PREFIX, Reader};

/// All settings, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// `sqlite:FILE` or `postgres://...`.
    pub database_url: Secret,
    /// Where API and pages listen.
    pub listen: SocketAddr,
    /// What clients of the API must present; required when `listen` is not loopback.
    pub api_token: Option<Secret>,
    /// The servers' time zone.
    pub time_zone: TimeZone,
    /// Discord; `None` when no token is set.
    pub discord: Option<Discord>,
    /// Game servers reached over SFTP.
    pub ssh: Vec<Ssh>,
    /// Local folders with stats files or gametimes files.
    pub folders: Vec<Folder>,
    /// How often folders and servers are looked through.
    pub poll: Duration,
    /// Files on servers that are older than this are not read by themselves, only by `ingest`.
    pub lookback: Duration,
}

/// The control channel.
#[derive(Debug, Clone)]
pub struct Discord {
    /// The bot's token.
    pub token: Secret,
    /// The one channel that is read.
    pub channel_id: u64,
    /// Webhooks whose messages are taken; an empty list refuses all.
    pub webhook_ids: Vec<u64>,
    /// The author's name that messages must have.
    pub username: String,
    /// Key of the signature over attached files; without it signatures are not asked for.
    pub hmac_key: Option<Secret>,
    /// Hosts that attachments may come from.
    pub cdn_hosts: Vec<String>,
    /// Attachments over this size are not fetched.
    pub max_attachment_bytes: u64,
    /// More messages of one webhook in a minute are refused. Discord lets 30 a minute into a channel, and a server that
    /// was cut off for hours sends what it kept that fast; so the default refuses none of those.
    pub messages_per_minute: usize,
    /// `host:port` of a proxy for Discord's REST API, spoken to in plain HTTP.
    pub proxy: Option<String>,
    /// `ws://...` or `wss://...` of a proxy for the gateway.
    pub gateway_url: Option<String>,
    /// Where rounds are shown to players; `None` posts nothing.
    pub stats_channel: Option<StatsChannel>,
}

/// The channel to which a message for players is posted after each round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsChannel {
    /// The channel.
    pub channel_id: u64,
    /// How long a round's report is left for the stats file to come too.
    pub settle: Duration,
    /// Rounds that ended longer ago are not posted.
    pub max_age: Duration,
}

/// A game server reached over SFTP.
#[derive(Debug, Clone)]
pub struct Ssh {
    /// Name or address.
    pub host: String,
    /// 22 mostly.
    pub port: u16,
    /// The account there.
    pub user: String,
    /// The private key.
    pub key_file: PathBuf,
    /// The key's passphrase.
    pub key_passphrase: Option<Secret>,
    /// Host keys that are trusted; nothing else is.
    pub known_hosts: PathBuf,
    /// The `gamestats` folder there.
    pub stats_dir: Option<String>,
    /// The `gametimes` folder there.
    pub gametimes_dir: Option<String>,
    /// `ip:port` of the game server as its gametimes files name it; empty when unknown.
    pub server: String,
    /// How long any step may take.
    pub timeout: Duration,
}

/// A local folder.
#[derive(Debug, Clone)]
pub struct Folder {
    /// The folder.
    pub path: PathBuf,
    /// As [`Ssh::server`].
    pub server: String,
}

/// Everything that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<String>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} setting(s) are wrong or missing:", self.0.len())?;
        for error in &self.0 {
            write!(f, "\n  - {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl Config {
    /// Settings for a database alone, everything else at its default: no Discord, no SSH, no folders, the API on a free
    /// loopback port.
    pub fn with_database(url: &str) -> Self {
        Self {
            database_url: Secret::new(url),
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
    /// Everything that is wrong, at once.
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

    /// Reads settings from a TOML text and from variables.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn parse(text: &str, env: BTreeMap<String, String>) -> Result<Self, ConfigErrors> {
        let table = text
            .parse::<toml::Table>()
            .map_err(|e| ConfigErrors(vec![unreadable(text, &e)]))?;
        let mut reader = Reader {
            values: BTreeMap::new(),
            env,
            errors: Vec::new(),
        };
        for other in OTHERS {
            reader.env.remove(other);
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

/// Where a file is broken, and how. The error's own words would print the whole line, in which a secret may stand.
fn unreadable(text: &str, error: &toml::de::Error) -> String {
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
    fn nothing_set_is_a_bot_on_sqlite() {
        let config = Config::parse("", BTreeMap::new()).unwrap();
        assert_eq!(config.database_url.reveal(), "sqlite:gametimes.db");
        assert!(config.discord.is_none() && config.ssh.is_empty());
        assert!(config.listen.ip().is_loopback());
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
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
    fn the_environment_wins_and_secrets_are_not_printed() {
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
    fn a_broken_line_is_named_and_its_secret_not_printed() {
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
                found[0].starts_with("discord.webhook_ids: item 1 is no"),
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
    fn the_example_names_settings_that_exist() {
        let example = include_str!("../../.env.example");
        let env: BTreeMap<String, String> = example
            .lines()
            .filter_map(|line| line.trim_start_matches('#').split_once('='))
            .filter(|(name, _)| name.starts_with(PREFIX))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        assert_eq!(env.len(), 20);
        let unset = env.keys().map(|k| (k.clone(), String::new())).collect();
        assert!(Config::parse("", unset).is_ok());
        let config = Config::parse("", env).unwrap();
        assert_eq!((config.ssh.len(), config.poll.as_secs()), (1, 60));
    }
}
