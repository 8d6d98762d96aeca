//! Marks the days whose rounds have changed, so that the sums of their players are computed again.

use super::{PendingRound, RoundRecord, Writer};
use crate::db::DbError;
use crate::db::player_sums::mark_days;

impl Writer<'_, '_> {
    /// Marks the days of rounds that were written, of what they were before, and of rounds that were deleted.
    pub(super) async fn mark_stale_days(
        &mut self,
        pending: &[PendingRound<'_>],
        obsolete: &[RoundRecord],
    ) -> Result<(), DbError> {
        let written = pending.iter().map(|round| round.rows.match_id.as_str());
        let before = pending.iter().filter_map(|round| round.record.as_ref());
        let before = before.chain(obsolete).map(|r| r.match_id.as_str());
        mark_days(self.transaction, written.chain(before)).await
    }
}
