//! The Debian packages that tests and the release need: installed when root, else named.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::run::run;

/// What tells that a package is there.
enum Sign {
    /// A program.
    Program(&'static str),
    /// A module of Python.
    Python(&'static str),
}

/// What tests run.
const TESTS: [(Sign, &str); 8] = [
    (Sign::Program("cc"), "gcc"),
    (Sign::Program("valgrind"), "valgrind"),
    (Sign::Program("readelf"), "binutils"),
    (Sign::Program("curl"), "curl"),
    (Sign::Program("postgres"), "postgresql"),
    (Sign::Program("sshd"), "openssh-server"),
    (Sign::Program("chromium"), "chromium"),
    (Sign::Program("chromedriver"), "chromium-driver"),
];

/// What the release is built with.
const RELEASE: [(Sign, &str); 4] = [
    (Sign::Program("cc"), "gcc"),
    (Sign::Program("readelf"), "binutils"),
    (Sign::Program("python3"), "python3"),
    // `python3 -m venv` needs it, and Debian has it in a package of its own.
    (Sign::Python("ensurepip"), "python3-venv"),
];

/// Makes sure of what tests need.
///
/// # Errors
/// A line for people: what is missing.
pub fn for_tests() -> Result<(), String> {
    need(&TESTS)
}

/// Makes sure of what building the release needs.
///
/// # Errors
/// A line for people: what is missing.
pub fn for_release() -> Result<(), String> {
    need(&RELEASE)
}

fn need(packages: &[(Sign, &str)]) -> Result<(), String> {
    let missing = || {
        let missing = packages.iter().filter(|(sign, _)| !is_there(sign));
        missing.map(|(_, package)| *package).collect::<Vec<_>>()
    };
    let names = missing();
    if names.is_empty() {
        return Ok(());
    }
    let is_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|o| o.stdout == b"0\n");
    if !is_root || !is_there(&Sign::Program("apt-get")) {
        let names = names.join(" ");
        return Err(format!(
            "these Debian packages are needed: {names}\n  sudo apt-get install {names}"
        ));
    }
    run(Command::new("apt-get").arg("update"))?;
    run(Command::new("apt-get")
        .args(["install", "--yes", "--no-install-recommends"])
        .args(names)
        .env("DEBIAN_FRONTEND", "noninteractive"))?;
    // A package that was there already under another name, or an apt-get that said nothing, would only show much later.
    match missing()[..] {
        [] => Ok(()),
        ref names => Err(format!(
            "installed, but what is needed of them is not found: {}",
            names.join(" ")
        )),
    }
}

fn is_there(sign: &Sign) -> bool {
    match sign {
        Sign::Program(name) => is_program(name),
        Sign::Python(module) => Command::new("python3")
            .args(["-c", &format!("import {module}")])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success()),
    }
}

/// Whether a program is in PATH, or where Debian puts servers.
fn is_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let postgres = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"));
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .chain(postgres)
        .any(|folder| folder.join(name).is_file())
}
