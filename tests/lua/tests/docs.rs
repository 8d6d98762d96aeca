//! The documentation agrees with the script, and its links lead somewhere.

use std::path::{Path, PathBuf};

use gametimes_format::{GametimesFile, check};
use gametimes_lua_tests::SCRIPT;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(file: &str) -> String {
    let path = root().join(file);
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
    let module = read("src/settings/mod.rs");
    names.extend(
        module
            .split("c\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|name| name.starts_with("gametimes_")),
    );
    names.sort_unstable();
    names.dedup();
    assert!(names.len() >= 10, "{names:?}");
    for name in names {
        assert!(
            settings.contains(&format!("`{name}`")),
            "{name} is not in docs/settings.md"
        );
        let set_by_gametimes =
            ["gametimes_module", "gametimes_lua_state", "gametimes_match"].contains(&name);
        assert_eq!(
            cfg.contains(&format!("set {name} ")),
            !set_by_gametimes,
            "{name} in gametimes.cfg"
        );
    }
}

#[test]
fn json_example_passes_the_checks_and_all_keys_of_the_file_are_explained() {
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
    let schema: serde_json::Value =
        serde_json::from_str(&read("docs/gametimes.schema.json")).unwrap();
    let types = schema["$defs"].as_object().unwrap();
    let keys: Vec<&String> = types
        .values()
        .filter_map(|t| t["properties"].as_object())
        .flat_map(|properties| properties.keys())
        .collect();
    assert!(keys.len() >= 100, "{}", keys.len());
    // The words between backquotes.
    let code = docs
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    let is_in_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words: Vec<&str> = code
        .flat_map(|code| code.split(|c| !is_in_word(c)))
        .collect();
    for key in keys {
        let is_in_example = example.contains(&format!("\"{key}\""));
        assert!(words.contains(&key.as_str()) || is_in_example, "{key}");
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents = Vec::new();
    find_documents(&root(), &mut documents);
    assert!(documents.len() >= 14, "{documents:?}");
    for document in &documents {
        let text = std::fs::read_to_string(document).unwrap();
        let links = ["](", " src=\"", " srcset=\""]
            .iter()
            .flat_map(|open| text.split(open).skip(1))
            .map(|rest| rest.split([')', '"']).next().unwrap());
        for link in links.filter(|link| !link.contains("://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => document.clone(),
                _ => document.with_file_name(file),
            };
            let place = document.display();
            assert!(target.exists(), "{place}: {link} does not exist");
            if !heading.is_empty() {
                let target = std::fs::read_to_string(&target).unwrap();
                let mut headings = target.lines().filter_map(|line| line.strip_prefix('#'));
                assert!(
                    headings.any(|h| anchor(h) == heading),
                    "{place}: {link} has no such heading"
                );
            }
        }
    }
}

/// All Markdown files of the repository; not those of builds and of hidden folders.
fn find_documents(folder: &Path, documents: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" {
                find_documents(&path, documents);
            }
        } else if name.ends_with(".md") {
            documents.push(path);
        }
    }
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || "-_ ".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn what_cargo_does_not_build_has_the_version_of_the_workspace() {
    let version = env!("CARGO_PKG_VERSION");
    for (file, line) in [
        (
            "fallback-lua/gametimes.lua",
            format!("local VERSION = \"{version}\""),
        ),
        ("install.sh", format!("VERSION={version}")),
        ("CHANGELOG.md", format!("## [{version}]")),
        ("docs/quickstart.md", format!("gametimes-{version}-")),
    ] {
        let text = read(file);
        assert!(
            text.lines().any(|l| l.contains(&line)),
            "{file} has no {line:?}"
        );
    }
}
