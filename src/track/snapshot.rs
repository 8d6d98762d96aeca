//! The server at one moment, for the live file.

use gametimes_format::check::bounds;
use gametimes_format::file::TimelineEvent;
use gametimes_format::live::{EVENTS, Life, LivePause, LivePlayer, SCHEMA, Snapshot, State};
use gametimes_format::matches::Sides;
use gametimes_format::rules::GAMETYPE_STOPWATCH;
use gametimes_format::text::cut;

use super::Tracker;
use super::round::PlayerStats;
use super::running::{RunningRound, name_entry};
use super::slots::{LifeState, PlayerSlot, Slots};
use crate::engine::numbers::{
    GAMESTATE_COUNTDOWN, GAMESTATE_INTERMISSION, GAMESTATE_PLAYING, MAX_CLIENTS,
};
use crate::first_round;

/// What is known of a map outside of its running round.
#[derive(Debug, Default)]
pub(super) struct Stage {
    pub(super) state: State,
    /// The clients while no round is played.
    lobby: Slots,
    /// How the round on this map ended.
    result: Option<Box<Snapshot>>,
}

impl Stage {
    /// The state of a map from its start on.
    pub(super) fn begin(gamestate: i32) -> Self {
        Self {
            state: state(gamestate),
            ..Self::default()
        }
    }

    /// The game has changed cvar `gamestate`. Play begins only with another map or a map_restart.
    pub(super) fn set_gamestate(&mut self, gamestate: i32) {
        if gamestate != GAMESTATE_PLAYING && self.state != State::Idle {
            self.state = state(gamestate);
        }
    }

    /// The round is over.
    pub(super) fn finish(&mut self, last: Snapshot) {
        self.state = State::Intermission;
        self.result = Some(Box::new(last));
    }

    /// The client in a slot, outside of a round.
    pub(super) fn client(&mut self, slot: u8) -> Option<&mut PlayerSlot> {
        self.lobby.get_mut(slot)
    }
}

fn state(gamestate: i32) -> State {
    match gamestate {
        GAMESTATE_PLAYING => State::Playing,
        GAMESTATE_COUNTDOWN => State::Countdown,
        GAMESTATE_INTERMISSION => State::Intermission,
        _ => State::Warmup,
    }
}

impl Tracker {
    /// The server at this level time. The recorder adds what identifies it: number, time, server and match.
    pub fn snapshot(&self, level_ms: i64) -> Snapshot {
        let stage = &self.stage;
        let mut now = Snapshot {
            schema: SCHEMA,
            state: stage.state,
            ..Snapshot::default()
        };
        if stage.state == State::Idle {
            return now;
        }
        let rules = &self.rules;
        now.map.clone_from(&self.level.map);
        now.round = rules.round;
        now.gametype = rules.gametype;
        now.config = cut(&rules.config, bounds::TEXT);
        now.limit_ms =
            Some(first_round::limit_ms(rules.timelimit_minutes)).filter(|&limit_ms| limit_ms > 0);
        now.target_ms = now
            .limit_ms
            .filter(|_| rules.gametype == GAMETYPE_STOPWATCH && rules.round == 2);
        now.score = self.score;
        now.sides = self.sides();
        match (&self.round, &stage.result) {
            (Some(round), _) if !round.is_over() => round.describe(&mut now, level_ms),
            (_, Some(result)) if stage.state == State::Intermission => {
                now.played_ms = result.played_ms;
                now.players.clone_from(&result.players);
                now.events.clone_from(&result.events);
            }
            _ => {
                let clients = stage.lobby.iter().filter(|(_, client)| client.plays());
                now.players = clients
                    .map(|(slot, client)| waiting(slot, client))
                    .collect();
            }
        }
        now
    }

    fn sides(&self) -> Option<Sides> {
        first_round::sides(self.rules.round, self.first_round.as_ref(), self.defender)
    }
}

impl RunningRound {
    fn describe(&self, snapshot: &mut Snapshot, level_ms: i64) {
        let now_ms = self.clock.played_ms(level_ms).max(0);
        snapshot.played_ms = now_ms;
        if self.clock.is_paused() {
            snapshot.state = State::Paused;
            snapshot.pause = self.pause_now();
        }
        snapshot.waves = self.waves.at(self.round.gametype, now_ms);
        snapshot.players = self.live_players(now_ms);
        snapshot.events = self.last_events();
    }

    /// The pause that holds the match, if the round lists it.
    fn pause_now(&self) -> Option<LivePause> {
        let pause = self.round.pauses.get(self.pauses.checked_sub(1)?)?;
        Some(LivePause {
            n: u32::try_from(self.pauses).ok()?,
            since_unix_ms: pause.start.unix_ms,
            by: pause.by.clone(),
        })
    }

    /// The players on a team, without the connections that they have left behind.
    fn live_players(&self, now_ms: i64) -> Vec<LivePlayer> {
        let since = |since_ms: i64| (now_ms - since_ms).max(0);
        let stats = &self.round.players;
        // Deaths that have not ended, by the players who caused them.
        let mut denied_ms = vec![0; stats.len()];
        for (_, s) in self.slots.iter() {
            if let LifeState::Dead {
                since_ms,
                by: Some(by),
                ..
            } = s.life
                && let Some(denied_ms) = denied_ms.get_mut(by)
            {
                *denied_ms += since(since_ms);
            }
        }
        let mut players = Vec::with_capacity(MAX_CLIENTS);
        for (slot, s) in self.slots.iter().filter(|(_, s)| s.plays()) {
            let Some(stats) = s.player.and_then(|p| Some((p, stats.get(p)?))) else {
                continue;
            };
            let (index, stats): (usize, &PlayerStats) = stats;
            let dead_ms = match s.life {
                LifeState::Dead { since_ms, .. } => since(since_ms),
                _ => 0,
            };
            let (life, since_ms) = life(s);
            players.push(LivePlayer {
                guid: stats.guid.clone(),
                name: stats.name.clone(),
                class: s.class,
                life,
                since_ms,
                kills: stats.kills,
                deaths: stats.deaths,
                revives: stats.revives,
                dead_ms: stats.dead_ms + dead_ms,
                denied_ms: stats.denied_ms + denied_ms[index],
                ..waiting(slot, s)
            });
        }
        players
    }

    fn last_events(&self) -> Vec<TimelineEvent> {
        let timeline = &self.round.timeline;
        let first = timeline.len().saturating_sub(EVENTS);
        let named = |(entry, players): (&TimelineEvent, &(Option<usize>, Option<usize>))| {
            let mut entry = entry.clone();
            name_entry(&mut entry, *players, &self.round.players);
            entry
        };
        let last = timeline[first..]
            .iter()
            .zip(&self.timeline_players[first..]);
        last.map(named).collect()
    }
}

/// Whether the player in a slot lives, and since when.
fn life(slot: &PlayerSlot) -> (Life, i64) {
    match slot.life {
        LifeState::Alive { since_ms } => (Life::Alive, since_ms),
        LifeState::Dead {
            limbo_since_ms: Some(since_ms),
            ..
        } => (Life::Limbo, since_ms),
        LifeState::Dead { since_ms, .. } => (Life::Wounded, since_ms),
        LifeState::Waiting { since_ms } => (Life::Waiting, since_ms),
        LifeState::None => (Life::Waiting, 0),
    }
}

/// A client on a team who has not played yet.
fn waiting(slot: u8, client: &PlayerSlot) -> LivePlayer {
    LivePlayer {
        slot,
        guid: client.guid.clone(),
        name: client.name.clone(),
        team: client.team,
        class: None,
        life: Life::Waiting,
        since_ms: 0,
        kills: 0,
        deaths: 0,
        revives: 0,
        dead_ms: 0,
        denied_ms: 0,
        is_bot: client.is_bot,
    }
}
