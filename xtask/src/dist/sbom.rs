//! Software bills of materials in the format CycloneDX 1.6: what is built into each binary.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::build::TRIPLE;
use super::{Place, VERSION, read};
use crate::run::{cargo, output};

/// A package that is built into a binary.
#[derive(Debug, Default, PartialEq)]
struct Package {
    name: String,
    version: String,
    license: String,
    repository: String,
    /// The identifiers (purl) of the packages that it needs.
    needs: BTreeSet<String>,
}

/// Writes the SBOM of a package, whose binary is an `application` or a `library`. Returns the name of the file.
pub fn write(place: &Place, package: &str, kind: &str) -> Result<String, String> {
    let tree = output(
        cargo(&[
            "tree",
            "--locked",
            "--package",
            package,
            // What only runs during the build, such as procedural macros, is not in the binary.
            "--edges",
            "normal,no-proc-macro",
            "--target",
            TRIPLE,
            "--prefix",
            "depth",
            "--format",
            "\t{p}\t{l}\t{r}",
        ])
        .current_dir(&place.root),
    )?;
    let rustc = output(Command::new("rustc").arg("--version"))?;
    let checksums = checksums(&read(&place.root.join("Cargo.lock"))?);
    let bom = describe(&packages(&tree)?, &checksums, kind, rustc.trim())?;
    let name = format!("{package}-{VERSION}.cdx.json");
    let text = serde_json::to_string_pretty(&bom).map_err(|e| e.to_string())?;
    write_text(&place.dist().join(&name), &text)?;
    Ok(name)
}

fn write_text(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, format!("{text}\n")).map_err(|e| format!("{}: {e}", path.display()))
}

fn purl(name: &str, version: &str) -> String {
    format!("pkg:cargo/{name}@{version}")
}

/// Reads the lines of `cargo tree`: depth, name and version, licence, repository. The first one is the binary's package.
fn packages(tree: &str) -> Result<Vec<Package>, String> {
    let mut order: Vec<String> = Vec::new();
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    // The packages from the first one to the one of this line.
    let mut path: Vec<String> = Vec::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let unreadable = || format!("cargo tree: unreadable line {line:?}");
        let mut fields = line.split('\t');
        let mut field = || fields.next().ok_or_else(unreadable);
        let depth: usize = field()?.parse().map_err(|_| unreadable())?;
        let mut words = field()?.split(' ');
        let name = words.next().ok_or_else(unreadable)?;
        let version = words.next().and_then(|v| v.strip_prefix('v'));
        let version = version.ok_or_else(unreadable)?;
        let id = purl(name, version);
        path.truncate(depth);
        if let Some(parent) = path.last().and_then(|id| packages.get_mut(id)) {
            parent.needs.insert(id.clone());
        }
        path.push(id.clone());
        let license = field()?;
        // A package that was listed before ends with this mark.
        let repository = field()?.trim_end_matches(" (*)");
        packages.entry(id.clone()).or_insert_with(|| {
            order.push(id);
            Package {
                name: name.to_owned(),
                version: version.to_owned(),
                license: license.to_owned(),
                repository: repository.to_owned(),
                needs: BTreeSet::new(),
            }
        });
    }
    Ok(order.iter().filter_map(|id| packages.remove(id)).collect())
}

/// The SHA-256 of the packages' archives, by purl.
fn checksums(lock: &str) -> BTreeMap<String, String> {
    let mut checksums = BTreeMap::new();
    for block in lock.split("[[package]]").skip(1) {
        let value = |key: &str| {
            let line = block.lines().find_map(|line| line.strip_prefix(key))?;
            Some(line.strip_prefix(" = \"")?.trim_end_matches('"'))
        };
        if let (Some(name), Some(version), Some(sum)) =
            (value("name"), value("version"), value("checksum"))
        {
            checksums.insert(purl(name, version), sum.to_owned());
        }
    }
    checksums
}

fn describe(
    packages: &[Package],
    checksums: &BTreeMap<String, String>,
    kind: &str,
    rustc: &str,
) -> Result<Value, String> {
    let (binary, parts) = packages
        .split_first()
        .ok_or("cargo tree printed no package")?;
    let mut components = vec![json!({
        "type": "library",
        "bom-ref": "rust-std",
        "name": "std",
        "version": rustc,
        "description": "the standard library of Rust",
        "licenses": [{ "expression": "MIT OR Apache-2.0" }],
    })];
    components.extend(
        parts
            .iter()
            .map(|part| component(part, checksums, "library")),
    );
    let mut edges = vec![json!({ "ref": "rust-std", "dependsOn": [] })];
    for package in packages {
        let mut needs: Vec<&str> = package.needs.iter().map(String::as_str).collect();
        if package == binary {
            needs.push("rust-std");
        }
        edges.push(json!({ "ref": purl(&package.name, &package.version), "dependsOn": needs }));
    }
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "lifecycles": [{ "phase": "build" }],
            "component": component(binary, checksums, kind),
        },
        "components": components,
        "dependencies": edges,
    }))
}

fn component(package: &Package, checksums: &BTreeMap<String, String>, kind: &str) -> Value {
    let id = purl(&package.name, &package.version);
    let mut component = json!({
        "type": kind,
        "bom-ref": id,
        "name": package.name,
        "version": package.version,
        "purl": id,
    });
    if !package.license.is_empty() {
        // Old packages write `MIT/Apache-2.0`.
        let expression = package.license.replace('/', " OR ");
        component["licenses"] = json!([{ "expression": expression }]);
    }
    if let Some(sum) = checksums.get(&id) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    if !package.repository.is_empty() {
        component["externalReferences"] = json!([{ "type": "vcs", "url": package.repository }]);
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "0\tours v1.0.0 (/x)\tMIT\t\n\
                        1\ta v0.1.0\tMIT/Apache-2.0\thttps://example.org/a\n\
                        2\tb v2.0.0\tISC\t\n\
                        1\tb v2.0.0\tISC\t (*)\n\
                        1\tc v3.0.0 (/x/c)\tMIT\t\n\
                        2\ta v0.1.0\tMIT/Apache-2.0\thttps://example.org/a (*)\n";
    const LOCK: &str = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"0.1.0\"\nsource = \"r\"\nchecksum = \"00ff\"\n\n\
                        [[package]]\nname = \"ours\"\nversion = \"1.0.0\"\n";

    #[test]
    fn each_package_is_listed_once_with_all_it_needs() {
        let bom = describe(&packages(TREE).unwrap(), &checksums(LOCK), "library", "1").unwrap();
        assert_eq!(bom["metadata"]["component"]["name"], "ours");
        let names: Vec<_> = bom["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["std", "a", "b", "c"]);
        assert_eq!(
            bom["components"][1],
            json!({
                "type": "library", "bom-ref": "pkg:cargo/a@0.1.0", "name": "a", "version": "0.1.0", "purl": "pkg:cargo/a@0.1.0",
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
                "hashes": [{ "alg": "SHA-256", "content": "00ff" }],
                "externalReferences": [{ "type": "vcs", "url": "https://example.org/a" }],
            })
        );
        let needs = |id: &str| {
            let edges = bom["dependencies"].as_array().unwrap();
            let edge = edges.iter().find(|edge| edge["ref"] == id).unwrap();
            edge["dependsOn"].clone()
        };
        assert_eq!(
            needs("pkg:cargo/ours@1.0.0"),
            json!([
                "pkg:cargo/a@0.1.0",
                "pkg:cargo/b@2.0.0",
                "pkg:cargo/c@3.0.0",
                "rust-std"
            ])
        );
        assert_eq!(needs("pkg:cargo/a@0.1.0"), json!(["pkg:cargo/b@2.0.0"]));
        assert_eq!(needs("pkg:cargo/c@3.0.0"), json!(["pkg:cargo/a@0.1.0"]));
    }

    #[test]
    fn line_of_another_form_is_refused() {
        assert!(packages("ours v1.0.0\n").is_err());
        assert!(packages("0\tours\tMIT\t\n").is_err());
    }
}
