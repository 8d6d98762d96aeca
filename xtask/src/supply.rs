//! `cargo xtask supply`: checks the dependencies.

use std::path::Path;
use std::process::Command;

use crate::run::{cargo, root, run, target};

/// The crates of the tools.
const TOOLS: [&str; 2] = ["cargo-deny", "cargo-machete"];

/// Checks everything in the lock file for licences, duplicate and banned crates, sources and known vulnerabilities, and looks for
/// unused dependencies. Builds the tools it needs the first time, which takes a few minutes.
#[derive(Debug, clap::Args)]
pub struct Supply {
    /// Skip the check for known vulnerabilities, which downloads their list from GitHub.
    #[arg(long)]
    offline: bool,
}

impl Supply {
    pub fn run(self) -> Result<(), String> {
        let folder = target().join("tools");
        for tool in TOOLS {
            if !folder.join("bin").join(tool).is_file() {
                // Their release profiles optimize for a long time, which a run of some seconds does not need.
                run(cargo(&["install", "--locked", "--root"])
                    .arg(&folder)
                    .arg(tool)
                    .env("CARGO_PROFILE_RELEASE_LTO", "off")
                    .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
                    .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"))?;
            }
        }
        let bin = folder.join("bin");
        // Even if one finds something, the other runs.
        let denied = run(&mut deny(&bin, self.offline));
        run_machete(&mut machete(&bin)).and(denied)
    }
}

/// Checks licences, sources, duplicate, banned and vulnerable crates.
fn deny(bin: &Path, offline: bool) -> Command {
    let mut command = Command::new(bin.join("cargo-deny"));
    command
        .current_dir(root())
        .args(["--workspace", "--all-features", "check"])
        .args(["bans", "licenses", "sources"]);
    if !offline {
        command.arg("advisories");
    }
    command
}

/// Looks for unused dependencies.
///
/// Called as itself: `cargo machete` inside `cargo xtask` takes "machete" for the name of a folder, because it tells from the
/// variables that cargo sets how it was called.
fn machete(bin: &Path) -> Command {
    let mut command = Command::new(bin.join("cargo-machete"));
    command
        .current_dir(root())
        .env_remove("CARGO")
        .args(["--skip-target-dir", "."]);
    command
}

/// Runs cargo-machete. It only prints which manifests it could not read, and succeeds; here that is a failure.
fn run_machete(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    eprintln!("$ {program}");
    let output = command.output().map_err(|e| format!("{program}: {e}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{errors}");
    if !output.status.success() {
        return Err(format!("{program}: {}", output.status));
    }
    match errors.lines().find(|line| line.contains("error")) {
        Some(line) => Err(format!("{program}: {line}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A tool that decides how it was called as cargo-machete does.
    const TOOL: &str = "#!/bin/sh\n\
        if [ -n \"$CARGO\" ] && [ -z \"$CARGO_PKG_NAME\" ]; then shift; fi\n\
        for word; do case $word in -*) ;; *) [ -d \"$word\" ] || exit 1; ls \"$word/Cargo.lock\" ;; esac; done\n";

    #[test]
    fn machete_started_by_cargo_searches_the_repository() {
        let bin = tempfile::tempdir().unwrap();
        let source = bin.path().join("source");
        fs::write(&source, TOOL).unwrap();
        // By a process of its own: a child of another test could still have the file open for writing, and the system
        // does not execute such a file.
        let mut install = Command::new("install");
        install.args(["-m", "755"]).arg(&source);
        let installed = install.arg(bin.path().join("cargo-machete")).status();
        assert!(installed.unwrap().success());
        // Below `cargo run` both are set, below `cargo COMMAND` one, otherwise none.
        for variables in [&["CARGO", "CARGO_PKG_NAME"][..], &["CARGO"], &[]] {
            let mut command = machete(bin.path());
            let removed: Vec<_> = command
                .get_envs()
                .filter(|(_, value)| value.is_none())
                .map(|(name, _)| name.to_owned())
                .collect();
            for name in ["CARGO", "CARGO_PKG_NAME"] {
                if variables.contains(&name) && !removed.iter().any(|r| r == name) {
                    command.env(name, "set");
                } else {
                    command.env_remove(name);
                }
            }
            let output = command.output().unwrap();
            assert!(output.status.success(), "{variables:?}: {output:?}");
            assert!(!output.stdout.is_empty(), "{variables:?}: {output:?}");
        }
    }

    #[test]
    fn manifest_that_machete_cannot_read_is_a_failure() {
        for (script, expected) in [
            (
                "echo 'error when handling ./x/Cargo.toml: no such key' >&2",
                Err("./x/Cargo.toml"),
            ),
            ("echo unused; exit 1", Err("exit status: 1")),
            ("echo 'Done!' >&2", Ok(())),
        ] {
            let mut command = Command::new("sh");
            let result = run_machete(command.args(["-c", script]));
            match expected {
                Ok(()) => assert_eq!(result, Ok(())),
                Err(part) => assert!(result.unwrap_err().contains(part), "{script}"),
            }
        }
    }

    /// Its private-key operations leak timing (RUSTSEC-2023-0071).
    #[test]
    fn rsa_crate_is_not_linked() {
        let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
        assert!(lock.contains("\nname = \"russh\"\n"));
        assert!(!lock.contains("\nname = \"rsa\"\n"));
    }
}
