//! The keys of a file that are about the match: see [`gametimes_format::matches`] and [`gametimes_format::lineups`].

use gametimes_format::file::EndReason;
use gametimes_format::lineups::Lineups;
use gametimes_format::matches::{self, Half, MapResult, Sides, Stopwatch};
use gametimes_format::rules::GAMETYPE_STOPWATCH;
use uuid::Uuid;

use super::Identity;
use crate::first_round::{self, FirstRound};
use crate::track::{PlayerStats, Round};

/// The id of the match: that of its round 1.
pub(super) fn match_uid(round: &Round, identity: &Identity) -> Uuid {
    let first = round.first_round.as_ref();
    first.map_or(identity.event_id, |first| first.event_id)
}

/// Where the teams play.
pub(super) fn sides(round: &Round) -> Option<Sides> {
    first_round::sides(round.number, round.first_round.as_ref(), round.defender)
}

/// The time limits of a stopwatch round.
pub(super) fn stopwatch(round: &Round) -> Option<Stopwatch> {
    let limit_ms = first_round::limit_ms(round.timelimit_minutes);
    (round.gametype == GAMETYPE_STOPWATCH).then(|| Stopwatch {
        limit_ms,
        target_ms: (round.number == 2).then_some(limit_ms),
        next_limit_ms: round.next_limit_minutes.map(first_round::limit_ms),
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

/// Who played for which team, with the names of the list of players. A player who was gone before taking part is not in it.
pub(super) fn lineups(round: &Round) -> Lineups {
    Lineups::of(&round.timeline, |player| {
        let mut known = round.players.iter();
        known
            .find(|p| p.guid == player.guid && (!p.guid.is_empty() || p.name == player.name))
            .map_or(player, PlayerStats::reference)
    })
}
