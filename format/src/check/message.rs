//! Checks the message.

use super::Problem;
use super::checker::Checker;
use crate::message::{self, Message, limits};
use std::fmt::Display;

/// All problems of a message. The paths of the problems begin with `path`.
pub fn check_message(message: &Message, path: impl Display + Copy) -> Vec<Problem> {
    let mut c = Checker::default();
    c.doubt_unless(
        message.username == message::USERNAME,
        format_args!("{path}.username"),
        || {
            format!(
                "{:?}, but readers expect {:?}",
                message.username,
                message::USERNAME
            )
        },
    );
    c.doubt_unless(
        message.content == message::CONTENT,
        format_args!("{path}.content"),
        || {
            format!(
                "{:?}, but readers expect {:?}",
                message.content,
                message::CONTENT
            )
        },
    );
    let [embed] = message.embeds.as_slice() else {
        c.doubt_unless(false, format_args!("{path}.embeds"), || {
            format!("{} embeds instead of one", message.embeds.len())
        });
        return c.problems;
    };
    let path = format_args!("{path}.embeds[0]");
    c.doubt_unless(embed.fields.len() <= limits::FIELDS, path, || {
        format!(
            "{} fields, but Discord takes {}",
            embed.fields.len(),
            limits::FIELDS
        )
    });
    c.doubt_unless(embed.characters() <= limits::EMBED, path, || {
        format!(
            "{} characters, but Discord takes {}",
            embed.characters(),
            limits::EMBED
        )
    });
    for field in &embed.fields {
        let count = field.value.chars().count();
        c.doubt_unless(
            (1..=limits::FIELD_VALUE).contains(&count) || field.value.is_empty(),
            format_args!("{path}.{}", field.name),
            || {
                format!(
                    "{count} characters, but Discord takes {}",
                    limits::FIELD_VALUE
                )
            },
        );
        if field.name.to_ascii_lowercase().ends_with("_json") {
            c.doubt_unless(
                serde_json::from_str::<serde_json::Value>(&field.value).is_ok_and(|v| v.is_array()),
                format_args!("{path}.{}", field.name),
                || "not a JSON list".into(),
            );
        }
    }
    for (i, name) in FIELDS.iter().enumerate() {
        let found = embed.fields.get(i).map(|f| f.name.as_str());
        c.doubt_unless(
            found == Some(name),
            format_args!("{path}.fields[{i}]"),
            || format!("{found:?}, but readers expect {name:?} here"),
        );
    }
    c.problems
}

/// The fields of the message, in the order in which readers know them. New fields follow them.
pub const FIELDS: [&str; 21] = [
    "Map",
    "Round",
    "Winner",
    "Defender",
    "Lua_Playtime",
    "Lua_Timelimit",
    "Lua_Pauses",
    "Lua_EndReason",
    "Lua_Warmup",
    "Lua_WarmupStart",
    "Lua_RoundStart",
    "Lua_RoundEnd",
    "Lua_SurrenderTeam",
    "Lua_SurrenderCaller",
    "Lua_SurrenderCallerName",
    "Lua_AxisScore",
    "Lua_AlliesScore",
    "Axis_JSON",
    "Allies_JSON",
    "Lua_Pauses_JSON",
    "Lua_SpawnSummary",
];
