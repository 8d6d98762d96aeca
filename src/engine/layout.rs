//! Where in a client's record the fields lie that we read, in bytes on x86_64. The record begins with `playerState_t`.
//!
//! The layout has been the same in every release from 2.71 to 2.85; the sizes that the game gives with
//! `LOCATE_GAME_DATA` are checked against it before anything is read.

/// `playerState_t.pm_flags`.
pub const PM_FLAGS: usize = 12;
/// `playerState_t.persistant`, 16 numbers.
pub const PERSISTANT: usize = 272;
/// Size of `playerState_t`; a client's record is at least as long.
pub const PLAYER_STATE_SIZE: usize = 1452;
/// Size of the part of an entity that engine and game share.
pub const SHARED_ENTITY_SIZE: usize = 400;
/// A record longer than this (they are ~124 KB) is no record.
pub const CLIENT_SIZE_LIMIT: usize = 16 << 20;

/// Indices into `persistant`.
pub mod persistant {
    /// Team: 1 Axis, 2 Allies, 3 spectator.
    pub const TEAM: usize = 3;
    /// Raised at every spawn.
    pub const SPAWN_COUNT: usize = 4;
    /// Raised at every revive, which is a spawn too.
    pub const REVIVE_COUNT: usize = 9;
}

/// Bits of `pm_flags`.
pub mod flags {
    /// Watching somebody else: the whole record is that of the one who is watched.
    pub const FOLLOW: i32 = 4096;
    /// In limbo, waiting for the next wave.
    pub const LIMBO: i32 = 16384;
}

const _: () = {
    assert!(PERSISTANT + 16 * 4 <= PLAYER_STATE_SIZE);
    assert!(PM_FLAGS.is_multiple_of(4) && PERSISTANT.is_multiple_of(4));
};
