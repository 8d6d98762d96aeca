//! Who won a match, and why.

use gametimes_format::matches::{Half, MapReason, MapWinner, map_result};
use gametimes_format::rules::GAMETYPE_STOPWATCH;
use serde::Serialize;

use super::teams::Sides;
use super::{Paired, PlayedRound};

/// Who won a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Outcome {
    /// Team A.
    TeamA,
    /// Team B.
    TeamB,
    /// Neither team.
    Draw,
    /// Open: a round is missing, was cut off, or has no known winner.
    Undecided,
}

/// What decided a match, or why it is undecided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ResultReason {
    /// Both teams completed the map, and the winner was faster.
    Faster,
    /// Only the winner completed the map.
    Held,
    /// Neither team completed the map.
    BothHeld,
    /// The other team gave up in round 2.
    Surrender,
    /// The gametype has only one round, and the winner won it.
    OnlyRound,
    /// Round 1 is missing.
    Round1Missing,
    /// Round 2 is missing.
    Round2Missing,
    /// A round was cut off.
    CutOff,
    /// The winner of a round is unknown.
    WinnerUnknown,
}

/// The result of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MatchResult {
    /// Who won.
    pub winner: Outcome,
    /// What decided it, or why it is undecided.
    pub reason: ResultReason,
    /// The time in which team A completed the map; null if it did not.
    pub team_a_ms: Option<i64>,
    /// The time in which team B completed the map; null if it did not.
    pub team_b_ms: Option<i64>,
}

impl MatchResult {
    /// By how much the winner was faster.
    pub fn margin_ms(&self) -> Option<i64> {
        Some((self.team_a_ms? - self.team_b_ms?).abs())
    }
}

/// Whether the defenders won; `None` if the round was cut off, or its winner or defender is unknown.
pub(super) fn held(round: &PlayedRound) -> Option<bool> {
    if round.is_cut_off {
        return None;
    }
    let by_winner = || Some(round.winner? == round.defender?);
    let in_file = round.stopwatch.and_then(|stopwatch| stopwatch.held);
    in_file.or_else(by_winner)
}

/// The result of a match: that of the file of round 2 if it contains one, else by the same rule from both rounds.
pub(super) fn of(paired: &Paired<'_>, sides: &Sides) -> MatchResult {
    let undecided = |reason| MatchResult {
        winner: Outcome::Undecided,
        reason,
        team_a_ms: paired.first.and_then(completed_ms),
        team_b_ms: paired.second.and_then(completed_ms),
    };
    if let (Some(only), None) = (paired.first, paired.second)
        && only
            .gametype
            .is_some_and(|gametype| gametype != i64::from(GAMETYPE_STOPWATCH))
    {
        let winner = match only.winner {
            Some(side) if side == sides.of_team_a(only) => Outcome::TeamA,
            Some(_) => Outcome::TeamB,
            None if only.is_cut_off => return undecided(ResultReason::CutOff),
            None => return undecided(ResultReason::WinnerUnknown),
        };
        return MatchResult {
            winner,
            ..undecided(ResultReason::OnlyRound)
        };
    }
    let in_file = paired.second.and_then(|second| second.map_result);
    let computed = || {
        let (first, second) = paired.first.zip(paired.second)?;
        let mut result = map_result(Some(&half(first)), &half(second));
        result.team_a_ms = completed_ms(first);
        result.team_b_ms = completed_ms(second);
        Some(result)
    };
    let decided = in_file
        .filter(|result| winner_and_reason(*result).is_some())
        .or_else(computed);
    if let Some(result) = decided
        && let Some((winner, reason)) = winner_and_reason(result)
    {
        return MatchResult {
            winner,
            reason,
            team_a_ms: result.team_a_ms,
            team_b_ms: result.team_b_ms,
        };
    }
    undecided(match (paired.first, paired.second) {
        (None, _) => ResultReason::Round1Missing,
        _ if paired.rounds().any(|round| round.is_cut_off) => ResultReason::CutOff,
        (_, None) => ResultReason::Round2Missing,
        _ => ResultReason::WinnerUnknown,
    })
}

/// The time in which the attackers completed the map.
fn completed_ms(round: &PlayedRound) -> Option<i64> {
    round.played_ms.filter(|_| held(round) == Some(false))
}

fn half(round: &PlayedRound) -> Half {
    Half {
        held: held(round),
        surrendered: round.surrendered,
        played_ms: round.played_ms.unwrap_or_default(),
    }
}

/// `None` if neither is known, or a later version has written it.
fn winner_and_reason(
    result: gametimes_format::matches::MapResult,
) -> Option<(Outcome, ResultReason)> {
    let winner = match result.winner? {
        MapWinner::TeamA => Outcome::TeamA,
        MapWinner::TeamB => Outcome::TeamB,
        MapWinner::Draw => Outcome::Draw,
        MapWinner::Unknown => return None,
    };
    let reason = match result.reason? {
        MapReason::Faster => ResultReason::Faster,
        MapReason::Held => ResultReason::Held,
        MapReason::BothHeld => ResultReason::BothHeld,
        MapReason::Surrender => ResultReason::Surrender,
        MapReason::Unknown => return None,
    };
    Some((winner, reason))
}
