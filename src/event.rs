//! The events that the game's thread sends to the worker: one for everything that matters in a round.
//!
//! Nearly all events are plain data without pointers. Sending one needs no allocation, and the journal can store it and play it
//! back after a crash.

use gametimes_format::check::STATS_FILE_NAME;
use gametimes_format::matches::PauseKind;
use gametimes_format::{Class, ObjectiveAction, TeamNumber, limits};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::first_round::FirstRound;

/// The time of an event, on two clocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The game's level time in milliseconds, from the last frame.
    pub level_ms: i64,
    /// The wall clock in milliseconds since 1970.
    pub unix_ms: i64,
}

/// One event at the boundary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened.
    #[serde(rename = "at")]
    pub at: Stamp,
    /// What happened.
    #[serde(rename = "e")]
    pub what: What,
}

/// The kinds of events. `slot` is always the slot of the client that the event is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// `GAME_INIT`: a map begins or restarts. All clients connect again after it.
    Level(Box<Level>),
    /// `GAME_INIT` has returned: the settings of the game.
    Rules(Box<Rules>),
    /// The team that wins if the round ends now; 0 for none.
    Winner(TeamNumber),
    /// The team that defends; 0 when the game does not say.
    Defender(TeamNumber),
    /// Cvar `gamestate` of the running map has changed: the warmup, its countdown, the intermission.
    Gamestate(i32),
    /// The match is paused (`true`) or continues (`false`).
    Pause(bool),
    /// Who paused it: known when the call that did it has returned.
    PausedBy {
        kind: PauseKind,
        /// The slot of the player, the referee, or the caller of the vote.
        slot: Option<u8>,
    },
    /// A client connected.
    Connect {
        slot: u8,
        /// `cl_guid`; may be empty.
        guid: Text<{ limits::GUID }>,
        /// Whether the client runs inside the server, as bots do.
        #[serde(default)]
        is_local: bool,
    },
    /// The guid of a connected client arrived late.
    Guid {
        slot: u8,
        /// `cl_guid`.
        guid: Text<{ limits::GUID }>,
    },
    /// The game set the name or the team of a connected client.
    Player {
        slot: u8,
        /// 0 before the player has chosen one.
        team: TeamNumber,
        /// The name, with colour codes.
        name: Text<{ limits::NAME }>,
    },
    /// A client left the server.
    Leave { slot: u8 },
    /// A player spawned or was revived.
    Spawn {
        slot: u8,
        /// Whether a medic revived the player.
        revived: bool,
        /// The slot of the medic, if known.
        by: Option<u8>,
        /// The class in this life, if known.
        #[serde(default)]
        class: Option<Class>,
    },
    /// A player went into limbo.
    Limbo { slot: u8 },
    /// A player died.
    Death {
        slot: u8,
        /// The slot of the killer; `None` for the world.
        by: Option<u8>,
        /// The means of death, such as `MOD_MP40`.
        means: Text<{ limits::MEANS }>,
    },
    /// Something happened to an objective of the map.
    Objective {
        action: ObjectiveAction,
        /// The slot of the player who did it, if the game names one.
        slot: Option<u8>,
        /// The team that did it; 0 if unknown.
        team: TeamNumber,
        /// The objective's name or the announcement, with colour codes.
        text: Text<{ limits::OBJECTIVE_TEXT }>,
    },
    /// How far the waves of each team are shifted on the play clock, in milliseconds.
    WaveOffsets { axis_ms: u32, allies_ms: u32 },
    /// From now on, waves of this team come at this interval, in milliseconds.
    WaveInterval { team: TeamNumber, interval_ms: u32 },
    /// A vote was called.
    VoteCalled {
        slot: u8,
        /// Whether it is a vote to surrender.
        surrender: bool,
    },
    /// The running vote failed.
    VoteFailed,
    /// The game printed `Exit: ` and this text: the round is over.
    Exit(Text<{ limits::EXIT_TEXT }>),
    /// The call that printed `Exit: ` has returned: winner and time limit are final.
    RoundOver {
        /// Cvar `timelimit`, in minutes.
        timelimit_minutes: f64,
        /// Cvar `g_nextTimeLimit`, in minutes; 0 for none.
        #[serde(default)]
        next_limit_minutes: f64,
    },
    /// The game closed a stats file of this name.
    StatsFile(Text<STATS_FILE_NAME>),
    /// The module does not record this map after all, because the script does. Its events are discarded.
    NotRecorded,
    /// `GAME_SHUTDOWN` begins. It interrupts a running round.
    Shutdown(ShutdownCause),
    /// `GAME_SHUTDOWN` has returned. No more events of this map follow.
    Closed,
}

impl What {
    /// Whether a round stays usable without this event. The other events begin, pause and end rounds.
    pub fn is_detail(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. }
                | Self::Guid { .. }
                | Self::Player { .. }
                | Self::Leave { .. }
                | Self::Spawn { .. }
                | Self::Limbo { .. }
                | Self::Death { .. }
                | Self::Objective { .. }
                | Self::VoteCalled { .. }
                | Self::VoteFailed
        )
    }
}

/// The cause of a `GAME_SHUTDOWN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShutdownCause {
    /// A `map_restart`, also the one that ends a warmup or an intermission.
    MapRestart,
    /// A change to another map.
    MapChange,
    /// The server quits.
    Quit,
    /// The game raised an error, or the process died and its journal is played back.
    Crash,
}

/// The state of the server when a map begins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Cvar `mapname`; `unknown` when it is empty.
    pub map: String,
    /// Cvar `gamestate` before the game changes it: -1 for another map, 0 when play begins at once.
    pub gamestate: i32,
    /// The number of slots, 1 to 64.
    pub max_clients: u8,
    /// Cvar `net_ip`.
    pub server_ip: String,
    /// Cvar `net_port`.
    pub server_port: String,
    /// Cvar `sv_hostname`, with colour codes.
    pub server_hostname: String,
    /// The version of ET:Legacy, such as `2.83.1`.
    pub engine_version: String,
    /// Round 1 of the running match, whichever recorder saw it.
    #[serde(default)]
    pub first_round: Option<FirstRound>,
}

/// The settings of the game when a map has begun.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// Cvar `g_gametype`.
    pub gametype: i32,
    /// The round's number, 1 or 2.
    pub round: u8,
    /// Cvar `timelimit`, in minutes.
    pub timelimit_minutes: f64,
    /// Cvar `g_customConfig`.
    #[serde(default)]
    pub config: String,
    /// Cvar `mod_version`.
    #[serde(default)]
    pub mod_version: String,
}

/// A string of the engine, cut to `N` bytes. It can contain any byte and is stored in place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

impl<const N: usize> Text<N> {
    /// Copies up to `N` bytes.
    pub fn new(text: &[u8]) -> Self {
        const { assert!(N <= u8::MAX as usize) };
        let len = text.len().min(N);
        let mut bytes = [0; N];
        bytes[..len].copy_from_slice(&text[..len]);
        Self {
            bytes,
            len: len as u8,
        }
    }

    /// The bytes as the engine passed them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The text: UTF-8 or Latin-1, without control characters.
    pub fn decode(&self) -> String {
        let bytes = self.as_bytes();
        // If only the last UTF-8 character was cut in two, the rest is still UTF-8.
        let whole = match std::str::from_utf8(bytes) {
            Err(e) if e.error_len().is_none() && bytes.len() == N => &bytes[..e.valid_up_to()],
            _ => bytes,
        };
        gametimes_format::text::decode(whole)
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::new(b"")
    }
}

impl<const N: usize> std::fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.decode())
    }
}

/// Writes each byte as the character with its number, 0 to 255, so that the journal preserves every name.
impl<const N: usize> Serialize for Text<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text: String = self.as_bytes().iter().map(|&b| char::from(b)).collect();
        serializer.serialize_str(&text)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Text<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
        match bytes {
            Some(bytes) => Ok(Self::new(&bytes)),
            None => Err(serde::de::Error::custom(
                "a character above 255 in a string of bytes",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_preserves_every_byte() {
        let all: Vec<u8> = (1..=255).collect();
        for part in all.chunks(60) {
            let text = Text::<64>::new(part);
            let json = serde_json::to_string(&text).unwrap();
            assert_eq!(serde_json::from_str::<Text<64>>(&json).unwrap(), text);
        }
    }

    #[test]
    fn spawns_in_journals_of_older_versions_have_no_class() {
        let what = r#"{"spawn":{"slot":3,"revived":false,"by":null}}"#;
        let spawn = What::Spawn {
            slot: 3,
            revived: false,
            by: None,
            class: None,
        };
        assert_eq!(serde_json::from_str::<What>(what).unwrap(), spawn);
    }

    #[test]
    fn a_name_cut_inside_a_character_is_still_utf8() {
        assert_eq!(Text::<4>::new("aaa€".as_bytes()).decode(), "aaa");
        assert_eq!(Text::<8>::new(b"Andr\xe9").decode(), "André");
    }

    #[test]
    fn an_event_is_at_most_128_bytes() {
        assert!(size_of::<Event>() <= 128, "{}", size_of::<Event>());
    }
}
