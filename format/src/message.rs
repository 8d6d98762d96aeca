//! The STATS_READY message: the JSON body of Discord's "execute webhook".

use serde::{Deserialize, Serialize};

/// `username` of every message; readers check it.
pub const USERNAME: &str = "ET:Legacy Stats";
/// `content` of every message that tells of a round; readers check it.
pub const CONTENT: &str = "STATS_READY";

/// Limits of Discord's embeds; over them it answers 400. In characters, as Discord counts.
pub mod limits {
    /// Fields in an embed.
    pub const FIELDS: usize = 25;
    /// Characters of an embed's title, or of a field's name.
    pub const TITLE: usize = 256;
    /// Characters of a field's value.
    pub const FIELD_VALUE: usize = 1024;
    /// Characters of title, description, field names and values, footer and author together.
    pub const EMBED: usize = 6000;
}

/// A message as posted to a webhook.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// [`USERNAME`].
    #[serde(default)]
    pub username: String,
    /// [`CONTENT`].
    #[serde(default)]
    pub content: String,
    /// One embed.
    #[serde(default)]
    pub embeds: Vec<Embed>,
    /// `{"parse": []}`: a name must never ping anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_mentions: Option<AllowedMentions>,
}

/// Who may be pinged by a message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AllowedMentions {
    /// Kinds of mentions that ping: none.
    pub parse: Vec<String>,
}

/// The embed of a message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Embed {
    /// `Round Complete: <map> R<n>`.
    #[serde(default)]
    pub title: String,
    /// A line for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// 3447003, Discord's blue.
    #[serde(default)]
    pub color: u32,
    /// Name and value pairs, see `docs/json.md`.
    #[serde(default)]
    pub fields: Vec<Field>,
    /// Tells the recorder and its version.
    #[serde(default)]
    pub footer: Footer,
}

impl Embed {
    /// The characters that Discord counts against [`limits::EMBED`].
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

    /// The value of a field, its name compared without regard to case, as readers do.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|f| f.name.eq_ignore_ascii_case(name))
            .map(|f| f.value.as_str())
    }
}

/// One field of an embed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// `Lua_Playtime`.
    pub name: String,
    /// `512 sec`.
    pub value: String,
    /// Whether Discord may put it beside others.
    #[serde(default)]
    pub inline: bool,
}

/// The last line of an embed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    /// Holds the recorder's version as `v1.2.3`.
    #[serde(default)]
    pub text: String,
}
