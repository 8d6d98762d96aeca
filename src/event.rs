//! What the game's thread tells the worker: one small event for everything that counts in a round.
//!
//! Events are plain data without pointers, so that they can be handed over without allocating, written to the journal
//! and played back after a crash.

use gametimes_format::TeamNumber;
use gametimes_format::check::STATS_FILE_NAME;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// When something happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The game's level time in milliseconds: the argument of the last frame.
    pub level_ms: i64,
    /// The wall clock in milliseconds since 1970.
    pub unix_ms: i64,
}

/// One thing that happened at the boundary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    #[serde(rename = "at")]
    pub at: Stamp,
    /// What.
    #[serde(rename = "e")]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// `GAME_INIT`: a map begins or begins again. Everybody connects anew after it.
    Level(Box<Level>),
    /// `GAME_INIT` is done: what the game has set by now.
    Rules {
        /// `g_gametype`.
        gametype: i32,
        /// 1 or 2.
        round: u8,
        /// `timelimit`, minutes.
        timelimit_minutes: f64,
    },
    /// The team that wins if the round ends now; 0 for none.
    Winner(TeamNumber),
    /// The team that defends; 0 when the game does not say.
    Defender(TeamNumber),
    /// The match is paused (true) or goes on (false).
    Pause(bool),
    /// A client is on the server.
    Connect {
        /// Slot.
        slot: u8,
        /// `cl_guid`, may be empty.
        guid: Text<32>,
    },
    /// A client's guid became known only now.
    Guid {
        /// Slot.
        slot: u8,
        /// `cl_guid`.
        guid: Text<32>,
    },
    /// Name or team of a connected client, sent whenever the game sets them.
    Player {
        /// Slot.
        slot: u8,
        /// 0 before the player has chosen one.
        team: TeamNumber,
        /// With colours.
        name: Text<64>,
    },
    /// A client has left.
    Leave {
        /// Slot.
        slot: u8,
    },
    /// A player came alive.
    Spawn {
        /// Slot.
        slot: u8,
        /// By a medic, not by a wave.
        revived: bool,
        /// Slot of the medic, where the game said so.
        by: Option<u8>,
    },
    /// A player went into limbo.
    Limbo {
        /// Slot.
        slot: u8,
    },
    /// A player died.
    Death {
        /// Slot.
        slot: u8,
        /// Slot of the killer; none for the world.
        by: Option<u8>,
        /// `MOD_MP40`.
        means: Text<32>,
    },
    /// A vote was called.
    VoteCalled {
        /// Slot of the caller.
        slot: u8,
        /// To surrender.
        surrender: bool,
    },
    /// The running vote failed.
    VoteFailed,
    /// The game says that the round is over; the text after `Exit: `.
    Exit(Text<96>),
    /// The call in which the game said so is done: winner and limit stand.
    RoundOver {
        /// `timelimit`, minutes.
        timelimit_minutes: f64,
    },
    /// A stats file has been written and closed; its name without the folder.
    StatsFile(Text<STATS_FILE_NAME>),
    /// The module does not record this map after all: what was seen of it is forgotten, because the script records it.
    StoodDown,
    /// `GAME_SHUTDOWN` begins: a round that is still played is cut off here.
    Shutdown(ShutdownCause),
    /// `GAME_SHUTDOWN` is done: nothing of this map comes any more.
    Closed,
}

impl What {
    /// Whether it is one of many of its kind. What is none says when a round begins, stands still and ends.
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
                | Self::VoteCalled { .. }
                | Self::VoteFailed
        )
    }
}

/// Why the game is shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShutdownCause {
    /// `map_restart`, also the one that ends a warmup or an intermission.
    MapRestart,
    /// Another map.
    MapChange,
    /// The server ends.
    Quit,
    /// The game raised an error, or the process died and the journal is played back.
    Crash,
}

/// The server as it is when a map begins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Cvar `mapname`; `unknown` when it is empty.
    pub map: String,
    /// Cvar `gamestate` before the game has touched it; -1: another map, 0: play begins at once.
    pub gamestate: i32,
    /// How many slots there are, 1 to 64.
    pub max_clients: u8,
    /// Cvar `net_ip`.
    pub server_ip: String,
    /// Cvar `net_port`.
    pub server_port: String,
    /// Cvar `sv_hostname`, with colours.
    pub server_hostname: String,
    /// `2.83.1`.
    pub engine_version: String,
}

/// A string of the engine, cut to `N` bytes: may hold any byte, needs no memory of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

impl<const N: usize> Text<N> {
    /// Takes up to `N` bytes.
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

    /// The bytes as they came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// As text for people: UTF-8 or Latin-1, without control characters.
    pub fn decode(&self) -> String {
        let bytes = self.as_bytes();
        // A character of UTF-8 that was cut in two at the end does not make the rest Latin-1.
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

/// One byte is one character 0..=255, so that every name survives the journal.
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
                "a character above 255 in a string of the engine",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_the_journal() {
        let all: Vec<u8> = (1..=255).collect();
        for part in all.chunks(60) {
            let text = Text::<64>::new(part);
            let json = serde_json::to_string(&text).unwrap();
            assert_eq!(serde_json::from_str::<Text<64>>(&json).unwrap(), text);
        }
    }

    #[test]
    fn a_name_cut_inside_a_character_stays_utf8() {
        assert_eq!(Text::<4>::new("aaa€".as_bytes()).decode(), "aaa");
        assert_eq!(Text::<8>::new(b"Andr\xe9").decode(), "André");
    }

    #[test]
    fn an_event_is_small_enough_to_be_copied_a_million_times() {
        assert!(size_of::<Event>() <= 128, "{}", size_of::<Event>());
    }
}
