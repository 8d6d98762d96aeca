//! The gametimes file: what happened in one round.

use serde::{Deserialize, Serialize};

use crate::message::Message;
use crate::team::TeamNumber;

/// The version of the format that this crate writes (`meta.schema`). Files without the key come from the older Lua
/// scripts and count as schema 1.
pub const SCHEMA: u32 = 2;

/// One round as it lies on disk: `gametime-<map>-R<round>-<round_end_unix>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GametimesFile {
    /// What happened.
    pub meta: Meta,
    /// The Discord message as posted.
    pub payload: Message,
}

impl GametimesFile {
    /// The name of this round's file, see [`file_name`].
    pub fn file_name(&self) -> String {
        file_name(&self.meta.map, self.meta.round, self.meta.round_end_unix)
    }
}

/// The name of a round's file: `gametime-<map>-R<round>-<round_end_unix>.json`. Characters of the map outside
/// `[A-Za-z0-9_-]` become `_`, so the name is safe as a path whatever the map is called.
///
/// ```
/// assert_eq!(gametimes_format::file::file_name("te escape.2", 1, 17), "gametime-te_escape_2-R1-17.json");
/// ```
pub fn file_name(map: &str, round: u8, round_end_unix: i64) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
            c
        } else {
            '_'
        }
    };
    let mut map: String = map.chars().map(safe).collect();
    if map.is_empty() {
        map.push_str("unknown");
    }
    format!("gametime-{map}-R{round}-{round_end_unix}.json")
}

/// Whether a name has the pattern of [`file_name`], as readers match it:
/// `^gametime-[A-Za-z0-9_.+-]+-R\d+-\d+\.json$`.
pub fn is_file_name(name: &str) -> bool {
    let Some(stem) = name
        .strip_prefix("gametime-")
        .and_then(|n| n.strip_suffix(".json"))
    else {
        return false;
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let mut parts = stem.rsplitn(3, '-');
    let (Some(unix), Some(round), Some(map)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    digits(unix)
        && round.strip_prefix('R').is_some_and(digits)
        && !map.is_empty()
        && map
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_.+-".contains(&b))
}

/// What happened in one round. The first block of keys is what readers know since the Lua scripts; the rest are ours
/// and default to empty where an older file lacks them.
///
/// Unix times are seconds of the server's wall clock; `_ms` are milliseconds of the game's play clock, which stands
/// still while the match is paused. Whole seconds are cut, not rounded, and cut once, from the sum in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// The map's name, as in the cvar `mapname`.
    pub map: String,
    /// 1 or 2; only stopwatch has a round 2.
    pub round: u8,
    /// When play began.
    pub round_start_unix: i64,
    /// When the round was over: the game's `Exit:`, or the shutdown that cut it off.
    pub round_end_unix: i64,
    /// Time played, pauses out.
    pub actual_duration_seconds: i64,
    /// Wall time of the warmup before this round; 0 when play was restarted without one.
    pub warmup_seconds: i64,
    /// Sum of all pauses.
    pub pause_seconds: i64,
    /// How many pauses there were, one still open at the end included.
    pub pause_count: i64,
    /// The address the server is bound to (cvar `net_ip`).
    pub server_ip: String,
    /// The server's port (cvar `net_port`), a string since the Lua scripts.
    pub server_port: String,
    /// The end as a unix time, a string: the id that the Lua scripts gave a round.
    pub match_id: String,
    /// One entry for each player who was on a team.
    pub spawn_stats: Vec<SpawnStats>,

    /// [`SCHEMA`]; 1 where the key is missing.
    #[serde(default = "schema_of_old_files")]
    pub schema: u32,
    /// Who recorded the round: `native` (the module) or `lua` (the fallback script).
    #[serde(default)]
    pub source: String,
    /// Version of the recorder.
    #[serde(default)]
    pub module_version: String,
    /// Version of ET:Legacy, `2.83.1`; empty when the engine did not say.
    #[serde(default)]
    pub engine_version: String,
    /// A UUIDv7 that tells a repeat of the same round from another round.
    #[serde(default)]
    pub event_id: String,
    /// [`crate::digest::round_canonical_id`].
    #[serde(default)]
    pub round_canonical_id: String,
    /// `g_gametype`: 2 objective, 3 stopwatch, 4 campaign, 5 last man standing, 6 map vote; 0 unknown.
    #[serde(default)]
    pub gametype: i32,
    /// `timelimit` as it stood at the end; fractional in a stopwatch round 2.
    #[serde(default)]
    pub timelimit_minutes: f64,
    /// The team that won; 0 for a draw or when it is unknown. An aborted round has no winner.
    #[serde(default)]
    pub winner: TeamNumber,
    /// The team that defended; 0 when it is unknown.
    #[serde(default)]
    pub defender: TeamNumber,
    /// Why the round ended.
    #[serde(default)]
    pub end_reason: EndReason,
    /// The game's own words after `Exit: `; empty for an aborted round.
    #[serde(default)]
    pub exit_text: String,
    /// Who gave up; team 0 when nobody did.
    #[serde(default)]
    pub surrender: Surrender,
    /// Rounds won by each side on this map so far, this one included.
    #[serde(default)]
    pub score: Score,
    /// Who was on which team when the round ended.
    #[serde(default)]
    pub teams: Teams,
    /// Every pause, in order.
    #[serde(default)]
    pub pauses: Vec<Pause>,
    /// Time played, pauses out.
    #[serde(default)]
    pub duration_ms: i64,
    /// Wall time of the warmup.
    #[serde(default)]
    pub warmup_ms: i64,
    /// The server's local time minus UTC at the end of the round. Names of stats files are in local time.
    #[serde(default)]
    pub utc_offset_seconds: i32,
    /// Cvar `sv_hostname`, colours out.
    #[serde(default)]
    pub server_hostname: String,
    /// Name of the gamestats file of this round, if the server wrote one.
    #[serde(default)]
    pub stats_file: Option<String>,
    /// The timeline, in order.
    #[serde(default)]
    pub events: Vec<TimelineEvent>,
    /// How many events the timeline had no room for; not written when 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub events_dropped: u64,
}

fn schema_of_old_files() -> u32 {
    1
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Why a round ended. The first three exist since the Lua scripts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The objective was completed (`Exit: Wolf EndRound.`).
    Objective,
    /// A team gave up.
    Surrender,
    /// The time limit was hit.
    TimeExpired,
    /// A team had no lives left (last man standing, limited lives).
    Eliminated,
    /// A vote for the next map passed.
    Vote,
    /// Aborted: the map was changed in mid-round.
    MapChange,
    /// Aborted: the map was restarted in mid-round.
    MapRestart,
    /// Aborted: the server was shut down in mid-round.
    ServerQuit,
    /// Aborted: the server crashed or was killed; the round was recovered at its next start.
    ServerCrash,
    /// The game gave an exit text that this version does not know, see `exit_text`; also what a reader sees where
    /// the key is missing or names a reason of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

impl EndReason {
    /// The name as it stands in the file: `time_expired`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Objective => "objective",
            Self::Surrender => "surrender",
            Self::TimeExpired => "time_expired",
            Self::Eliminated => "eliminated",
            Self::Vote => "vote",
            Self::MapChange => "map_change",
            Self::MapRestart => "map_restart",
            Self::ServerQuit => "server_quit",
            Self::ServerCrash => "server_crash",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the game itself ended the round; otherwise it was cut off and has no winner.
    pub fn is_finished(self) -> bool {
        !matches!(
            self,
            Self::MapChange | Self::MapRestart | Self::ServerQuit | Self::ServerCrash
        )
    }
}

/// Who gave up a round.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Surrender {
    /// The team that gave up; 0 when none did.
    pub team: TeamNumber,
    /// Guid of the player who called the vote; empty when a referee ended the round.
    pub caller_guid: String,
    /// Name of that player, colours out.
    pub caller_name: String,
}

/// Rounds won on this map so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// Won by the Axis.
    pub axis: u32,
    /// Won by the Allies.
    pub allies: u32,
}

/// A player as others know them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayerRef {
    /// `cl_guid`, up to 32 characters; empty for a client that has none.
    pub guid: String,
    /// The name, colours out.
    pub name: String,
}

/// Who was on which team.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Teams {
    /// Team 1.
    pub axis: Vec<PlayerRef>,
    /// Team 2.
    pub allies: Vec<PlayerRef>,
}

/// One pause of the match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// 1 for the round's first pause.
    pub n: u32,
    /// Unix time at which it began.
    pub start: i64,
    /// Unix time at which play went on, or the round ended.
    pub end: i64,
    /// Length on the game's clock, cut to whole seconds.
    pub sec: i64,
    /// The game's level time when the play clock stopped.
    #[serde(default)]
    pub start_ms: i64,
    /// The game's level time when the play clock went on.
    #[serde(default)]
    pub end_ms: i64,
    /// Where on the play clock it lies: the time played since the start of the round when it began. Older files lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_play_ms: Option<i64>,
}

/// What happened to one player in one round. One player is one guid, whatever slot and name; without a guid, one name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SpawnStats {
    /// `cl_guid`, up to 32 characters; empty for a client that has none.
    pub guid: String,
    /// The last name in the round, colours out.
    pub name: String,
    /// How often they came alive, revives included; going straight into limbo is not counted.
    pub spawns: u32,
    /// How often they died.
    pub deaths: u32,
    /// Time dead, cut to whole seconds.
    pub dead_seconds: i64,
    /// `dead_seconds / deaths`, cut; 0 without a death.
    pub avg_respawn: i64,
    /// The longest time dead in one piece, cut to whole seconds.
    pub max_respawn: i64,

    /// The team they were last on; 0 when it is unknown.
    #[serde(default)]
    pub team: TeamNumber,
    /// How many of the spawns were revives by a medic.
    #[serde(default)]
    pub revives: u32,
    /// Enemies killed: no team mates, not oneself, nobody who was dead already.
    #[serde(default)]
    pub kills: u32,
    /// Time dead of the enemies they killed, cut to whole seconds.
    #[serde(default)]
    pub denied_seconds: i64,
    /// Time dead: from the death to the next spawn or revive, to leaving for the spectators or the server, or to the
    /// end of the round.
    #[serde(default)]
    pub dead_ms: i64,
    /// The longest time dead in one piece.
    #[serde(default)]
    pub max_dead_ms: i64,
    /// Time dead of the enemies they killed.
    #[serde(default)]
    pub denied_ms: i64,
    /// Time alive on one of the two teams.
    #[serde(default)]
    pub alive_ms: i64,
    /// Time on one of the two teams.
    #[serde(default)]
    pub played_ms: i64,
}

/// What a [`TimelineEvent`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Came alive with a wave, or at the start.
    Spawn,
    /// Was revived; `by` is the medic.
    Revive,
    /// Died; `by` is the killer, `mod` the means of death.
    Death,
    /// Left the body for limbo: can no longer be revived.
    Limbo,
    /// Entered the server (or the round).
    Join,
    /// Left the server.
    Leave,
    /// Changed team; `team` is the new one.
    Team,
    /// A kind of a later version.
    #[serde(other)]
    Other,
}

/// One entry of the timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimelineEvent {
    /// When, on the play clock: 0 is the start of the round, pauses take no time.
    pub t_ms: i64,
    /// What.
    pub kind: EventKind,
    /// Who, by guid; empty for a client without one, see `name`.
    pub guid: String,
    /// Who, by name, where there is no guid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who did it, by guid (the name where there is no guid); null for the world or nobody.
    #[serde(default)]
    pub by: Option<String>,
    /// Means of death as the game names it (`MOD_MP40`; its numbers differ from version to version), else null.
    #[serde(default, rename = "mod")]
    pub means_of_death: Option<String>,
    /// The new team, in a join or a change of team: 1 Axis, 2 Allies, 3 spectators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamNumber>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_and_match_the_readers_pattern() {
        for map in [
            "supply",
            "te_escape2",
            "a/../../etc",
            "map with spaces",
            "",
            "ü",
        ] {
            let name = file_name(map, 2, 1_795_178_128);
            assert!(is_file_name(&name), "{name}");
            assert!(!name.contains('/') && !name.contains(".."), "{name}");
        }
        for name in [
            "gametime-x-R1-5.json.tmp",
            "gametime--R1-5.json",
            "gametime-x-R1-.json",
            "gametime-x-1-5.json",
            "x",
        ] {
            assert!(!is_file_name(name), "{name}");
        }
    }

    #[test]
    fn a_file_of_the_old_scripts_is_read_by_the_same_types() {
        let old = r#"{"meta":{"map":"room2","round":1,"round_start_unix":1,"round_end_unix":2,
            "actual_duration_seconds":1,"warmup_seconds":0,"pause_seconds":0,"pause_count":0,"server_ip":"127.0.0.1",
            "server_port":"27960","match_id":"2","spawn_stats":[{"guid":"A","name":"b","spawns":1,"deaths":0,
            "dead_seconds":0,"avg_respawn":0,"max_respawn":0}]},"payload":{"username":"ET:Legacy Stats",
            "content":"STATS_READY","embeds":[{"title":"t","description":"d","color":3447003,"fields":[],
            "footer":{"text":"Slomix Lua Webhook v1.7.2"}}]}}"#;
        let file: GametimesFile = serde_json::from_str(old).unwrap();
        assert_eq!(file.meta.schema, 1);
        assert_eq!(file.meta.end_reason, EndReason::Unknown);
        assert_eq!(file.meta.spawn_stats[0].dead_ms, 0);
    }

    #[test]
    fn an_unknown_end_reason_is_no_error() {
        assert_eq!(
            serde_json::from_str::<EndReason>("\"meteor\"").unwrap(),
            EndReason::Unknown
        );
        assert_eq!(
            serde_json::to_string(&EndReason::TimeExpired).unwrap(),
            format!("\"{}\"", EndReason::TimeExpired.as_str())
        );
    }
}
