//! When a stats file was written, although its name contains local time only.
//!
//! In the night in which the clock is set back, an hour of local time occurs twice. A name from that hour allows two times;
//! the report of the round, if there is one, decides.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::{Document, Fact, MATCH_ID_FORMAT, WINDOW_SECONDS};

/// How far around a clock change local times can be ambiguous. No zone changes its clock by more than this.
const AROUND_A_CHANGE: SignedDuration = SignedDuration::from_hours(4);

/// When a stats file was written.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// The times that its name allows: two if the hour occurs twice, else one.
    times: Vec<i64>,
    /// The end of its round, if a report of the round is linked.
    end_unix: Option<i64>,
}

impl Written {
    pub(super) fn of(fact: &Fact, zone: &TimeZone) -> Self {
        let repeated = local_time(fact).and_then(|local| seconds_until_repeated(local, zone));
        let later = repeated.map(|seconds| fact.at_unix.saturating_add(seconds));
        Self {
            times: std::iter::once(fact.at_unix).chain(later).collect(),
            end_unix: None,
        }
    }

    /// Adds the end of the round according to its report. It rules out times that are far from it. If it rules out all of them,
    /// the time zone is wrong, and the times can only be compared with other times from names.
    pub(super) fn set_end(&mut self, end_unix: i64) {
        self.end_unix = Some(end_unix);
        let is_near = |time: &i64| time.abs_diff(end_unix) <= WINDOW_SECONDS.unsigned_abs();
        if self.times.iter().any(is_near) {
            self.times.retain(is_near);
        }
    }

    /// The times that the name allows.
    pub(super) fn times(&self) -> &[i64] {
        &self.times
    }

    /// Whether the name alone does not decide how long after `other` this file was written.
    pub(super) fn is_ambiguous(&self, other: &Self) -> bool {
        (self.end_unix.is_none() || other.end_unix.is_none())
            && self.times.len() + other.times.len() > 2
    }

    /// When the round ended: by its report, else the first of the times that the name allows.
    pub(super) fn end_unix(&self) -> i64 {
        self.end_unix
            .or(self.times.first().copied())
            .unwrap_or_default()
    }

    /// Rules out all other times that the name allows.
    pub(super) fn choose(&mut self, at_unix: i64) {
        self.times = vec![at_unix];
    }

    /// The times of `other` and of this file for which this file was written after `other` with the shortest time between
    /// them.
    pub(super) fn closest_after(&self, other: &Self) -> (i64, i64) {
        let known = |written: &Self| {
            written
                .end_unix
                .map_or(written.times.clone(), |end| vec![end])
        };
        let (times, others) = (known(self), known(other));
        let pairs = others
            .iter()
            .flat_map(|a| times.iter().map(move |b| (*a, *b)));
        let closest = pairs
            .filter(|(a, b)| b > a)
            .min_by_key(|(a, b)| (b.saturating_sub(*a), *a));
        closest.unwrap_or((other.end_unix(), self.end_unix()))
    }

    /// How many seconds after `other` this file was written; the smallest positive number of seconds that is possible, or `None`
    /// if it was not written after it.
    pub(super) fn seconds_after(&self, other: &Self) -> Option<i64> {
        if let (Some(end), Some(other_end)) = (self.end_unix, other.end_unix) {
            return Some(end.saturating_sub(other_end)).filter(|seconds| *seconds > 0);
        }
        let pairs = self
            .times
            .iter()
            .flat_map(|a| other.times.iter().map(move |b| a.saturating_sub(*b)));
        pairs.filter(|seconds| *seconds > 0).min()
    }
}

/// The local time in the name of a file, or of the file of another bot's round.
pub(super) fn local_time(fact: &Fact) -> Option<DateTime> {
    match &fact.document {
        Document::Stats(file) => Some(file.name.written),
        Document::Foreign(foreign) => {
            DateTime::strptime(MATCH_ID_FORMAT, foreign.name.get(..17)?).ok()
        }
        Document::Report(_) => None,
    }
}

/// How long after a local time first occurred it occurs again; `None` if it occurs only once.
fn seconds_until_repeated(local: DateTime, zone: &TimeZone) -> Option<i64> {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Fold { before, after } => {
            Some(i64::from(before.seconds()) - i64::from(after.seconds()))
        }
        _ => None,
    }
}

/// The times of which one may be the true time of a fact with this time: if the clock is set back near it, also those that
/// are off by the repeated hour.
pub fn possible_times(at_unix: i64, zone: &TimeZone) -> Vec<i64> {
    let mut times = vec![at_unix];
    let Ok(at) = Timestamp::from_second(at_unix) else {
        return times;
    };
    let (Ok(from), Ok(to)) = (
        at.checked_sub(AROUND_A_CHANGE),
        at.checked_add(AROUND_A_CHANGE),
    ) else {
        return times;
    };
    let changes = zone.following(from).map(|change| change.timestamp());
    for change in changes.take_while(|change| *change <= to) {
        let Ok(before) = change.checked_sub(SignedDuration::from_secs(1)) else {
            continue;
        };
        let seconds = |at| i64::from(zone.to_offset(at).seconds());
        let repeated = seconds(before) - seconds(change);
        if repeated > 0 {
            times.extend([at_unix - repeated, at_unix + repeated]);
        }
    }
    times
}
