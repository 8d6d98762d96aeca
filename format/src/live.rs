//! The live file: what is happening on a server at this moment.
//!
//! A recorder that is told to (`gametimes_live 1`) writes it to `<gametimes_dir>/live/`, see [`file_name`]: at once when something changes
//! that people wait for (state, pause, a death, a spawn), at most every [`FASTEST_MS`], at least every [`SLOWEST_MS`]. It may also post it
//! to a bot, with the header [`SIGNATURE_HEADER`] if it has a key.
//!
//! It is a picture, not a record: a reader keeps the newest one of each server and may miss any number of them.

use serde::{Deserialize, Serialize};

use crate::class::Class;
use crate::file::{Score, TimelineEvent};
use crate::matches::{PauseBy, Sides};
use crate::team::{Team, TeamNumber};

/// The version of the format (`schema`).
pub const SCHEMA: u32 = 1;
/// The least time between two snapshots: five in a second.
pub const FASTEST_MS: u64 = 200;
/// The longest time between two snapshots.
pub const SLOWEST_MS: u64 = 2000;
/// A snapshot that is older says nothing any more: nobody writes new ones.
pub const STALE_AFTER_MS: i64 = 10_000;
/// After such a silence readers believe a lower `seq`: the recorder was installed again, or the server's clock was set back. A recorder
/// that works is never silent for so long.
pub const RESET_AFTER_MS: i64 = 3000;
/// How many events a snapshot contains, the newest.
pub const EVENTS: usize = 30;
/// The size of the largest snapshot that readers accept, in bytes.
pub const BYTES: usize = 64 * 1024;
/// The header of a posted snapshot that contains `sha256=` and the HMAC of the body, see [`crate::digest::sign`].
pub const SIGNATURE_HEADER: &str = "X-Gametimes-Signature";

/// The name of a server's live file: `<net_ip>_<net_port>.json`. Characters outside `[A-Za-z0-9.-]` become `_`, so that every name is a
/// safe path.
///
/// ```
/// assert_eq!(gametimes_format::live::file_name("192.0.2.7", "27960"), "192.0.2.7_27960.json");
/// assert_eq!(gametimes_format::live::file_name("::1", "27960"), "__1_27960.json");
/// ```
pub fn file_name(ip: &str, port: &str) -> String {
    let safe = |text: &str| -> String {
        let safe = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        text.chars()
            .map(|c| if safe(c) { c } else { '_' })
            .collect()
    };
    format!("{}_{}.json", safe(ip), safe(port))
}

/// A server at one moment. Keys that end in `_ms` without `unix` are milliseconds on the play clock, which stands still while the match is
/// paused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Snapshot {
    /// The version of the format.
    pub schema: u32,
    /// Grows with every snapshot of a recorder, also over a restart of the server: the newest has the highest.
    pub seq: u64,
    /// When it was taken, on the server's wall clock.
    pub unix_ms: i64,
    /// The server.
    pub server: Server,
    /// What the server does.
    pub state: State,
    /// The map's name; empty if none is loaded.
    #[serde(default)]
    pub map: String,
    /// 1 or 2; only stopwatch has a round 2.
    #[serde(default)]
    pub round: u8,
    /// The id of the match, as in the gametimes file; empty before the round is played.
    #[serde(default)]
    pub match_uid: String,
    /// Cvar `g_gametype`, as in the gametimes file.
    #[serde(default)]
    pub gametype: i32,
    /// The server's config, such as `legacy6`; empty without one.
    #[serde(default)]
    pub config: String,
    /// Time played in this round, without pauses; 0 before it.
    #[serde(default)]
    pub played_ms: i64,
    /// The time limit of the round; null if there is none.
    #[serde(default)]
    pub limit_ms: Option<i64>,
    /// The time to beat; only in a round 2 of stopwatch.
    #[serde(default)]
    pub target_ms: Option<i64>,
    /// Rounds won on this map so far.
    #[serde(default)]
    pub score: Score,
    /// The side on which each team of the match plays; null if unknown.
    #[serde(default)]
    pub sides: Option<Sides>,
    /// The pause that holds the match now; null if it is not paused.
    #[serde(default)]
    pub pause: Option<LivePause>,
    /// The spawn waves; a team whose waves are unknown is null.
    #[serde(default)]
    pub waves: LiveWaves,
    /// The players on a team, by slot.
    #[serde(default)]
    pub players: Vec<LivePlayer>,
    /// The newest entries of the timeline, oldest first. Deaths have no times to waves here.
    #[serde(default)]
    pub events: Vec<TimelineEvent>,
}

impl Snapshot {
    /// The players of a team, by slot.
    pub fn players_of(&self, team: Team) -> impl Iterator<Item = &LivePlayer> {
        let players = self.players.iter();
        players.filter(move |player| player.team.team() == Some(team))
    }
}

/// A server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Server {
    /// The address that the server listens on (cvar `net_ip`).
    pub ip: String,
    /// The port (cvar `net_port`).
    pub port: String,
    /// Cvar `sv_hostname`, without colours.
    #[serde(default)]
    pub hostname: String,
}

/// What a server does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No map is loaded, or the server has shut down.
    #[default]
    Idle,
    /// Before the round.
    Warmup,
    /// The seconds before play.
    Countdown,
    /// A round is played.
    Playing,
    /// A round is paused.
    Paused,
    /// The round is over.
    Intermission,
    /// A state of a later version.
    #[serde(other)]
    Unknown,
}

/// A pause that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LivePause {
    /// The how many-th of the round; the first is 1.
    pub n: u32,
    /// When it began, on the server's wall clock.
    pub since_unix_ms: i64,
    /// Who paused the match; null if unknown.
    #[serde(default)]
    pub by: Option<PauseBy>,
}

/// The spawn waves of both teams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveWaves {
    /// The waves of the Axis.
    #[serde(default)]
    pub axis: Option<LiveWave>,
    /// The waves of the Allies.
    #[serde(default)]
    pub allies: Option<LiveWave>,
}

impl LiveWaves {
    /// The waves of a team.
    pub fn of(&self, team: Team) -> Option<&LiveWave> {
        match team {
            Team::Axis => self.axis.as_ref(),
            Team::Allies => self.allies.as_ref(),
        }
    }
}

/// The spawn waves of a team.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveWave {
    /// The time between two waves.
    pub interval_ms: i64,
    /// The time from the snapshot to the next wave.
    pub next_in_ms: i64,
}

/// A player on a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LivePlayer {
    /// The client's number.
    pub slot: u8,
    /// Empty for a client without one.
    pub guid: String,
    /// Without colours.
    pub name: String,
    /// 1 Axis, 2 Allies.
    pub team: TeamNumber,
    /// The class since the last spawn; null if unknown.
    #[serde(default)]
    pub class: Option<Class>,
    /// Whether the player lives.
    pub life: Life,
    /// Since when, on the play clock.
    pub since_ms: i64,
    /// Enemies killed in this round, as the gametimes file counts deaths and their killers.
    pub kills: u32,
    /// Deaths in this round.
    pub deaths: u32,
    /// Times this player was revived in this round.
    pub revives: u32,
    /// Time dead in this round, the current death included.
    pub dead_ms: i64,
    /// Time that this player's victims were dead.
    pub denied_ms: i64,
    /// Whether this is a bot.
    #[serde(default)]
    pub is_bot: bool,
}

/// Whether a player lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// In the game.
    Alive,
    /// Shot down, on the ground: a medic can still revive this player.
    Wounded,
    /// Dead, and waits for the next wave of the team.
    Limbo,
    /// Has joined and was not alive yet in this round.
    Waiting,
    /// A value of a later version.
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_those_of_the_format() {
        let snapshot = Snapshot {
            schema: SCHEMA,
            state: State::Paused,
            pause: Some(LivePause {
                n: 1,
                since_unix_ms: 2,
                by: None,
            }),
            waves: LiveWaves {
                axis: Some(LiveWave {
                    interval_ms: 20_000,
                    next_in_ms: 1,
                }),
                allies: None,
            },
            players: vec![LivePlayer {
                slot: 3,
                guid: "A".into(),
                name: "b".into(),
                team: Team::Axis.into(),
                class: Some(Class::FieldOps),
                life: Life::Wounded,
                since_ms: 4,
                kills: 5,
                deaths: 6,
                revives: 7,
                dead_ms: 8,
                denied_ms: 9,
                is_bot: false,
            }],
            ..Snapshot::default()
        };
        let json = serde_json::to_value(&snapshot).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "schema": 1, "seq": 0, "unix_ms": 0, "server": {"ip": "", "port": "", "hostname": ""}, "state": "paused",
                "map": "", "round": 0, "match_uid": "", "gametype": 0, "config": "", "played_ms": 0, "limit_ms": null,
                "target_ms": null, "score": {"axis": 0, "allies": 0}, "sides": null,
                "pause": {"n": 1, "since_unix_ms": 2, "by": null},
                "waves": {"axis": {"interval_ms": 20_000, "next_in_ms": 1}, "allies": null},
                "players": [{"slot": 3, "guid": "A", "name": "b", "team": 1, "class": "field_ops", "life": "wounded",
                    "since_ms": 4, "kills": 5, "deaths": 6, "revives": 7, "dead_ms": 8, "denied_ms": 9, "is_bot": false}],
                "events": []
            })
        );
        let read: Snapshot = serde_json::from_value(json).unwrap();
        assert_eq!(read, snapshot);
    }

    #[test]
    fn values_of_a_later_version_can_be_read() {
        let json = r#"{"schema":2,"seq":1,"unix_ms":1,"server":{"ip":"","port":""},"state":"cutscene","more":1}"#;
        let snapshot: Snapshot = serde_json::from_str(json).unwrap();
        assert_eq!(snapshot.state, State::Unknown);
    }
}
