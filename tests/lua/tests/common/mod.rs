//! What the tests share.
#![allow(dead_code)] // each test uses its part

pub mod script;

use std::path::Path;

use gametimes_format::GametimesFile;

/// The gametimes files of a folder in the order of their rounds, read by the types that bot and module use; a key that those
/// do not know is an error.
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

/// 2 and 2.0 are one number in JSON.
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
