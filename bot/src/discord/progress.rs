//! Which messages of the control channel were processed, and after which one the history must be read again.

use std::collections::BTreeSet;

/// Messages may arrive in another order than their ids. Within this distance of the last one, a minute, each id is checked.
const REORDER_WINDOW: u64 = 60_000 << 22;

/// How far the control channel was read.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The highest id of a message that was begun; 0 before the first one.
    last_id: u64,
    /// The ids of messages within [`REORDER_WINDOW`] of it that were begun.
    recent_ids: BTreeSet<u64>,
    /// Messages that were begun and are not finished: their files are being downloaded.
    unfinished: BTreeSet<u64>,
}

impl Progress {
    /// Continues after a stored checkpoint.
    pub(super) fn after(checkpoint: u64) -> Self {
        Self {
            last_id: checkpoint,
            ..Self::default()
        }
    }

    /// Whether no message was ever seen.
    pub(super) fn is_first_start(&self) -> bool {
        self.last_id == 0
    }

    /// Whether a message was not begun yet.
    pub(super) fn is_new(&self, id: u64) -> bool {
        id > self.history_start() && !self.recent_ids.contains(&id)
    }

    /// The id after which the history is read.
    pub(super) fn history_start(&self) -> u64 {
        self.last_id.saturating_sub(REORDER_WINDOW)
    }

    /// Begins a message.
    pub(super) fn begin(&mut self, id: u64) {
        self.last_id = self.last_id.max(id);
        self.recent_ids.insert(id);
        self.recent_ids = self.recent_ids.split_off(&self.history_start());
        self.unfinished.insert(id);
    }

    /// Everything in a message is ready to be stored.
    pub(super) fn finish(&mut self, id: u64) {
        self.unfinished.remove(&id);
    }

    /// The id to continue after if the bot is killed now: all messages up to it are finished.
    pub(super) fn checkpoint(&self) -> u64 {
        self.unfinished.first().map_or(self.last_id, |id| id - 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Messages are begun in about the order of their ids, some seconds apart, and finished in any order.
        #[test]
        fn a_bot_that_is_killed_reads_every_unfinished_message_again(
            messages in prop::collection::vec((0_u64..90_000, any::<u16>()), 1..40),
            kill_after in 0_usize..80,
        ) {
            let mut posted_ms = 1_000_000_000;
            let mut steps = Vec::new();
            let mut ids = BTreeSet::new();
            for (n, (gap_ms, takes)) in messages.into_iter().enumerate() {
                // Every fifth message is late by some seconds.
                let late_ms = if n % 5 == 4 { 20_000 } else { 0 };
                posted_ms += gap_ms;
                let id = ((posted_ms - late_ms) << 22) + n as u64;
                ids.insert(id);
                steps.push((n * 1000, id, true));
                steps.push((n * 1000 + 1 + usize::from(takes), id, false));
            }
            steps.sort_unstable();
            let mut progress = Progress::default();
            let mut stored = 0;
            let (mut begun, mut finished) = (BTreeSet::new(), BTreeSet::new());
            for (_, id, begins) in steps.into_iter().take(kill_after) {
                if begins {
                    if progress.is_new(id) {
                        progress.begin(id);
                        begun.insert(id);
                    }
                    prop_assert!(!progress.is_new(id), "begun twice");
                } else if begun.contains(&id) {
                    progress.finish(id);
                    finished.insert(id);
                    // The database keeps the highest checkpoint.
                    stored = progress.checkpoint().max(stored);
                }
            }
            let restarted = Progress::after(stored);
            for &id in begun.difference(&finished) {
                prop_assert!(restarted.is_first_start() || restarted.is_new(id), "{id} is lost after {stored}");
            }
            if begun == finished {
                prop_assert_eq!(progress.checkpoint(), begun.last().copied().unwrap_or(0));
            }
        }
    }
}
