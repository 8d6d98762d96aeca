//! What the tests of the built module share.
#![allow(dead_code)] // every test binary uses its part

use std::path::{Path, PathBuf};

use gametimes_format::GametimesFile;
use gametimes_standin::{Options, Tape, play};

/// The tapes in this repository.
pub const TAPES: [&str; 5] = [
    "stopwatch",
    "surrender",
    "timelimit",
    "interrupted",
    "public40",
];

/// The built module. Cargo builds it before it runs these tests.
pub fn module() -> PathBuf {
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

/// The path of a tape.
pub fn tape_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/tapes")
        .join(format!("{name}.tape.jsonl.gz"))
}

/// A tape.
pub fn tape(name: &str) -> Tape {
    Tape::read(&tape_path(name)).unwrap()
}

/// Options of a server in this folder.
pub fn options(home: &Path) -> Options {
    Options::new(&module(), home)
}

/// Plays a tape in a folder and gives its console.
pub fn play_in(home: &Path, name: &str) -> String {
    play(&tape(name), &options(home)).unwrap()
}

/// The gametimes files in a folder, in the order of the rounds.
pub fn files(home: &Path) -> Vec<GametimesFile> {
    let folder = home.join("legacy/gametimes");
    let mut files: Vec<GametimesFile> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
        .collect();
    files.sort_by_key(|f| (f.meta.round_start_unix, f.meta.round_end_unix));
    files
}
