//! Which row of `rounds` that another bot wrote is the same round as one of ours.

use gametimes_rounds::reconcile::{WINDOW_SECONDS, unix_of};
use jiff::tz::TimeZone;

/// What is known about a round of ours.
pub(super) struct OwnRound {
    pub canonical_id: String,
    /// The name of the stats file; empty if unknown.
    pub stats_name: String,
    pub end_unix: i64,
}

/// A row of the other bot with the map and the number of our round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub id: i64,
    pub canonical_id: String,
    /// `round_date` and `round_time`, as in the name of the stats file: `YYYY-MM-DD-HHMMSS`.
    pub written: String,
}

/// Finds the row of our round: the one with its `round_canonical_id`, else the one of its stats file. If we do not know the stats
/// file, as with a message of an old script, it is the row written closest to the end of the round.
pub(super) fn find(own: &OwnRound, candidates: &[Candidate], zone: &TimeZone) -> Option<i64> {
    let same_id = |c: &&Candidate| !c.canonical_id.is_empty() && c.canonical_id == own.canonical_id;
    if let Some(found) = candidates.iter().find(same_id) {
        return Some(found.id);
    }
    if let Some(written) = own.stats_name.get(..17) {
        let found = candidates.iter().find(|c| c.written == written);
        return found.map(|c| c.id);
    }
    let mut near: Vec<(i64, i64)> = candidates
        .iter()
        .filter_map(|c| Some(((unix_of(&c.written, zone)? - own.end_unix).abs(), c.id)))
        .filter(|(distance, _)| *distance <= WINDOW_SECONDS)
        .collect();
    near.sort_unstable();
    match near.as_slice() {
        [(first, _), (second, _), ..] if first == second => None,
        [(_, id), ..] => Some(*id),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: i64, canonical_id: &str, written: &str) -> Candidate {
        Candidate {
            id,
            canonical_id: canonical_id.into(),
            written: written.into(),
        }
    }

    fn found(canonical_id: &str, stats_name: &str, candidates: &[Candidate]) -> Option<i64> {
        let own = OwnRound {
            canonical_id: canonical_id.into(),
            stats_name: stats_name.into(),
            end_unix: unix_of("2026-11-20-125043", &TimeZone::UTC).unwrap(),
        };
        find(&own, candidates, &TimeZone::UTC)
    }

    #[test]
    fn canonical_id_comes_before_the_name_of_the_stats_file() {
        let rows = [
            candidate(1, "", "2026-11-20-125046"),
            candidate(2, "abc", "2026-11-20-130000"),
        ];
        let name = "2026-11-20-125046-room1-round-1.txt";
        assert_eq!(found("abc", name, &rows), Some(2));
        assert_eq!(found("", name, &rows), Some(1));
        assert_eq!(found("", name, &rows[1..]), None);
    }

    #[test]
    fn round_without_stats_file_gets_the_only_closest_row() {
        let rows = [
            candidate(1, "", "2026-11-20-125046"),
            candidate(2, "", "2026-11-20-125100"),
        ];
        assert_eq!(found("", "", &rows), Some(1));
        assert_eq!(
            found(
                "",
                "",
                &[rows[0].clone(), candidate(3, "", "2026-11-20-125040")]
            ),
            None
        );
        assert_eq!(
            found("", "", &[candidate(4, "", "2026-11-20-125200")]),
            None
        );
    }
}
