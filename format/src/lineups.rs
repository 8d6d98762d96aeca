//! Who played for which team: at the start of a round, and as a substitute.

use crate::file::{EventKind, PlayerRef, Substitution, TimelineEvent};
use crate::team::{Team, TeamNumber};

/// Players who join a team within this time on the play clock are in it from the start. When a round begins, the engine runs the
/// game for 6 frames of 100 ms before it puts the clients into it (`GAME_INIT_FRAMES` in its source).
pub const START_MS: i64 = 1000;

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
