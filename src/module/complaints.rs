//! How often complaints are said.

use std::time::{Duration, Instant};

use crate::observe::Complaint;

/// How often the same complaint is said at the most.
const COMPLAIN_EVERY: Duration = Duration::from_secs(5);

/// What was wrong and has not been said yet, by kind.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    counts: [u32; Complaint::ALL.len()],
    said: [Option<Instant>; Complaint::ALL.len()],
}

impl Complaints {
    /// Adds what the observer has counted.
    pub(super) fn add(&mut self, new: &[u32; Complaint::ALL.len()]) {
        for (sum, n) in self.counts.iter_mut().zip(new) {
            *sum = sum.saturating_add(*n);
        }
    }

    /// The next complaint that is to be said now, with how often it came up since it was said last.
    pub(super) fn due(&mut self) -> Option<(Complaint, u32)> {
        let complaint = Complaint::ALL.into_iter().find(|&kind| {
            self.counts[kind as usize] > 0
                && self.said[kind as usize].is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY)
        })?;
        self.said[complaint as usize] = Some(Instant::now());
        Some((
            complaint,
            std::mem::take(&mut self.counts[complaint as usize]),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_with_a_count() {
        let mut complaints = Complaints::default();
        let mut flood = [0; Complaint::ALL.len()];
        flood[Complaint::Slot as usize] = 1000;
        complaints.add(&flood);
        assert_eq!(complaints.due(), Some((Complaint::Slot, 1000)));
        assert_eq!(complaints.due(), None);
        complaints.add(&flood);
        complaints.add(&flood);
        assert_eq!(complaints.due(), None, "said a moment ago");
        complaints.said[Complaint::Slot as usize] = Instant::now().checked_sub(COMPLAIN_EVERY);
        assert_eq!(complaints.due(), Some((Complaint::Slot, 2000)));
    }
}
