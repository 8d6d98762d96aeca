//! Rules about rounds and players that several readers share.

/// `g_gametype` of stopwatch, the only one with a round 2 (`GT_WOLF_STOPWATCH` in the engine's source).
pub const GAMETYPE_STOPWATCH: i32 = 3;

/// How long after its round 1 a round 2 may end and still belong to the same match.
pub const ROUND_2_WINDOW_SECONDS: i64 = 45 * 60;

/// How far a time of a stats file may be off: such files give tenths of a minute.
pub const STATS_ROUNDING_SECONDS: i64 = 6;

/// How the guid of an Omni-bot begins.
pub const BOT_GUID_PREFIX: &str = "OMNIBOT";

/// Whether a guid is that of an Omni-bot. Case does not matter.
///
/// ```
/// use gametimes_format::rules::is_bot_guid;
/// assert!(is_bot_guid("OMNIBOT03") && is_bot_guid("omnibot1"));
/// assert!(!is_bot_guid("A00000012469579A0BADF00CC0FFEE01"));
/// ```
pub fn is_bot_guid(guid: &str) -> bool {
    guid.get(..BOT_GUID_PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(BOT_GUID_PREFIX))
}
