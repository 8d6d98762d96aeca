//! The messages for players in the stats channel: one for each round and for each evening, edited when data that arrives later
//! changes it.
//!
//! Every few seconds the bot asks the database for rounds that have changed since it last looked at them. It claims a round
//! in the post log before it sends anything, so several bots on one database post each round once. If the bot is killed
//! between Discord's answer and storing it, the claim expires and the message is sent again with the same nonce, for which
//! Discord returns the existing message. Nothing here delays the import.
//!
//! [`rounds`] and [`evenings`] decide which messages are due, [`round_message`] and [`super::evening_text`] make them of typed rows,
//! [`sender`] sends them. [`live`] keeps the messages of another channel, about the rounds that are being played.

mod evenings;
pub mod live;
mod post;
mod round_message;
mod rounds;
mod sender;

use std::sync::Arc;
use std::time::Duration;

use tokio::time;
use tracing::warn;
use twilight_http::Client;

use self::evenings::EveningWatch;
use self::sender::Sender;
use crate::backoff::Backoff;
use crate::config::StatsChannel;
use crate::db::{Db, DbError};
use crate::status::Status;

/// How often the bot looks for changed rounds.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// How long it waits after the database failed.
const DATABASE_BACKOFF: Backoff = Backoff::new(Duration::from_secs(4), Duration::from_secs(60));
/// Messages about rounds that ended earlier than this are not edited any more.
const EDIT_SECONDS: i64 = 7 * 24 * 3600;
/// The name of the stats channel in the status.
const SOURCE: &str = "stats channel";

/// Posts and edits until dropped. `public_url` is where people open the pages.
pub async fn run(
    settings: StatsChannel,
    public_url: Option<String>,
    client: Client,
    db: Db,
    status: Arc<Status>,
) {
    let sender = Sender {
        client,
        channel_id: settings.channel_id,
        status: Arc::clone(&status),
        source: SOURCE,
    };
    let poster = Poster {
        settings,
        public_url,
        sender,
        db,
    };
    let mut backoff = DATABASE_BACKOFF;
    let mut evenings = EveningWatch::default();
    loop {
        let updated = poster.update_all(&mut evenings).await;
        let wait = match updated {
            Ok(()) => {
                backoff.reset();
                POLL_INTERVAL
            }
            Err(error) => {
                let wait = backoff.next_wait();
                status.failed(SOURCE, &error.to_string());
                warn!(
                    "stats channel: {error}; trying again in {} s",
                    wait.as_secs()
                );
                wait
            }
        };
        time::sleep(wait).await;
    }
}

struct Poster {
    settings: StatsChannel,
    public_url: Option<String>,
    sender: Sender,
    db: Db,
}

impl Poster {
    /// Brings the messages of everything that has changed up to date.
    async fn update_all(&self, evenings: &mut EveningWatch) -> Result<(), DbError> {
        self.update_rounds().await?;
        if self.settings.digest {
            self.update_evenings(evenings).await?;
        }
        Ok(())
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
