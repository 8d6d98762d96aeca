//! Which round 1 a round 2 belongs to.
//!
//! Where there are stats files, they decide: the totals of a round 2 include those of its round 1, and a round 2 whose round 1 is
//! missing is an orphan. Without a stats file of round 2, the gametimes files decide: the same `match_uid` or `round_1_event_id`, else
//! the latest round before it on the same server and map with a player in common.

use std::collections::{BTreeMap, BTreeSet};

use gametimes_format::Meta;
use gametimes_format::rules::ROUND_2_WINDOW_SECONDS;

use super::{Document, Fact, ReconciledRound, server, webhooks};
use crate::player_id::{player_key, short_guid};
use crate::stats_file::StatsFile;

/// Sets [`ReconciledRound::first`] of every round 2 whose round 1 is known. `rounds` is complete otherwise.
pub(super) fn assign(facts: &[Fact], rounds: &mut [ReconciledRound]) {
    let firsts: BTreeMap<usize, usize> = rounds
        .iter()
        .enumerate()
        .filter(|(_, round)| number(facts, round) == 1)
        .filter_map(|(i, round)| Some((round.stats?, i)))
        .collect();
    // Of several rounds 2 after one round 1, the first that was finished is its round 2, else the last.
    let mut second_of: BTreeMap<usize, usize> = BTreeMap::new();
    let order = in_order(facts, rounds);
    for (place, &i) in order.iter().enumerate() {
        let round = &rounds[i];
        if number(facts, round) != 2 {
            continue;
        }
        let first = match round.stats.map(|stats| &facts[stats].document) {
            Some(Document::Stats(_)) => round.base.and_then(|base| firsts.get(&base).copied()),
            _ => by_report(facts, rounds, &order[..place], round),
        };
        let Some(first) = first else {
            continue;
        };
        let before = second_of.get(&first);
        if before.is_none_or(|before| is_cut_off(facts, &rounds[*before])) {
            second_of.insert(first, i);
        }
    }
    for (first, second) in second_of {
        rounds[second].first = Some(first);
    }
}

/// The indices of the rounds in the order in which they were played, by content alone.
fn in_order(facts: &[Fact], rounds: &[ReconciledRound]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rounds.len()).collect();
    order.sort_by_cached_key(|&i| {
        let mut ids: Vec<&str> = rounds[i]
            .members()
            .map(|m| facts[m].identity.as_str())
            .collect();
        ids.sort_unstable();
        (rounds[i].end_unix, ids)
    });
    order
}

/// The round 1 of a round 2, by their reports. `before` are the rounds before it, in the order in which they were played.
fn by_report(
    facts: &[Fact],
    rounds: &[ReconciledRound],
    before: &[usize],
    second: &ReconciledRound,
) -> Option<usize> {
    let meta = meta(facts, second)?;
    let is_near = |i: &usize| second.end_unix - rounds[*i].end_unix <= ROUND_2_WINDOW_SECONDS;
    let webhook = webhooks::of_set(facts, &second.reports);
    let fits = |i: &usize| {
        let map = map(facts, &rounds[*i]);
        // The holder of one webhook must not change the rounds of another.
        let is_own = webhook.is_none() || webhook == webhooks::of_set(facts, &rounds[*i].reports);
        is_own
            && map.is_some_and(|map| map.eq_ignore_ascii_case(&meta.map))
            && may_share_server(facts, &rounds[*i], second)
    };
    let near = before.iter().rev().copied().take_while(is_near);
    let near: Vec<usize> = near.filter(fits).collect();
    let named = near.iter().find(|i| {
        let first = self::meta(facts, &rounds[**i]).filter(|first| first.round == 1);
        first.is_some_and(|first| names(meta, first))
    });
    if let Some(first) = named {
        return Some(*first);
    }
    let players = players(facts, second);
    let latest = *near.iter().find(|&&i| {
        let others = self::players(facts, &rounds[i]);
        (number(facts, &rounds[i]) == 1 || !is_cut_off(facts, &rounds[i]))
            && (players.is_empty() || others.is_empty() || !players.is_disjoint(&others))
    })?;
    let uid = self::meta(facts, &rounds[latest]).map_or("", |first| &first.match_uid);
    let contradicts = !uid.is_empty() && !meta.match_uid.is_empty();
    (number(facts, &rounds[latest]) == 1 && !contradicts).then_some(latest)
}

/// Whether the gametimes file of a round 2 says that this one is its round 1.
fn names(second: &Meta, first: &Meta) -> bool {
    let same = |a: &str, b: &str| !a.is_empty() && a == b;
    let event = second.round_1_event_id.as_deref().unwrap_or_default();
    same(&first.match_uid, &second.match_uid) || same(&first.event_id, event)
}

fn meta<'a>(facts: &'a [Fact], round: &ReconciledRound) -> Option<&'a Meta> {
    Some(&facts[round.report?].report()?.meta)
}

/// 1 or 2: by the report, else by the stats file.
pub(crate) fn number(facts: &[Fact], round: &ReconciledRound) -> u8 {
    let of_file = || match &facts[round.stats?].document {
        Document::Stats(file) => Some(file.header.round),
        Document::Foreign(foreign) => Some(foreign.round),
        Document::Report(_) => None,
    };
    let of_report = meta(facts, round).map(|meta| meta.round);
    of_report.or_else(of_file).unwrap_or_default()
}

fn map<'a>(facts: &'a [Fact], round: &ReconciledRound) -> Option<&'a str> {
    let of_file = || match &facts[round.stats?].document {
        Document::Stats(file) => Some(file.header.map.as_str()),
        Document::Foreign(foreign) => Some(foreign.map.as_str()),
        Document::Report(_) => None,
    };
    let of_report = meta(facts, round).map(|meta| meta.map.as_str());
    of_report.or_else(of_file)
}

fn is_cut_off(facts: &[Fact], round: &ReconciledRound) -> bool {
    match meta(facts, round) {
        Some(meta) => !meta.end_reason.is_finished(),
        None => round
            .stats
            .and_then(|stats| facts[stats].stats_file())
            .is_some_and(StatsFile::is_cut_off),
    }
}

fn may_share_server(facts: &[Fact], a: &ReconciledRound, b: &ReconciledRound) -> bool {
    let server = |round: &ReconciledRound| server::of(facts, round.members());
    server(a).may_be(server(b))
}

/// The players of a round, as [`short_guid`] identifies them.
fn players(facts: &[Fact], round: &ReconciledRound) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    if let Some(meta) = meta(facts, round) {
        let counted = meta.spawn_stats.iter().map(|p| (&p.guid, &p.name));
        let teams = meta.teams.axis.iter().chain(&meta.teams.allies);
        let all = counted.chain(teams.map(|p| (&p.guid, &p.name)));
        keys.extend(all.map(|(guid, name)| short_guid(&player_key(guid, name))));
    }
    if let Some(file) = round.stats.and_then(|stats| facts[stats].stats_file()) {
        keys.extend(file.players.iter().map(|p| short_guid(&p.guid)));
    }
    keys
}
