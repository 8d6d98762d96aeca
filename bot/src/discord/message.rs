//! Which messages are stored, and what of them.

use std::collections::{BTreeSet, HashMap};

use gametimes_format::message::{self as format, Embed, Field, Footer};
use gametimes_format::{digest, file};
use twilight_model::channel::Message;
use twilight_model::channel::message::MessageFlags;

use super::SOURCE;
use super::attachments::Attachment;
use crate::config::{Discord, Secret};
use crate::db::{Content, IngestItem};
use gametimes_rounds::report::{Report, signature_in};

/// A message of the control channel, reduced to what the bot uses.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// Its id, a snowflake, which contains the time when it was posted.
    pub id: u64,
    /// The channel it was posted in.
    pub channel_id: u64,
    /// The webhook that posted it; `None` for a message of a person or a bot.
    pub webhook_id: Option<u64>,
    /// The name it was posted under.
    pub username: String,
    /// Its text.
    pub content: String,
    /// Its embeds, which contain the fields of the round.
    pub embeds: Vec<Embed>,
    /// Its attached files.
    pub attachments: Vec<Attachment>,
    /// Whether it has no content at all. Discord hides the content from bots without the Message Content intent.
    pub is_blank: bool,
}

impl From<Message> for Incoming {
    fn from(message: Message) -> Self {
        let embed = |e: twilight_model::channel::message::Embed| Embed {
            title: e.title.unwrap_or_default(),
            description: e.description.unwrap_or_default(),
            color: e.color.unwrap_or_default(),
            fields: e
                .fields
                .into_iter()
                .map(|f| Field {
                    name: f.name,
                    value: f.value,
                    inline: f.inline,
                })
                .collect(),
            footer: Footer {
                text: e.footer.map(|f| f.text).unwrap_or_default(),
            },
        };
        Self {
            is_blank: is_blank(&message),
            id: message.id.get(),
            channel_id: message.channel_id.get(),
            webhook_id: message.webhook_id.map(twilight_model::id::Id::get),
            username: message.author.name,
            content: message.content,
            embeds: message.embeds.into_iter().map(embed).collect(),
            attachments: message
                .attachments
                .into_iter()
                .map(|a| Attachment {
                    name: a.filename,
                    url: a.url,
                    size_bytes: a.size,
                })
                .collect(),
        }
    }
}

/// Whether a message is empty in every way. If its embeds were removed by hand, a flag shows that.
fn is_blank(message: &Message) -> bool {
    let removed = message
        .flags
        .is_some_and(|f| f.contains(MessageFlags::SUPPRESS_EMBEDS));
    !removed
        && message.content.is_empty()
        && message.embeds.is_empty()
        && message.attachments.is_empty()
        && message.components.is_empty()
        && message.poll.is_none()
}

/// Discord hides the content of a message. The message must be read again once the bot may see it.
#[derive(Debug, thiserror::Error)]
#[error(
    "messages arrive without their content: enable the Message Content intent (Developer Portal, Bot); the bot reads them \
     once it has the intent"
)]
pub(super) struct ContentHidden;

/// What to do with a message, before its file is downloaded.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It is from one of our webhooks, but Discord hides its content: read it again once the bot may see it.
    ContentHidden,
    /// It is not for the bot: another channel, or a person's chat message.
    Ignore,
    /// Store it as rejected.
    Reject(Box<IngestItem>),
    /// It reports a round, in this file if there is one, else in its fields.
    Round(Option<Attachment>),
}

/// The gametimes file of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachedFile {
    /// Without an attachment, or it cannot be downloaded now.
    None,
    /// It is not downloaded, for this reason.
    Forbidden(String),
    /// Its content.
    Bytes(Vec<u8>),
}

/// Counts the messages of each webhook by the minute in which they were posted. The time of posting and not of receiving
/// counts, so that catching up after an outage does not exceed the limit.
///
/// A message counts once, however often it is retried because its file cannot be downloaded.
#[derive(Debug, Default)]
pub struct RateLimit {
    messages: HashMap<(u64, u64), BTreeSet<u64>>,
}

impl RateLimit {
    fn allows(&mut self, webhook_id: u64, message_id: u64, limit: usize) -> bool {
        let minute = (message_id >> 22) / 60_000;
        self.messages.retain(|(_, m), _| m + 120 > minute);
        let counted = self.messages.entry((webhook_id, minute)).or_default();
        if counted.len() < limit {
            counted.insert(message_id);
        }
        counted.contains(&message_id)
    }
}

/// Decides what to do with a message. Its file is downloaded after all checks that cost nothing. `rate_limit` is `None` for a message
/// that was counted before.
pub fn check(
    message: &Incoming,
    settings: &Discord,
    rate_limit: Option<&mut RateLimit>,
) -> Verdict {
    if message.channel_id != settings.channel_id {
        return Verdict::Ignore;
    }
    // People may chat in the channel, and this bot may post there.
    let Some(webhook_id) = message.webhook_id else {
        return Verdict::Ignore;
    };
    if message.is_blank && settings.webhook_ids.contains(&webhook_id) {
        return Verdict::ContentHidden;
    }
    if message.content.trim() != format::CONTENT {
        return Verdict::Ignore;
    }
    if let Err(reason) = check_author(message, webhook_id, settings) {
        return Verdict::Reject(Box::new(rejected(message, reason)));
    }
    let limit = settings.messages_per_minute;
    if !rate_limit.is_none_or(|counts| counts.allows(webhook_id, message.id, limit)) {
        let reason = format!("webhook {webhook_id} posted more than {limit} messages in a minute");
        return Verdict::Reject(Box::new(rejected(message, reason)));
    }
    let mut files = message.attachments.iter();
    Verdict::Round(files.find(|a| file::is_file_name(&a.name)).cloned())
}

/// Checks that a message is from one of our webhooks and under the expected name. The error is the reason to reject it.
fn check_author(message: &Incoming, webhook_id: u64, settings: &Discord) -> Result<(), String> {
    if settings.webhook_ids.is_empty() {
        return Err(format!(
            "discord.webhook_ids is empty, so all messages are rejected; add {webhook_id} if this webhook is yours"
        ));
    }
    if !settings.webhook_ids.contains(&webhook_id) {
        return Err(format!(
            "webhook {webhook_id} is not in discord.webhook_ids"
        ));
    }
    if message.username != settings.username {
        return Err(format!(
            "the author is {:?}, expected {:?}",
            message.username, settings.username
        ));
    }
    Ok(())
}

/// The round of a message. Without a file, or if the settings forbid to download it, the fields of the message describe the round,
/// unless a signature is required.
pub fn item(message: &Incoming, file: AttachedFile, settings: &Discord) -> IngestItem {
    if let Some(key) = &settings.hmac_key {
        let fault = match &file {
            AttachedFile::Bytes(bytes) if is_signed(message, bytes, key) => None,
            AttachedFile::Forbidden(why) => Some(format!("its file is not used: {why}")),
            AttachedFile::Bytes(_) | AttachedFile::None => {
                Some("the message has no file with a valid signature".to_owned())
            }
        };
        if let Some(fault) = fault {
            return rejected(message, format!("discord.hmac_key is set, but {fault}"));
        }
    }
    let report = match &file {
        AttachedFile::Bytes(bytes) => Report::from_file(bytes),
        AttachedFile::None | AttachedFile::Forbidden(_) => Report::from_message(&format::Message {
            username: message.username.clone(),
            content: message.content.clone(),
            embeds: message.embeds.clone(),
            allowed_mentions: None,
        }),
    };
    match report {
        Ok(report) => item_of(message, Content::Report(Box::new(report))),
        Err(refused) => rejected(message, refused.0),
    }
}

/// Whether the message's footer contains the signature of its file.
fn is_signed(message: &Incoming, file: &[u8], key: &Secret) -> bool {
    let footer = message
        .embeds
        .first()
        .map_or("", |embed| &embed.footer.text);
    signature_in(footer)
        .is_some_and(|signature| digest::verify(key.reveal().as_bytes(), file, signature))
}

fn rejected(message: &Incoming, reason: String) -> IngestItem {
    let embed = message.embeds.first();
    let excerpt = embed.map(|embed| embed.title.clone()).unwrap_or_default();
    item_of(message, Content::Rejected { reason, excerpt })
}

fn item_of(message: &Incoming, content: Content) -> IngestItem {
    IngestItem {
        source: SOURCE,
        origin: format!("message {}", message.id),
        server: String::new(),
        webhook: message.webhook_id,
        content,
        checkpoints: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_retried_counts_once() {
        let mut limit = RateLimit::default();
        let id = |minute: u64, n: u64| ((minute * 60_000) << 22) + n;
        for _ in 0..100 {
            assert!(
                limit.allows(1, id(5, 0), 2),
                "its own retries used up the limit"
            );
        }
        assert!(limit.allows(1, id(5, 1), 2));
        assert!(!limit.allows(1, id(5, 2), 2));
        assert!(
            limit.allows(1, id(5, 1), 2),
            "a counted message stays allowed"
        );
        assert!(limit.allows(2, id(5, 3), 2) && limit.allows(1, id(6, 0), 2));
    }
}
