//! Limits how often complaints are logged.

use std::time::{Duration, Instant};

use crate::observe::Complaint;

/// The shortest time between two lines about the same kind of complaint.
const COMPLAIN_EVERY: Duration = Duration::from_secs(5);
/// While complaints wait, one in this many frames reads the clock, which costs as much as the rest of a frame.
const CLOCK_FRAMES: u32 = 16;

/// The complaints that were not logged yet, by kind.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    counts: [u32; Complaint::ALL.len()],
    /// Whether one of the counts is not 0.
    any: bool,
    asked: u32,
    logged: [Option<Instant>; Complaint::ALL.len()],
}

impl Complaints {
    /// Adds the observer's counts.
    pub(super) fn add(&mut self, new: &[u32; Complaint::ALL.len()]) {
        self.any = true;
        for (sum, n) in self.counts.iter_mut().zip(new) {
            *sum = sum.saturating_add(*n);
        }
    }

    /// The next complaint to log now, with its count since it was last logged. Asked in every frame.
    pub(super) fn due(&mut self) -> Option<(Complaint, u32)> {
        if !self.any {
            return None;
        }
        self.asked = self.asked.wrapping_add(1);
        let clock = self.asked.is_multiple_of(CLOCK_FRAMES);
        let complaint = Complaint::ALL.into_iter().find(|&kind| {
            self.counts[kind as usize] > 0
                && self.logged[kind as usize]
                    .is_none_or(|at| clock && at.elapsed() >= COMPLAIN_EVERY)
        })?;
        self.logged[complaint as usize] = Some(Instant::now());
        let count = std::mem::take(&mut self.counts[complaint as usize]);
        self.any = self.counts.iter().any(|&n| n > 0);
        Some((complaint, count))
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
        let due: Vec<_> = (0..CLOCK_FRAMES).filter_map(|_| complaints.due()).collect();
        assert_eq!(due, [(Complaint::Slot, 2000)]);
    }
}
