//! The offsets of the fields that the module reads in a client's record, in bytes on x86_64. The record begins with
//! `playerState_t`.
//!
//! The layout has been the same in every release from 2.71 to 2.85; the sizes that the game passes with
//! `LOCATE_GAME_DATA` are checked against it before anything is read.

/// Offset of `playerState_t.pm_type`.
pub const PM_TYPE: usize = 4;
/// Offset of `playerState_t.pm_flags`.
pub const PM_FLAGS: usize = 12;
/// Offset of `playerState_t.stats`, 16 numbers.
pub const STATS: usize = 208;
/// Offset of `playerState_t.persistant`, 16 numbers.
pub const PERSISTANT: usize = 272;
/// Size of `playerState_t`; a client's record is at least as long.
pub const PLAYER_STATE_SIZE: usize = 1452;
/// Size of the part of an entity that engine and game share.
pub const SHARED_ENTITY_SIZE: usize = 400;
/// Longer records are refused; real ones have about 124 KB.
pub const CLIENT_SIZE_LIMIT: usize = 16 << 20;

/// Indices into `stats`.
pub mod stats {
    /// The class, 0 to 4. It is the client's own also while the client follows another player.
    pub const CLASS: usize = 4;
}

/// Indices into `persistant`.
pub mod persistant {
    /// Team: 1 Axis, 2 Allies, 3 spectator.
    pub const TEAM: usize = 3;
    /// Raised at every spawn.
    pub const SPAWN_COUNT: usize = 4;
    /// The slot of the last player who hurt this one; 1022 for the world.
    pub const ATTACKER: usize = 5;
    /// Raised at every death.
    pub const KILLED: usize = 6;
    /// Raised at every revive, which is a spawn too.
    pub const REVIVE_COUNT: usize = 9;
}

/// Values of `pm_type`.
pub mod pm_type {
    /// Dead, but still in the world.
    pub const DEAD: i32 = 3;
}

/// Bits of `pm_flags`.
pub mod flags {
    /// Set while following another player: the whole record is then that player's.
    pub const FOLLOW: i32 = 4096;
    /// Set in limbo, while waiting for the next wave.
    pub const LIMBO: i32 = 16384;
}

const _: () = {
    assert!(PERSISTANT + 16 * 4 <= PLAYER_STATE_SIZE);
    assert!(
        PM_TYPE.is_multiple_of(4) && PM_FLAGS.is_multiple_of(4) && PERSISTANT.is_multiple_of(4)
    );
};
