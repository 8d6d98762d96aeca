//! How many commands a person may use.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Commands of a person per [`WINDOW`].
const COMMANDS: u32 = 10;
/// Suggestions for a person per [`WINDOW`]: Discord asks with every letter that is typed.
const SUGGESTIONS: u32 = 60;
/// The time in which commands are counted.
const WINDOW: Duration = Duration::from_secs(30);
/// More people than this in one window are not told apart any more.
const PEOPLE: usize = 10_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A command.
    Command,
    /// The suggestions while a command is typed.
    Suggestions,
}

/// Whether a command is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Answer,
    /// It is refused, with the time after which to try again.
    Refuse {
        /// Until the next one is answered.
        wait: Duration,
    },
    /// It is not, and the person knows.
    Ignore,
}

/// Counts the commands of each person.
#[derive(Debug, Default)]
pub struct Limits {
    counts: HashMap<(u64, Kind), (Instant, u32)>,
}

impl Limits {
    /// Counts a command.
    pub fn count(&mut self, person: u64, kind: Kind, now: Instant) -> Verdict {
        if self.counts.len() >= PEOPLE {
            self.counts.retain(|_, (since, _)| now - *since < WINDOW);
        }
        if self.counts.len() >= PEOPLE {
            return Verdict::Ignore;
        }
        let (since, count) = self.counts.entry((person, kind)).or_insert((now, 0));
        if now - *since >= WINDOW {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        let limit = match kind {
            Kind::Command => COMMANDS,
            Kind::Suggestions => SUGGESTIONS,
        };
        match *count {
            n if n <= limit => Verdict::Answer,
            n if n == limit + 1 => Verdict::Refuse {
                wait: WINDOW - (now - *since),
            },
            _ => Verdict::Ignore,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_over_the_limit_are_refused_once_and_then_ignored() {
        let (mut limits, start) = (Limits::default(), Instant::now());
        for _ in 0..COMMANDS {
            assert_eq!(limits.count(1, Kind::Command, start), Verdict::Answer);
        }
        let later = start + Duration::from_secs(10);
        let wait = WINDOW - Duration::from_secs(10);
        assert_eq!(
            limits.count(1, Kind::Command, later),
            Verdict::Refuse { wait }
        );
        assert_eq!(limits.count(1, Kind::Command, later), Verdict::Ignore);
        // Others, and the suggestions, are counted by themselves.
        assert_eq!(limits.count(2, Kind::Command, later), Verdict::Answer);
        assert_eq!(limits.count(1, Kind::Suggestions, later), Verdict::Answer);
        assert_eq!(
            limits.count(1, Kind::Command, start + WINDOW),
            Verdict::Answer
        );
    }

    #[test]
    fn number_of_people_is_bounded() {
        let (mut limits, start) = (Limits::default(), Instant::now());
        for person in 0..2 * PEOPLE as u64 {
            limits.count(person, Kind::Command, start);
        }
        assert_eq!(limits.counts.len(), PEOPLE);
        assert_eq!(
            limits.count(0, Kind::Command, start + WINDOW),
            Verdict::Answer
        );
    }
}
