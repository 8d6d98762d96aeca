//! Who is in which slot.

use crate::engine::numbers::MAX_CLIENTS;

/// A client of the server, whether a round is played or not.
#[derive(Debug, Clone, Default)]
pub(super) struct Slot {
    pub(super) connected: bool,
    pub(super) guid: String,
    /// Colours out.
    pub(super) name: String,
    /// 1 Axis, 2 Allies, 3 spectator, 0 none yet.
    pub(super) team: u8,
}

impl Slot {
    /// On one of the two teams.
    pub(super) fn plays(&self) -> bool {
        self.connected && (self.team == 1 || self.team == 2)
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
            team: 0,
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

    pub(super) fn set(&mut self, slot: u8, team: u8, name: &str) {
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
