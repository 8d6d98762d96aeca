//! All settings, with their defaults and limits.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::http::Uri;
use gametimes_format::{limits, message};
use jiff::tz::TimeZone;

use super::reader::Reader;
use super::{Config, Discord, Folder, Secret, Ssh, StatsChannel};
use crate::db::Mode;

/// The default of `max_connections`.
pub(super) const MAX_CONNECTIONS: usize = 256;

/// A host name in lower case, or an address without brackets.
fn host_name(host: &str) -> String {
    host.trim_matches(['[', ']']).to_ascii_lowercase()
}

/// Scheme, host and port in lower case, without the default port, as browsers send them in `Origin`; `None` if the text has other
/// parts.
fn origin(text: &str) -> Option<String> {
    let url: Uri = text.trim_end_matches('/').parse().ok()?;
    let (scheme, authority) = (url.scheme_str()?, url.authority()?);
    let is_origin = ["http", "https"].contains(&scheme)
        && !authority.as_str().contains('@')
        && ["", "/"].contains(&url.path())
        && url.query().is_none();
    let port = match (authority.port_u16(), scheme) {
        (Some(80), "http") | (Some(443), "https") | (None, _) => String::new(),
        (Some(port), _) => format!(":{port}"),
    };
    let host = authority.host().to_ascii_lowercase();
    is_origin.then(|| format!("{scheme}://{host}{port}"))
}

impl Reader {
    pub(super) fn config(
        &mut self,
        folder_tables: Vec<toml::Value>,
        ssh_tables: Vec<toml::Value>,
    ) -> Config {
        let listen: SocketAddr =
            self.or("listen", "127.0.0.1:8650", "an address like 127.0.0.1:8650");
        let api_token = self.text("api_token").map(Secret::new);
        if !listen.ip().is_loopback() && api_token.as_ref().is_none_or(|t| t.reveal().len() < 16) {
            self.errors.push(format!(
                "api_token: must be set, with at least 16 characters, because listen = {listen} is not a loopback address"
            ));
        }
        let cors_origins = self.cors_origins();
        let public_url = self.public_url();
        let mut allowed_hosts = self.allowed_hosts();
        // A reverse proxy may pass on the name under which people open the pages.
        let public_host = public_url.as_ref().and_then(|url| url.parse::<Uri>().ok());
        allowed_hosts.extend(public_host.and_then(|url| Some(host_name(url.host()?))));
        let max_connections =
            self.number("max_connections", MAX_CONNECTIONS as u64, 1, 100_000) as usize;
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
        let database_mode: Option<Mode> = self.optional("database_mode", "own or companion");
        if database_mode == Some(Mode::Companion) && database_url.starts_with("sqlite:") {
            self.errors
                .push("database_mode: companion needs PostgreSQL in database_url".into());
        }
        let database_file_mode = self.file_mode("database_file_mode");
        if database_file_mode.is_some() && database_url.starts_with("postgres") {
            self.errors.push(
                "database_file_mode: is about an SQLite file, but database_url names a PostgreSQL; remove database_file_mode"
                    .into(),
            );
        }
        let zone = self.text("time_zone");
        let time_zone = match zone.as_deref() {
            None => TimeZone::system(),
            Some(name) => TimeZone::get(name).unwrap_or_else(|_| {
                self.errors.push(format!(
                    "time_zone: {name:?} is not a time zone; write it like Europe/Berlin or UTC"
                ));
                TimeZone::UTC
            }),
        };
        let poll = self.seconds("poll_seconds", 60, 5, 86_400);
        let lookback = Duration::from_secs(self.number("lookback_hours", 168, 1, 1_000_000) * 3600);
        let discord = self.discord();
        let mut ssh: Vec<Ssh> = self.ssh().into_iter().collect();
        for (i, table) in ssh_tables.into_iter().enumerate() {
            ssh.extend(self.nested(table, "ssh", i, Self::ssh));
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
                table => folders.extend(self.nested(table, "folders", i, Self::folder)),
            }
        }
        let live_delay = self.seconds("live_delay_seconds", 60, 0, 3600);
        let live_token = self.text("live_token").map(Secret::new);
        if live_token.as_ref().is_some_and(|t| t.reveal().len() < 16) {
            self.errors
                .push("live_token: must have at least 16 characters".into());
        }
        // The key of attached files: a server has one key for both.
        let hmac_key = || {
            discord
                .as_ref()
                .and_then(|discord| discord.hmac_key.clone())
        };
        let live_key = self.text("live_key").map(Secret::new).or_else(hmac_key);
        Config {
            database_url: Secret::new(database_url),
            database_mode,
            database_file_mode,
            listen,
            api_token,
            allowed_hosts,
            cors_origins,
            public_url,
            max_connections,
            time_zone,
            discord,
            ssh,
            folders,
            poll,
            lookback,
            live_delay,
            live_token,
            live_key,
        }
    }

    /// Names in lower case, and addresses without brackets.
    fn allowed_hosts(&mut self) -> Vec<String> {
        let mut hosts = self.list("allowed_hosts");
        for host in &mut hosts {
            *host = host_name(host);
            let is_part = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
            if !host.chars().all(is_part) && host.parse::<IpAddr>().is_err() {
                self.errors.push(format!(
                    "allowed_hosts: {host:?} is not a host name; write it like stats.example.org, without https:// and port"
                ));
            }
        }
        hosts
    }

    fn cors_origins(&mut self) -> Vec<String> {
        let mut origins = self.list("cors_origins");
        for text in origins.iter_mut().filter(|text| *text != "*") {
            match origin(text) {
                Some(origin) => *text = origin,
                None => self.errors.push(format!(
                    "cors_origins: {text:?} is not a website's origin; write it like https://stats.example.org, without a path, or *"
                )),
            }
        }
        origins
    }

    fn public_url(&mut self) -> Option<String> {
        let text = self.text("public_url")?;
        let url = origin(&text);
        if url.is_none() {
            self.errors.push(format!(
                "public_url: {text:?} is not an address like https://stats.example.org; the pages cannot have a path before theirs"
            ));
        }
        url
    }

    /// The permissions of a file, in octal digits. Its owner can always read and write it.
    fn file_mode(&mut self, key: &str) -> Option<u32> {
        let text = self.text(key)?;
        let mode = u32::from_str_radix(&text, 8).ok();
        let mode = mode.filter(|mode| mode & !0o066 == 0o600);
        if mode.is_none() {
            self.errors.push(format!(
                "{key}: {text:?} is not a mode like \"0600\" (only the owner) or \"0640\" (the group reads)"
            ));
        }
        mode
    }

    fn discord(&mut self) -> Option<Discord> {
        let token = self.text("discord.token").map(Secret::new);
        let channel = self.channel("discord.channel_id");
        let webhook_ids = self.webhook_ids();
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
        let largest = limits::FILE_BYTES as u64;
        let max_attachment_bytes =
            self.number("discord.max_attachment_bytes", largest, 1 << 10, largest);
        if hmac_key.is_some() && (1 << 10..largest).contains(&max_attachment_bytes) {
            self.errors.push(format!(
                "discord.max_attachment_bytes: recorders make files of up to {largest} bytes, and with discord.hmac_key a \
                 round is lost if its file is not downloaded; remove discord.max_attachment_bytes"
            ));
        }
        let messages_per_minute =
            self.number("discord.messages_per_minute", 60, 1, 10_000) as usize;
        let proxy = self.text("discord.proxy");
        let gateway_url = self.text("discord.gateway_url");
        let stats_channel = self.stats_channel();
        let live_channel_id = self.channel("discord.live_channel_id");
        let commands = self.or("discord.commands", "true", "true or false");
        match (token, channel) {
            (None, None) if !self.wants_discord() => None,
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
                live_channel_id,
                commands,
            }),
            (token, channel) => {
                if token.is_none() {
                    self.errors.push(
                        "discord.token: missing, although other settings of Discord are set".into(),
                    );
                }
                if channel.is_none()
                    && !self
                        .errors
                        .iter()
                        .any(|e| e.starts_with("discord.channel_id"))
                {
                    self.errors.push(
                        "discord.channel_id: missing, although other settings of Discord are set"
                            .into(),
                    );
                }
                None
            }
        }
    }

    /// Whether a setting of Discord has a value. How Discord is reached does not say that it is to be used.
    fn wants_discord(&self) -> bool {
        let is_way = |key: &str| ["discord.proxy", "discord.gateway_url"].contains(&key);
        self.set_keys("discord.").any(|key| !is_way(key))
    }

    /// The ids of webhooks, which may also be given as URLs. A wrong value is not printed, because a URL contains a secret.
    fn webhook_ids(&mut self) -> Vec<u64> {
        let mut ids = Vec::new();
        for (i, item) in self.list("discord.webhook_ids").iter().enumerate() {
            let id = item
                .split_once("/webhooks/")
                .map_or(item.as_str(), |(_, rest)| {
                    rest.split('/').next().unwrap_or_default()
                });
            match id.parse() {
                Ok(id) => ids.push(id),
                Err(_) => self.errors.push(format!(
                    "discord.webhook_ids: item {} is not an id; use the first number in the webhook's URL",
                    i + 1
                )),
            }
        }
        ids
    }

    /// The id of a channel. A wrong value is not printed, because people paste webhook URLs and tokens here.
    fn channel(&mut self, key: &str) -> Option<u64> {
        let text = self.text(key)?;
        let id = text.parse().ok();
        if id.is_none() {
            self.errors.push(format!(
                "{key}: is not a channel id; use the number that \"Copy Channel ID\" copies"
            ));
        }
        id
    }

    fn stats_channel(&mut self) -> Option<StatsChannel> {
        let channel_id = self.channel("discord.stats_channel_id");
        let settle = self.seconds("discord.stats_settle_seconds", 15, 0, 600);
        let hours = self.number("discord.stats_max_age_hours", 6, 1, 1_000_000);
        let digest = self.or("discord.digest", "true", "true or false");
        if !self.is_set("discord.stats_channel_id") {
            for key in [
                "discord.stats_settle_seconds",
                "discord.stats_max_age_hours",
                "discord.digest",
            ] {
                if self.is_set(key) {
                    self.errors.push(format!(
                        "{key}: is about messages in the stats channel; set discord.stats_channel_id too, or remove {key}"
                    ));
                }
            }
        }
        Some(StatsChannel {
            channel_id: channel_id?,
            settle,
            max_age: Duration::from_secs(hours * 3600),
            digest,
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
        // Without a value, no server is configured.
        self.set_keys("ssh.").next()?;
        for (key, missing) in [
            ("ssh.host", host.is_none()),
            ("ssh.user", user.is_none()),
            ("ssh.key_file", key_file.is_none()),
            ("ssh.known_hosts", known_hosts.is_none()),
        ] {
            if missing {
                self.errors.push(format!(
                    "{key}: missing, although other settings of ssh are set"
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
        let path = self.text("folders.path");
        let server = self.text("folders.server").unwrap_or_default();
        if path.is_none() {
            self.errors.push("folders.path: missing".into());
        }
        Some(Folder {
            path: path?.into(),
            server,
        })
    }
}
