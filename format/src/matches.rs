//! What ties the rounds of a match together: which team attacked first, who won the map, and who replaced whom.

use serde::{Deserialize, Serialize};

use crate::file::{EventKind, PlayerRef, TimelineEvent};
use crate::team::{Team, TeamNumber};

/// Players who join a team within this time on the play clock are in it from the start. When a round begins, the engine runs the
/// game for 6 frames of 100 ms before it puts the clients into it (`GAME_INIT_FRAMES` in its source).
pub const START_MS: i64 = 1000;

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

/// One player replaced another in a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Substitution {
    /// When the new player joined, on the play clock.
    pub t_ms: i64,
    /// The team: 1 Axis, 2 Allies.
    pub team: TeamNumber,
    /// The player who had left the team before.
    pub out: PlayerRef,
    /// The player who joined it.
    #[serde(rename = "in")]
    pub joined: PlayerRef,
}

/// Who plays on which team, followed along a timeline.
#[derive(Default)]
struct Lineup {
    /// The players of the two teams now.
    playing: [Vec<String>; 2],
    /// The players whose places in the two teams are free, in the order in which they left.
    left: [Vec<String>; 2],
    /// The players at the start.
    start: [Vec<String>; 2],
    /// Time, team, who left and who joined.
    replaced: Vec<(i64, Team, String, String)>,
}

impl Lineup {
    fn of(events: &[TimelineEvent]) -> Self {
        let mut lineup = Self::default();
        for event in events {
            let to = match event.kind {
                EventKind::Join | EventKind::Team => event.team.and_then(TeamNumber::team),
                EventKind::Leave => None,
                _ => continue,
            };
            lineup.moves(event.t_ms, event.key(), to);
        }
        lineup
    }

    fn moves(&mut self, t_ms: i64, key: &str, to: Option<Team>) {
        let from = Team::ALL
            .into_iter()
            .find(|&team| self.playing[place(team)].iter().any(|player| player == key));
        if from == to {
            return;
        }
        let at_start = t_ms <= START_MS;
        if let Some(from) = from {
            self.playing[place(from)].retain(|player| player != key);
            if at_start {
                self.start[place(from)].retain(|player| player != key);
            } else if to.is_none() {
                self.left[place(from)].push(key.to_owned());
            }
        }
        let Some(to) = to else { return };
        self.playing[place(to)].push(key.to_owned());
        let left = &mut self.left[place(to)];
        if at_start {
            self.start[place(to)].push(key.to_owned());
        } else if from.is_some() {
            // A change of sides is not a substitution.
        } else if let Some(own) = left.iter().position(|player| player == key) {
            left.remove(own); // came back
        } else if !left.is_empty() {
            let out = left.remove(0);
            self.replaced.push((t_ms, to, out, key.to_owned()));
        }
    }
}

/// The index of a team in the lists of a [`Lineup`].
fn place(team: Team) -> usize {
    match team {
        Team::Axis => 0,
        Team::Allies => 1,
    }
}

/// The players of both teams at the start of a round, Axis first, from its timeline.
pub fn keys_at_start(events: &[TimelineEvent]) -> [Vec<String>; 2] {
    Lineup::of(events).start
}

/// The substitutions of a round, from its timeline: a player from outside takes the place of one who has left the server
/// or joined the spectators. Players are substituted in the order in which they left. A player who comes back before
/// that was not substituted, and a change of sides does not count.
pub fn substitutions(
    events: &[TimelineEvent],
    reference: impl Fn(&str) -> PlayerRef,
) -> Vec<Substitution> {
    let replaced = Lineup::of(events).replaced.into_iter();
    replaced
        .map(|(t_ms, team, out, joined)| Substitution {
            t_ms,
            team: team.into(),
            out: reference(&out),
            joined: reference(&joined),
        })
        .collect()
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

    fn event(t_ms: i64, kind: EventKind, guid: &str, team: u8) -> TimelineEvent {
        TimelineEvent {
            t_ms,
            kind,
            guid: guid.to_owned(),
            team: (team != 0).then(|| team.into()),
            ..TimelineEvent::default()
        }
    }

    #[test]
    fn players_are_substituted_in_the_order_in_which_they_left() {
        use EventKind::{Join, Leave, Team};
        let events = [
            event(500, Join, "a", 1),
            event(500, Join, "b", 1),
            event(500, Join, "c", 2),
            event(2000, Join, "late", 1), // an additional place
            event(5000, Leave, "a", 0),
            event(6000, Team, "b", 3),
            event(7000, Join, "new", 1), // for a
            event(8000, Team, "b", 1),   // comes back
            event(9000, Leave, "c", 0),
            event(9500, Team, "late", 2), // changes sides
            event(9900, Join, "last", 1), // an additional place
            event(9950, Team, "a", 2),    // was substituted, and comes back for c
        ];
        let found = substitutions(&events, |key| PlayerRef {
            guid: key.to_owned(),
            name: String::new(),
        });
        let found: Vec<_> = found
            .iter()
            .map(|s| (s.t_ms, s.team.number(), &*s.out.guid, &*s.joined.guid))
            .collect();
        assert_eq!(found, [(7000, 1, "a", "new"), (9950, 2, "c", "a"),]);
        let start = keys_at_start(&events);
        assert_eq!(
            start,
            [vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()]]
        );
    }
}
