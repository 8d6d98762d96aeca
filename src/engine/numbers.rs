//! The numbers of the boundary between engine and game on x86_64, the same in every release from 2.71 to 2.85.

/// Commands of `vmMain`, under the engine's names.
pub mod call {
    pub const INIT: i32 = 0;
    pub const SHUTDOWN: i32 = 1;
    pub const CLIENT_CONNECT: i32 = 2;
    pub const CLIENT_BEGIN: i32 = 3;
    pub const CLIENT_USERINFO_CHANGED: i32 = 4;
    pub const CLIENT_DISCONNECT: i32 = 5;
    pub const CLIENT_COMMAND: i32 = 6;
    pub const CLIENT_THINK: i32 = 7;
    pub const RUN_FRAME: i32 = 8;
    pub const CONSOLE_COMMAND: i32 = 9;
}

/// Traps, the functions of the engine that a game can call, under the engine's names.
pub mod trap {
    pub const PRINT: isize = 0;
    pub const ERROR: isize = 1;
    pub const CVAR_REGISTER: isize = 3;
    pub const CVAR_SET: isize = 5;
    pub const CVAR_INTEGER: isize = 6;
    pub const CVAR_STRING: isize = 7;
    pub const ARGV: isize = 10;
    pub const FS_FOPEN: isize = 11;
    pub const FS_FCLOSE: isize = 15;
    pub const SEND_CONSOLE_COMMAND: isize = 16;
    pub const LOCATE_GAME_DATA: isize = 17;
    pub const SET_CONFIGSTRING: isize = 20;
    pub const GET_USERINFO: isize = 22;
    /// Follows the last argument, so that the engine stops reading.
    pub const ARGUMENTS_END: isize = -1337;
}

/// Indices of configstrings.
pub mod configstring {
    /// The time at which the running vote was called; empty without one.
    pub const VOTE_TIME: i32 = 6;
    /// The running vote.
    pub const VOTE_STRING: i32 = 7;
    /// "1" from the end of the round on.
    pub const INTERMISSION: i32 = 12;
    /// Key `d`: the defender, 0 Axis, 1 Allies.
    pub const MULTI_INFO: i32 = 13;
    /// Key `w`: the winner, 0 Axis, 1 Allies, -1 none.
    pub const MAP_WINNER: i32 = 14;
    /// The seeds of the spawn waves, sent once a map.
    pub const WAVE_SEEDS: i32 = 31;
    /// A set of bits, see [`PAUSED`].
    pub const SERVER_TOGGLES: i32 = 32;
    /// The bit of [`SERVER_TOGGLES`] that is set while the match is paused.
    pub const PAUSED: i32 = 16;
    /// The first of the players' strings. Key `n` is the name, `t` the team.
    pub const PLAYERS: i32 = 689;
}

/// `gamestate` while a round is played.
pub const GAMESTATE_PLAYING: i32 = 0;
/// `gamestate` in the seconds before play.
pub const GAMESTATE_COUNTDOWN: i32 = 1;
/// `gamestate` after a round.
pub const GAMESTATE_INTERMISSION: i32 = 3;
/// `gamestate` before the first frame of a map. The engine's `map` command sets it before it ends the running map.
pub const GAMESTATE_INITIALIZE: i32 = -1;
/// `gamestate` of the warmup.
pub const GAMESTATE_WARMUP: i32 = 2;
/// `gamestate` of the warmup after a match was reset before or after a round.
pub const GAMESTATE_RESET: i32 = 5;
/// `g_gametype` of last man standing, which has no waves.
pub const GAMETYPE_LAST_MAN_STANDING: i32 = 5;
/// The highest number of slots of a server (the engine's MAX_CLIENTS).
pub const MAX_CLIENTS: usize = gametimes_format::limits::SLOTS;
/// The oldest release that the module supports, 2.76, in the numbering of GAME_INIT.
pub const OLDEST_VERSION: i32 = 276_000_000;
