//! Every row of docs/faults.md names a test that there is.

use std::path::Path;

#[test]
fn every_fault_in_the_docs_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_to_string(root.join("docs/faults.md")).unwrap();
    let rows: Vec<&str> = docs.lines().filter(|l| l.starts_with("| ")).collect();
    let mut found = 0;
    for row in rows {
        let last = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        if last == "test" || last.starts_with("---") {
            continue;
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
