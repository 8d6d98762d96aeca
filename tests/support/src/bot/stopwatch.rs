//! The seven stopwatch matches, as gametimes files of the module.

use gametimes_bot::db::IngestItem;
use gametimes_format::GametimesFile;
use gametimes_format::digest::round_canonical_id;
use gametimes_standin::stopwatch::{CASES, Case};

use crate::game::{gametimes_files, play_tape};

/// The files that the module writes in an edited match.
///
/// # Panics
/// When the module does not write one file for each round.
pub fn files_of(case: &Case) -> Vec<GametimesFile> {
    let home = tempfile::tempdir().unwrap();
    let console = play_tape(home.path(), &case.tape());
    let files = gametimes_files(home.path());
    assert_eq!(files.len(), case.rounds(), "{}\n{console}", case.name);
    files
}

/// A gametimes file as it arrives.
///
/// # Panics
/// When it cannot be written as JSON.
pub fn item(file: &GametimesFile) -> IngestItem {
    let bytes = serde_json::to_vec(file).unwrap();
    IngestItem::from_file("ingest", &file.file_name(), "", bytes)
}

/// Names without a tag.
const NAMES: [&str; 13] = [
    "Ada", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gil", "Hal", "Ida", "Jan", "Kim", "Lou", "Max",
];

/// The seven matches as maps of one evening, 20 minutes apart, by a clan and by players without a tag.
///
/// # Panics
/// As [`files_of`].
pub fn evening() -> Vec<GametimesFile> {
    let mut all = Vec::new();
    for (n, case) in CASES.iter().enumerate() {
        let mut files = files_of(case);
        let first = files[0].meta.teams.clone();
        let on_axis = |guid: &str| first.axis.iter().any(|p| p.guid == guid);
        for file in &mut files {
            let meta = &mut file.meta;
            let later = 1200 * n as i64;
            meta.map = format!("map{n}");
            meta.round_start_unix += later;
            meta.round_end_unix += later;
            meta.event_id = format!("{n}-{}", meta.event_id);
            meta.match_uid = format!("{n}-{}", meta.match_uid);
            meta.match_id = meta.round_end_unix.to_string();
            meta.round_canonical_id =
                round_canonical_id(meta.round_start_unix, &meta.map, meta.round);
            // In the recorded match, players change teams within round 2. Here all stay with theirs, which changes sides.
            meta.teams = first.clone();
            if meta.round == 2 {
                std::mem::swap(&mut meta.teams.axis, &mut meta.teams.allies);
            }
            for player in &mut meta.spawn_stats {
                let is_clan = on_axis(&player.guid);
                player.team = if is_clan == (meta.round == 1) { 1 } else { 2 }.into();
                let number = &player.guid[6..8];
                player.name = match usize::from_str_radix(number, 16) {
                    Ok(n) if !is_clan => NAMES[n].to_owned(),
                    _ => format!("eA.{number}"),
                };
            }
        }
        all.extend(files);
    }
    all
}
