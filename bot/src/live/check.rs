//! Reads a snapshot from foreign bytes. What passes has bounds, so nothing that follows needs to think of overflows or of memory.

use gametimes_format::file::TimelineEvent;
use gametimes_format::live::{BYTES, EVENTS, LivePlayer, LiveWave, Snapshot};

/// How many players a server has at most.
pub const PLAYERS: usize = 64;
/// The longest name, guid, map or other word, in characters.
const WORD: usize = 64;
/// The longest announcement, host name or name of a config.
const TEXT: usize = 256;
/// The longest time on the play clock, and the longest wave: a week.
const TIME_MS: i64 = 7 * 24 * 3600 * 1000;
/// The latest wall clock: the year 2100.
const UNIX_MS: i64 = 4_102_444_800_000;

/// Why bytes are no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is larger than [`BYTES`].
    #[error("a live snapshot has at most {BYTES} bytes")]
    TooLarge,
    /// It is not JSON, or a key is missing or of another type. The text does not repeat the content.
    #[error("not a live snapshot: line {line}, column {column}")]
    Json {
        /// The line of the fault.
        line: usize,
        /// The column in that line.
        column: usize,
    },
    /// A value is out of bounds.
    #[error("not a live snapshot: {0} is out of bounds")]
    Bounds(&'static str),
}

/// Reads and checks a snapshot.
///
/// # Errors
/// If the bytes are no snapshot, or one that no recorder writes.
pub fn read(bytes: &[u8]) -> Result<Snapshot, Invalid> {
    if bytes.len() > BYTES {
        return Err(Invalid::TooLarge);
    }
    let snapshot: Snapshot = serde_json::from_slice(bytes).map_err(|e| Invalid::Json {
        line: e.line(),
        column: e.column(),
    })?;
    match out_of_bounds(&snapshot) {
        None => Ok(snapshot),
        Some(key) => Err(Invalid::Bounds(key)),
    }
}

/// The first key whose value is out of bounds.
fn out_of_bounds(snapshot: &Snapshot) -> Option<&'static str> {
    let Snapshot { server, pause, .. } = snapshot;
    let pause_by = pause.as_ref().and_then(|pause| pause.by.as_ref());
    let waves = [&snapshot.waves.axis, &snapshot.waves.allies];
    let is_port = server.port.len() <= 5 && server.port.bytes().all(|b| b.is_ascii_digit());
    let checks = [
        ("schema", snapshot.schema >= 1),
        ("seq", i64::try_from(snapshot.seq).is_ok()),
        ("unix_ms", is_unix(snapshot.unix_ms)),
        (
            "server.ip",
            fits(&server.ip, WORD) && server.ip.bytes().all(is_of_address),
        ),
        ("server.port", is_port),
        ("server.hostname", fits(&server.hostname, TEXT)),
        ("map", fits(&snapshot.map, WORD)),
        ("match_uid", fits(&snapshot.match_uid, WORD)),
        ("config", fits(&snapshot.config, TEXT)),
        ("played_ms", is_time(snapshot.played_ms)),
        ("limit_ms", snapshot.limit_ms.is_none_or(is_time)),
        ("target_ms", snapshot.target_ms.is_none_or(is_time)),
        (
            "pause",
            pause.as_ref().is_none_or(|p| is_unix(p.since_unix_ms)),
        ),
        (
            "pause.by",
            pause_by.is_none_or(|by| fits(&by.guid, WORD) && fits(&by.name, WORD)),
        ),
        ("waves", waves.into_iter().flatten().all(is_wave)),
        (
            "players",
            snapshot.players.len() <= PLAYERS && snapshot.players.iter().all(is_player),
        ),
        (
            "events",
            snapshot.events.len() <= EVENTS && snapshot.events.iter().all(is_event),
        ),
    ];
    let failed = checks.into_iter().find(|(_, holds)| !holds);
    failed.map(|(key, _)| key)
}

fn fits(text: &str, characters: usize) -> bool {
    text.chars().count() <= characters
}

/// An address is a part of the lines of streams, so it contains no blanks.
fn is_of_address(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".:-_[]%".contains(&byte)
}

fn is_time(ms: i64) -> bool {
    (0..=TIME_MS).contains(&ms)
}

fn is_unix(ms: i64) -> bool {
    (0..=UNIX_MS).contains(&ms)
}

fn is_wave(wave: &LiveWave) -> bool {
    wave.interval_ms > 0 && is_time(wave.interval_ms) && is_time(wave.next_in_ms)
}

fn is_player(player: &LivePlayer) -> bool {
    let times = [player.since_ms, player.dead_ms, player.denied_ms];
    fits(&player.guid, WORD) && fits(&player.name, WORD) && times.into_iter().all(is_time)
}

fn is_event(event: &TimelineEvent) -> bool {
    let words = [&event.name, &event.by, &event.means_of_death];
    is_time(event.t_ms)
        && fits(&event.guid, WORD)
        && words.into_iter().flatten().all(|word| fits(word, WORD))
        && event.text.as_ref().is_none_or(|text| fits(text, TEXT))
}
