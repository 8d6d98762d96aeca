//! The timeline picture of a round: who was alive, wounded, waiting or not there, and when.
//!
//! [`Chart::new`] makes lanes from a stored round, [`Chart::svg`] draws them, [`png::render`] makes a PNG of the drawing.

pub mod png;
mod svg;
pub mod text;

use std::collections::HashMap;

use gametimes_format::{EventKind, Pause, TimelineEvent};
use gametimes_rounds::pauses::{PauseMark, pause_marks};

use crate::db::players::Player;
use crate::db::rounds::RoundDetail;
use crate::db::{Db, DbError};
use crate::display;

/// How many times its size a PNG is drawn, so that it is sharp on today's screens.
pub const PNG_SCALE: f32 = 1.5;

/// With so many lanes, a timeline adds none to those of the players: anybody may have made its guids up.
const LANES_MAX: usize = 128;

/// What a player is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not on a team, or not on the server.
    Absent,
    /// In the game.
    Alive,
    /// Dead, and a medic could still revive.
    Wounded,
    /// In limbo, waiting for the team's next wave.
    Waiting,
}

/// A stretch of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// From when, on the play clock.
    pub from_ms: i64,
    /// Until when.
    pub to_ms: i64,
    /// Doing what.
    pub state: State,
    /// Whether the time counts as dead.
    pub dead: bool,
    /// What led to it: who killed or revived.
    pub cause: Option<String>,
}

/// One player's lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// The guid; empty for a client without one.
    pub guid: String,
    /// The name, colours out.
    pub name: String,
    /// 1 Axis, 2 Allies, 0 neither.
    pub team: i64,
    /// What they did, in order, without gaps.
    pub spans: Vec<Span>,
    /// When they were revived, and by whom.
    pub revives: Vec<(i64, String)>,
    /// When they killed an enemy, and whom.
    pub kills: Vec<(i64, String)>,
    /// Time dead, as it is stored.
    pub dead_ms: Option<i64>,
    /// Time dead of the enemies killed, as it is stored.
    pub denied_ms: Option<i64>,
}

/// A round, ready to be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// `supply, round 1`.
    pub title: String,
    /// Result, duration, score and so on.
    pub facts: Vec<String>,
    /// What stands at the end.
    pub end: String,
    /// Time played.
    pub duration_ms: i64,
    /// The pauses, in order.
    pub pauses: Vec<PauseMark>,
    /// The players: Axis, Allies, others.
    pub lanes: Vec<Lane>,
    /// Whether there is a timeline at all.
    pub known: bool,
}

/// Colours of the picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Theme {
    /// Light, and dark where the viewer's system is (in an SVG; a PNG is light).
    #[default]
    Auto,
    /// Dark only.
    Dark,
}

impl Chart {
    /// Reads a round from the database; `None` when there is none with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load(store: &Db, id: i64) -> Result<Option<Self>, DbError> {
        let Some(detail) = store.round(id).await? else {
            return Ok(None);
        };
        let events = events(store, id).await?;
        Ok(Some(Self::new(&detail, &events)))
    }

    /// Makes the lanes of a round from its timeline.
    pub fn new(detail: &RoundDetail, events: &[TimelineEvent]) -> Self {
        let round = &detail.round;
        let last = events.iter().map(|e| e.t_ms).max().unwrap_or_default();
        let duration_ms = round
            .duration_ms
            .or(round
                .actual_duration_seconds
                .map(|s| s.saturating_mul(1000)))
            .unwrap_or_default()
            .max(last);
        Self {
            title: format!(
                "{}, round {}",
                text::plain(&round.map_name),
                round.round_number
            ),
            facts: display::facts(detail),
            end: display::end(detail),
            duration_ms,
            pauses: pauses(detail, duration_ms),
            lanes: Builder::new(&detail.players).build(events, duration_ms),
            known: !events.is_empty(),
        }
    }
}

/// The timeline of a round; what cannot be read of it is left out.
///
/// # Errors
/// When the database fails.
pub async fn events(store: &Db, id: i64) -> Result<Vec<TimelineEvent>, DbError> {
    Ok(serde_json::from_value(store.timeline(id).await?).unwrap_or_default())
}

fn pauses(detail: &RoundDetail, duration_ms: i64) -> Vec<PauseMark> {
    let Some(recorded) = &detail.recorded else {
        return Vec::new();
    };
    let pauses: Vec<Pause> = serde_json::from_value(recorded.pauses.clone()).unwrap_or_default();
    let start = detail.round.round_start_unix.unwrap_or_default();
    let mut marks = pause_marks(&pauses, start);
    for mark in &mut marks {
        mark.at_ms = mark.at_ms.clamp(0, duration_ms);
    }
    marks.sort_by_key(|mark| mark.at_ms);
    marks
}

/// A lane in the making.
struct Open {
    lane: Lane,
    state: State,
    since_ms: i64,
    dead: bool,
    cause: Option<String>,
    team_now: i64,
}

impl Open {
    fn new(name: &str, team: i64) -> Self {
        Self {
            lane: Lane {
                guid: String::new(),
                name: text::plain(name),
                team,
                spans: Vec::new(),
                revives: Vec::new(),
                kills: Vec::new(),
                dead_ms: None,
                denied_ms: None,
            },
            state: State::Absent,
            since_ms: 0,
            dead: false,
            cause: None,
            team_now: 0,
        }
    }

    fn turn(&mut self, at_ms: i64, state: State, dead: bool, cause: Option<String>) {
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
}

struct Builder {
    lanes: Vec<Open>,
    known: HashMap<String, usize>,
}

impl Builder {
    fn new(players: &[Player]) -> Self {
        let mut builder = Self {
            lanes: Vec::new(),
            known: HashMap::new(),
        };
        let mut sorted: Vec<&Player> = players.iter().filter(|p| p.spawns.is_some()).collect();
        let teams = [Some(1), Some(2)];
        let rank = |team| teams.iter().position(|t| *t == team).unwrap_or(2);
        sorted.sort_by_key(|p| (rank(p.team), p.name.to_lowercase()));
        for player in sorted {
            // The timeline knows a client without a guid by its name.
            let key = if player.guid.starts_with("name:") {
                player.name.clone()
            } else {
                player.guid.clone()
            };
            let mut open = Open::new(&player.name, player.team.unwrap_or_default());
            open.lane.guid.clone_from(&player.guid);
            open.lane.dead_ms = player.dead_ms.or(player.dead_seconds.map(|s| s * 1000));
            open.lane.denied_ms = player.denied_ms;
            builder.known.insert(key, builder.lanes.len());
            builder.lanes.push(open);
        }
        builder
    }

    /// The lane of an event's player; nothing when there are too many already.
    fn lane_of(&mut self, event: &TimelineEvent) -> Option<usize> {
        let name = event.name.as_deref().unwrap_or_default();
        let key = if event.guid.is_empty() {
            name
        } else {
            &event.guid
        };
        if let Some(at) = self.known.get(key) {
            return Some(*at);
        }
        if self.lanes.len() >= LANES_MAX {
            return None;
        }
        let shown: String = if name.is_empty() {
            event.guid.chars().take(8).collect()
        } else {
            name.to_owned()
        };
        self.known.insert(key.to_owned(), self.lanes.len());
        self.lanes
            .push(Open::new(&shown, event.team.unwrap_or_default().into()));
        Some(self.lanes.len() - 1)
    }

    fn name_of(&self, key: &str) -> String {
        self.known
            .get(key)
            .map_or_else(|| text::plain(key), |at| self.lanes[*at].lane.name.clone())
    }

    fn build(mut self, events: &[TimelineEvent], duration_ms: i64) -> Vec<Lane> {
        for event in events {
            self.take(event);
        }
        let close = |mut open: Open| {
            open.turn(duration_ms, State::Absent, false, None);
            open.lane
        };
        self.lanes.into_iter().map(close).collect()
    }

    fn take(&mut self, event: &TimelineEvent) {
        let Some(at) = self.lane_of(event) else {
            return;
        };
        let at_ms = event.t_ms;
        let by = event.by.as_deref().filter(|by| !by.is_empty());
        let team = i64::from(event.team.unwrap_or_default());
        match event.kind {
            EventKind::Join | EventKind::Team if matches!(team, 1 | 2) => {
                let open = &mut self.lanes[at];
                open.team_now = team;
                if !matches!(open.state, State::Waiting) {
                    let dead = open.dead;
                    open.turn(at_ms, State::Waiting, dead, None);
                }
            }
            EventKind::Join | EventKind::Team | EventKind::Leave => {
                self.lanes[at].team_now = 0;
                self.lanes[at].turn(at_ms, State::Absent, false, None);
            }
            EventKind::Spawn => self.lanes[at].turn(at_ms, State::Alive, false, None),
            EventKind::Revive => {
                let medic = by.map_or_else(String::new, |by| self.name_of(by));
                let cause = format!("revived by {medic}");
                self.lanes[at].turn(at_ms, State::Alive, false, by.map(|_| cause));
                self.lanes[at].lane.revives.push((at_ms, medic));
            }
            EventKind::Death => {
                let killer = by.and_then(|by| self.known.get(by).copied());
                let means = event.means_of_death.as_deref().map(display::means_of_death);
                let mut cause = match by {
                    _ if killer == Some(at) => "killed themselves".to_owned(),
                    Some(by) => format!("killed by {}", self.name_of(by)),
                    None => "died".to_owned(),
                };
                if let Some(means) = means.filter(|m| !m.is_empty()) {
                    cause.push_str(&format!(" ({means})"));
                }
                let victim = self.lanes[at].lane.name.clone();
                let victims_team = self.lanes[at].team_now;
                if let Some(killer) = killer
                    && killer != at
                    && self.lanes[killer].team_now != victims_team
                {
                    self.lanes[killer].lane.kills.push((at_ms, victim));
                }
                self.lanes[at].turn(at_ms, State::Wounded, true, Some(cause));
            }
            EventKind::Limbo => {
                let open = &mut self.lanes[at];
                if matches!(open.state, State::Alive | State::Wounded) {
                    let dead = open.dead;
                    open.turn(at_ms, State::Waiting, dead, None);
                }
            }
            EventKind::Other => {}
        }
    }
}

#[cfg(test)]
mod tests;
