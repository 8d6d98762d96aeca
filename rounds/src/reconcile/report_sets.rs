//! Which reports are of the same round.

use std::collections::BTreeMap;

use super::webhooks::{self, same_round};
use super::{Fact, SAME_END_SECONDS, Server};
use crate::report::Report;

/// Returns sets of reports of the same round, with the most complete report of each first.
pub(super) fn merge(facts: &[Fact], order: &[usize]) -> Vec<Vec<usize>> {
    let reports: Vec<(usize, &Report)> = order
        .iter()
        .filter_map(|&i| Some((i, facts[i].report()?)))
        .collect();
    let mut sets = Sets::new(reports.len());
    // First the reports that identify their server or have the same event: those of one webhook, and those of none.
    let webhooks: Vec<Option<u64>> = reports.iter().map(|(f, _)| facts[*f].webhook).collect();
    join_known(facts, &reports, &webhooks, &mut sets);
    let sources = webhooks::sources(facts, &reports, |r| sets.root(r));
    join_known(facts, &reports, &sources, &mut sets);
    // Then a report that does not name its server joins the only round that fits.
    let named: Vec<bool> = {
        let mut named = vec![false; reports.len()];
        for (r, (fact, _)) in reports.iter().enumerate() {
            let root = sets.root(r);
            named[root] |= !facts[*fact].server.is_empty();
        }
        (0..reports.len()).map(|r| named[sets.root(r)]).collect()
    };
    let mut joins = Vec::new();
    for (b, (_, report)) in reports.iter().enumerate().filter(|(b, _)| !named[*b]) {
        let mut rounds: Vec<usize> = reports
            .iter()
            .enumerate()
            .filter(|(a, (_, other))| {
                let apart = (report.meta.round_end_unix - other.meta.round_end_unix).abs();
                named[*a]
                    && apart <= SAME_END_SECONDS
                    && sources[*a] == sources[b]
                    && same_round(report, other)
            })
            .map(|(a, _)| sets.root(a))
            .collect();
        rounds.sort_unstable();
        rounds.dedup();
        match rounds.as_slice() {
            [] => joins.extend(
                reports[..b]
                    .iter()
                    .enumerate()
                    .filter(|(a, (_, other))| {
                        let apart = report.meta.round_end_unix - other.meta.round_end_unix;
                        !named[*a]
                            && apart <= SAME_END_SECONDS
                            && sources[*a] == sources[b]
                            && same_round(report, other)
                    })
                    .map(|(a, _)| (a, b)),
            ),
            [round] => joins.push((*round, b)),
            // Rounds of two servers fit, so the report stays alone.
            _ => {}
        }
    }
    for (a, b) in joins {
        sets.join(a, b);
    }
    let mut merged: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (r, (fact, _)) in reports.iter().enumerate() {
        merged.entry(sets.root(r)).or_default().push(*fact);
    }
    let mut merged: Vec<Vec<usize>> = merged.into_values().collect();
    for set in &mut merged {
        set.sort_by(|&a, &b| rank(facts, b).cmp(&rank(facts, a)));
    }
    merged
}

/// Joins reports that identify their server, or have the same event, and come from the same source.
fn join_known(
    facts: &[Fact],
    reports: &[(usize, &Report)],
    sources: &[Option<u64>],
    sets: &mut Sets,
) {
    for (b, (fact_b, report_b)) in reports.iter().enumerate() {
        for (a, (fact_a, report_a)) in reports[..b].iter().enumerate().rev() {
            // The reports are ordered by their ends, so no earlier one fits either.
            if report_b.meta.round_end_unix - report_a.meta.round_end_unix > SAME_END_SECONDS {
                break;
            }
            if sources[a] == sources[b] && same_known_round(&facts[*fact_a], &facts[*fact_b]) {
                sets.join(a, b);
            }
        }
    }
}

/// Whether two reports are of the same round: they have the same event, or the same known server, map and round number, and end at
/// most [`SAME_END_SECONDS`] apart.
pub fn same_known_round(a: &Fact, b: &Fact) -> bool {
    let (Some(report_a), Some(report_b)) = (a.report(), b.report()) else {
        return false;
    };
    let apart = report_a.meta.round_end_unix - report_b.meta.round_end_unix;
    let known = !a.server.is_empty() && a.server == b.server && Server::of(a).may_be(Server::of(b));
    apart.abs() <= SAME_END_SECONDS
        && (same_event(report_a, report_b) || (known && same_round(report_a, report_b)))
}

/// How complete a report is; of two equal ones, that of the module ranks before that of the script, and a file that the bot read
/// itself before what came through a webhook. If a report through a webhook does not name its server, it ranks last: anybody
/// may have sent it.
fn rank(facts: &[Fact], i: usize) -> impl Ord {
    let fact = &facts[i];
    fact.report().map(|report| {
        (
            fact.webhook.is_none() || !fact.server.is_empty(),
            report.completeness,
            report.meta.source == "native",
            fact.webhook.is_none(),
            report.meta.spawn_stats.len(),
            fact.identity.clone(),
        )
    })
}

fn same_event(a: &Report, b: &Report) -> bool {
    !a.meta.event_id.is_empty() && a.meta.event_id == b.meta.event_id
}

/// Disjoint sets of numbers, as a forest: each number points towards the smallest of its set.
struct Sets(Vec<usize>);

impl Sets {
    fn new(len: usize) -> Self {
        Self((0..len).collect())
    }

    fn root(&self, mut i: usize) -> usize {
        while self.0[i] != i {
            i = self.0[i];
        }
        i
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }
}
