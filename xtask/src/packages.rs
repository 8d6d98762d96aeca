//! The Debian packages that tests and the release need. Installs missing ones as root; otherwise lists them in the error.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::run::run;

/// How to recognize that a package is installed.
enum Provides {
    Program(&'static str),
    PythonModule(&'static str),
}

/// Needed by the tests.
const TESTS: [(Provides, &str); 11] = [
    (Provides::Program("cc"), "gcc"),
    (Provides::Program("valgrind"), "valgrind"),
    (Provides::Program("readelf"), "binutils"),
    (Provides::Program("curl"), "curl"),
    (Provides::Program("postgres"), "postgresql"),
    (Provides::Program("sshd"), "openssh-server"),
    (Provides::Program("systemd-analyze"), "systemd"),
    (Provides::Program("chromium"), "chromium"),
    (Provides::Program("chromedriver"), "chromium-driver"),
    (Provides::Program("busybox"), "busybox"),
    (Provides::Program("shellcheck"), "shellcheck"),
];

/// Needed to build the release.
const RELEASE: [(Provides, &str); 3] = [
    (Provides::Program("cc"), "gcc"),
    (Provides::Program("readelf"), "binutils"),
    (Provides::Program("dpkg-deb"), "dpkg"),
];

/// Needed for tools that are Python packages.
const PYTHON: [(Provides, &str); 2] = [
    (Provides::Program("python3"), "python3"),
    // `python3 -m venv` needs it; Debian ships it separately.
    (Provides::PythonModule("ensurepip"), "python3-venv"),
];

/// Needed to play the quickstart.
#[cfg(feature = "web")]
const QUICKSTART: [(Provides, &str); 3] = [
    (Provides::Program("cc"), "gcc"),
    (Provides::Program("debootstrap"), "debootstrap"),
    (Provides::Program("nsenter"), "util-linux"),
];

/// Ensures that the packages for the tests are installed.
pub fn for_tests() -> Result<(), String> {
    ensure(&TESTS)
}

/// Ensures that the packages for building the release are installed.
pub fn for_release() -> Result<(), String> {
    ensure(&RELEASE)?;
    for_python()
}

/// Ensures that Python packages can be installed into a folder of the project.
pub fn for_python() -> Result<(), String> {
    ensure(&PYTHON)
}

/// Ensures that the packages for playing the quickstart are installed.
#[cfg(feature = "web")]
pub fn for_quickstart() -> Result<(), String> {
    ensure(&QUICKSTART)
}

fn ensure(packages: &[(Provides, &str)]) -> Result<(), String> {
    let missing = || {
        let missing = packages
            .iter()
            .filter(|(provides, _)| !is_installed(provides));
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
    if !is_root || !is_installed(&Provides::Program("apt-get")) {
        let names = names.join(" ");
        return Err(format!(
            "missing Debian packages: {names}; run:\n  sudo apt-get install {names}"
        ));
    }
    run(Command::new("apt-get").arg("update"))?;
    run(Command::new("apt-get")
        .args(["install", "--yes", "--no-install-recommends"])
        .args(names)
        .env("DEBIAN_FRONTEND", "noninteractive"))?;
    // If apt-get succeeded without providing what we need, fail here and not much later.
    match missing()[..] {
        [] => Ok(()),
        ref names => Err(format!(
            "these packages were installed, but what they should provide was not found: {}",
            names.join(" ")
        )),
    }
}

fn is_installed(provides: &Provides) -> bool {
    match provides {
        Provides::Program(name) => is_program(name),
        Provides::PythonModule(module) => Command::new("python3")
            .args(["-c", &format!("import {module}")])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success()),
    }
}

/// Looks for a program in PATH and in Debian's folders for servers.
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
