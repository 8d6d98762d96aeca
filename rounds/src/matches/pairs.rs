//! Which rounds make up a match.

use std::collections::BTreeSet;

use gametimes_format::rules::ROUND_2_WINDOW_SECONDS;

use super::{Paired, PlayedRound, RoundPlayer};

/// Pairs every round 2 with its round 1, in the order in which the rounds were played. `rounds` is in that order.
///
/// A round 1 with the same `match_uid` on the same map is the one. If the files do not contain it, the rule of
/// [`crate::reconcile`] decides: the latest round before it on the same server and map that has a player in common, at most
/// [`ROUND_2_WINDOW_SECONDS`] earlier. If that is another round 2, the round 1 is missing.
pub(super) fn pair<'a>(rounds: &[&'a PlayedRound]) -> Vec<Paired<'a>> {
    // A round 2 that was played again takes the place of the one that was cut off.
    let mut second_of: Vec<Option<usize>> = vec![None; rounds.len()];
    for (i, second) in rounds.iter().enumerate() {
        if second.round_number != 2 {
            continue;
        }
        let Some(first) = first_of(&rounds[..i], second) else {
            continue;
        };
        let before = second_of[first].map(|other| rounds[other]);
        if before.is_none_or(|before| before.is_cut_off) {
            second_of[first] = Some(i);
        }
    }
    let paired: BTreeSet<usize> = second_of.iter().flatten().copied().collect();
    let mut matches = Vec::new();
    for (i, round) in rounds.iter().enumerate() {
        if paired.contains(&i) {
            continue;
        }
        let is_second = round.round_number == 2;
        matches.push(Paired {
            first: (!is_second).then_some(*round),
            second: match is_second {
                true => Some(*round),
                false => second_of[i].map(|second| rounds[second]),
            },
        });
    }
    matches
}

/// The index of the round 1 of a round 2 among the rounds before it.
fn first_of(before: &[&PlayedRound], second: &PlayedRound) -> Option<usize> {
    let same_uid = |first: &PlayedRound| {
        first.round_number == 1 && first.match_uid == second.match_uid && on_same_map(first, second)
    };
    if second.match_uid.is_some()
        && let Some(i) = before.iter().rposition(|first| same_uid(first))
    {
        return Some(i);
    }
    let i = before.iter().rposition(|other| {
        second.end_unix - other.end_unix <= ROUND_2_WINDOW_SECONDS
            && (!other.is_cut_off || other.round_number == 1)
            && on_same_map(other, second)
            && share_a_player(&other.players, &second.players)
    })?;
    let contradicts = before[i].match_uid.is_some() && second.match_uid.is_some();
    (before[i].round_number == 1 && !contradicts).then_some(i)
}

fn on_same_map(a: &PlayedRound, b: &PlayedRound) -> bool {
    a.map_name.eq_ignore_ascii_case(&b.map_name) && a.may_share_server(b)
}

/// Whether a player is in both rounds. A message without its file may contain no players.
fn share_a_player(a: &[RoundPlayer], b: &[RoundPlayer]) -> bool {
    let keys: BTreeSet<String> = a.iter().map(RoundPlayer::key).collect();
    a.is_empty() || b.is_empty() || b.iter().any(|p| keys.contains(&p.key()))
}
