//! The recorded matches of this repository, and what really happened in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Tape;

/// The names of the recorded matches.
pub const NAMES: [&str; 5] = [
    "stopwatch",
    "surrender",
    "timelimit",
    "interrupted",
    "public40",
];

/// The folder of the tapes.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/tapes")
}

/// The path of a tape.
pub fn tape_path(name: &str) -> PathBuf {
    folder().join(format!("{name}.tape.jsonl.gz"))
}

/// Reads a tape.
///
/// # Errors
/// When no tape has this name, or it is damaged.
pub fn tape(name: &str) -> Result<Tape, String> {
    Tape::read(&tape_path(name))
}

/// Reads a tape of `tests/data/cases`: recorded matches that were edited into situations on which gametimes once failed.
///
/// # Errors
/// When no case has this name, or it is damaged.
pub fn case(name: &str) -> Result<Tape, String> {
    Tape::read(&folder().join(format!("../cases/{name}.tape.jsonl.gz")))
}

/// One round as the game itself reported it. Times are level time in milliseconds.
#[derive(Debug, Deserialize)]
pub struct Round {
    /// The map's name.
    pub map: String,
    /// 1 or 2.
    pub round: u8,
    /// `g_gametype`.
    pub gametype: i32,
    /// The start of the round.
    pub start_t: i64,
    /// The end of the round.
    pub end_t: i64,
    /// The time played, without pauses.
    pub play_ms: i64,
    /// The pauses in the round.
    pub pauses: Vec<Pause>,
    /// The game's `Exit:` print.
    pub exit: Option<String>,
    /// Whether the round ended without a result.
    #[serde(default)]
    pub aborted: bool,
    /// The players' figures by guid.
    pub players: BTreeMap<String, Figures>,
}

/// One pause.
#[derive(Debug, Deserialize)]
pub struct Pause {
    /// The beginning.
    pub start_ms: i64,
    /// The end.
    pub end_ms: i64,
}

/// One player in one round.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Figures {
    pub spawns: i64,
    pub revives: i64,
    pub deaths: i64,
    pub dead_ms: i64,
    pub max_dead_ms: i64,
    pub denied_ms: i64,
    pub kills: i64,
}

/// What really happened in a recorded match.
///
/// # Panics
/// When the file is missing or invalid.
pub fn expected(name: &str) -> Vec<Round> {
    let path = folder().join(format!("{name}.expected.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The module that cargo has built for the running test or benchmark.
///
/// # Panics
/// When cargo has not built it.
pub fn built_module() -> PathBuf {
    let exe = std::env::current_exe().expect("the test's own path");
    let deps = exe.parent().expect("target/<profile>/deps");
    let built = [
        deps.join("libgametimes.so"),
        deps.with_file_name("libgametimes.so"),
    ];
    let newest = built
        .iter()
        .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
        .max();
    newest.expect("cargo has built libgametimes.so").1.clone()
}
