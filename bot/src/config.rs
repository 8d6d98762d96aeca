//! Settings: from the environment and from a TOML file; the environment wins. Everything that is wrong or missing is
//! reported at once.
//!
//! A key `discord.token` of the file is `GAMETIMES_DISCORD_TOKEN` in the environment.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use gametimes_format::message;
use jiff::tz::TimeZone;

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
    /// More messages of one webhook in a minute are refused.
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

/// Something that must not be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself: never for a log or an error.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
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
            .map_err(|e| ConfigErrors(vec![format!("settings file: {e}")]))?;
        let mut reader = Reader {
            values: BTreeMap::new(),
            env,
            errors: Vec::new(),
        };
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

const PREFIX: &str = "GAMETIMES_";
/// Variables with our prefix that are no settings of the bot.
const OTHERS: [&str; 2] = ["GAMETIMES_CONFIG", "GAMETIMES_LOG"];

struct Reader {
    values: BTreeMap<String, toml::Value>,
    env: BTreeMap<String, String>,
    errors: Vec<String>,
}

impl Reader {
    fn config(&mut self, folder_tables: Vec<toml::Value>, ssh_tables: Vec<toml::Value>) -> Config {
        for other in OTHERS {
            self.env.remove(other);
        }
        let listen: SocketAddr =
            self.or("listen", "127.0.0.1:8650", "an address like 127.0.0.1:8650");
        let api_token = self.text("api_token").map(Secret::new);
        if !listen.ip().is_loopback() && api_token.as_ref().is_none_or(|t| t.reveal().len() < 16) {
            self.errors.push(format!(
                "api_token: must be set, 16 characters at least, because listen = {listen} is not loopback"
            ));
        }
        let database_url = self
            .text("database_url")
            .unwrap_or_else(|| "sqlite:gametimes.db".into());
        if !["sqlite:", "postgres:", "postgresql:"]
            .iter()
            .any(|s| database_url.starts_with(s))
        {
            self.errors
                .push("database_url: must begin with sqlite: or postgres://".into());
        }
        let zone = self.text("time_zone");
        let time_zone = match zone.as_deref() {
            None => TimeZone::system(),
            Some(name) => TimeZone::get(name).unwrap_or_else(|_| {
                self.errors.push(format!(
                    "time_zone: {name:?} is no time zone; write it like Europe/Berlin or UTC"
                ));
                TimeZone::UTC
            }),
        };
        let poll = self.seconds("poll_seconds", 60, 5, 86_400);
        let lookback = Duration::from_secs(self.number("lookback_hours", 168, 1, 1_000_000) * 3600);
        let discord = self.discord();
        let mut ssh: Vec<Ssh> = self.ssh().into_iter().collect();
        for (i, table) in ssh_tables.into_iter().enumerate() {
            ssh.extend(self.nested(table, &format!("ssh[{i}]"), Self::ssh));
        }
        let mut folders: Vec<Folder> = self
            .list("folders")
            .into_iter()
            .map(|path| Folder {
                path: path.into(),
                server: String::new(),
            })
            .collect();
        for (i, table) in folder_tables.into_iter().enumerate() {
            match table {
                toml::Value::String(path) => folders.push(Folder {
                    path: path.into(),
                    server: String::new(),
                }),
                table => folders.extend(self.nested(table, &format!("folders[{i}]"), Self::folder)),
            }
        }
        Config {
            database_url: Secret::new(database_url),
            listen,
            api_token,
            time_zone,
            discord,
            ssh,
            folders,
            poll,
            lookback,
        }
    }

    fn discord(&mut self) -> Option<Discord> {
        let token = self.text("discord.token").map(Secret::new);
        let channel = self.optional::<u64>(
            "discord.channel_id",
            "the number that \"Copy Channel ID\" gives",
        );
        let webhook_ids: Vec<u64> = self
            .list("discord.webhook_ids")
            .into_iter()
            .filter_map(|id| {
                let parsed = id.parse().ok();
                if parsed.is_none() {
                    self.errors
                        .push(format!("discord.webhook_ids: {id:?} is no number"));
                }
                parsed
            })
            .collect();
        let username = self
            .text("discord.username")
            .unwrap_or_else(|| message::USERNAME.into());
        let hmac_key = self.text("discord.hmac_key").map(Secret::new);
        let cdn_hosts = match self.list("discord.cdn_hosts") {
            list if list.is_empty() => {
                vec!["cdn.discordapp.com".into(), "media.discordapp.net".into()]
            }
            list => list,
        };
        let max_attachment_bytes =
            self.number("discord.max_attachment_bytes", 2 << 20, 1 << 10, 8 << 20);
        let messages_per_minute =
            self.number("discord.messages_per_minute", 20, 1, 10_000) as usize;
        let proxy = self.text("discord.proxy");
        let gateway_url = self.text("discord.gateway_url");
        let stats_channel = self.stats_channel();
        match (token, channel) {
            (None, None) if webhook_ids.is_empty() && stats_channel.is_none() => None,
            (Some(token), Some(channel_id)) => Some(Discord {
                token,
                channel_id,
                webhook_ids,
                username,
                hmac_key,
                cdn_hosts,
                max_attachment_bytes,
                messages_per_minute,
                proxy,
                gateway_url,
                stats_channel,
            }),
            (token, channel) => {
                if token.is_none() {
                    self.errors.push(
                        "discord.token: missing, although other settings of Discord are there"
                            .into(),
                    );
                }
                if channel.is_none()
                    && !self
                        .errors
                        .iter()
                        .any(|e| e.starts_with("discord.channel_id"))
                {
                    self.errors.push(
                        "discord.channel_id: missing, although discord.token is there".into(),
                    );
                }
                None
            }
        }
    }

    fn stats_channel(&mut self) -> Option<StatsChannel> {
        let channel_id = self.optional::<u64>(
            "discord.stats_channel_id",
            "the number that \"Copy Channel ID\" gives",
        );
        let settle = self.seconds("discord.stats_settle_seconds", 15, 0, 600);
        let hours = self.number("discord.stats_max_age_hours", 6, 1, 1_000_000);
        Some(StatsChannel {
            channel_id: channel_id?,
            settle,
            max_age: Duration::from_secs(hours * 3600),
        })
    }

    fn ssh(&mut self) -> Option<Ssh> {
        let host = self.text("ssh.host");
        let port = self.number("ssh.port", 22, 1, 65_535) as u16;
        let user = self.text("ssh.user");
        let key_file = self.text("ssh.key_file");
        let key_passphrase = self.text("ssh.key_passphrase").map(Secret::new);
        let known_hosts = self.text("ssh.known_hosts");
        let stats_dir = self.text("ssh.stats_dir");
        let gametimes_dir = self.text("ssh.gametimes_dir");
        let server = self.text("ssh.server").unwrap_or_default();
        let timeout = self.seconds("ssh.timeout_seconds", 20, 1, 600);
        if host.is_none()
            && user.is_none()
            && key_file.is_none()
            && stats_dir.is_none()
            && gametimes_dir.is_none()
        {
            return None;
        }
        for (key, missing) in [
            ("ssh.host", host.is_none()),
            ("ssh.user", user.is_none()),
            ("ssh.key_file", key_file.is_none()),
            ("ssh.known_hosts", known_hosts.is_none()),
        ] {
            if missing {
                self.errors.push(format!(
                    "{key}: missing, although other settings of ssh are there"
                ));
            }
        }
        if stats_dir.is_none() && gametimes_dir.is_none() {
            self.errors
                .push("ssh.stats_dir, ssh.gametimes_dir: at least one must be set".into());
        }
        Some(Ssh {
            host: host?,
            port,
            user: user?,
            key_file: key_file?.into(),
            key_passphrase,
            known_hosts: known_hosts?.into(),
            stats_dir,
            gametimes_dir,
            server,
            timeout,
        })
    }

    fn folder(&mut self) -> Option<Folder> {
        let path = self.text("ssh.path");
        let server = self.text("ssh.server").unwrap_or_default();
        if path.is_none() {
            self.errors.push("ssh.path: missing".into());
        }
        Some(Folder {
            path: path?.into(),
            server,
        })
    }

    /// Reads one table of a list with the reader of a single one.
    fn nested<T>(
        &mut self,
        table: toml::Value,
        name: &str,
        read: fn(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let toml::Value::Table(table) = table else {
            self.errors.push(format!("{name}: must be a table"));
            return None;
        };
        let values = table
            .into_iter()
            .map(|(k, v)| (format!("ssh.{k}"), v))
            .collect();
        let mut inner = Reader {
            values,
            env: BTreeMap::new(),
            errors: Vec::new(),
        };
        let result = read(&mut inner);
        let unknown = inner
            .values
            .keys()
            .map(|key| format!("{key}: no such setting"));
        for error in inner.errors.iter().cloned().chain(unknown) {
            self.errors.push(error.replace("ssh.", &format!("{name}.")));
        }
        result
    }

    /// A text; empty counts as not set.
    fn text(&mut self, key: &str) -> Option<String> {
        let name = format!("{PREFIX}{}", key.replace('.', "_").to_uppercase());
        let of_file = self.values.remove(key);
        let text = match (self.env.remove(&name), of_file) {
            (Some(text), _) => text,
            (None, None) => return None,
            (None, Some(toml::Value::String(text))) => text,
            (None, Some(value @ (toml::Value::Integer(_) | toml::Value::Boolean(_)))) => {
                value.to_string()
            }
            (None, Some(_)) => {
                self.errors
                    .push(format!("{key}: must be a text or a number"));
                return None;
            }
        };
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// A list: in the environment separated by commas.
    fn list(&mut self, key: &str) -> Vec<String> {
        match self.values.remove(key) {
            Some(toml::Value::Array(list)) => {
                let texts = list.into_iter().map(|value| match value {
                    toml::Value::String(text) => text,
                    other => other.to_string(),
                });
                let joined = texts.collect::<Vec<_>>().join(",");
                self.values
                    .insert(key.to_owned(), toml::Value::String(joined));
            }
            Some(value) => drop(self.values.insert(key.to_owned(), value)),
            None => {}
        }
        let text = self.text(key).unwrap_or_default();
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn optional<T: FromStr>(&mut self, key: &str, expected: &str) -> Option<T> {
        let text = self.text(key)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.errors
                .push(format!("{key}: {text:?} is not {expected}"));
        }
        parsed
    }

    fn or<T: FromStr>(&mut self, key: &str, default: &str, expected: &str) -> T {
        self.optional(key, expected).unwrap_or_else(|| {
            default
                .parse()
                .unwrap_or_else(|_| unreachable!("the default of {key} is right"))
        })
    }

    fn number(&mut self, key: &str, default: u64, from: u64, to: u64) -> u64 {
        let n = self
            .optional(key, &format!("a number from {from} to {to}"))
            .unwrap_or(default);
        if !(from..=to).contains(&n) {
            self.errors
                .push(format!("{key}: {n} is not a number from {from} to {to}"));
        }
        n
    }

    fn seconds(&mut self, key: &str, default: u64, from: u64, to: u64) -> Duration {
        Duration::from_secs(self.number(key, default, from, to))
    }
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
            "discord.channel_id: \"x\" is not",
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
    fn the_example_names_settings_that_exist() {
        let example = include_str!("../.env.example");
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
