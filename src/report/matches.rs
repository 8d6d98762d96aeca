//! The keys of a file that are about the match: see [`gametimes_format::matches`] and [`gametimes_format::lineups`].

use gametimes_format::file::{EndReason, PlayerRef, Substitution, Teams};
use gametimes_format::lineups;
use gametimes_format::matches::{self, Half, MapResult, Sides, Stopwatch};
use uuid::Uuid;

use super::Identity;
use crate::engine::numbers::GAMETYPE_STOPWATCH;
use crate::first_round::FirstRound;
use crate::track::{PlayerStats, Round};

/// The id of the match: that of its round 1.
pub(super) fn match_uid(round: &Round, identity: &Identity) -> Uuid {
    let first = round.first_round.as_ref();
    first.map_or(identity.event_id, |first| first.event_id)
}

/// Where the teams play. Between the rounds of a stopwatch match the game moves each team to the other side.
pub(super) fn sides(round: &Round) -> Option<Sides> {
    let team_a = match (round.number, &round.first_round) {
        (2, first) => first.as_ref()?.attackers()?.opponent(),
        _ => round.defender?.opponent(),
    };
    Some(Sides::with_team_a(team_a))
}

/// The time limits of a stopwatch round.
pub(super) fn stopwatch(round: &Round) -> Option<Stopwatch> {
    let limit_ms = milliseconds(round.timelimit_minutes);
    (round.gametype == GAMETYPE_STOPWATCH).then(|| Stopwatch {
        limit_ms,
        target_ms: (round.number == 2).then_some(limit_ms),
        next_limit_ms: round.next_limit_minutes.map(milliseconds),
        held: round.held(),
    })
}

/// The result of the map after a round 2 of stopwatch.
pub(super) fn map_result(round: &Round) -> Option<MapResult> {
    if round.gametype != GAMETYPE_STOPWATCH || round.number != 2 {
        return None;
    }
    let first = round.first_round.as_ref().map(FirstRound::half);
    let second = Half {
        held: round.held(),
        surrendered: round.end_reason == EndReason::Surrender,
        played_ms: round.played_ms,
    };
    Some(matches::map_result(first.as_ref(), &second))
}

/// The players of each team at the start of the round.
pub(super) fn teams_start(round: &Round) -> Teams {
    let team = |keys: Vec<String>| keys.iter().map(|key| reference(round, key)).collect();
    let [axis, allies] = lineups::keys_at_start(&round.timeline);
    Teams {
        axis: team(axis),
        allies: team(allies),
    }
}

/// The players who replaced others.
pub(super) fn substitutions(round: &Round) -> Vec<Substitution> {
    lineups::substitutions(&round.timeline, |key| reference(round, key))
}

/// A player of the timeline, as the list of players names them.
fn reference(round: &Round, key: &str) -> PlayerRef {
    let player = round.players.iter().find(|player| player.key() == key);
    player.map_or_else(
        || {
            // Gone before taking part.
            let event = round.timeline.iter().find(|event| event.key() == key);
            PlayerRef {
                guid: event.map(|e| e.guid.clone()).unwrap_or_default(),
                name: event.and_then(|e| e.name.clone()).unwrap_or_default(),
            }
        },
        PlayerStats::reference,
    )
}

/// A time limit of the game, which keeps minutes with six digits after the point.
fn milliseconds(minutes: f64) -> i64 {
    (minutes * 60_000.0).round() as i64
}
