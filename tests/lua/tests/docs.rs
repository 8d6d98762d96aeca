//! The documentation says what the script says.

use std::path::Path;

use gametimes_format::{GametimesFile, check};
use gametimes_lua_tests::SCRIPT;

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn every_setting_is_documented_and_in_the_cfg() {
    let (settings, cfg) = (read("docs/settings.md"), read("server-cfg/gametimes.cfg"));
    let mut names: Vec<&str> = SCRIPT
        .split('"')
        .filter(|word| {
            word.starts_with("gametimes_")
                && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    assert!(names.len() >= 10, "{names:?}");
    for name in names {
        assert!(
            settings.contains(&format!("`{name}`")),
            "{name} is not in docs/settings.md"
        );
        let set_by_us = ["gametimes_module", "gametimes_lua_state"].contains(&name);
        assert_eq!(
            cfg.contains(&format!("set {name} ")),
            !set_by_us,
            "{name} in gametimes.cfg"
        );
    }
}

#[test]
fn the_example_is_a_gametimes_file() {
    let docs = read("docs/json.md");
    let example = docs
        .split("```json\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let file: GametimesFile = serde_json::from_str(example).unwrap();
    let rejections: Vec<_> = check::check(&file)
        .into_iter()
        .filter(|p| p.severity == check::Severity::Reject)
        .collect();
    assert_eq!(rejections, []);
    // Every key of ours is explained.
    let value: serde_json::Value = serde_json::from_str(example).unwrap();
    for key in value["meta"].as_object().unwrap().keys() {
        assert!(docs.contains(&format!("`{key}`")), "{key}");
    }
    for key in value["meta"]["spawn_stats"][0].as_object().unwrap().keys() {
        assert!(docs.contains(&format!("`{key}`")), "{key}");
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    for name in ["setup", "settings", "json", "log-lines", "troubleshooting"] {
        for link in read(&format!("docs/{name}.md")).split("](").skip(1) {
            let target = link.split(')').next().unwrap();
            if !target.contains("://") {
                read(&format!("docs/{target}"));
            }
        }
    }
}

#[test]
fn the_script_and_the_workspace_have_one_version() {
    let version = format!("local VERSION = \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(SCRIPT.contains(&version), "{version}");
}
