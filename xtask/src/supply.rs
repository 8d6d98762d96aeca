//! `cargo xtask supply`: checks the dependencies.

use crate::run::{cargo, run, target};

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
                run(cargo(&["install", "--locked", "--root"])
                    .arg(&folder)
                    .arg(tool))?;
            }
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(folder.join("bin")).chain(std::env::split_paths(&path));
        let path = std::env::join_paths(paths).map_err(|e| e.to_string())?;
        let mut deny = cargo(&[
            "deny",
            "--all-features",
            "check",
            "bans",
            "licenses",
            "sources",
        ]);
        if !self.offline {
            deny.arg("advisories");
        }
        run(deny.env("PATH", &path))?;
        run(cargo(&["machete"]).env("PATH", &path))
    }
}
