//! The JSON Schema of the gametimes file, made from the types.

use crate::file::GametimesFile;

/// The JSON Schema (draft 2020-12) of a gametimes file. Keys that older files lack are optional. Unknown keys are allowed, because
/// later versions add some.
///
/// The text is indented and ends with a line feed.
pub fn gametimes_file() -> String {
    let mut schema = schemars::schema_for!(GametimesFile);
    schema.insert("title".to_owned(), "gametimes file".into());
    format!("{:#}\n", schema.to_value())
}
