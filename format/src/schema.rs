//! The JSON Schemas of the gametimes file and of the live file, made from the types.

use crate::file::GametimesFile;
use crate::live::Snapshot;

/// The JSON Schema (draft 2020-12) of a gametimes file. Keys that older files lack are optional. Unknown keys are allowed, because
/// later versions add some.
///
/// The text is indented and ends with a line feed.
pub fn gametimes_file() -> String {
    let mut schema = schemars::schema_for!(GametimesFile);
    schema.insert("title".to_owned(), "gametimes file".into());
    format!("{:#}\n", schema.to_value())
}

/// The JSON Schema (draft 2020-12) of a live file, like [`gametimes_file`].
pub fn live_file() -> String {
    let mut schema = schemars::schema_for!(Snapshot);
    schema.insert("title".to_owned(), "gametimes live file".into());
    format!("{:#}\n", schema.to_value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_of_the_live_file_in_the_docs_is_that_of_the_types() {
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/live.schema.json");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(docs, live_file()).unwrap();
        }
        let stored = std::fs::read_to_string(docs).unwrap();
        assert_eq!(stored, live_file(), "set UPDATE_GOLDEN=1");
    }
}
