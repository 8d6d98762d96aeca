//! The history of the control channel: what was posted while the bot was not connected.

use std::time::Duration;

use tracing::warn;
use twilight_model::channel::Message;
use twilight_model::id::Id;
use twilight_model::id::marker::ChannelMarker;

use super::SOURCE;
use super::channel::ControlChannel;
use super::message::{ContentHidden, Incoming};
use crate::backoff::Backoff;

/// Messages per page of the history: Discord's maximum.
const PAGE: u16 = 100;

impl ControlChannel {
    /// Processes the history since the last message, page by page. At the very first start, only the latest page counts.
    pub(super) async fn catch_up(&mut self) -> Result<(), ContentHidden> {
        let is_first_start = self.progress.is_first_start();
        let mut after = self.progress.history_start();
        loop {
            let page = self.page(after).await;
            let is_last = page.len() < usize::from(PAGE);
            after = page.last().map_or(after, HistoryMessage::id);
            for message in page {
                if !self.progress.is_new(message.id()) {
                    continue;
                }
                match message {
                    HistoryMessage::Readable(message) => self.process(*message).await?,
                    HistoryMessage::Unreadable { id, reason } => self.reject(id, reason).await,
                }
            }
            if is_last || is_first_start {
                self.retry_missing_files();
                if self.without_file.is_empty() {
                    self.context.status.recovered(SOURCE);
                }
                return Ok(());
            }
        }
    }

    /// A page of the history; retries until Discord answers.
    async fn page(&self, after: u64) -> Vec<HistoryMessage> {
        Backoff::new(Duration::from_millis(500), Duration::from_secs(30))
            .retry(
                || self.request_page(after),
                |error, wait| {
                    let error = format!("reading the control channel's history: {error}");
                    self.report(&error);
                    warn!("{error}; trying again in {} ms", wait.as_millis());
                },
            )
            .await
    }

    /// The messages after an id, oldest first; after 0, the latest ones.
    async fn request_page(&self, after: u64) -> Result<Vec<HistoryMessage>, String> {
        let request = self.client.channel_messages(self.channel_id()?);
        let response = match Id::new_checked(after) {
            Some(after) => request.after(after).limit(PAGE).await,
            None => request.limit(PAGE).await,
        };
        let text = response
            .map_err(|e| e.to_string())?
            .text()
            .await
            .map_err(|e| e.to_string())?;
        let list: Vec<serde_json::Value> =
            serde_json::from_str(&text).map_err(|e| e.to_string())?;
        let mut page: Vec<HistoryMessage> =
            list.into_iter().filter_map(HistoryMessage::parse).collect();
        page.sort_by_key(HistoryMessage::id);
        Ok(page)
    }

    pub(super) fn channel_id(&self) -> Result<Id<ChannelMarker>, String> {
        Id::new_checked(self.settings.channel_id).ok_or_else(|| "discord.channel_id is 0".into())
    }
}

/// A message as the history returns it. Each is parsed alone, so that one that cannot be parsed does not hide the others.
enum HistoryMessage {
    Readable(Box<Incoming>),
    Unreadable { id: u64, reason: String },
}

impl HistoryMessage {
    /// Returns `None` for a message without an id: no checkpoint could be set after it.
    fn parse(message: serde_json::Value) -> Option<Self> {
        let id = message.get("id")?.as_str()?.parse().ok()?;
        Some(match serde_json::from_value::<Message>(message) {
            Ok(message) => Self::Readable(Box::new(message.into())),
            Err(error) => Self::Unreadable {
                id,
                reason: format!("Discord's message cannot be parsed: {error}"),
            },
        })
    }

    fn id(&self) -> u64 {
        match self {
            Self::Readable(message) => message.id,
            Self::Unreadable { id, .. } => *id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_cannot_be_parsed_keeps_its_place_in_the_history() {
        let id_of = |json: serde_json::Value| HistoryMessage::parse(json).map(|m| m.id());
        let broken = serde_json::json!({"id": "77", "type": "a type of the future"});
        assert!(matches!(
            HistoryMessage::parse(broken.clone()),
            Some(HistoryMessage::Unreadable { id: 77, .. })
        ));
        assert_eq!(id_of(broken), Some(77));
        assert_eq!(id_of(serde_json::json!({"type": 0})), None);
    }
}
