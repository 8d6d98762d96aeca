//! The order in which rounds were played, as a text that databases sort.
//!
//! A `match_id` begins with a local time, so it does not tell the order in the night in which the clock is set back, and not
//! that of servers in different time zones. The end of the round in one time zone does, if times after the clock was set back
//! are marked.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::stats_file::MATCH_ID_FORMAT;

/// The order key of a round that ended at a unix time: its local time as in a `match_id`, so that it can be compared with the
/// `match_id` of a round whose end is unknown. If that time occurs for the second time because the clock was set back, the
/// last second before that comes first: `2025-10-26-025959:2025-10-26-020130`.
pub fn order_key(end_unix: i64, zone: &TimeZone) -> String {
    let end = Timestamp::from_second(end_unix).unwrap_or_default();
    let offset = zone.to_offset(end);
    let local = offset.to_datetime(end);
    let text = local.strftime(MATCH_ID_FORMAT).to_string();
    let AmbiguousOffset::Fold { before, after } = zone.to_ambiguous_timestamp(local).offset()
    else {
        return text;
    };
    if offset != after {
        return text;
    }
    let second = SignedDuration::from_secs(1);
    let next = end.checked_add(second).unwrap_or(end);
    let change = zone.preceding(next).next().map(|change| change.timestamp());
    let last = change.and_then(|change| change.checked_sub(second).ok());
    let last = last.map_or(local, |last| before.to_datetime(last));
    format!("{}:{text}", last.strftime(MATCH_ID_FORMAT))
}

/// The unix time of an order key or of a `match_id`; `None` if the text is neither.
pub fn end_of_order_key(key: &str, zone: &TimeZone) -> Option<i64> {
    let (text, is_second) = match key.split_once(':') {
        Some((_, text)) => (text, true),
        None => (key, false),
    };
    let local = DateTime::strptime(MATCH_ID_FORMAT, text.get(..17)?).ok()?;
    let end = zone.to_ambiguous_timestamp(local);
    let end = if is_second {
        end.later()
    } else {
        end.compatible()
    };
    Some(end.ok()?.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Zones whose clocks change by an hour, by half an hour, by two hours, and at midnight.
    const RULES: [&str; 4] = [
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
        "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3",
        "<-04>4<-03>,M9.1.6/24,M4.1.6/24",
    ];

    #[test]
    fn order_keys_sort_like_the_times_over_every_clock_change_of_a_year() {
        for rule in RULES {
            let zone = TimeZone::posix(rule).unwrap();
            let start = 1_735_689_600;
            let times: Vec<i64> = (0..365 * 24 * 4).map(|n| start + n * 900).collect();
            let keys: Vec<String> = times.iter().map(|at| order_key(*at, &zone)).collect();
            for (pair, at) in keys.windows(2).zip(&times) {
                assert!(pair[0] < pair[1], "{rule} {at}: {pair:?}");
            }
            for (key, at) in keys.iter().zip(&times) {
                assert_eq!(end_of_order_key(key, &zone), Some(*at), "{rule}: {key}");
            }
            let marked = keys.iter().filter(|key| key.contains(':')).count();
            assert!((2..=8).contains(&marked), "{rule}: {marked}");
        }
    }

    #[test]
    fn only_the_repeated_hour_is_marked() {
        let zone = TimeZone::posix(RULES[0]).unwrap();
        let key = |text: &str| order_key(text.parse::<Timestamp>().unwrap().as_second(), &zone);
        assert_eq!(key("2025-10-26T00:59:59Z"), "2025-10-26-025959");
        assert_eq!(
            key("2025-10-26T01:00:00Z"),
            "2025-10-26-025959:2025-10-26-020000"
        );
        assert_eq!(
            key("2025-10-26T01:59:59Z"),
            "2025-10-26-025959:2025-10-26-025959"
        );
        assert_eq!(key("2025-10-26T02:00:00Z"), "2025-10-26-030000");
        for no_key in ["", "x", "2025-10-26", "2025-10-26-0259", "x:y"] {
            assert_eq!(end_of_order_key(no_key, &zone), None, "{no_key}");
        }
        assert_eq!(
            end_of_order_key("2025-10-26-030000.2", &zone),
            Some(1_761_444_000)
        );
    }
}
