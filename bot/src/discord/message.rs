//! Whether a message is taken, and what of it.

use std::collections::{BTreeSet, HashMap};

use gametimes_format::message::{self as format, Embed, Field, Footer};
use gametimes_format::{digest, file};
use twilight_model::channel::Message;
use twilight_model::channel::message::MessageFlags;

use super::attachments::{DownloadError, Downloader};
use crate::config::Discord;
use crate::db::{Content, IngestItem};
use gametimes_rounds::report::{Report, signature_in};

/// A message of the control channel, as far as we look at it.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// Its snowflake, which also tells when it was posted.
    pub id: u64,
    /// The channel.
    pub channel_id: u64,
    /// The webhook that posted it; `None` for a person or a bot.
    pub webhook_id: Option<u64>,
    /// The author's name.
    pub username: String,
    /// The text.
    pub content: String,
    /// The embeds.
    pub embeds: Vec<Embed>,
    /// The attached files.
    pub attachments: Vec<Attachment>,
    /// Whether Discord gives nothing of it, as it does without the Message Content intent: a message holds something.
    pub is_blank: bool,
}

/// An attached file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// Where it lies.
    pub url: String,
    /// How large Discord says it is.
    pub size_bytes: u64,
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

/// Nothing that people could have posted is in it. An embed that somebody took away leaves a flag.
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

/// What [`judge`] makes of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Of a webhook of ours, but Discord hides what it says: it must be read again once the bot may see it.
    Hidden,
    /// Not for us: another channel, a person's chat.
    Ignored,
    /// To be stored: a report, or a rejection with its reason.
    Taken(Box<IngestItem>),
}

/// Counts messages of each webhook by the minute in which they were posted (not received, so that catching up after an
/// outage counts like having been there).
///
/// A message counts once, however often it is tried again because its attachment cannot be fetched yet.
#[derive(Debug, Default)]
pub struct RateLimit {
    minutes: HashMap<(u64, u64), BTreeSet<u64>>,
}

impl RateLimit {
    fn allows(&mut self, webhook_id: u64, message_id: u64, most: usize) -> bool {
        let minute = (message_id >> 22) / 60_000;
        self.minutes.retain(|(_, m), _| m + 120 > minute);
        let taken = self.minutes.entry((webhook_id, minute)).or_default();
        if taken.len() < most {
            taken.insert(message_id);
        }
        taken.contains(&message_id)
    }
}

/// Decides on a message: cheap checks first, the attachment is fetched last.
///
/// # Errors
/// When the attachment cannot be fetched now; the message should be tried again.
pub async fn judge(
    incoming: &Incoming,
    settings: &Discord,
    limit: &mut RateLimit,
    downloader: &Downloader,
) -> Result<Verdict, DownloadError> {
    if incoming.channel_id != settings.channel_id {
        return Ok(Verdict::Ignored);
    }
    // People may talk in the channel, and this bot may post there.
    let Some(webhook_id) = incoming.webhook_id else {
        return Ok(Verdict::Ignored);
    };
    if incoming.is_blank && settings.webhook_ids.contains(&webhook_id) {
        return Ok(Verdict::Hidden);
    }
    if incoming.content.trim() != format::CONTENT {
        return Ok(Verdict::Ignored);
    }
    let reject = |reason: String| Ok(Verdict::Taken(Box::new(arrival(incoming, Err(reason)))));
    if settings.webhook_ids.is_empty() {
        return reject(format!(
            "discord.webhook_ids is empty, so every message is refused; add {webhook_id} if this webhook is yours"
        ));
    }
    if !settings.webhook_ids.contains(&webhook_id) {
        return reject(format!(
            "webhook {webhook_id} is not in discord.webhook_ids"
        ));
    }
    if incoming.username != settings.username {
        return reject(format!(
            "the author is {:?}, expected {:?}",
            incoming.username, settings.username
        ));
    }
    if !limit.allows(webhook_id, incoming.id, settings.messages_per_minute) {
        return reject(format!(
            "webhook {webhook_id} posted more than {} messages in a minute",
            settings.messages_per_minute
        ));
    }
    let attachment = incoming
        .attachments
        .iter()
        .find(|a| file::is_file_name(&a.name));
    let bytes = match attachment {
        None => None,
        Some(attachment) => match downloader.fetch(attachment, settings).await {
            Ok(bytes) => Some(bytes),
            // Forbidden for good: the fields still tell of the round, unless a signature is needed.
            Err(DownloadError::Refused(why)) => {
                tracing::warn!(
                    "attachment of message {}: {why}; its fields are used",
                    incoming.id
                );
                None
            }
            Err(error @ DownloadError::Unreachable(_)) => return Err(error),
        },
    };
    if let Some(key) = &settings.hmac_key {
        let footer = incoming
            .embeds
            .first()
            .map(|e| e.footer.text.as_str())
            .unwrap_or_default();
        let good = match (&bytes, signature_in(footer)) {
            (Some(bytes), Some(signature)) => {
                digest::verify(key.reveal().as_bytes(), bytes, signature)
            }
            _ => false,
        };
        if !good {
            return reject(
                "a key is set, but the message has no file with a right signature".into(),
            );
        }
    }
    let report = match &bytes {
        Some(bytes) => Report::from_file(bytes),
        None => Report::from_message(&format::Message {
            username: incoming.username.clone(),
            content: incoming.content.clone(),
            embeds: incoming.embeds.clone(),
            allowed_mentions: None,
        }),
    };
    Ok(Verdict::Taken(Box::new(arrival(
        incoming,
        report.map_err(|e| e.0),
    ))))
}

fn arrival(incoming: &Incoming, report: Result<Report, String>) -> IngestItem {
    let content = match report {
        Ok(report) => Content::Report(Box::new(report)),
        Err(reason) => Content::Rejected {
            reason,
            excerpt: incoming
                .embeds
                .first()
                .map(|e| e.title.clone())
                .unwrap_or_default(),
        },
    };
    IngestItem {
        source: "discord",
        origin: format!("message {}", incoming.id),
        server: String::new(),
        content,
        checkpoints: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_tried_again_counts_once() {
        let mut limit = RateLimit::default();
        let id = |minute: u64, n: u64| ((minute * 60_000) << 22) + n;
        for _ in 0..100 {
            assert!(
                limit.allows(1, id(5, 0), 2),
                "its own tries fill the minute"
            );
        }
        assert!(limit.allows(1, id(5, 1), 2));
        assert!(!limit.allows(1, id(5, 2), 2));
        assert!(limit.allows(1, id(5, 1), 2), "taken stays taken");
        assert!(limit.allows(2, id(5, 3), 2) && limit.allows(1, id(6, 0), 2));
    }
}
