//! Keeps the reports of different Discord webhooks apart.
//!
//! Everybody who knows the URL of a webhook can post a report of any round through it. So a report is merged only with reports of
//! the same webhook, and with files that the bot read itself. Where reports of two webhooks want the same file, the one that
//! arrived first gets it: whoever forges a report knows the round only after it has ended.

use super::{Fact, SAME_END_SECONDS, Server};
use crate::report::Report;

/// The webhook whose reports each report may be merged with: the one that it came through. For a file that the bot read itself, it
/// is that of the first report that arrived of the same round, and `None` if there is none. `reports` are ordered by their ends;
/// `file_set` numbers the sets of files that were merged already, which stay together.
pub(super) fn sources(
    facts: &[Fact],
    reports: &[(usize, &Report)],
    file_set: impl Fn(usize) -> usize,
) -> Vec<Option<u64>> {
    let mut best: Vec<Option<(bool, i64, u64)>> = vec![None; reports.len()];
    for (r, (fact, _)) in reports.iter().enumerate() {
        if facts[*fact].webhook.is_none() {
            let set = file_set(r);
            let found = near(reports, r).filter_map(|other| candidate(facts, reports[r], other));
            best[set] = best[set].into_iter().chain(found).min();
        }
    }
    let source = |(r, (fact, _)): (usize, &(usize, &Report))| {
        let of_file = || best[file_set(r)].map(|(_, _, webhook)| webhook);
        facts[*fact].webhook.or_else(of_file)
    };
    reports.iter().enumerate().map(source).collect()
}

/// The reports that end close to this one.
fn near<'a, 'r>(
    reports: &'a [(usize, &'r Report)],
    r: usize,
) -> impl Iterator<Item = (usize, &'r Report)> + 'a {
    let end = reports[r].1.meta.round_end_unix;
    let is_near = move |other: &&(usize, &Report)| {
        (other.1.meta.round_end_unix - end).abs() <= SAME_END_SECONDS
    };
    let before = reports[..r].iter().rev().take_while(is_near);
    before
        .chain(reports[r + 1..].iter().take_while(is_near))
        .copied()
}

/// Whether map and round number are the same, and the reports are not two events of one recorder: a recorder gives each round one
/// `event_id`.
pub(super) fn same_round(a: &Report, b: &Report) -> bool {
    let two_events = !a.meta.event_id.is_empty()
        && !b.meta.event_id.is_empty()
        && a.meta.event_id != b.meta.event_id
        && a.meta.source == b.meta.source;
    a.meta.map.eq_ignore_ascii_case(&b.meta.map) && a.meta.round == b.meta.round && !two_events
}

/// How well the report of a webhook fits a file, and its webhook; the smallest fits best.
fn candidate(
    facts: &[Fact],
    (file, file_report): (usize, &Report),
    (other, report): (usize, &Report),
) -> Option<(bool, i64, u64)> {
    let (file, other) = (&facts[file], &facts[other]);
    let fits = same_round(file_report, report) && Server::of(file).may_be(Server::of(other));
    let names_server = !other.server.is_empty() && other.server == file.server;
    Some((!names_server, other.id, other.webhook?)).filter(|_| fits)
}

/// The webhook of reports that were merged; `None` for files that the bot read itself.
pub(super) fn of_set(facts: &[Fact], reports: &[usize]) -> Option<u64> {
    reports.iter().find_map(|&i| facts[i].webhook)
}

/// Decides between rounds that want the same: files that the bot read itself come first, then the round of which a report
/// arrived first. Rounds of files alone are equal, because they do not depend on the order of their arrival.
pub(crate) fn arrival(facts: &[Fact], reports: &[usize]) -> i64 {
    if of_set(facts, reports).is_none() {
        return 0;
    }
    let ids = reports.iter().map(|&i| facts[i].id);
    ids.min().unwrap_or_default()
}
