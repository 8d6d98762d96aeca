//! The gametimes files that the script writes.

use std::path::Path;

use gametimes_format::GametimesFile;
use gametimes_format::file::Meta;

use crate::SCRIPT;
use crate::round::Round;
use crate::world::Server;

/// The gametimes files of a folder, in the order of their rounds, read with the types of bot and module. A key that these do
/// not know is an error.
pub fn rounds(dir: &Path) -> Vec<(String, GametimesFile)> {
    let mut rounds: Vec<_> = std::fs::read_dir(dir)
        .unwrap_or_else(|e| panic!("{}: {e}", dir.display()))
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let file: GametimesFile =
                serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}\n{text}"));
            let written: serde_json::Value = serde_json::from_str(&text).unwrap();
            let same = serde_json::to_value(&file).unwrap();
            assert_eq!(numbers_alike(written), numbers_alike(same), "{name}");
            (name, file)
        })
        .collect();
    rounds.sort_by_key(|(name, f)| (f.meta.round_end_unix, f.meta.round_start_unix, name.clone()));
    rounds
}

/// Makes 2 and 2.0 equal, as they are in JSON.
fn numbers_alike(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Number(n) => n.as_f64().map_or(Value::Null, Value::from),
        Value::Array(list) => list.into_iter().map(numbers_alike).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(k, v)| (k, numbers_alike(v)))
            .collect(),
        other => other,
    }
}

/// Plays a round, and returns it with the script's log.
pub fn record(f: impl FnOnce(Round)) -> (Meta, String) {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    f(Round::start(&mut server, 0));
    let log = server.log();
    assert!(!log.contains("error in"), "{log}");
    let (_, file) = rounds(&server.game_dir().join("gametimes"))
        .pop()
        .unwrap_or_else(|| panic!("no file\n{log}"));
    assert_eq!(gametimes_format::check::check(&file), []);
    (file.meta, log)
}

/// The guid of a slot's first player.
pub fn guid(slot: i64) -> String {
    format!("{:032X}", 0xA0 + slot)
}

/// The entry of a slot's first player.
pub fn of(meta: &Meta, slot: i64) -> &gametimes_format::SpawnStats {
    meta.spawn_stats
        .iter()
        .find(|s| s.guid == guid(slot))
        .unwrap()
}
