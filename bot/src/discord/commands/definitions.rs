//! The slash commands, as they are registered with Discord.

use serde_json::{Value as Json, json};
use twilight_model::application::command::{
    Command, CommandOption, CommandOptionChoice, CommandOptionChoiceValue, CommandOptionType,
    CommandType,
};
use twilight_model::id::Id;

use crate::discord::player_text::FIGURES;

/// The name of each command.
pub mod name {
    /// The last match.
    pub const LAST: &str = "last";
    /// A match.
    pub const MATCH: &str = "match";
    /// A player.
    pub const PLAYER: &str = "player";
    /// An evening.
    pub const EVENING: &str = "evening";
    /// The best players.
    pub const TOP: &str = "top";
}

/// The names of the options.
pub mod option {
    /// Of `/match`: the id of one of its rounds.
    pub const MATCH: &str = "match";
    /// Of `/player`: a guid or a name.
    pub const PLAYER: &str = "name";
    /// Of `/evening`: a time after its last round.
    pub const EVENING: &str = "evening";
    /// Of `/top`: what the players are compared by, the key of a [`PlayerSort`](crate::db::player_figures::PlayerSort).
    pub const FIGURE: &str = "figure";
    /// Of `/top`: [`ALL_TIME`] or [`RECENT`].
    pub const PERIOD: &str = "period";
    /// All rounds.
    pub const ALL_TIME: &str = "all";
    /// The rounds of the last 30 days.
    pub const RECENT: &str = "30d";
}

/// All commands.
pub fn commands() -> Vec<Command> {
    vec![
        command(name::LAST, "Show the last match", Vec::new()),
        command(
            name::MATCH,
            "Show a match: who won, and the scoreboard",
            vec![completed(
                option::MATCH,
                "Which match: type a map or a team",
                true,
            )],
        ),
        command(
            name::PLAYER,
            "Show a player's figures",
            vec![completed(
                option::PLAYER,
                "Which player: type a part of a name",
                true,
            )],
        ),
        command(
            name::EVENING,
            "Show an evening: its series and maps, and who shone",
            vec![completed(
                option::EVENING,
                "Which evening; the last one if left out",
                false,
            )],
        ),
        command(
            name::TOP,
            "Show the best players",
            vec![
                chosen(
                    option::FIGURE,
                    "What they are compared by; kills per death if left out",
                    FIGURES.map(|(sort, label)| choice(label.to_owned(), sort.key().to_owned())),
                ),
                chosen(
                    option::PERIOD,
                    "Which rounds count; those of the last 30 days if left out",
                    [
                        choice("the last 30 days".to_owned(), option::RECENT.to_owned()),
                        choice("all time".to_owned(), option::ALL_TIME.to_owned()),
                    ],
                ),
            ],
        ),
    ]
}

/// The part of a command that this program defines, to compare with what Discord returns. Discord omits what is false, and adds
/// ids and defaults.
pub fn shape(command: &Command) -> Json {
    let option = |o: &CommandOption| {
        json!({
            "kind": o.kind,
            "name": o.name,
            "description": o.description,
            "required": o.required.unwrap_or(false),
            "autocomplete": o.autocomplete.unwrap_or(false),
            "choices": o.choices.clone().unwrap_or_default(),
        })
    };
    json!({
        "kind": command.kind,
        "name": command.name,
        "description": command.description,
        "options": command.options.iter().map(option).collect::<Vec<Json>>(),
    })
}

#[expect(deprecated, reason = "a struct's fields must all be given")]
fn command(name: &str, description: &str, options: Vec<CommandOption>) -> Command {
    Command {
        application_id: None,
        contexts: None,
        default_member_permissions: None,
        description: description.to_owned(),
        description_localizations: None,
        dm_permission: None,
        guild_id: None,
        id: None,
        integration_types: None,
        kind: CommandType::ChatInput,
        name: name.to_owned(),
        name_localizations: None,
        nsfw: None,
        options,
        version: Id::new(1),
    }
}

/// A text that Discord completes with the bot's suggestions.
fn completed(name: &str, description: &str, required: bool) -> CommandOption {
    CommandOption {
        autocomplete: Some(true),
        ..text(name, description, required)
    }
}

/// A text that is one of these.
fn chosen<const N: usize>(
    name: &str,
    description: &str,
    choices: [CommandOptionChoice; N],
) -> CommandOption {
    CommandOption {
        choices: Some(choices.to_vec()),
        ..text(name, description, false)
    }
}

fn text(name: &str, description: &str, required: bool) -> CommandOption {
    CommandOption {
        autocomplete: None,
        channel_types: None,
        choices: None,
        description: description.to_owned(),
        description_localizations: None,
        file_types: None,
        kind: CommandOptionType::String,
        max_length: None,
        max_value: None,
        min_length: None,
        min_value: None,
        name: name.to_owned(),
        name_localizations: None,
        options: None,
        required: Some(required),
    }
}

/// A suggestion: what people see, and the value that the command gets. Discord takes at most 100 characters of each.
pub fn choice(name: String, value: String) -> CommandOptionChoice {
    CommandOptionChoice {
        name,
        name_localizations: None,
        value: CommandOptionChoiceValue::String(value),
    }
}
