//! Limits how often complaints are logged.

use std::time::{Duration, Instant};

use crate::observe::Complaint;

/// The shortest time between two lines about the same kind of complaint.
const COMPLAIN_EVERY: Duration = Duration::from_secs(5);

/// The complaints that were not logged yet, by kind.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    counts: [u32; Complaint::ALL.len()],
    logged: [Option<Instant>; Complaint::ALL.len()],
}

impl Complaints {
    /// Adds the observer's counts.
    pub(super) fn add(&mut self, new: &[u32; Complaint::ALL.len()]) {
        for (sum, n) in self.counts.iter_mut().zip(new) {
            *sum = sum.saturating_add(*n);
        }
    }

    /// The next complaint to log now, with its count since it was last logged.
    pub(super) fn due(&mut self) -> Option<(Complaint, u32)> {
        let complaint = Complaint::ALL.into_iter().find(|&kind| {
            self.counts[kind as usize] > 0
                && self.logged[kind as usize].is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY)
        })?;
        self.logged[complaint as usize] = Some(Instant::now());
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
    fn a_flood_of_complaints_is_one_line_with_a_count() {
        let mut complaints = Complaints::default();
        let mut flood = [0; Complaint::ALL.len()];
        flood[Complaint::Slot as usize] = 1000;
        complaints.add(&flood);
        assert_eq!(complaints.due(), Some((Complaint::Slot, 1000)));
        assert_eq!(complaints.due(), None);
        complaints.add(&flood);
        complaints.add(&flood);
        assert_eq!(complaints.due(), None, "logged a moment ago");
        complaints.logged[Complaint::Slot as usize] = Instant::now().checked_sub(COMPLAIN_EVERY);
        assert_eq!(complaints.due(), Some((Complaint::Slot, 2000)));
    }
}
