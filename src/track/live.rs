//! The running round as `gametimes status` shows it.

use gametimes_format::Team;

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
    /// Time dead so far, the current death included.
    pub dead_ms: i64,
}

/// The running round.
#[derive(Debug, Clone, Copy)]
pub struct Live<'a> {
    pub(super) round: &'a RunningRound,
    pub map: &'a str,
}

impl Live<'_> {
    /// The round's number, 1 or 2.
    pub fn number(&self) -> u8 {
        self.round.round.number
    }

    /// Time played until this level time.
    pub fn played_ms(&self, level_ms: i64) -> i64 {
        self.round.clock.played_ms(level_ms)
    }

    /// Whether the match is paused.
    pub fn is_paused(&self) -> bool {
        self.round.clock.is_paused()
    }

    /// The players on a team, by slot.
    pub fn players(&self, level_ms: i64) -> Vec<LivePlayer> {
        let now = self.played_ms(level_ms);
        let player = |(slot, s): (u8, &PlayerSlot)| {
            let stats = s.player.and_then(|p| self.round.round.players.get(p));
            let dead_before = stats.map_or(0, |stats| stats.dead_ms);
            let dead_now = match s.life {
                LifeState::Dead { since_ms, .. } => now - since_ms,
                _ => 0,
            };
            Some(LivePlayer {
                slot,
                name: s.name.clone(),
                team: s.playing_for()?,
                alive: matches!(s.life, LifeState::Alive { .. }),
                dead_ms: dead_before + dead_now,
            })
        };
        self.round.slots.iter().filter_map(player).collect()
    }
}
