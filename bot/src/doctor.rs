//! Checks each thing outside of the bot, and says what to do.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::net::TcpListener;
use twilight_http::Client;
use twilight_model::channel::Message;
use twilight_model::id::Id;

use crate::config::{Config, Discord, Ssh};
use crate::db::migrations::{Schema, pending};
use crate::db::{Database, DbError};
use crate::discord;
use crate::files::folder::Local;
use crate::files::ingest::is_wanted;
use crate::files::poller::Directory;
use crate::files::sftp::{Server, readable_known_hosts};

/// Clocks further apart than this are told: the times of this machine and of the others in log and pages do not fit together.
const CLOCK_SECONDS: i64 = 5;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub what: String,
    /// What is there; or what is wrong, and what to do.
    pub text: String,
    /// Whether it is well.
    pub good: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.good { "ok  " } else { "FAIL" };
        write!(f, "{mark}  {}: {}", self.what, self.text)
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

/// Looks at everything that the settings name.
pub async fn examine(config: &Config) -> Vec<Finding> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut found = Findings::default();
    database(config, &mut found).await;
    match &config.discord {
        None => found.bad(
            "discord",
            "not set, so no messages are received; set discord.token and discord.channel_id",
        ),
        Some(discord) => channel(discord, &mut found).await,
    }
    for ssh in &config.ssh {
        server(ssh, &mut found).await;
    }
    for folder in &config.folders {
        count(
            &format!("folder {}", folder.path.display()),
            Local::new(&folder.path),
            &mut found,
        )
        .await;
    }
    listen(config, &mut found).await;
    clock_zone(config, &mut found);
    found.0
}

async fn database(config: &Config, found: &mut Findings) {
    let what = "database";
    if let Some(file) = missing_file(config.database_url.reveal()) {
        return found.bad(
            what,
            format!(
                "{file} is not there yet; `gametimes-bot migrate` makes it, or the first `run`"
            ),
        );
    }
    let opened = match Database::open(config.database_url.reveal()).await {
        Ok(database) => database,
        Err(error) => {
            return found.bad(
                what,
                format!(
                    "{error}; check database_url, and that the server runs and lets this user in"
                ),
            );
        }
    };
    match pending(&opened, &Schema::current()).await {
        Ok(pending) if pending.is_empty() => found.good(what, "reachable, all migrations applied"),
        Ok(pending) => found.bad(
            what,
            format!(
                "migrations to come: {}; run `gametimes-bot migrate` (as the tables' owner)",
                pending.join(", ")
            ),
        ),
        Err(error) => found.bad(what, error.to_string()),
    }
    if opened.is_postgres() {
        match server_time(&opened).await {
            Ok(time) => clock("database's clock", time, found),
            Err(error) => found.bad("database's clock", error.to_string()),
        }
    }
    opened.close().await;
}

/// The SQLite file, if it is one and not there: opening it would make it.
fn missing_file(url: &str) -> Option<String> {
    let options = SqliteConnectOptions::from_str(url).ok()?;
    let file = options.get_filename();
    let is_missing = url.starts_with("sqlite:") && !url.contains(":memory:") && !file.exists();
    is_missing.then(|| file.display().to_string())
}

async fn server_time(database: &Database) -> Result<i64, DbError> {
    let row = database
        .row(&format!("SELECT {}", database.epoch("now()")), &[])
        .await?;
    Ok(row.and_then(|row| row.int(0)).unwrap_or_default())
}

fn clock(what: &str, there: i64, found: &mut Findings) {
    let apart = (there - Timestamp::now().as_second()).abs();
    if apart <= CLOCK_SECONDS {
        found.good(what, format!("{apart} s from this machine's"));
    } else {
        found.bad(
            what,
            format!("{apart} s from this machine's; let both follow an NTP server"),
        );
    }
}

fn clock_zone(config: &Config, found: &mut Findings) {
    let zone = config
        .time_zone
        .iana_name()
        .map_or_else(|| "this machine's".to_owned(), str::to_owned);
    let now = Timestamp::now().to_zoned(config.time_zone.clone());
    let text = format!(
        "{zone}, {} now; must be the game servers' (time_zone)",
        now.strftime("%H:%M")
    );
    if config.time_zone == TimeZone::unknown() {
        found.bad(
            "time zone",
            "unknown here; set time_zone to the game servers', for example Europe/Berlin",
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
                Err(error) => found.bad("discord.token", format!("unreadable answer: {error}")),
            }
            if let Some(date) = date {
                clock("Discord's clock", date, found);
            }
        }
    }
    let Some(id) = Id::new_checked(discord.channel_id) else {
        return found.bad(
            "discord.channel_id",
            "is 0; use the number that \"Copy Channel ID\" gives",
        );
    };
    match history(&client, id).await {
        Err(error) => found.bad(
            "discord.channel_id",
            format!("{error}; invite the bot to the server, with View Channel and Read Message History there"),
        ),
        Ok(messages) => {
            found.good("discord.channel_id", "its history can be read");
            whitelist(discord, &messages, found);
        }
    }
    if let Some(channel) = &discord.stats_channel {
        stats_channel(&client, channel.channel_id, found).await;
    }
}

/// Whether the bot can see the stats channel and write there. The sign that it is typing shows the latter without a message.
async fn stats_channel(client: &Client, id: u64, found: &mut Findings) {
    let what = "discord.stats_channel_id";
    let Some(id) = Id::new_checked(id) else {
        return found.bad(
            what,
            "is 0; use the number that \"Copy Channel ID\" gives, or leave it out to post nothing",
        );
    };
    let name = match client.channel(id).await {
        Err(error) => {
            return found.bad(
                what,
                format!("{error}; check the number, and give the bot View Channel there"),
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
                "#{} can be written to; Embed Links and Attach Files are needed there too",
                name.unwrap_or_default()
            ),
        ),
    }
}

async fn history(
    client: &Client,
    id: Id<twilight_model::id::marker::ChannelMarker>,
) -> Result<Vec<Message>, String> {
    let response = client
        .channel_messages(id)
        .limit(100)
        .await
        .map_err(|e| e.to_string())?;
    response.models().await.map_err(|e| e.to_string())
}

fn whitelist(discord: &Discord, messages: &[Message], found: &mut Findings) {
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
        found.bad("discord.token", "messages come without content: enable the Message Content intent (Developer Portal, Bot)");
    }
    if discord.webhook_ids.is_empty() {
        let seen = if unknown.is_empty() {
            "the first number of the webhook's URL".into()
        } else {
            format!("{unknown:?}")
        };
        found.bad(
            what,
            format!("empty, so every message is refused; add {seen} if the webhook is yours"),
        );
    } else if unknown.is_empty() {
        found.good(what, format!("{} webhook(s)", discord.webhook_ids.len()));
    } else {
        found.bad(what, format!("other webhooks posted STATS_READY: {unknown:?}; add them if they are yours, delete them otherwise"));
    }
}

/// `Sat, 21 Nov 2026 08:00:00 GMT`.
fn http_date(text: &str) -> Option<i64> {
    let time = jiff::fmt::strtime::parse("%a, %d %b %Y %H:%M:%S GMT", text)
        .ok()?
        .to_datetime()
        .ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

async fn server(ssh: &Ssh, found: &mut Findings) {
    let what = format!("ssh {}@{}:{}", ssh.user, ssh.host, ssh.port);
    if let Err(error) = readable_known_hosts(&ssh.known_hosts) {
        let (host, port) = (&ssh.host, ssh.port);
        return found.bad(
            &what,
            format!("{error}; make it with: ssh-keyscan -p {port} {host} (and check the key)"),
        );
    }
    let connection = Server::new(ssh.clone());
    for path in [&ssh.stats_dir, &ssh.gametimes_dir].into_iter().flatten() {
        count(
            &format!("{what} {path}"),
            connection.directory(path, true),
            found,
        )
        .await;
    }
}

/// Lists a folder.
async fn count(what: &str, mut directory: impl Directory, found: &mut Findings) {
    match directory.list().await {
        Err(error) => found.bad(
            what,
            format!("{error}; check that it is there and may be read"),
        ),
        Ok(entries) => {
            let wanted = entries.iter().filter(|e| is_wanted(&e.name)).count();
            let text = format!(
                "{wanted} of {} files are stats files or gametimes files",
                entries.len()
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
                    "{} is in use: by a bot that runs, or change listen",
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
