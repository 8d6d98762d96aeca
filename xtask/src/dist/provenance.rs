//! The provenance of a release: from which commit, with which tools and by whom it was built. An in-toto statement with a
//! predicate of SLSA 1.0.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::build::{BOT_GLIBC, MODULE_GLIBC, TRIPLE, ZIGBUILD_VERSION, ZIGLANG_VERSION};
use super::{EPOCH, Place, VERSION};
use crate::run::output;

/// Writes the provenance of these files of the release. Returns the name of its file.
pub fn write(place: &Place, names: &[String], builder: &str) -> Result<String, String> {
    let dist = place.dist();
    let mut subject = Vec::new();
    for name in names {
        let digest = json!({ "sha256": sha256(&dist.join(name))? });
        subject.push(json!({ "name": name, "digest": digest }));
    }
    let commit = git(place, &["rev-parse", "HEAD"])?;
    let rustc = output(Command::new("rustc").arg("--version"))?;
    let lock = sha256(&place.root.join("Cargo.lock"))?;
    let statement: Value = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subject,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:gametimes:xtask-dist:1",
                "externalParameters": { "command": "cargo xtask dist", "version": VERSION },
                "internalParameters": {
                    "uncommittedChanges": is_changed(place)?,
                    "sourceDateEpoch": EPOCH,
                    "target": TRIPLE,
                    "glibc": { "module": MODULE_GLIBC, "bot": BOT_GLIBC },
                    "tools": {
                        "rustc": rustc.trim(),
                        "cargo-zigbuild": ZIGBUILD_VERSION,
                        "ziglang": ZIGLANG_VERSION,
                    },
                },
                "resolvedDependencies": [
                    { "name": "source", "digest": { "gitCommit": commit.trim() } },
                    { "name": "Cargo.lock", "digest": { "sha256": lock } },
                ],
            },
            "runDetails": { "builder": { "id": builder } },
        },
    });
    let name = format!("gametimes-{VERSION}.provenance.json");
    let file = dist.join(&name);
    let text = serde_json::to_string_pretty(&statement).map_err(|e| e.to_string())?;
    fs::write(&file, format!("{text}\n")).map_err(|e| format!("{}: {e}", file.display()))?;
    Ok(name)
}

/// Whether files of the repository differ from the commit.
pub fn is_changed(place: &Place) -> Result<bool, String> {
    Ok(!git(place, &["status", "--porcelain"])?.is_empty())
}

fn git(place: &Place, arguments: &[&str]) -> Result<String, String> {
    output(Command::new("git").args(arguments).current_dir(&place.root))
}

fn sha256(file: &Path) -> Result<String, String> {
    let line = output(Command::new("sha256sum").arg("--").arg(file))?;
    // A name with special characters makes sha256sum begin the line with a backslash.
    let sum = line.trim_start_matches('\\').split(' ').next();
    Ok(sum.unwrap_or_default().to_owned())
}
