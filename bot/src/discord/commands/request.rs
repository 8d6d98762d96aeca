//! What a command asks for.

use twilight_model::application::interaction::application_command::{
    CommandData, CommandDataOption, CommandOptionValue,
};

use super::definitions::{name, option};
use crate::db::player_figures::PlayerSort;

/// A command with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// The last match.
    LastMatch,
    /// The match of the round with this `rounds.id`, or the latest one that fits this text.
    Match(String),
    /// The last evening that ended before this unix time; `None` for the last one.
    Evening(Option<i64>),
    /// The player with this guid, or with a name that contains this text.
    Player(String),
    /// The best players.
    Top {
        /// What they are compared by.
        figure: PlayerSort,
        /// Whether only the last 30 days count.
        is_recent: bool,
    },
}

/// What a person types, for which suggestions are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Partial {
    /// A match.
    Match(String),
    /// An evening.
    Evening(String),
    /// A player.
    Player(String),
}

/// Why a command has no answer, in words for the person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The database is empty.
    #[error("No round has been played yet.")]
    NoRounds,
    /// The option names no match.
    #[error("There is no such match. Choose one from the list that appears while you type.")]
    NoMatch,
    /// The option names no evening.
    #[error("There is no such evening. Choose one from the list that appears while you type.")]
    NoEvening,
    /// The option names no player.
    #[error("There is no such player. Choose one from the list that appears while you type.")]
    NoPlayer,
    /// The option names no figure or period.
    #[error("This cannot be compared. Choose from the lists.")]
    NoFigure,
    /// Too many commands.
    #[error("You have used many commands. Try again in {seconds} s.")]
    TooMany {
        /// When the next one is answered.
        seconds: u64,
    },
    /// The database failed or is too slow.
    #[error("The statistics cannot be read right now. Try again later.")]
    Unavailable,
}

impl Request {
    /// The request of a command; `None` if this program has no such command.
    pub fn of(data: &CommandData) -> Option<Result<Self, Refusal>> {
        let text = |name| text_of(&data.options, name);
        let named = |name| {
            text(name)
                .map(str::trim)
                .filter(|t| !t.is_empty())
                .map(str::to_owned)
        };
        Some(match data.name.as_str() {
            name::LAST => Ok(Self::LastMatch),
            name::MATCH => named(option::MATCH)
                .map(Self::Match)
                .ok_or(Refusal::NoMatch),
            name::EVENING => match text(option::EVENING).map(|text| text.trim().parse()) {
                None => Ok(Self::Evening(None)),
                Some(Ok(before)) => Ok(Self::Evening(Some(before))),
                Some(Err(_)) => Err(Refusal::NoEvening),
            },
            name::PLAYER => named(option::PLAYER)
                .map(Self::Player)
                .ok_or(Refusal::NoPlayer),
            name::TOP => {
                let figure = match text(option::FIGURE) {
                    None => Some(PlayerSort::Kd),
                    Some(key) => PlayerSort::from_key(key),
                };
                let is_recent = match text(option::PERIOD) {
                    None | Some(option::RECENT) => Some(true),
                    Some(option::ALL_TIME) => Some(false),
                    Some(_) => None,
                };
                let top = figure.zip(is_recent);
                let top = top.map(|(figure, is_recent)| Self::Top { figure, is_recent });
                top.ok_or(Refusal::NoFigure)
            }
            _ => return None,
        })
    }
}

impl Partial {
    /// What is being typed; `None` if this program has no such command or option.
    pub fn of(data: &CommandData) -> Option<Self> {
        let (focused, text) = data.options.iter().find_map(|option| match &option.value {
            CommandOptionValue::Focused(text, _) => Some((option.name.as_str(), text.clone())),
            _ => None,
        })?;
        match (data.name.as_str(), focused) {
            (name::MATCH, option::MATCH) => Some(Self::Match(text)),
            (name::EVENING, option::EVENING) => Some(Self::Evening(text)),
            (name::PLAYER, option::PLAYER) => Some(Self::Player(text)),
            _ => None,
        }
    }
}

fn text_of<'a>(options: &'a [CommandDataOption], name: &str) -> Option<&'a str> {
    let option = options.iter().find(|option| option.name == name)?;
    match &option.value {
        CommandOptionValue::String(text) => Some(text),
        _ => None,
    }
}
