//! One lane per player, built from the events of a timeline.

use std::collections::HashMap;

use gametimes_format::text::{cut, displayable};
use gametimes_format::{EventKind, Team, TeamNumber, TimelineEvent};

use super::objectives::{Objective, is_of_a_team};
use crate::db::players::Player;
use crate::display;

/// The timeline adds no lanes beyond this many. The guids in it may be made up.
pub(super) const LANES_MAX: usize = 128;

/// What a player is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not on a team, or not on the server.
    Absent,
    /// In the game and alive.
    Alive,
    /// Dead, and a medic can still revive.
    Wounded,
    /// In limbo, until the team's next spawn.
    Waiting,
}

/// A part of a lane in which the state does not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// When it begins, on the play clock.
    pub from_ms: i64,
    /// When it ends.
    pub to_ms: i64,
    /// What the player is doing.
    pub state: State,
    /// Whether this time counts as time dead.
    pub dead: bool,
    /// Who killed or revived the player at the beginning.
    pub cause: Option<String>,
}

/// The lane of a player.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// The player's guid; empty if only the timeline contains the player.
    pub guid: String,
    /// The player's name, without colour codes.
    pub name: String,
    /// The player's team; `None` for neither.
    pub team: Option<Team>,
    /// The spans, in order and without gaps.
    pub spans: Vec<Span>,
    /// When the player was revived, and by whom.
    pub revives: Vec<(i64, String)>,
    /// When the player killed an enemy, and whom.
    pub kills: Vec<(i64, String)>,
    /// What the player did with objectives.
    pub objectives: Vec<Objective>,
    /// The stored time dead.
    pub dead_ms: Option<i64>,
    /// The stored time denied.
    pub denied_ms: Option<i64>,
}

/// Builds the lanes of a round: first those of its stored players, then those of others in the timeline.
pub(super) fn build(players: &[Player], events: &[TimelineEvent], duration_ms: i64) -> Vec<Lane> {
    let mut lanes = Lanes::new(players);
    for event in events {
        lanes.add(event);
    }
    let finish = |mut open: OpenLane| {
        open.change_state(duration_ms, State::Absent, false, None);
        open.lane
    };
    lanes.lanes.into_iter().map(finish).collect()
}

/// A lane whose last span has not ended yet.
struct OpenLane {
    lane: Lane,
    state: State,
    since_ms: i64,
    dead: bool,
    cause: Option<String>,
    current_team: Option<Team>,
}

impl OpenLane {
    fn new(name: &str, team: Option<Team>) -> Self {
        Self {
            lane: Lane {
                guid: String::new(),
                name: displayable(name),
                team,
                spans: Vec::new(),
                revives: Vec::new(),
                kills: Vec::new(),
                objectives: Vec::new(),
                dead_ms: None,
                denied_ms: None,
            },
            state: State::Absent,
            since_ms: 0,
            dead: false,
            cause: None,
            current_team: None,
        }
    }

    fn change_state(&mut self, at_ms: i64, state: State, dead: bool, cause: Option<String>) {
        if at_ms > self.since_ms {
            self.lane.spans.push(Span {
                from_ms: self.since_ms,
                to_ms: at_ms,
                state: self.state,
                dead: self.dead,
                cause: self.cause.take(),
            });
        }
        self.since_ms = at_ms.max(self.since_ms);
        (self.state, self.dead, self.cause) = (state, dead, cause);
    }

    /// The player waits for the next spawn. If dead, the time until then counts as dead too.
    fn wait(&mut self, at_ms: i64) {
        self.change_state(at_ms, State::Waiting, self.dead, None);
    }
}

struct Lanes {
    lanes: Vec<OpenLane>,
    /// The index of a lane by guid, or by name for a client without a guid.
    index: HashMap<String, usize>,
}

impl Lanes {
    fn new(players: &[Player]) -> Self {
        let mut lanes = Self {
            lanes: Vec::new(),
            index: HashMap::new(),
        };
        let mut players: Vec<&Player> = players.iter().filter(|p| p.spawns.is_some()).collect();
        // `None` last.
        let rank = |team: Option<Team>| (team.is_none(), team);
        players.sort_by_key(|p| (rank(p.team()), p.name.to_lowercase()));
        for player in players {
            let key = if player.guid.starts_with("name:") {
                &player.name
            } else {
                &player.guid
            };
            let mut open = OpenLane::new(&player.name, player.team());
            open.lane.guid.clone_from(&player.guid);
            open.lane.dead_ms = player.dead_ms();
            open.lane.denied_ms = player.denied_ms;
            lanes.index.insert(key.clone(), lanes.lanes.len());
            lanes.lanes.push(open);
        }
        lanes
    }

    /// The lane of an event's player, added if necessary; `None` if there are too many already.
    fn lane_of(&mut self, event: &TimelineEvent) -> Option<usize> {
        let name = event.name.as_deref().unwrap_or_default();
        let key = if event.guid.is_empty() {
            name
        } else {
            &event.guid
        };
        if let Some(at) = self.index.get(key) {
            return Some(*at);
        }
        if self.lanes.len() >= LANES_MAX {
            return None;
        }
        let shown = if name.is_empty() {
            cut(&event.guid, 8)
        } else {
            name.to_owned()
        };
        let team = event.team.and_then(TeamNumber::team);
        self.index.insert(key.to_owned(), self.lanes.len());
        self.lanes.push(OpenLane::new(&shown, team));
        Some(self.lanes.len() - 1)
    }

    fn name_of(&self, key: &str) -> String {
        self.index
            .get(key)
            .map_or_else(|| displayable(key), |at| self.lanes[*at].lane.name.clone())
    }

    fn add(&mut self, event: &TimelineEvent) {
        if is_of_a_team(event) {
            return;
        }
        let Some(at) = self.lane_of(event) else {
            return;
        };
        let at_ms = event.t_ms;
        let by = event.by.as_deref().filter(|by| !by.is_empty());
        let team = event.team.and_then(TeamNumber::team);
        match event.kind {
            EventKind::Join | EventKind::Team if team.is_some() => {
                let open = &mut self.lanes[at];
                open.current_team = team;
                if open.state != State::Waiting {
                    open.wait(at_ms);
                }
            }
            EventKind::Join | EventKind::Team | EventKind::Leave => {
                self.lanes[at].current_team = None;
                self.lanes[at].change_state(at_ms, State::Absent, false, None);
            }
            EventKind::Spawn => self.lanes[at].change_state(at_ms, State::Alive, false, None),
            EventKind::Revive => {
                let medic = by.map_or_else(String::new, |by| self.name_of(by));
                let cause = by.map(|_| format!("revived by {medic}"));
                self.lanes[at].change_state(at_ms, State::Alive, false, cause);
                self.lanes[at].lane.revives.push((at_ms, medic));
            }
            EventKind::Death => {
                let killer = by.and_then(|by| self.index.get(by).copied());
                let cause = self.cause_of_death(event, at, killer);
                let victim = self.lanes[at].lane.name.clone();
                let victims_team = self.lanes[at].current_team;
                if let Some(killer) = killer
                    && killer != at
                    && self.lanes[killer].current_team != victims_team
                {
                    self.lanes[killer].lane.kills.push((at_ms, victim));
                }
                self.lanes[at].change_state(at_ms, State::Wounded, true, Some(cause));
            }
            EventKind::Limbo => {
                let open = &mut self.lanes[at];
                if matches!(open.state, State::Alive | State::Wounded) {
                    open.wait(at_ms);
                }
            }
            EventKind::Objective => {
                let objective = Objective::new(event);
                self.lanes[at].lane.objectives.extend(objective);
            }
            EventKind::Other => {}
        }
    }

    fn cause_of_death(
        &self,
        death: &TimelineEvent,
        victim: usize,
        killer: Option<usize>,
    ) -> String {
        let by = death.by.as_deref().filter(|by| !by.is_empty());
        let mut cause = match by {
            _ if killer == Some(victim) => "killed themselves".to_owned(),
            Some(by) => format!("killed by {}", self.name_of(by)),
            None => "died".to_owned(),
        };
        let means = death.means_of_death.as_deref();
        let means = means.map(|means| displayable(&display::means_of_death(means)));
        if let Some(means) = means.filter(|means| !means.is_empty()) {
            cause.push_str(&format!(" ({means})"));
        }
        cause
    }
}
