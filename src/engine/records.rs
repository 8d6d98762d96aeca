//! The clients' records in the game's memory, read field by field within the sizes that the game passed.

use super::layout::{
    CLIENT_SIZE_LIMIT, PERSISTANT, PLAYER_STATE_SIZE, PM_FLAGS, PM_TYPE, SHARED_ENTITY_SIZE, STATS,
    persistant, stats,
};
use super::numbers::MAX_CLIENTS;
use crate::observe::{Record, Records};

/// Where the records are. Unknown until the game passes `LOCATE_GAME_DATA`.
#[derive(Debug, Clone, Copy)]
pub struct GameRecords {
    clients: *const u8,
    client_size: usize,
}

/// The game passed sizes that are not those of ET:Legacy's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadSizes;

impl GameRecords {
    /// Before the game has passed where they are: every record is `None`.
    pub const fn nowhere() -> Self {
        Self {
            clients: std::ptr::null(),
            client_size: 0,
        }
    }

    /// Takes an entity's size, the clients and a client's size from the arguments of `LOCATE_GAME_DATA`.
    ///
    /// # Errors
    /// When the sizes are too small for the fields that are read, or absurdly large.
    ///
    /// # Safety
    /// `clients` is null or points to [`MAX_CLIENTS`] records of `client_size` bytes that stay where they are until the
    /// game is shut down.
    pub unsafe fn locate(
        entity_size: isize,
        clients: *const u8,
        client_size: isize,
    ) -> Result<Self, BadSizes> {
        let entity_fits = entity_size >= SHARED_ENTITY_SIZE as isize;
        match usize::try_from(client_size) {
            Ok(client_size)
                if entity_fits
                    && !clients.is_null()
                    && (PLAYER_STATE_SIZE..=CLIENT_SIZE_LIMIT).contains(&client_size) =>
            {
                Ok(Self {
                    clients,
                    client_size,
                })
            }
            _ => Err(BadSizes),
        }
    }

    fn number(&self, slot: usize, offset: usize) -> i32 {
        debug_assert!(slot < MAX_CLIENTS && offset + 4 <= PLAYER_STATE_SIZE);
        // SAFETY: `get` has checked slot and pointer, the offsets are constants within playerState_t, and `locate`'s
        // caller has promised records of at least that size. Unaligned, because the game promises no alignment.
        unsafe {
            let field = self.clients.add(slot * self.client_size + offset);
            field.cast::<i32>().read_unaligned()
        }
    }
}

impl Records for GameRecords {
    fn get(&self, slot: usize) -> Option<Record> {
        if self.clients.is_null() || slot >= MAX_CLIENTS {
            return None;
        }
        let counter = |index: usize| self.number(slot, PERSISTANT + 4 * index);
        Some(Record {
            pm_type: self.number(slot, PM_TYPE),
            pm_flags: self.number(slot, PM_FLAGS),
            class: self.number(slot, STATS + 4 * stats::CLASS),
            team: counter(persistant::TEAM),
            spawn_count: counter(persistant::SPAWN_COUNT),
            attacker: counter(persistant::ATTACKER),
            deaths: counter(persistant::KILLED),
            revive_count: counter(persistant::REVIVE_COUNT),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_at_the_offsets_of_the_layout() {
        const SIZE: usize = 1500;
        let mut memory = vec![0u8; MAX_CLIENTS * SIZE];
        let mut put = |slot: usize, offset: usize, value: i32| {
            memory[slot * SIZE + offset..][..4].copy_from_slice(&value.to_ne_bytes());
        };
        put(63, 4, 3);
        put(63, 12, 4096);
        put(63, 208 + 16, 4);
        put(63, 272 + 12, 2);
        put(63, 272 + 16, 7);
        put(63, 272 + 20, 1022);
        put(63, 272 + 24, 8);
        put(63, 272 + 36, 1);
        // SAFETY: 64 records of SIZE bytes, alive until the end of the test.
        let records = unsafe { GameRecords::locate(400, memory.as_ptr(), SIZE as isize) }.unwrap();
        let expected = Record {
            pm_type: 3,
            pm_flags: 4096,
            class: 4,
            team: 2,
            spawn_count: 7,
            attacker: 1022,
            deaths: 8,
            revive_count: 1,
        };
        assert_eq!(records.get(63), Some(expected));
        assert_eq!(records.get(0), Some(Record::default()));
        assert_eq!(records.get(64), None);
    }

    #[test]
    fn unexpected_sizes_are_refused() {
        let memory = [0u8; 8];
        for (entity, client) in [
            (399, 1452),
            (400, 1451),
            (400, -1),
            (400, isize::MAX),
            (-5, 124_320),
        ] {
            // SAFETY: refused records are never read.
            let refused = unsafe { GameRecords::locate(entity, memory.as_ptr(), client) };
            assert_eq!(refused.err(), Some(BadSizes), "{entity} {client}");
        }
        // SAFETY: as above.
        assert!(unsafe { GameRecords::locate(400, std::ptr::null(), 1452) }.is_err());
    }
}
