//! Who is in which slot.

use gametimes_format::{Team, TeamNumber};

use crate::engine::numbers::MAX_CLIENTS;

/// A client of the server, whether a round is played or not.
#[derive(Debug, Clone, Default)]
pub(super) struct Slot {
    pub(super) connected: bool,
    pub(super) guid: String,
    /// Colours out.
    pub(super) name: String,
    /// 0 before the player has chosen one.
    pub(super) team: TeamNumber,
}

impl Slot {
    /// The team that the client plays on, if it is connected and plays on one.
    pub(super) fn playing_for(&self) -> Option<Team> {
        self.team.team().filter(|_| self.connected)
    }

    /// On one of the two teams.
    pub(super) fn plays(&self) -> bool {
        self.playing_for().is_some()
    }
}

/// All slots a server can have.
#[derive(Debug, Clone)]
pub(super) struct Slots([Slot; MAX_CLIENTS]);

impl Default for Slots {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Slot::default()))
    }
}

impl Slots {
    /// A slot; one that no server has is an empty one.
    pub(super) fn get(&self, slot: u8) -> &Slot {
        static NOBODY: Slot = Slot {
            connected: false,
            guid: String::new(),
            name: String::new(),
            team: TeamNumber::NONE,
        };
        self.0.get(usize::from(slot)).unwrap_or(&NOBODY)
    }

    /// All slots with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u8, &Slot)> {
        (0u8..).zip(self.0.iter())
    }

    pub(super) fn connect(&mut self, slot: u8, guid: &str) {
        if let Some(s) = self.0.get_mut(usize::from(slot)) {
            *s = Slot {
                connected: true,
                guid: guid.to_owned(),
                ..Slot::default()
            };
        }
    }

    pub(super) fn connect_late(&mut self, slot: u8, guid: &str) {
        if let Some(s) = self.0.get_mut(usize::from(slot)) {
            guid.clone_into(&mut s.guid);
        }
    }

    pub(super) fn set(&mut self, slot: u8, team: TeamNumber, name: &str) {
        if let Some(s) = self.0.get_mut(usize::from(slot)) {
            s.team = team;
            name.clone_into(&mut s.name);
        }
    }

    pub(super) fn leave(&mut self, slot: u8) {
        if let Some(s) = self.0.get_mut(usize::from(slot)) {
            *s = Slot::default();
        }
    }
}
