//! Files that real servers wrote: those of the old scripts in `tests/data/samples`, those of the module in
//! `tests/data/native`.

use std::path::{Path, PathBuf};

/// The folder of the samples.
pub fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/samples")
}

/// The content of one sample, by its path in the folder.
pub fn sample(path: &str) -> Vec<u8> {
    std::fs::read(samples().join(path)).unwrap()
}

/// Names and contents of all files in one folder of the samples, sorted by name.
pub fn sample_files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(samples().join(folder)).unwrap();
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// The gametimes files that the module wrote when it played this tape.
pub fn native_files(tape: &str) -> Vec<(String, Vec<u8>)> {
    sample_files(&format!("../native/{tape}"))
}
