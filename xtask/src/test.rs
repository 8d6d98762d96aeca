//! `cargo xtask test`: all tests, and what they need.

use std::path::PathBuf;
use std::process::Command;

use crate::dist::check_module;
use crate::run::{build_module, cargo, run, target};
use crate::sanitize;

/// Programs that tests run, and the Debian packages they come from.
const NEEDED: [(&str, &str); 8] = [
    ("cc", "gcc"),
    ("valgrind", "valgrind"),
    ("readelf", "binutils"),
    ("curl", "curl"),
    ("postgres", "postgresql"),
    ("sshd", "openssh-server"),
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
];

/// Runs all tests.
#[derive(Debug, clap::Args)]
pub struct Test {
    /// Only checks and installs what the tests need.
    #[arg(long)]
    prepare: bool,
}

impl Test {
    /// # Errors
    /// A line for people: what is missing or what failed.
    pub fn run(self) -> Result<(), String> {
        prepare()?;
        if self.prepare {
            return Ok(());
        }
        run(&mut cargo(&["test", "--workspace", "--no-fail-fast"]))?;
        // The same door with points that panic: in a folder of its own, so that it is never taken for the real module.
        let faults = target().join("faults");
        run(cargo(&[
            "test",
            "--features",
            "faults",
            "--test",
            "faults",
            "--test",
            "handover",
        ])
        .env("CARGO_TARGET_DIR", faults))?;
        let module = build_module()?;
        check_module(&module)?;
        let module = target().join("debug/deps/libgametimes.so");
        sanitize::memory(&module, &["surrender", "interrupted"])
    }
}

/// Installs what is missing with apt-get when root, else says what to install.
fn prepare() -> Result<(), String> {
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(program, _)| !is_installed(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    let is_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|o| o.stdout == b"0\n");
    if !is_root || !is_installed("apt-get") {
        return Err(format!(
            "the tests need these Debian packages: {packages}\n  sudo apt-get install {packages}"
        ));
    }
    run(Command::new("apt-get").arg("update"))?;
    run(Command::new("apt-get")
        .args(["install", "--yes", "--no-install-recommends"])
        .args(missing)
        .env("DEBIAN_FRONTEND", "noninteractive"))?;
    // A package that was there already under another name, or an apt-get that said nothing, would only show much later.
    match NEEDED.iter().find(|(program, _)| !is_installed(program)) {
        None => Ok(()),
        Some((program, package)) => Err(format!(
            "{program} is still missing after installing {package}"
        )),
    }
}

/// Whether a program is in PATH, or where Debian puts servers.
fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let postgres = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"));
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .chain(postgres)
        .any(|folder| folder.join(program).is_file())
}
