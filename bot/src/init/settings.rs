//! The settings file that `init` writes.

use std::path::PathBuf;

use toml::Value;

/// What was answered.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub database_url: String,
    pub time_zone: String,
    pub discord: Option<Discord>,
    pub folders: Vec<PathBuf>,
    pub ssh: Vec<Ssh>,
}

/// The answers about Discord.
#[derive(Debug)]
pub(super) struct Discord {
    pub token: String,
    pub channel_id: u64,
    pub webhook_ids: Vec<u64>,
    pub stats_channel_id: Option<u64>,
    /// `discord.proxy` and `discord.gateway_url`, which are taken from the environment.
    pub proxy: Option<String>,
    pub gateway_url: Option<String>,
}

/// The answers about a game server reached over SSH.
#[derive(Debug)]
pub(super) struct Ssh {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub key_file: PathBuf,
    pub known_hosts: PathBuf,
    pub stats_dir: Option<String>,
    pub gametimes_dir: Option<String>,
}

impl Settings {
    /// The text of the file.
    pub fn to_toml(&self) -> String {
        let mut text = String::from(
            "# Settings of gametimes-bot, written by `gametimes-bot init`. All settings: bot/.env.example.\n\
             # This file contains secrets: only the bot's user may read it.\n\n",
        );
        line(&mut text, "database_url", self.database_url.as_str());
        line(&mut text, "time_zone", self.time_zone.as_str());
        if !self.folders.is_empty() {
            let folders = self.folders.iter().map(|f| f.display().to_string());
            line(&mut text, "folders", folders.collect::<Vec<_>>());
        }
        text.push_str(
            "\n# The pages and the API. For other machines, use a reverse proxy, or another address with an api_token.\n",
        );
        line(&mut text, "listen", "127.0.0.1:8650");
        text.push_str("# public_url = \"https://stats.example.org\"\n");
        if let Some(discord) = &self.discord {
            text.push_str("\n[discord]\n");
            line(&mut text, "token", discord.token.as_str());
            // Ids are larger than TOML's numbers may be.
            line(&mut text, "channel_id", discord.channel_id.to_string());
            let ids = discord.webhook_ids.iter().map(u64::to_string);
            line(&mut text, "webhook_ids", ids.collect::<Vec<_>>());
            let optional = [
                (
                    "stats_channel_id",
                    discord.stats_channel_id.map(|id| id.to_string()),
                ),
                ("proxy", discord.proxy.clone()),
                ("gateway_url", discord.gateway_url.clone()),
            ];
            for (key, value) in optional {
                if let Some(value) = value {
                    line(&mut text, key, value);
                }
            }
        }
        for ssh in &self.ssh {
            text.push_str("\n[[ssh]]\n");
            line(&mut text, "host", ssh.host.as_str());
            line(&mut text, "port", i64::from(ssh.port));
            line(&mut text, "user", ssh.user.as_str());
            line(&mut text, "key_file", ssh.key_file.display().to_string());
            let known_hosts = ssh.known_hosts.display().to_string();
            line(&mut text, "known_hosts", known_hosts);
            for (key, value) in [
                ("stats_dir", &ssh.stats_dir),
                ("gametimes_dir", &ssh.gametimes_dir),
            ] {
                if let Some(value) = value {
                    line(&mut text, key, value.as_str());
                }
            }
        }
        text
    }
}

fn line(text: &mut String, key: &str, value: impl Into<Value>) {
    let value: Value = value.into();
    text.push_str(&format!("{key} = {value}\n"));
}
