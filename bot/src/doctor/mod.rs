//! Checks everything outside of the bot, and explains what to do.

mod database;

use std::fmt;

use gametimes_format::text::{counted, one_line};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::net::TcpListener;
use twilight_http::Client;
use twilight_model::channel::Message;
use twilight_model::id::Id;
use twilight_model::id::marker::ChannelMarker;

use crate::config::{Config, Discord, Ssh};
use crate::discord;
use crate::discord::commands::register;
use crate::files::folder::LocalDirectory;
use crate::files::is_round_file;
use crate::files::poller::Directory;
use crate::files::sftp::{FolderKind, RemoteDirectory};
use crate::files::ssh::{SshServer, check_key_file, check_known_hosts};
use crate::log::LINE_CHARS_MAX;

/// Clocks that differ by more than this are reported, because times in the log and on the pages would not match.
const CLOCK_SECONDS: i64 = 5;

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub what: String,
    /// What was found; or what is wrong, and what to do.
    pub text: String,
    /// Whether it is as it should be.
    pub good: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.good { "ok  " } else { "FAIL" };
        // Servers and Discord write parts of the text.
        let line = format!("{}: {}", self.what, self.text);
        write!(f, "{mark}  {}", one_line(&line, LINE_CHARS_MAX))
    }
}

/// All findings, in the order in which they are printed.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn good(&mut self, what: &str, text: impl Into<String>) {
        self.0.push(Finding {
            what: what.into(),
            text: text.into(),
            good: true,
        });
    }

    fn bad(&mut self, what: &str, text: impl Into<String>) {
        self.0.push(Finding {
            what: what.into(),
            text: text.into(),
            good: false,
        });
    }
}

/// Checks everything that the settings name.
pub async fn examine(config: &Config) -> Vec<Finding> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut found = Findings::default();
    database::examine(config, &mut found).await;
    match &config.discord {
        None => found.bad(
            "discord",
            "not configured, so no messages are received; set discord.token and discord.channel_id",
        ),
        Some(discord) => channel(discord, &mut found).await,
    }
    for ssh in &config.ssh {
        ssh_server(ssh, &mut found).await;
    }
    for folder in &config.folders {
        let what = format!("folder {}", folder.path.display());
        directory(&what, LocalDirectory::new(&folder.path), &mut found).await;
    }
    listen(config, &mut found).await;
    time_zone(config, &mut found);
    found.0
}

fn clock(what: &str, unix: i64, found: &mut Findings) {
    let apart = (unix - Timestamp::now().as_second()).abs();
    if apart <= CLOCK_SECONDS {
        found.good(what, format!("differs by {apart} s from this machine's"));
    } else {
        found.bad(
            what,
            format!(
                "differs by {apart} s from this machine's; synchronize both with an NTP server"
            ),
        );
    }
}

fn time_zone(config: &Config, found: &mut Findings) {
    let zone = config
        .time_zone
        .iana_name()
        .map_or_else(|| "this machine's".to_owned(), str::to_owned);
    let now = Timestamp::now().to_zoned(config.time_zone.clone());
    let text = format!(
        "{zone}, where it is {} now; must be the time zone of the game servers (time_zone)",
        now.strftime("%H:%M")
    );
    if config.time_zone == TimeZone::unknown() {
        found.bad(
            "time zone",
            "this machine's is unknown; set time_zone to that of the game servers, for example Europe/Berlin",
        );
    } else {
        found.good("time zone", text);
    }
}

async fn channel(discord: &Discord, found: &mut Findings) {
    let client = discord::client(discord);
    match client.current_user().await {
        Err(error) => {
            return found.bad(
                "discord.token",
                format!("{error}; copy the token from the Developer Portal (Bot, Reset Token), and check the network"),
            );
        }
        Ok(response) => {
            let date = response
                .headers()
                .find(|(name, _)| name.eq_ignore_ascii_case("date"));
            let date = date.and_then(|(_, value)| http_date(std::str::from_utf8(value).ok()?));
            match response.model().await {
                Ok(user) => found.good("discord.token", format!("logged in as {}", user.name)),
                Err(error) => found.bad(
                    "discord.token",
                    format!("Discord's answer cannot be parsed: {error}"),
                ),
            }
            if let Some(date) = date {
                clock("Discord's clock", date, found);
            }
        }
    }
    let Some(id) = Id::new_checked(discord.channel_id) else {
        return found.bad(
            "discord.channel_id",
            "is 0; use the number that \"Copy Channel ID\" copies",
        );
    };
    match history(&client, id).await {
        Err(error) => found.bad(
            "discord.channel_id",
            format!("{error}; invite the bot to the server, with the permissions View Channel and Read Message History in this channel"),
        ),
        Ok(messages) => {
            found.good("discord.channel_id", "its history can be read");
            webhooks(discord, &messages, found);
        }
    }
    if let Some(channel) = &discord.stats_channel {
        stats_channel(&client, channel.channel_id, found).await;
    }
    if discord.commands {
        commands(&client, discord, found).await;
    }
}

/// Checks that the commands can be registered, by asking for those that are.
async fn commands(client: &Client, settings: &Discord, found: &mut Findings) {
    let registered = async {
        let application = register::application(client).await?;
        let guild = register::guild(client, settings).await?;
        register::registered(client, application, guild).await
    };
    let what = "discord.commands";
    match registered.await {
        Ok(commands) => found.good(
            what,
            format!(
                "{} registered; `run` and `receive` register the bot's",
                counted(commands.len(), "command")
            ),
        ),
        Err(error) => found.bad(what, format!("commands cannot be registered: {error}")),
    }
}

/// Checks that the bot can see the stats channel and write there, by showing that it is typing: that leaves no message.
async fn stats_channel(client: &Client, id: u64, found: &mut Findings) {
    let what = "discord.stats_channel_id";
    let Some(id) = Id::new_checked(id) else {
        return found.bad(
            what,
            "is 0; use the number that \"Copy Channel ID\" copies, or remove the setting to post nothing",
        );
    };
    let name = match client.channel(id).await {
        Err(error) => {
            return found.bad(
                what,
                format!(
                    "{error}; check the number, and give the bot the permission View Channel there"
                ),
            );
        }
        Ok(response) => response.model().await.ok().and_then(|channel| channel.name),
    };
    match client.create_typing_trigger(id).await {
        Err(error) => found.bad(
            what,
            format!("{error}; give the bot Send Messages, Embed Links and Attach Files there"),
        ),
        Ok(_) => found.good(
            what,
            format!(
                "#{} can be written to; the bot also needs Embed Links and Attach Files there",
                name.unwrap_or_default()
            ),
        ),
    }
}

async fn history(client: &Client, id: Id<ChannelMarker>) -> Result<Vec<Message>, String> {
    let response = client
        .channel_messages(id)
        .limit(100)
        .await
        .map_err(|e| e.to_string())?;
    response.models().await.map_err(|e| e.to_string())
}

/// Compares the webhooks in the settings with those that posted to the control channel.
fn webhooks(discord: &Discord, messages: &[Message], found: &mut Findings) {
    let what = "discord.webhook_ids";
    let ready = messages
        .iter()
        .filter(|m| m.content == gametimes_format::message::CONTENT);
    let mut unknown: Vec<u64> = ready
        .clone()
        .filter_map(|m| Some(m.webhook_id?.get()))
        .filter(|id| !discord.webhook_ids.contains(id))
        .collect();
    unknown.sort_unstable();
    unknown.dedup();
    let blank = messages
        .iter()
        .filter(|m| m.webhook_id.is_some() && m.content.is_empty() && m.embeds.is_empty());
    if blank.count() > 0 && ready.count() == 0 {
        found.bad("discord.token", "messages arrive without content: enable the Message Content intent (Developer Portal, Bot)");
    }
    if discord.webhook_ids.is_empty() {
        let advice = if unknown.is_empty() {
            "add the first number in the URL of each of your webhooks".to_owned()
        } else {
            format!("add those of {unknown:?} that are yours")
        };
        found.bad(
            what,
            format!("empty, so all messages are rejected; {advice}"),
        );
    } else if unknown.is_empty() {
        found.good(what, counted(discord.webhook_ids.len(), "webhook"));
    } else {
        found.bad(what, format!("other webhooks posted STATS_READY: {unknown:?}; add those that are yours, and delete the others in Discord"));
    }
}

/// Parses the time of an HTTP header, like `Sat, 21 Nov 2026 08:00:00 GMT`.
fn http_date(text: &str) -> Option<i64> {
    let time = jiff::fmt::strtime::parse("%a, %d %b %Y %H:%M:%S GMT", text)
        .ok()?
        .to_datetime()
        .ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

async fn ssh_server(ssh: &Ssh, found: &mut Findings) {
    let what = format!("ssh {}@{}:{}", ssh.user, ssh.host, ssh.port);
    if let Err(error) = check_known_hosts(&ssh.known_hosts) {
        let (host, port) = (&ssh.host, ssh.port);
        return found.bad(
            &what,
            format!("{error}; create the file with: ssh-keyscan -p {port} {host} (and compare the fingerprint)"),
        );
    }
    if let Err(error) = check_key_file(&ssh.key_file) {
        return found.bad(&what, error);
    }
    let server = SshServer::new(ssh.clone());
    let folders = [
        (&ssh.stats_dir, FolderKind::Stats),
        (&ssh.gametimes_dir, FolderKind::Gametimes),
    ];
    for (path, kind) in folders {
        if let Some(path) = path {
            let what = format!("{what} {path}");
            directory(
                &what,
                RemoteDirectory::new(server.clone(), path, kind),
                found,
            )
            .await;
        }
    }
}

/// Checks that a folder can be listed, and counts the files in it that the bot reads.
async fn directory(what: &str, mut directory: impl Directory, found: &mut Findings) {
    match directory.list().await {
        Err(error) => found.bad(
            what,
            format!("{error}; check that the folder exists and that the bot may read it"),
        ),
        Ok(files) => {
            let wanted = files.iter().filter(|f| is_round_file(&f.name)).count();
            let text = format!(
                "{wanted} of {} are stats files or gametimes files",
                counted(files.len(), "file")
            );
            found.good(what, text);
        }
    }
}

async fn listen(config: &Config, found: &mut Findings) {
    match TcpListener::bind(config.listen).await {
        Ok(_) => found.good("listen", format!("{} is free", config.listen)),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            found.good(
                "listen",
                format!(
                    "{} is in use: either the bot is running already, or change listen",
                    config.listen
                ),
            );
        }
        Err(error) => found.bad(
            "listen",
            format!(
                "{}: {error}; choose an address of this machine",
                config.listen
            ),
        ),
    }
}
