//! What a program that shares no code with gametimes computed from recorded matches: waves, classes and objectives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gametimes_format::{
    Class, EventKind, GametimesFile, ObjectiveAction, TeamNumber, TimelineEvent, Waves,
};
use serde::Deserialize;

/// A recorded match, or a case made from one: the tape, and the match whose hooks belong to it.
pub const MATCHES: [(&str, &str); 7] = [
    ("tapes/stopwatch", "stopwatch"),
    ("tapes/surrender", "surrender"),
    ("tapes/timelimit", "timelimit"),
    ("tapes/interrupted", "interrupted"),
    ("tapes/public40", "public40"),
    ("cases/wave-interval", "timelimit"),
    ("cases/objectives", "stopwatch"),
];

/// The results for a match, as `tests/expected/play.py` prints them.
#[derive(Debug, Deserialize)]
pub struct Played {
    /// How many spawns were in the frame of a wave.
    pub spawns_in_waves: usize,
    /// How many spawns there were, without revives and those at the start.
    pub spawns_to_check: usize,
    /// The rounds, in order.
    pub rounds: Vec<PlayedRound>,
}

/// One round.
#[derive(Debug, Deserialize)]
pub struct PlayedRound {
    waves: Waves,
    deaths: Vec<Death>,
    spawns: Vec<Spawn>,
    wave_wait_ms: BTreeMap<String, i64>,
    /// What happened to objectives.
    pub objectives: Vec<Objective>,
    /// How many lines about objectives are refused.
    pub refused: usize,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Death {
    t_ms: i64,
    guid: String,
    by: Option<String>,
    class: Option<String>,
    wave_in_ms: Option<i64>,
    killer_wave_in_ms: Option<i64>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Spawn {
    t_ms: i64,
    guid: String,
    class: Option<String>,
}

/// One objective of the timeline.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct Objective {
    /// When it happened, on the play clock.
    pub t_ms: i64,
    /// What happened.
    pub action: ObjectiveAction,
    /// The player; empty if the game does not name one.
    pub guid: String,
    /// The team.
    pub team: Option<u8>,
    /// The name or the announcement.
    pub text: Option<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The path of a match's results.
pub fn path(name: &str) -> PathBuf {
    let name = name.rsplit('/').next().unwrap_or(name);
    folder().join(format!("expected/{name}.json"))
}

/// The results for a match.
///
/// # Panics
/// When the file is missing or invalid.
pub fn played(name: &str) -> Played {
    let path = path(name);
    let text = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Runs `tests/expected/play.py` on a match. `None` without Python.
///
/// # Panics
/// When the program fails.
pub fn run(name: &str, hooks: &str) -> Option<Vec<u8>> {
    let data = folder().join("data");
    let arguments = [
        data.join(format!("{name}.tape.jsonl.gz")),
        data.join(format!("tapes/{hooks}.hooks.jsonl.gz")),
        data.join(format!("tapes/{hooks}.expected.json")),
    ];
    python("play.py", &arguments)
}

/// Runs a program of `tests/expected`, and returns what it prints. `None` without Python.
///
/// # Panics
/// When the program fails.
pub fn python(program: &str, arguments: &[PathBuf]) -> Option<Vec<u8>> {
    let Ok(output) = std::process::Command::new("python3")
        .arg(folder().join("expected").join(program))
        .args(arguments)
        .output()
    else {
        eprintln!("python3 is not installed: what it computed before is used as it is");
        return None;
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    Some(output.stdout)
}

/// Compares what a program has computed with the stored file, or stores it if `UPDATE_EXPECTED` is set.
///
/// # Panics
/// When it computes something else.
pub fn compare_stored(path: &Path, output: &[u8]) {
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(path, output).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
    let stored = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert!(
        stored == output,
        "the program computes something else than {}",
        path.display()
    );
}

/// The word for a class in a file.
fn word(class: Option<Class>) -> Option<String> {
    let class = serde_json::to_value(class?).ok()?;
    class.as_str().map(str::to_owned)
}

/// The objectives in a file, in order.
pub fn objectives(file: &GametimesFile) -> Vec<Objective> {
    of_kind(file, EventKind::Objective)
        .map(|e| Objective {
            t_ms: e.t_ms,
            action: e.action.unwrap_or(ObjectiveAction::Other),
            guid: e.guid.clone(),
            team: e.team.map(TeamNumber::number),
            text: e.text.clone(),
        })
        .collect()
}

fn of_kind(file: &GametimesFile, kind: EventKind) -> impl Iterator<Item = &TimelineEvent> {
    file.meta.events.iter().filter(move |e| e.kind == kind)
}

/// Compares waves, and the classes and waves of every spawn and death.
///
/// # Panics
/// When anything differs.
pub fn compare_waves(which: &str, file: &GametimesFile, expected: &PlayedRound) {
    assert_eq!(file.meta.waves.as_ref(), Some(&expected.waves), "{which}");
    let deaths = of_kind(file, EventKind::Death).map(|e| Death {
        t_ms: e.t_ms,
        guid: e.guid.clone(),
        by: e.by.clone(),
        class: word(e.class),
        wave_in_ms: e.wave_in_ms,
        killer_wave_in_ms: e.killer_wave_in_ms,
    });
    same(which, deaths.collect(), &expected.deaths);
    let spawns = of_kind(file, EventKind::Spawn).map(|e| Spawn {
        t_ms: e.t_ms,
        guid: e.guid.clone(),
        class: word(e.class),
    });
    same(which, spawns.collect(), &expected.spawns);
    for stats in &file.meta.spawn_stats {
        let wait_ms = expected.wave_wait_ms.get(&stats.guid).copied();
        assert_eq!(
            stats.wave_wait_ms,
            Some(wait_ms.unwrap_or(0)),
            "{which} {}",
            stats.guid
        );
    }
}

/// Compares two lists in any order, because several players can die or spawn in one frame.
fn same<T: std::fmt::Debug + Ord>(which: &str, mut got: Vec<T>, expected: &[T]) {
    got.sort();
    let mut expected: Vec<&T> = expected.iter().collect();
    expected.sort();
    for (got, expected) in got.iter().zip(&expected) {
        assert_eq!(&got, expected, "{which}");
    }
    assert_eq!(got.len(), expected.len(), "{which}");
}
