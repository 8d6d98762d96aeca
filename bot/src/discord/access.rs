//! What the bot's account is and may do: questions of `doctor` and `init`.

use jiff::tz::TimeZone;
use twilight_http::Client;
use twilight_http::error::{Error, ErrorType};
use twilight_model::channel::{Channel, ChannelType, Webhook};
use twilight_model::guild::Permissions;
use twilight_model::id::Id;
use twilight_model::id::marker::{
    ApplicationMarker, ChannelMarker, GuildMarker, RoleMarker, UserMarker,
};
use twilight_model::oauth::ApplicationFlags;
use twilight_util::permission_calculator::PermissionCalculator;

/// What the bot needs in the control channel.
pub const CONTROL: Permissions = Permissions::VIEW_CHANNEL.union(Permissions::READ_MESSAGE_HISTORY);
/// What the bot needs in the stats channel.
pub const STATS: Permissions = Permissions::VIEW_CHANNEL
    .union(Permissions::SEND_MESSAGES)
    .union(Permissions::EMBED_LINKS)
    .union(Permissions::ATTACH_FILES);
/// What the bot needs to list and create webhooks.
pub const WEBHOOKS: Permissions = Permissions::MANAGE_WEBHOOKS;

/// The permissions above, with their names in Discord's settings.
const NAMES: [(Permissions, &str); 6] = [
    (Permissions::VIEW_CHANNEL, "View Channel"),
    (Permissions::READ_MESSAGE_HISTORY, "Read Message History"),
    (Permissions::SEND_MESSAGES, "Send Messages"),
    (Permissions::EMBED_LINKS, "Embed Links"),
    (Permissions::ATTACH_FILES, "Attach Files"),
    (Permissions::MANAGE_WEBHOOKS, "Manage Webhooks"),
];

/// The bot's account.
#[derive(Debug, Clone)]
pub struct Account {
    /// The user.
    pub id: Id<UserMarker>,
    /// The name of the user.
    pub name: String,
    /// Discord's clock, if its answer contains it.
    pub now_unix: Option<i64>,
}

/// The application that the account belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Application {
    /// Its id, which links that invite the bot contain.
    pub id: Id<ApplicationMarker>,
    /// Whether the Message Content intent is enabled.
    pub reads_content: bool,
}

/// Explains a failed request: the token, the network, or Discord's reason.
pub fn explain(error: &Error) -> String {
    match error.kind() {
        ErrorType::Unauthorized => token_refused(),
        ErrorType::Response { status, .. } if status.get() == 401 => token_refused(),
        ErrorType::RequestError | ErrorType::RequestTimedOut | ErrorType::RequestCanceled => {
            format!(
                "Discord cannot be reached ({error}); check the network, its DNS, and that a firewall allows HTTPS to discord.com"
            )
        }
        _ => error.to_string(),
    }
}

fn token_refused() -> String {
    "Discord refuses the token; copy it from the Developer Portal (Bot, Reset Token)".to_owned()
}

/// Logs in.
///
/// # Errors
/// A text with what to do.
pub async fn account(client: &Client) -> Result<Account, String> {
    let response = client.current_user().await.map_err(|e| explain(&e))?;
    let date = response
        .headers()
        .find(|(name, _)| name.eq_ignore_ascii_case("date"));
    let now_unix = date.and_then(|(_, value)| http_date(std::str::from_utf8(value).ok()?));
    let user = response.model().await.map_err(|e| unreadable(&e))?;
    Ok(Account {
        id: user.id,
        name: user.name,
        now_unix,
    })
}

/// The application of the account.
///
/// # Errors
/// A text with what to do.
pub async fn application(client: &Client) -> Result<Application, String> {
    let response = client.current_user_application().await;
    let found = response.map_err(|e| explain(&e))?.model().await;
    let found = found.map_err(|e| unreadable(&e))?;
    let content = ApplicationFlags::GATEWAY_MESSAGE_CONTENT
        | ApplicationFlags::GATEWAY_MESSAGE_CONTENT_LIMITED;
    Ok(Application {
        id: found.id,
        reads_content: found.flags.is_some_and(|flags| flags.intersects(content)),
    })
}

/// The link with which the owner of a Discord server invites the bot, with these permissions and slash commands.
pub fn invite(application: Id<ApplicationMarker>, permissions: Permissions) -> String {
    format!(
        "https://discord.com/oauth2/authorize?client_id={application}&scope=bot+applications.commands&permissions={}",
        permissions.bits()
    )
}

/// The Discord servers that the bot has been invited to, with their names.
///
/// # Errors
/// A text with what to do.
pub async fn guilds(client: &Client) -> Result<Vec<(Id<GuildMarker>, String)>, String> {
    let response = client.current_user_guilds().await;
    let guilds = response.map_err(|e| explain(&e))?.models().await;
    let guilds = guilds.map_err(|e| unreadable(&e))?;
    Ok(guilds.into_iter().map(|g| (g.id, g.name)).collect())
}

/// The text channels of a Discord server, with their names, sorted as Discord shows them.
///
/// # Errors
/// A text with what to do.
pub async fn text_channels(
    client: &Client,
    guild: Id<GuildMarker>,
) -> Result<Vec<(u64, String)>, String> {
    let response = client.guild_channels(guild).await;
    let channels = response.map_err(|e| explain(&e))?.models().await;
    let mut channels = channels.map_err(|e| unreadable(&e))?;
    channels.retain(|c| {
        matches!(
            c.kind,
            ChannelType::GuildText | ChannelType::GuildAnnouncement
        )
    });
    channels.sort_by_key(|c| (c.position, c.id));
    Ok(channels
        .into_iter()
        .map(|c| (c.id.get(), c.name.unwrap_or_default()))
        .collect())
}

/// Checks that the bot has these permissions in a channel, and returns the channel's name.
///
/// # Errors
/// A text with what to do.
pub async fn channel(
    client: &Client,
    account: &Account,
    id: u64,
    needed: Permissions,
) -> Result<String, String> {
    let id = Id::<ChannelMarker>::new_checked(id)
        .ok_or("is 0; use the number that \"Copy Channel ID\" copies")?;
    let response = client.channel(id).await.map_err(|e| {
        format!(
            "{}; check the number, and give the bot the permission View Channel there",
            explain(&e)
        )
    })?;
    let channel = response.model().await.map_err(|e| unreadable(&e))?;
    let name = channel.name.clone().unwrap_or_default();
    let Some(guild) = channel.guild_id else {
        return Err("is not a channel of a Discord server".into());
    };
    let missing = needed - permissions(client, account, guild, &channel).await?;
    if missing.is_empty() {
        return Ok(name);
    }
    Err(format!(
        "#{name}: give the bot {} there",
        names(missing).join(", ")
    ))
}

/// The names of these permissions in Discord's settings.
pub fn names(permissions: Permissions) -> Vec<&'static str> {
    let named = NAMES.iter().filter(|(p, _)| permissions.contains(*p));
    named.map(|(_, name)| *name).collect()
}

/// What the bot may do in a channel.
async fn permissions(
    client: &Client,
    account: &Account,
    guild: Id<GuildMarker>,
    channel: &Channel,
) -> Result<Permissions, String> {
    let roles = client.roles(guild).await.map_err(|e| explain(&e))?;
    let roles = roles.models().await.map_err(|e| unreadable(&e))?;
    let member = client.guild_member(guild, account.id).await;
    let member = member.map_err(|e| explain(&e))?.model().await;
    let member = member.map_err(|e| unreadable(&e))?;
    // The role of everybody has the id of the server.
    let everybody: Id<RoleMarker> = guild.cast();
    let of = |id| roles.iter().find(|r| r.id == id).map(|r| r.permissions);
    let own: Vec<_> = member
        .roles
        .iter()
        .filter_map(|id| Some((*id, of(*id)?)))
        .collect();
    let everybody = of(everybody).unwrap_or(Permissions::empty());
    let overwrites = channel.permission_overwrites.as_deref().unwrap_or_default();
    Ok(
        PermissionCalculator::new(guild, account.id, everybody, &own)
            .in_channel(channel.kind, overwrites),
    )
}

/// The webhooks of a channel.
///
/// # Errors
/// A text with what to do.
pub async fn webhooks(client: &Client, channel: u64) -> Result<Vec<Webhook>, String> {
    let response = client.channel_webhooks(Id::new(channel)).await;
    let webhooks = response.map_err(|e| explain(&e))?.models().await;
    webhooks.map_err(|e| unreadable(&e))
}

/// Creates a webhook in a channel.
///
/// # Errors
/// A text with what to do.
pub async fn create_webhook(client: &Client, channel: u64, name: &str) -> Result<Webhook, String> {
    let response = client.create_webhook(Id::new(channel), name).await;
    let webhook = response.map_err(|e| explain(&e))?.model().await;
    webhook.map_err(|e| unreadable(&e))
}

fn unreadable(error: &impl std::fmt::Display) -> String {
    format!("Discord's answer cannot be parsed: {error}")
}

/// Parses the time of an HTTP header, like `Sat, 21 Nov 2026 08:00:00 GMT`.
fn http_date(text: &str) -> Option<i64> {
    let time = jiff::fmt::strtime::parse("%a, %d %b %Y %H:%M:%S GMT", text)
        .ok()?
        .to_datetime()
        .ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}
