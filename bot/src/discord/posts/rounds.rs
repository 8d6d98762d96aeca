//! The messages about rounds: each round is posted once, and its message edited when data that arrives later changes it.

use gametimes_format::rules::is_bot_guid;
use jiff::Timestamp;

use super::post::nonce;
use super::round_message::{RoundNews, round_message};
use super::sender::CLAIM_SECONDS;
use super::{EDIT_SECONDS, Poster, seconds};
use crate::chart::Chart;
use crate::db::DbError;
use crate::db::rounds::RoundDetail;
use crate::db::summaries::{PendingRound, PostOutcome, PostWindow};

/// Rounds shorter than this are not posted, like the module's `gametimes_min_seconds`.
const MIN_SECONDS: i64 = 30;

impl Poster {
    /// Brings the messages of all rounds that have changed up to date.
    pub(super) async fn update_rounds(&self) -> Result<(), DbError> {
        let now = Timestamp::now().as_second();
        let post_from = now.saturating_sub(seconds(self.settings.max_age));
        let window = PostWindow {
            now,
            received_until: now.saturating_sub(seconds(self.settings.settle)),
            post_from,
            edit_from: post_from.min(now - EDIT_SECONDS),
        };
        let (db, channel_id) = (&self.db, self.settings.channel_id);
        for round in db.pending_posts(window).await? {
            let until = Timestamp::now().as_second() + CLAIM_SECONDS;
            if db.claim_post(&round, channel_id, until).await? {
                let outcome = self.update_round(&round).await?;
                db.record_post(&round, &outcome).await?;
            }
        }
        Ok(())
    }

    async fn update_round(&self, pending: &PendingRound) -> Result<PostOutcome, DbError> {
        let round_id = pending.round_id;
        let Some(page) = self.db.round_page(round_id).await? else {
            return Ok(PostOutcome::Unchanged);
        };
        let detail = &page.detail;
        let entry = pending.entry.as_ref();
        let is_posted = entry.is_some_and(|entry| entry.message_id.is_some());
        if !is_posted && !is_worth_posting(detail) {
            return Ok(PostOutcome::Unchanged);
        }
        let post = round_message(RoundNews {
            detail,
            stats_file: page.stats_file.as_ref(),
            of_match: self.db.match_of_round(round_id).await?.as_ref(),
            chart: &Chart::new(detail, &page.timeline),
            public_url: self.public_url.as_deref(),
        });
        let round = &detail.round;
        let (map, number) = (&round.map_name, round.round_number);
        let channel_id = self.settings.channel_id;
        let nonce = nonce(&format!("{channel_id} {round_id} {map} {number}"));
        let label = format!("{map} round {number} (round {round_id})");
        Ok(self.sender.update(&post, entry, &nonce, &label).await)
    }
}

/// Whether a round is posted at all: not if it was too short, or if only bots played.
pub(super) fn is_worth_posting(detail: &RoundDetail) -> bool {
    let duration = detail.round.actual_duration_seconds;
    let is_short = duration.is_some_and(|seconds| seconds < MIN_SECONDS);
    let players = &detail.players;
    let only_bots = !players.is_empty() && players.iter().all(|p| is_bot_guid(&p.guid));
    !is_short && !only_bots
}
