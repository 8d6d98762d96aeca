//! Retrying the download of attached files, for up to a week. The messages are read again for it, because the URLs in
//! them expire.

use jiff::Timestamp;
use twilight_http::error::ErrorType;
use twilight_model::id::Id;

use super::channel::{ContentHidden, ControlChannel};
use super::message::{Decision, Incoming};
use crate::db::Checkpoint;

/// How long after it was posted the file of a message is tried.
const RETRY_FOR_MS: u64 = 7 * 24 * 3600 * 1000;

impl ControlChannel {
    /// Retries the messages whose files could not be downloaded yet, until one fails again, which is put behind the others.
    /// Returns whether none is left.
    pub(super) async fn download_missing_files(&mut self) -> bool {
        while let Some(id) = self.without_file.pop_front() {
            match self.decide_again(id).await {
                Ok(decision) => {
                    let name = self.file_checkpoint_name(&id.to_string());
                    self.submit(id, decision, vec![Checkpoint::Forgotten { name }])
                        .await;
                }
                Err(error) => {
                    self.report(&format!("message {id}: {error}"));
                    self.without_file.push_back(id);
                    return false;
                }
            }
        }
        true
    }

    async fn decide_again(&mut self, id: u64) -> Result<Decision, String> {
        let Some(mut message) = self.request_message(id).await? else {
            return Ok(Decision::Ignore);
        };
        let now_ms = Timestamp::now().as_millisecond().unsigned_abs();
        if posted_ms(id) + RETRY_FOR_MS < now_ms {
            message.attachments.clear();
        }
        match self.decide(&message).await.map_err(|e| e.to_string())? {
            Decision::ContentHidden => Err(ContentHidden.to_string()),
            decision => Ok(decision),
        }
    }

    /// One message of the channel; `None` if it was deleted.
    async fn request_message(&self, id: u64) -> Result<Option<Incoming>, String> {
        let message = Id::new_checked(id).ok_or("the message has no id")?;
        match self.client.message(self.channel_id()?, message).await {
            Ok(response) => {
                let message = response.model().await.map_err(|e| e.to_string())?;
                Ok(Some(message.into()))
            }
            Err(error) => match error.kind() {
                ErrorType::Response { status, .. } if status.get() == 404 => Ok(None),
                _ => Err(error.to_string()),
            },
        }
    }
}

/// When a message was posted, unix time in ms. Its id contains that.
fn posted_ms(id: u64) -> u64 {
    /// The first second of 2015, from which Discord counts.
    const EPOCH_MS: u64 = 1_420_070_400_000;
    (id >> 22) + EPOCH_MS
}
