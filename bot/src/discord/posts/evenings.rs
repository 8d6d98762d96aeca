//! The digests: one message after each evening, edited when data that arrives later changes the evening.

use gametimes_rounds::matches::{EVENING_GAP_SECONDS, Evening};
use jiff::Timestamp;

use super::post::{Post, nonce};
use super::rounds::is_worth_posting;
use super::sender::CLAIM_SECONDS;
use super::{EDIT_SECONDS, Poster, seconds};
use crate::db::DbError;
use crate::db::digests::{LoggedDigest, Span};
use crate::db::summaries::PostOutcome;
use crate::discord::evening_text::{evening_embed, evening_rounds};
use crate::discord::rounds_of;
use crate::display;

/// How many evenings are loaded at a time.
const EVENINGS_PER_PAGE: usize = 2;

/// Which evenings must be looked at, and when.
#[derive(Debug, Default)]
pub(super) struct EveningWatch {
    /// The latest fact that was there at the last look.
    last_fact: i64,
    /// Evenings that ended at this time or later may need a message or an edit; `None` if no evening does.
    dirty_from: Option<i64>,
    /// When to look again, if nothing arrives until then.
    next_unix: i64,
}

impl EveningWatch {
    fn add(&mut self, from: i64) {
        self.dirty_from = Some(self.dirty_from.map_or(from, |before| before.min(from)));
    }
}

impl Poster {
    /// Posts the digests of evenings that are over, and edits those that have changed.
    pub(super) async fn update_evenings(&self, watch: &mut EveningWatch) -> Result<(), DbError> {
        let now = Timestamp::now().as_second();
        if let Some(arrivals) = self.db.arrivals_since(watch.last_fact).await? {
            if arrivals.received_unix > now.saturating_sub(seconds(self.settings.settle)) {
                return Ok(());
            }
            // The round may have begun an evening earlier than its own end.
            watch.add(arrivals.earliest_unix - EVENING_GAP_SECONDS);
            (watch.last_fact, watch.next_unix) = (arrivals.last_fact, now);
        }
        let Some(dirty_from) = watch.dirty_from.filter(|_| watch.next_unix <= now) else {
            return Ok(());
        };
        let post_from = now.saturating_sub(seconds(self.settings.max_age));
        let edit_from = post_from.min(now - EDIT_SECONDS);
        let from = dirty_from.max(edit_from);
        let evenings = self.evenings_from(from).await?;
        let started = evenings.iter().map(|evening| evening.started_unix).min();
        let channel_id = self.settings.channel_id;
        let logged = match started {
            Some(started) => self.db.digests(channel_id, started).await?,
            None => Vec::new(),
        };
        let mut next = EveningWatch {
            last_fact: watch.last_fact,
            dirty_from: None,
            next_unix: i64::MAX,
        };
        for evening in evenings {
            let over_unix = evening.ended_unix + EVENING_GAP_SECONDS;
            let span = span(&evening);
            let look_again_unix = if over_unix > now {
                Some(over_unix)
            } else {
                let logged = logged.iter().find(|logged| logged.span.overlaps(span));
                match logged {
                    None if evening.ended_unix < post_from => None,
                    logged => self.update_evening(&evening, logged).await?,
                }
            };
            if let Some(at) = look_again_unix {
                next.add(evening.ended_unix);
                next.next_unix = next.next_unix.min(at);
            }
        }
        *watch = next;
        Ok(())
    }

    /// The evenings that ended at this time or later, oldest first.
    async fn evenings_from(&self, from: i64) -> Result<Vec<Evening>, DbError> {
        let mut evenings = Vec::new();
        let mut before = None;
        loop {
            let page = self.db.evenings(before, EVENINGS_PER_PAGE).await?;
            let is_older = |evening: &Evening| evening.ended_unix < from;
            let is_done = page.evenings.iter().any(is_older);
            evenings.extend(page.evenings.into_iter().filter(|e| !is_older(e)));
            before = page.next_before;
            if is_done || before.is_none() {
                evenings.reverse();
                return Ok(evenings);
            }
        }
    }

    /// Brings the digest of an evening up to date. Returns when to look again; `None` if there is no need to.
    async fn update_evening(
        &self,
        evening: &Evening,
        logged: Option<&LoggedDigest>,
    ) -> Result<Option<i64>, DbError> {
        if logged.is_some_and(|logged| logged.is_deleted) {
            return Ok(None);
        }
        let rounds = rounds_of(&self.db, evening_rounds(evening)).await?;
        let entry = logged.map(|logged| &logged.entry);
        let is_posted = entry.is_some_and(|entry| entry.message_id.is_some());
        if !is_posted && !rounds.iter().any(is_worth_posting) {
            return Ok(None);
        }
        let embed = evening_embed(evening, &rounds, self.public_url.as_deref());
        let post = Post::new(embed, None);
        if is_posted && entry.is_some_and(|entry| entry.shown == post.hash()) {
            return Ok(None);
        }
        let now = Timestamp::now().as_second();
        let until = now + CLAIM_SECONDS;
        if let Some(entry) = entry.filter(|entry| entry.not_before_unix > now) {
            return Ok(Some(entry.not_before_unix));
        }
        let channel_id = self.settings.channel_id;
        let claimed = self
            .db
            .claim_digest(channel_id, span(evening), logged, until);
        let Some(id) = claimed.await? else {
            // Another bot has it. If that bot fails, this one tries.
            return Ok(Some(until));
        };
        let nonce = nonce(&format!("{channel_id} digest {id}"));
        let label = format!("the evening of {}", display::utc(evening.started_unix));
        let outcome = self.sender.update(&post, entry, &nonce, &label).await;
        self.db.record_digest(id, &outcome).await?;
        Ok(match outcome {
            PostOutcome::Failed { retry_unix } => Some(retry_unix),
            PostOutcome::Outdated { .. } => Some(now),
            PostOutcome::Shown { .. } | PostOutcome::Unchanged | PostOutcome::Deleted => None,
        })
    }
}

fn span(evening: &Evening) -> Span {
    Span {
        started_unix: evening.started_unix,
        ended_unix: evening.ended_unix,
    }
}
