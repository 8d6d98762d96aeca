//! What ties the rounds of a match together: which team attacked first, and who won the map. Also who paused it.

use serde::{Deserialize, Serialize};

use crate::team::{Team, TeamNumber};

/// The side on which each team of a match plays in this round. Team A is the one that attacks in round 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sides {
    /// The side of team A: 1 Axis, 2 Allies.
    pub team_a: TeamNumber,
    /// The side of team B.
    pub team_b: TeamNumber,
}

impl Sides {
    /// The sides of a round in which team A plays on this side.
    pub fn with_team_a(side: Team) -> Self {
        Self {
            team_a: side.into(),
            team_b: side.opponent().into(),
        }
    }
}

/// The time limits of a stopwatch round, and whether it was held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stopwatch {
    /// The time limit of this round.
    pub limit_ms: i64,
    /// The time to beat; only in a round 2, whose time limit it is.
    pub target_ms: Option<i64>,
    /// The time limit that the game has set for the next round (cvar `g_nextTimeLimit`); null if the round was cut off.
    pub next_limit_ms: Option<i64>,
    /// Whether the defenders won; null if neither team did or the defender is unknown.
    pub held: Option<bool>,
}

/// Who won a map of stopwatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MapWinner {
    /// The team that attacked in round 1.
    TeamA,
    /// The team that defended in round 1.
    TeamB,
    /// Neither team completed the map.
    Draw,
    /// A value of a later version.
    #[serde(other)]
    Unknown,
}

/// What decided a map of stopwatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MapReason {
    /// Both teams completed the map, and the winner was faster.
    Faster,
    /// Only the winner completed the map.
    Held,
    /// Neither team completed the map.
    BothHeld,
    /// A team gave up in round 2.
    Surrender,
    /// A value of a later version.
    #[serde(other)]
    Unknown,
}

/// The result of a map of stopwatch, from its two rounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MapResult {
    /// The winner; null if a round was cut off or is missing.
    pub winner: Option<MapWinner>,
    /// What decided the map; null without a winner.
    pub reason: Option<MapReason>,
    /// The time in which team A completed the map; null if it did not.
    pub team_a_ms: Option<i64>,
    /// The time in which team B completed the map; null if it did not.
    pub team_b_ms: Option<i64>,
}

/// What counts of one round for the result of its map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Half {
    /// Whether the defenders won; `None` if the round was cut off or neither team won.
    pub held: Option<bool>,
    /// Whether a team gave up.
    pub surrendered: bool,
    /// Time played, without pauses.
    pub played_ms: i64,
}

impl Half {
    /// The time in which the attackers completed the map; `None` if they did not.
    fn completed_ms(&self) -> Option<i64> {
        (self.held == Some(false)).then_some(self.played_ms)
    }
}

/// The result of a map. `first` is `None` if round 1 is unknown.
///
/// The time limit of round 2 is the time of round 1, or the full one if that was held. So attackers who win round 2 win the map.
/// Defenders who win round 2 win the map if they have completed it in round 1; otherwise both teams held.
pub fn map_result(first: Option<&Half>, second: &Half) -> MapResult {
    let decided = match (first.and_then(|half| half.held), second.held) {
        (Some(false), Some(false)) => Some((MapWinner::TeamB, MapReason::Faster)),
        (Some(true), Some(false)) => Some((MapWinner::TeamB, MapReason::Held)),
        (Some(false), Some(true)) => Some((MapWinner::TeamA, MapReason::Held)),
        (Some(true), Some(true)) => Some((MapWinner::Draw, MapReason::BothHeld)),
        _ => None,
    };
    let reason = |(winner, reason)| match winner {
        MapWinner::Draw => reason,
        _ if second.surrendered => MapReason::Surrender,
        _ => reason,
    };
    MapResult {
        winner: decided.map(|(winner, _)| winner),
        reason: decided.map(reason),
        team_a_ms: first.and_then(Half::completed_ms),
        team_b_ms: second.completed_ms(),
    }
}

/// How a pause was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PauseKind {
    /// A player called a timeout for the team.
    Player,
    /// A referee paused the match.
    Referee,
    /// A vote passed.
    Vote,
    /// The server did: its console, rcon or a script.
    Server,
    /// A kind of a later version.
    #[serde(other)]
    Unknown,
}

/// Who paused the match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PauseBy {
    /// How the pause was called.
    pub kind: PauseKind,
    /// The guid of the player, the referee, or the caller of the vote; empty for the server.
    pub guid: String,
    /// The name of that player, without colours; empty for the server.
    pub name: String,
    /// The team of that player: 1 Axis, 2 Allies, 3 spectators, 0 for the server.
    pub team: TeamNumber,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(held: Option<bool>, surrendered: bool, played_ms: i64) -> Half {
        Half {
            held,
            surrendered,
            played_ms,
        }
    }

    #[test]
    fn the_result_of_a_map_follows_from_its_two_rounds() {
        let set = half(Some(false), false, 400_000);
        let faster = half(Some(false), false, 385_000);
        let held = half(Some(true), false, 600_000);
        let cut_off = half(None, false, 90_000);
        let gave_up_attacking = half(Some(true), true, 100_000);
        let gave_up_defending = half(Some(false), true, 100_000);
        for (first, second, expected) in [
            (
                Some(&set),
                &faster,
                Some((MapWinner::TeamB, MapReason::Faster)),
            ),
            (Some(&set), &held, Some((MapWinner::TeamA, MapReason::Held))),
            (
                Some(&held),
                &faster,
                Some((MapWinner::TeamB, MapReason::Held)),
            ),
            (
                Some(&held),
                &held,
                Some((MapWinner::Draw, MapReason::BothHeld)),
            ),
            (
                Some(&gave_up_attacking),
                &faster,
                Some((MapWinner::TeamB, MapReason::Held)),
            ),
            (
                Some(&gave_up_defending),
                &held,
                Some((MapWinner::TeamA, MapReason::Held)),
            ),
            (
                Some(&set),
                &gave_up_attacking,
                Some((MapWinner::TeamA, MapReason::Surrender)),
            ),
            (
                Some(&set),
                &gave_up_defending,
                Some((MapWinner::TeamB, MapReason::Surrender)),
            ),
            (
                Some(&held),
                &gave_up_attacking,
                Some((MapWinner::Draw, MapReason::BothHeld)),
            ),
            (Some(&set), &cut_off, None),
            (Some(&cut_off), &faster, None),
            (None, &faster, None),
        ] {
            let result = map_result(first, second);
            let found = result.winner.zip(result.reason);
            assert_eq!(found, expected, "{first:?} {second:?}");
            assert_eq!(result.winner.is_some(), result.reason.is_some());
        }
        let result = map_result(Some(&set), &held);
        assert_eq!((result.team_a_ms, result.team_b_ms), (Some(400_000), None));
        let result = map_result(Some(&held), &faster);
        assert_eq!((result.team_a_ms, result.team_b_ms), (None, Some(385_000)));
    }
}
