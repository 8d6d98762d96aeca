//! Who played for which team: at the start of a round, and as a substitute.

use crate::file::{EventKind, PlayerRef, Substitution, Teams, TimelineEvent};
use crate::team::{Team, TeamNumber};

/// Players who join a team within this time on the play clock are in it from the start. When a round begins, the engine runs the
/// game for 6 frames of 100 ms before it puts the clients into it (`GAME_INIT_FRAMES` in its source).
pub const START_MS: i64 = 1000;

/// Who played for which team in a round.
#[derive(Debug, Default)]
pub struct Lineups {
    /// The players of both teams at the start.
    pub start: Teams,
    /// A player from outside takes the place of one who has left the server or joined the spectators. Players are substituted
    /// in the order in which they left. A player who comes back before that was not substituted, and a change of sides does
    /// not count.
    pub substitutions: Vec<Substitution>,
    /// The players of the two teams now.
    playing: Teams,
    /// The players whose places in the two teams are free, in the order in which they left.
    left: Teams,
}

impl Lineups {
    /// Follows a round's timeline. `named` gives a player of the timeline the name that the result has; the timeline itself
    /// contains names only for players without a guid.
    pub fn of(events: &[TimelineEvent], named: impl Fn(PlayerRef) -> PlayerRef) -> Self {
        let mut lineups = Self::default();
        for event in events {
            let to = match event.kind {
                EventKind::Join | EventKind::Team => event.team.and_then(TeamNumber::team),
                EventKind::Leave => None,
                _ => continue,
            };
            let player = PlayerRef {
                guid: event.guid.clone(),
                name: event.name.clone().unwrap_or_default(),
            };
            lineups.moves(event.t_ms, &named(player), to);
        }
        lineups
    }

    fn moves(&mut self, t_ms: i64, player: &PlayerRef, to: Option<Team>) {
        let from = Team::ALL
            .into_iter()
            .find(|&team| members(&mut self.playing, team).contains(player));
        if from == to {
            return;
        }
        let at_start = t_ms <= START_MS;
        if let Some(from) = from {
            members(&mut self.playing, from).retain(|other| other != player);
            if at_start {
                members(&mut self.start, from).retain(|other| other != player);
            } else if to.is_none() {
                members(&mut self.left, from).push(player.clone());
            }
        }
        let Some(to) = to else { return };
        members(&mut self.playing, to).push(player.clone());
        let left = members(&mut self.left, to);
        if at_start {
            members(&mut self.start, to).push(player.clone());
        } else if from.is_some() {
            // A change of sides is not a substitution.
        } else if let Some(own) = left.iter().position(|other| other == player) {
            left.remove(own); // came back
        } else if !left.is_empty() {
            self.substitutions.push(Substitution {
                t_ms,
                team: to.into(),
                out: left.remove(0),
                joined: player.clone(),
            });
        }
    }
}

/// The players of one team.
fn members(teams: &mut Teams, team: Team) -> &mut Vec<PlayerRef> {
    match team {
        Team::Axis => &mut teams.axis,
        Team::Allies => &mut teams.allies,
    }
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
        let lineups = Lineups::of(&events, |player| player);
        let found: Vec<_> = lineups
            .substitutions
            .iter()
            .map(|s| (s.t_ms, s.team.number(), &*s.out.guid, &*s.joined.guid))
            .collect();
        assert_eq!(found, [(7000, 1, "a", "new"), (9950, 2, "c", "a"),]);
        let guids = |team: &[PlayerRef]| team.iter().map(|p| p.guid.clone()).collect::<Vec<_>>();
        let start = [guids(&lineups.start.axis), guids(&lineups.start.allies)];
        assert_eq!(
            start,
            [vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()]]
        );
    }
}
