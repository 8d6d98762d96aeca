//! The documentation matches the code: every row of docs/faults.md and docs/security.md names an existing test, the first also documented
//! log lines, and docs/log-lines.md contains every log line. ARCHITECTURE.md names every file of tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gametimes::observe::Complaint;
use gametimes_lua_tests::SCRIPT;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The lines in docs/log-lines.md, in which `<>` stands for each variable part.
fn documented_lines() -> BTreeSet<String> {
    let docs = std::fs::read_to_string(root().join("docs/log-lines.md")).unwrap();
    docs.lines().flat_map(quoted).collect()
}

/// The quoted log lines in a line of a document.
fn quoted(line: &str) -> impl Iterator<Item = String> {
    let spans = line.split('`').skip(1).step_by(2);
    spans.map(|span| with_blanks(&span.replace("\\|", "|"), '<', '>'))
}

#[test]
fn every_fault_in_the_docs_names_an_existing_test_and_documented_log_lines() {
    let root = root();
    let docs = std::fs::read_to_string(root.join("docs/faults.md")).unwrap();
    let documented = documented_lines();
    let rows: Vec<&str> = docs.lines().filter(|l| l.starts_with("| ")).collect();
    let mut found = 0;
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let ["", _fault, _reaction, log, _data, last, ""] = cells[..] else {
            panic!("five columns are expected: {row}");
        };
        if last == "test" || last.starts_with("---") {
            continue;
        }
        for line in quoted(log) {
            let is_documented = documented.iter().any(|d| d.contains(&line));
            assert!(is_documented, "not in docs/log-lines.md: {line}");
        }
        let names: Vec<&str> = last.split('`').filter(|n| !n.trim().is_empty()).collect();
        let [file, test] = names[..] else {
            panic!("a file and a test are expected at the end of: {row}");
        };
        let path = root.join("tests").join(file).with_extension("rs");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert!(
            text.contains(&format!("#[test]\nfn {test}()")),
            "{file} has no test {test}"
        );
        found += 1;
    }
    assert!(found >= 25, "{found} rows");
}

#[test]
fn every_defence_in_the_docs_names_an_existing_test() {
    let docs = std::fs::read_to_string(root().join("docs/security.md")).unwrap();
    let rows = docs.lines().filter(|l| l.starts_with("| "));
    let mut found = 0;
    for row in rows.filter(|row| !row.starts_with("| attack") && !row.starts_with("| ---")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let ["", _attack, _by, _defence, test, ""] = cells[..] else {
            panic!("four columns are expected: {row}");
        };
        let names: Vec<&str> = test.split('`').filter(|n| !n.trim().is_empty()).collect();
        let [file, test] = names[..] else {
            panic!("a file and a test are expected at the end of: {row}");
        };
        let text = std::fs::read_to_string(root().join(file));
        let text = text.unwrap_or_else(|e| panic!("{file}: {e}"));
        // A test that runs on both databases is a function that a macro calls.
        let exists = text.contains(&format!("fn {test}(")) && text.contains("test");
        assert!(exists, "{file} has no test {test}");
        found += 1;
    }
    assert!(found >= 35, "{found} rows");
}

#[test]
fn architecture_says_what_each_file_of_tests_is_for() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (_, section) = text.split_once("\n## Tests\n").unwrap();
    let mut names: Vec<&str> = section.split('`').skip(1).step_by(2).collect();
    names.iter_mut().for_each(|name| {
        *name = name.strip_prefix("tests/").unwrap_or(name);
    });
    let mut found = 0;
    for file in std::fs::read_dir(root().join("tests")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".rs") {
            assert!(names.contains(&&*name), "ARCHITECTURE.md, Tests: {name}");
            found += 1;
        }
    }
    assert!(found > 20, "{found}");
}

/// The string literals in a call, from its opening bracket to its closing one.
fn texts(call: &str) -> Vec<String> {
    let (mut texts, mut depth) = (Vec::new(), 0);
    let mut chars = call.chars();
    while let Some(c) = chars.next() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => break,
            ')' => depth -= 1,
            '"' => {
                let mut text = String::new();
                while let Some(c) = chars.next().filter(|&c| c != '"') {
                    text.push(if c == '\\' { chars.next().unwrap() } else { c });
                }
                texts.push(text);
            }
            _ => {}
        }
    }
    texts
}

/// The string literals in all calls of these functions.
fn said(code: &str, functions: &[&str]) -> Vec<String> {
    let calls = functions.iter().flat_map(|f| code.match_indices(f));
    calls
        .flat_map(|(at, f)| texts(&code[at + f.len() - 1..]))
        .collect()
}

/// The line with `<>` in place of each variable part, which is between `open` and `close`, and without quotes.
fn with_blanks(text: &str, open: char, close: char) -> String {
    let mut parts = text.split(open);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if !out.ends_with("<>") {
            out += "<>";
        }
        out += part.split_once(close).map_or("", |(_, after)| after);
    }
    out.replace('"', "").trim().to_owned()
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else {
            files.push(path);
        }
    }
}

#[test]
fn every_log_line_is_documented() {
    let documented = documented_lines();
    let mut lines = Vec::new();
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    for path in files {
        let code = std::fs::read_to_string(&path).unwrap();
        let code = code.split("#[cfg(test)]").next().unwrap();
        let mut functions = vec!["say(", ".line(", "complain(", "warnings.push("];
        if path.ends_with("module/mod.rs") {
            functions.extend(["stop_recording(", "return Err("]); // reasons why a map is not recorded
        }
        let found = said(code, &functions);
        lines.extend(found.iter().map(|text| with_blanks(text, '{', '}')));
    }
    lines.extend(Complaint::ALL.map(|c| c.text().to_owned()));
    let script = SCRIPT
        .replace("log('", "log(\"")
        .replace("', name", "\", name");
    for text in said(&script, &["log(", "complain("]) {
        // %s, %d, %2d, %-6s
        let mut parts = text.split('%');
        let mut line = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|c: char| c.is_ascii_alphabetic()).unwrap() + 1;
            line += "{}";
            line += &part[end..];
        }
        lines.push(with_blanks(&line, '{', '}'));
    }

    // A single word is a value, and a text with few letters is part of another line.
    let letters = |line: &str| line.chars().filter(char::is_ascii_alphabetic).count();
    lines.retain(|line| line.contains(' ') && letters(line) >= 7);
    assert!(lines.len() > 80, "{}", lines.len());
    let is_documented = |line: &String| documented.iter().any(|span| span.contains(line));
    let missing: BTreeSet<&String> = lines.iter().filter(|l| !is_documented(l)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
