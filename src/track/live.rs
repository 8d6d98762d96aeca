//! The running round as `gametimes status` shows it.

use gametimes_format::Team;

use super::clock::PlayClock;
use super::running::RunningRound;
use super::slots::{LifeState, PlayerSlot};

/// A player of the running round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePlayer {
    pub slot: u8,
    /// Without colours.
    pub name: String,
    pub team: Team,
    pub alive: bool,
    /// Time dead before the current death.
    dead_before_ms: i64,
    /// When the player died, on the play clock.
    dead_since_ms: Option<i64>,
}

/// The running round at some moment. Its times continue until they are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    pub map: String,
    /// 1 or 2.
    pub number: u8,
    clock: PlayClock,
    /// The players on a team, by slot.
    pub players: Vec<LivePlayer>,
}

impl Live {
    pub(super) fn new(map: &str, running: &RunningRound) -> Self {
        let player = |(slot, s): (u8, &PlayerSlot)| {
            let stats = s.player.and_then(|p| running.round.players.get(p));
            Some(LivePlayer {
                slot,
                name: s.name.clone(),
                team: s.playing_for()?,
                alive: matches!(s.life, LifeState::Alive { .. }),
                dead_before_ms: stats.map_or(0, |stats| stats.dead_ms),
                dead_since_ms: match s.life {
                    LifeState::Dead { since_ms, .. } => Some(since_ms),
                    _ => None,
                },
            })
        };
        Self {
            map: map.to_owned(),
            number: running.round.number,
            clock: running.clock,
            players: running.slots.iter().filter_map(player).collect(),
        }
    }

    /// Time played until this level time.
    pub fn played_ms(&self, level_ms: i64) -> i64 {
        self.clock.played_ms(level_ms)
    }

    /// Whether the match is paused.
    pub fn is_paused(&self) -> bool {
        self.clock.is_paused()
    }

    /// Time a player was dead until this level time, the current death included.
    pub fn dead_ms(&self, player: &LivePlayer, level_ms: i64) -> i64 {
        let since = player.dead_since_ms;
        let now = since.map_or(0, |since| (self.played_ms(level_ms) - since).max(0));
        player.dead_before_ms + now
    }
}
