//! The slots of a round: the client in each, and the state of its player.

use gametimes_format::rules::is_bot_guid;
use gametimes_format::{Class, Team, TeamNumber};

use crate::engine::numbers::MAX_CLIENTS;

/// Whether the player in a slot is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum LifeState {
    /// On no team.
    #[default]
    None,
    /// On a team, not spawned yet since this time on the play clock.
    Waiting { since_ms: i64 },
    /// Alive since this time on the play clock.
    Alive { since_ms: i64 },
    /// Dead since this time on the play clock.
    Dead {
        since_ms: i64,
        /// The index of the enemy who killed the player.
        by: Option<usize>,
        /// Since when the player waits for a wave and cannot be revived any more.
        limbo_since_ms: Option<i64>,
    },
}

/// One slot of the server.
#[derive(Debug, Clone, Default)]
pub(super) struct PlayerSlot {
    pub(super) connected: bool,
    pub(super) guid: String,
    pub(super) is_bot: bool,
    /// Without colours.
    pub(super) name: String,
    /// 0 before the player has chosen a team.
    pub(super) team: TeamNumber,
    /// The index of the player's statistics.
    pub(super) player: Option<usize>,
    /// Whether the player has reconnected in another slot, while this connection has not timed out yet. Nothing is counted
    /// for it any more.
    pub(super) ghost: bool,
    pub(super) life: LifeState,
    /// The class since the last spawn.
    pub(super) class: Option<Class>,
    /// On a team since this time on the play clock.
    pub(super) plays_since_ms: Option<i64>,
}

impl PlayerSlot {
    /// A client connected.
    pub(super) fn connect(&mut self, guid: String, is_local: bool) {
        self.connected = true;
        self.is_bot = is_local || is_bot_guid(&guid);
        self.guid = guid;
        self.name.clear();
        self.team = TeamNumber::NONE;
    }

    /// The guid of the connected client arrived late.
    pub(super) fn set_guid(&mut self, guid: String) {
        self.is_bot |= is_bot_guid(&guid);
        self.guid = guid;
    }

    /// The team that the client plays on, if any.
    pub(super) fn playing_for(&self) -> Option<Team> {
        self.team.team().filter(|_| self.connected)
    }

    /// Whether the client plays on one of the two teams.
    pub(super) fn plays(&self) -> bool {
        self.playing_for().is_some()
    }

    /// The guid, or the name of a client without one; `None` if both are empty.
    pub(super) fn key(&self) -> Option<&String> {
        let key = if self.guid.is_empty() {
            &self.name
        } else {
            &self.guid
        };
        (!key.is_empty()).then_some(key)
    }
}

/// All slots that a server can have.
#[derive(Debug)]
pub(super) struct Slots([PlayerSlot; MAX_CLIENTS]);

impl Default for Slots {
    fn default() -> Self {
        Self(std::array::from_fn(|_| PlayerSlot::default()))
    }
}

impl Slots {
    /// A slot; an empty one for a number that no server has.
    pub(super) fn get(&self, slot: u8) -> &PlayerSlot {
        static EMPTY: PlayerSlot = PlayerSlot {
            connected: false,
            guid: String::new(),
            is_bot: false,
            name: String::new(),
            team: TeamNumber::NONE,
            player: None,
            ghost: false,
            life: LifeState::None,
            class: None,
            plays_since_ms: None,
        };
        self.0.get(usize::from(slot)).unwrap_or(&EMPTY)
    }

    pub(super) fn get_mut(&mut self, slot: u8) -> Option<&mut PlayerSlot> {
        self.0.get_mut(usize::from(slot))
    }

    /// All slots with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u8, &PlayerSlot)> {
        (0u8..).zip(self.0.iter())
    }

    /// The slot that has this player.
    pub(super) fn of_player(&self, player: usize) -> Option<u8> {
        self.iter()
            .find(|(_, s)| s.player == Some(player))
            .map(|(n, _)| n)
    }
}
