//! A message in the stats channel, as it is sent. The same rows always give the same message.

use gametimes_format::digest::{hex, sha256};
use gametimes_format::text::cut;
use serde_json::{Value as Json, json};

/// The file name of the picture.
pub const FILE_NAME: &str = "timeline.png";
/// Discord's limit for the description of a picture.
const ALT_CHARACTERS: usize = 1024;

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct Post {
    embed: Json,
    picture: Option<Picture>,
}

/// The picture of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The picture, which is sent as PNG.
    pub svg: String,
    /// The description for those who do not see it.
    pub alt: String,
}

impl Post {
    /// A message with one embed.
    pub fn new(mut embed: Json, picture: Option<Picture>) -> Self {
        if picture.is_some() {
            embed["image"] = json!({ "url": format!("attachment://{FILE_NAME}") });
        }
        Self { embed, picture }
    }

    /// The picture.
    pub fn svg(&self) -> Option<&str> {
        self.picture.as_ref().map(|picture| picture.svg.as_str())
    }

    /// The body of the request. If Discord has posted a message with the same `nonce` in the last few minutes, it returns that
    /// one instead of posting another.
    pub fn body(&self, nonce: Option<&str>) -> Json {
        let mut body = json!({
            "embeds": [self.embed],
            "allowed_mentions": { "parse": [] },
            "attachments": [],
        });
        if let Some(picture) = &self.picture {
            let alt = cut(&picture.alt, ALT_CHARACTERS);
            body["attachments"] = json!([{ "id": 0, "filename": FILE_NAME, "description": alt }]);
        }
        if let Some(nonce) = nonce {
            body["nonce"] = nonce.into();
            body["enforce_nonce"] = true.into();
        }
        body
    }

    /// Whether a message that Discord returned shows the same.
    pub fn is_shown_by(&self, message: &Json) -> bool {
        let shown = &message["embeds"][0];
        let values = |embed: &Json| -> Vec<Json> {
            let fields = embed["fields"].as_array();
            let value = |field: &Json| field["value"].clone();
            fields.map_or_else(Vec::new, |list| list.iter().map(value).collect())
        };
        shown["title"] == self.embed["title"]
            && shown["description"] == self.embed["description"]
            && values(shown) == values(&self.embed)
    }

    /// A hash of everything the message shows.
    pub fn hash(&self) -> String {
        let body = self.body(None).to_string();
        let svg = self.svg().unwrap_or_default();
        hex(&sha256([body.as_bytes(), svg.as_bytes()]))
    }
}

/// A nonce for what a text identifies, at most 25 characters long, which is Discord's limit.
pub fn nonce(text: &str) -> String {
    cut(&hex(&sha256([text.as_bytes()])), 25)
}
