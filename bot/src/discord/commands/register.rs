//! Registers the commands on the Discord server of the stats channel, or else of the control channel. They appear there at once, and nowhere else.

use twilight_http::Client;
use twilight_http::api_error::ApiError;
use twilight_http::error::ErrorType;
use twilight_model::application::command::Command;
use twilight_model::id::Id;
use twilight_model::id::marker::{ApplicationMarker, GuildMarker};

use super::definitions::{commands, shape};
use crate::config::Discord;
use crate::discord::access::{self, CONTROL, STATS};

/// Discord's error code for a server that has not allowed the application to have commands.
const MISSING_ACCESS: u64 = 50_001;

/// Why the commands cannot be registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The bot was invited without the scope for commands.
    #[error(
        "the bot was invited without the scope applications.commands; open {} and choose your server",
        access::invite(*.0, CONTROL | STATS)
    )]
    NoScope(Id<ApplicationMarker>),
    /// The channel is of no server.
    #[error("the channel does not belong to a Discord server")]
    NoGuild,
    /// Discord did not answer, or refused.
    #[error("{0}")]
    Failed(String),
}

impl RegisterError {
    fn of(application: Id<ApplicationMarker>, error: &twilight_http::Error) -> Self {
        match error.kind() {
            ErrorType::Response {
                error: ApiError::General(error),
                ..
            } if error.code == MISSING_ACCESS => Self::NoScope(application),
            _ => Self::Failed(error.to_string()),
        }
    }

    fn failed(error: impl ToString) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The Discord server of the stats channel; without one, of the control channel.
///
/// # Errors
/// If Discord does not tell.
pub async fn guild(client: &Client, settings: &Discord) -> Result<Id<GuildMarker>, RegisterError> {
    let stats_channel = settings.stats_channel.as_ref();
    let channel = stats_channel.map_or(settings.channel_id, |channel| channel.channel_id);
    let channel = Id::new_checked(channel).ok_or(RegisterError::NoGuild)?;
    let channel = client.channel(channel).await;
    let channel = channel.map_err(RegisterError::failed)?.model().await;
    let channel = channel.map_err(RegisterError::failed)?;
    channel.guild_id.ok_or(RegisterError::NoGuild)
}

/// The commands that are registered.
///
/// # Errors
/// If Discord refuses, or does not answer.
pub async fn registered(
    client: &Client,
    application: Id<ApplicationMarker>,
    guild: Id<GuildMarker>,
) -> Result<Vec<Command>, RegisterError> {
    let interactions = client.interaction(application);
    let response = interactions.guild_commands(guild).await;
    let response = response.map_err(|error| RegisterError::of(application, &error))?;
    response.models().await.map_err(RegisterError::failed)
}

/// Registers the commands, or removes them if they are switched off. Commands with other names, of another program that uses the
/// same application, stay. Returns whether anything had to be changed.
///
/// # Errors
/// If Discord refuses, or does not answer.
pub async fn register(
    client: &Client,
    application: Id<ApplicationMarker>,
    guild: Id<GuildMarker>,
    are_on: bool,
) -> Result<bool, RegisterError> {
    let registered = registered(client, application, guild).await?;
    let Some(wanted) = changed(&registered, are_on) else {
        return Ok(false);
    };
    let interactions = client.interaction(application);
    let response = interactions.set_guild_commands(guild, &wanted).await;
    response.map_err(|error| RegisterError::of(application, &error))?;
    Ok(true)
}

/// All commands as they should be; `None` if they are.
fn changed(registered: &[Command], are_on: bool) -> Option<Vec<Command>> {
    let own = commands();
    let is_own = |command: &Command| own.iter().any(|own| shape(own) == shape(command));
    let (ours, mut others): (Vec<Command>, Vec<Command>) =
        registered.iter().cloned().partition(is_own);
    if !are_on {
        return (!ours.is_empty()).then_some(others);
    }
    if ours.len() == own.len() {
        return None;
    }
    others.retain(|command| own.iter().all(|own| own.name != command.name));
    others.extend(own);
    Some(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_written_only_if_they_differ_and_others_stay() {
        let foreign = Command {
            name: "foreign".into(),
            ..commands().remove(0)
        };
        let old = Command {
            description: "As it was before".into(),
            ..commands().remove(0)
        };
        let names = |list: Vec<Command>| -> Vec<String> {
            list.into_iter().map(|command| command.name).collect()
        };
        let own = names(commands());
        let all = [vec![foreign.clone()], commands()].concat();
        assert_eq!(changed(&commands(), true), None);
        assert_eq!(changed(&all, true), None);
        assert_eq!(names(changed(&[], true).unwrap()), own);
        assert_eq!(
            names(changed(std::slice::from_ref(&old), true).unwrap()),
            own
        );
        let with_foreign = names(changed(&[foreign.clone(), old], true).unwrap());
        assert_eq!(with_foreign, [&["foreign".to_owned()], &own[..]].concat());
        assert_eq!(changed(&[], false), None);
        assert_eq!(changed(std::slice::from_ref(&foreign), false), None);
        assert_eq!(names(changed(&all, false).unwrap()), ["foreign"]);
    }
}
