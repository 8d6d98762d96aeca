//! The gametimes file: one round.

use serde::{Deserialize, Serialize};

use crate::class::{Class, ObjectiveAction};
use crate::matches::{MapResult, PauseBy, Sides, Stopwatch};
use crate::message::Message;
use crate::team::TeamNumber;
use crate::waves::Waves;

/// The version of the format (`meta.schema`). Files without this key come from the older Lua scripts and count as schema 1.
pub const SCHEMA: u32 = 2;

/// The content of a gametimes file, `gametime-<map>-R<round>-<round_end_unix>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GametimesFile {
    /// The round.
    pub meta: Meta,
    /// The round's Discord message, as posted.
    pub payload: Message,
}

impl GametimesFile {
    /// The file name of this round, see [`file_name`].
    pub fn file_name(&self) -> String {
        file_name(&self.meta.map, self.meta.round, self.meta.round_end_unix)
    }
}

/// The file name of a round: `gametime-<map>-R<round>-<round_end_unix>.json`. Characters of the map outside
/// `[A-Za-z0-9_-]` become `_`, so that every name is a safe path.
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

/// Whether a name matches the pattern of [`file_name`], as readers check it:
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

/// One round. The keys of the first block exist since the Lua scripts; the others are new, and have a default where an older
/// file lacks them.
///
/// Unix times are seconds of the server's wall clock. Keys that end in `_ms` are milliseconds on the play clock, which stands
/// still while the match is paused. Whole seconds are rounded down, after all milliseconds are summed up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Meta {
    /// The map's name, as in the cvar `mapname`.
    pub map: String,
    /// 1 or 2; only stopwatch has a round 2.
    pub round: u8,
    /// When play began.
    pub round_start_unix: i64,
    /// When the round ended: at the game's `Exit:`, or at the shutdown that interrupted it.
    pub round_end_unix: i64,
    /// Time played, without pauses.
    pub actual_duration_seconds: i64,
    /// Length of the warmup before this round on the wall clock; 0 if play was restarted without one.
    pub warmup_seconds: i64,
    /// Length of all pauses together.
    pub pause_seconds: i64,
    /// Number of pauses, including one that was still open at the end.
    pub pause_count: i64,
    /// The address that the server listens on (cvar `net_ip`). Readers accept a file without it: owners may remove it before they share
    /// a file.
    #[serde(default)]
    pub server_ip: String,
    /// The server's port (cvar `net_port`), as a string. Readers accept a file without it.
    #[serde(default)]
    pub server_port: String,
    /// `round_end_unix` as a string: the id of a round in the Lua scripts.
    pub match_id: String,
    /// One entry for each player who was on a team.
    pub spawn_stats: Vec<SpawnStats>,

    /// The version of the format, now 2; 1 if the key is missing.
    #[serde(default = "schema_of_old_files")]
    pub schema: u32,
    /// The recorder: `native` (the module) or `lua` (the fallback script).
    #[serde(default)]
    pub source: String,
    /// The recorder's version.
    #[serde(default)]
    pub module_version: String,
    /// The version of ET:Legacy, such as `2.83.1`; empty if unknown.
    #[serde(default)]
    pub engine_version: String,
    /// A UUIDv7 of the round: a second file with the same id is a repeat.
    #[serde(default)]
    pub event_id: String,
    /// The id that every reader can compute: the first 16 hex digits of the SHA-256 of `<start_unix>:<map>:<round>`, with the map in
    /// lower case.
    #[serde(default)]
    pub round_canonical_id: String,
    /// Cvar `g_gametype`: 2 objective, 3 stopwatch, 4 campaign, 5 last man standing, 6 map vote; 0 unknown.
    #[serde(default)]
    pub gametype: i32,
    /// Cvar `timelimit` at the end of the round; fractional in a stopwatch round 2.
    #[serde(default)]
    pub timelimit_minutes: f64,
    /// The team that won; 0 for a draw or when it is unknown. An interrupted round has no winner.
    #[serde(default)]
    pub winner: TeamNumber,
    /// The team that defended; 0 when it is unknown.
    #[serde(default)]
    pub defender: TeamNumber,
    /// Why the round ended.
    #[serde(default)]
    pub end_reason: EndReason,
    /// The game's text after `Exit: `; empty for an interrupted round.
    #[serde(default)]
    pub exit_text: String,
    /// Which team surrendered, if any.
    #[serde(default)]
    pub surrender: Surrender,
    /// Rounds won by each team on this map so far, this one included.
    #[serde(default)]
    pub score: Score,
    /// The players of each team when the round ended.
    #[serde(default)]
    pub teams: Teams,
    /// The pauses, in order.
    #[serde(default)]
    pub pauses: Vec<Pause>,
    /// Time played, without pauses.
    #[serde(default)]
    pub duration_ms: i64,
    /// Length of the warmup on the wall clock.
    #[serde(default)]
    pub warmup_ms: i64,
    /// The server's local time minus UTC at the end of the round. The names of stats files contain local time.
    #[serde(default)]
    pub utc_offset_seconds: i32,
    /// Cvar `sv_hostname`, without colours.
    #[serde(default)]
    pub server_hostname: String,
    /// The name of the round's gamestats file, if the server wrote one.
    #[serde(default)]
    pub stats_file: Option<String>,
    /// The timeline, in order.
    #[serde(default)]
    pub events: Vec<TimelineEvent>,
    /// Number of events that the timeline had no room for; not written if 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub events_dropped: u64,

    /// The id of the match: the `event_id` of its round 1. Round 1 and round 2 of a stopwatch match have the same; every other
    /// round has its own. Empty in older files.
    #[serde(default)]
    pub match_uid: String,
    /// In a round 2, the `event_id` of its round 1, if that was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_1_event_id: Option<String>,
    /// Where the two teams of the match play in this round; missing if the attackers of round 1 are unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sides: Option<Sides>,
    /// The time limits; only in stopwatch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopwatch: Option<Stopwatch>,
    /// Who won the map; only in a round 2 of stopwatch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map_result: Option<MapResult>,
    /// The server's config, such as `legacy6` (cvar `g_customConfig`); empty without one.
    #[serde(default)]
    pub config: String,
    /// The version of the game module (cvar `mod_version`).
    #[serde(default)]
    pub mod_version: String,
    /// The players of each team when the round began.
    #[serde(default)]
    pub teams_start: Teams,
    /// The players who replaced others, in order.
    #[serde(default)]
    pub substitutions: Vec<Substitution>,
    /// How many of the players in `spawn_stats` are bots.
    #[serde(default)]
    pub bots: u32,
    /// The spawn waves. Missing if they are unknown, or if the game spawns players without them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waves: Option<Waves>,
}

fn schema_of_old_files() -> u32 {
    1
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Why a round ended. The first three exist since the Lua scripts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The objective was completed (`Exit: Wolf EndRound.`).
    Objective,
    /// A team surrendered.
    Surrender,
    /// The time limit was hit.
    TimeExpired,
    /// A team had no lives left (last man standing, limited lives).
    Eliminated,
    /// A vote for the next map passed.
    Vote,
    /// Interrupted: the map was changed during the round.
    MapChange,
    /// Interrupted: the map was restarted during the round.
    MapRestart,
    /// Interrupted: the server was shut down during the round.
    ServerQuit,
    /// Interrupted: the server crashed or was killed. The next start recovered the round.
    ServerCrash,
    /// Interrupted: the server was shut down or crashed. Only a message without its file leaves open which of the two.
    ServerRestart,
    /// Unknown: the game printed an unknown `exit_text`, the key is missing, or the file contains a reason of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

impl EndReason {
    /// The name in the file, such as `time_expired`.
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
            Self::ServerRestart => "server_restart",
            Self::Unknown => "unknown",
        }
    }

    /// The name in the message's field `Lua_EndReason`, which contains only the names that readers of the Lua scripts know.
    ///
    /// ```
    /// use gametimes_format::EndReason;
    /// assert_eq!(EndReason::Surrender.message_str(), "surrender");
    /// assert_eq!(EndReason::ServerCrash.message_str(), "server_restart");
    /// ```
    pub fn message_str(self) -> &'static str {
        match self {
            Self::Eliminated => Self::Objective,
            Self::Vote => Self::MapChange,
            Self::ServerQuit | Self::ServerCrash => Self::ServerRestart,
            Self::Unknown => Self::TimeExpired,
            known => known,
        }
        .as_str()
    }

    /// Whether the game itself ended the round. If not, the round was interrupted and has no winner.
    pub fn is_finished(self) -> bool {
        !matches!(
            self,
            Self::MapChange
                | Self::MapRestart
                | Self::ServerQuit
                | Self::ServerCrash
                | Self::ServerRestart
        )
    }
}

/// Which team surrendered, and who called the vote.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Surrender {
    /// The team that surrendered; 0 if none did.
    pub team: TeamNumber,
    /// Guid of the player who called the vote; empty if a referee ended the round.
    pub caller_guid: String,
    /// Name of that player, without colours.
    pub caller_name: String,
}

/// Rounds won on this map so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Score {
    /// Won by the Axis.
    pub axis: u32,
    /// Won by the Allies.
    pub allies: u32,
}

/// A player's identity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlayerRef {
    /// `cl_guid`, up to 32 characters; empty for a client without one.
    pub guid: String,
    /// The name, without colours.
    pub name: String,
}

/// The players of each team.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Teams {
    /// The players of the Axis.
    pub axis: Vec<PlayerRef>,
    /// The players of the Allies.
    pub allies: Vec<PlayerRef>,
}

/// One player replaced another in a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Substitution {
    /// When the new player joined, on the play clock.
    pub t_ms: i64,
    /// The team: 1 Axis, 2 Allies.
    pub team: TeamNumber,
    /// The player who had left the team before.
    pub out: PlayerRef,
    /// The player who joined it.
    #[serde(rename = "in")]
    pub joined: PlayerRef,
}

/// One pause of the match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pause {
    /// 1 for the round's first pause.
    pub n: u32,
    /// Unix time of its start.
    pub start: i64,
    /// Unix time at which play continued or the round ended.
    pub end: i64,
    /// Length on the game's clock, in whole seconds (rounded down).
    pub sec: i64,
    /// The game's level time when the play clock stopped.
    #[serde(default)]
    pub start_ms: i64,
    /// The game's level time when the play clock continued.
    #[serde(default)]
    pub end_ms: i64,
    /// The play clock during the pause: the time played before it. Older files lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_play_ms: Option<i64>,
    /// Who paused the match. Older files lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<PauseBy>,
}

/// The statistics of one player in one round. A player is one guid in any slot and under any name; without a guid, one name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SpawnStats {
    /// `cl_guid`, up to 32 characters; empty for a client without one.
    pub guid: String,
    /// The last name in the round, without colours.
    pub name: String,
    /// Number of spawns, including revives. Joining straight into limbo is not a spawn.
    pub spawns: u32,
    /// Number of deaths.
    pub deaths: u32,
    /// Time dead, in whole seconds (rounded down).
    pub dead_seconds: i64,
    /// `dead_seconds / deaths`, rounded down; 0 without a death.
    pub avg_respawn: i64,
    /// The longest single time dead, in whole seconds (rounded down).
    pub max_respawn: i64,

    /// The last team; 0 if unknown.
    #[serde(default)]
    pub team: TeamNumber,
    /// Number of revives by a medic.
    #[serde(default)]
    pub revives: u32,
    /// Enemies killed. Team mates, oneself, and players who were dead already do not count.
    #[serde(default)]
    pub kills: u32,
    /// Time dead of the enemies that the player killed, in whole seconds (rounded down).
    #[serde(default)]
    pub denied_seconds: i64,
    /// Time dead: from each death to the next spawn or revive, to the change to the spectators, to leaving the server, or to the
    /// end of the round.
    #[serde(default)]
    pub dead_ms: i64,
    /// The longest single time dead.
    #[serde(default)]
    pub max_dead_ms: i64,
    /// Time dead of the enemies that the player killed.
    #[serde(default)]
    pub denied_ms: i64,
    /// Time alive on one of the two teams.
    #[serde(default)]
    pub alive_ms: i64,
    /// Time on one of the two teams.
    #[serde(default)]
    pub played_ms: i64,
    /// Whether the player is a bot.
    #[serde(default)]
    pub is_bot: bool,
    /// Sum of `wave_in_ms` of the player's deaths: the least time dead without any revive. Missing if the waves are unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave_wait_ms: Option<i64>,
}

/// The kinds of events in a timeline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The player spawned, with a wave or at the start.
    Spawn,
    /// The player was revived; `by` is the medic.
    Revive,
    /// The player died; `by` is the killer, `mod` the means of death.
    Death,
    /// The player went into limbo and can no longer be revived.
    Limbo,
    /// The player joined the server or the round.
    Join,
    /// The player left the server.
    Leave,
    /// The player changed the team; `team` is the new one.
    Team,
    /// Something happened to an objective of the map, see `action`. Without a player, `guid` is empty and `name` missing.
    Objective,
    /// A kind of a later version.
    #[default]
    #[serde(other)]
    Other,
}

/// One entry of the timeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TimelineEvent {
    /// The time on the play clock: 0 is the start of the round, and pauses take no time.
    pub t_ms: i64,
    /// What happened.
    pub kind: EventKind,
    /// The player's guid; empty for a client without one, see `name`.
    pub guid: String,
    /// The player's name; only for a client without a guid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The guid of the killer or medic (the name of a client without a guid); null for the world.
    #[serde(default)]
    pub by: Option<String>,
    /// The game's name for the means of death, such as `MOD_MP40`; null for other kinds of events.
    #[serde(default, rename = "mod")]
    pub means_of_death: Option<String>,
    /// The new team, in a join or a change of team: 1 Axis, 2 Allies, 3 spectators. For an objective, the team that acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamNumber>,
    /// The player's class; only for spawns and deaths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// Time from the death to the next wave of the player's team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave_in_ms: Option<i64>,
    /// Time from the death to the next wave of the killer's team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub killer_wave_in_ms: Option<i64>,
    /// What happened to an objective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ObjectiveAction>,
    /// The game's name for the objective, or the announcement, without colours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_safe_and_match_the_pattern_of_readers() {
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
    fn a_file_of_the_old_scripts_can_be_read() {
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
    fn messages_contain_only_end_reasons_that_readers_of_the_old_scripts_know() {
        for (exact, sent) in [
            (EndReason::Objective, "objective"),
            (EndReason::Surrender, "surrender"),
            (EndReason::TimeExpired, "time_expired"),
            (EndReason::Eliminated, "objective"),
            (EndReason::Vote, "map_change"),
            (EndReason::MapChange, "map_change"),
            (EndReason::MapRestart, "map_restart"),
            (EndReason::ServerQuit, "server_restart"),
            (EndReason::ServerCrash, "server_restart"),
            (EndReason::ServerRestart, "server_restart"),
            (EndReason::Unknown, "time_expired"),
        ] {
            assert_eq!(exact.message_str(), sent, "{exact:?}");
            let read: EndReason = serde_json::from_value(sent.into()).unwrap();
            assert_eq!(read.as_str(), sent, "a reader takes it as it is");
        }
    }

    #[test]
    fn an_unknown_end_reason_is_not_an_error() {
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
