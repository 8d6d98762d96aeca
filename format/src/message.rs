//! The STATS_READY message: the JSON body that is posted to a Discord webhook.

use serde::{Deserialize, Serialize};

/// The `username` of every message. Readers check it.
pub const USERNAME: &str = "ET:Legacy Stats";
/// The `content` of every message about a round. Readers check it.
pub const CONTENT: &str = "STATS_READY";

/// Discord's limits for messages, in Unicode characters. A message that exceeds one is answered with 400.
pub mod limits {
    /// Fields in an embed.
    pub const FIELDS: usize = 25;
    /// Characters of an embed's title, or of a field's name.
    pub const TITLE: usize = 256;
    /// Characters of a field's value.
    pub const FIELD_VALUE: usize = 1024;
    /// Characters of title, description, field names and values, footer and author together.
    pub const EMBED: usize = 6000;
    /// Bytes of a post with its attachments, on servers without boosts.
    pub const UPLOAD_BYTES: usize = 10_000_000;
}

/// A message as posted to a webhook.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Message {
    /// The sender's name, always `ET:Legacy Stats`.
    #[serde(default)]
    pub username: String,
    /// The text of the message, always `STATS_READY`.
    #[serde(default)]
    pub content: String,
    /// The embeds; there is always one.
    #[serde(default)]
    pub embeds: Vec<Embed>,
    /// `{"parse": []}`, so that a player's name never pings a Discord user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_mentions: Option<AllowedMentions>,
}

/// The mentions in a message that ping.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AllowedMentions {
    /// The kinds of mentions that ping; always empty.
    pub parse: Vec<String>,
}

/// The embed of a message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Embed {
    /// The title, `Round Complete: <map> R<n>`.
    #[serde(default)]
    pub title: String,
    /// A line that explains the times.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The colour of the embed: 3447003, Discord's blue.
    #[serde(default)]
    pub color: u32,
    /// The fields, see `docs/json.md`.
    #[serde(default)]
    pub fields: Vec<Field>,
    /// The recorder and its version.
    #[serde(default)]
    pub footer: Footer,
}

impl Embed {
    /// The number of characters that Discord counts against [`limits::EMBED`].
    pub fn characters(&self) -> usize {
        let count = |s: &str| s.chars().count();
        count(&self.title)
            + count(&self.description)
            + count(&self.footer.text)
            + self
                .fields
                .iter()
                .map(|f| count(&f.name) + count(&f.value))
                .sum::<usize>()
    }

    /// The value of a field. Like readers, it ignores the case of the name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|f| f.name.eq_ignore_ascii_case(name))
            .map(|f| f.value.as_str())
    }
}

/// One field of an embed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Field {
    /// The name, such as `Lua_Playtime`.
    pub name: String,
    /// The value, such as `512 sec`.
    pub value: String,
    /// Whether Discord may show it beside other fields.
    #[serde(default)]
    pub inline: bool,
}

/// The last line of an embed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Footer {
    /// A text with the recorder's version, such as `v1.2.3`.
    #[serde(default)]
    pub text: String,
}
