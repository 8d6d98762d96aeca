//! `cargo xtask supply`: what the project is made of.

use crate::run::{cargo, run, target};

/// The tools, as cargo installs them.
const TOOLS: [&str; 2] = ["cargo-deny", "cargo-machete"];

/// Checks licences, duplicate and banned crates, sources and known flaws of everything in the lock file, and looks for
/// dependencies that nobody uses. Builds the tools for it when they are missing, which takes some minutes.
#[derive(Debug, clap::Args)]
pub struct Supply {
    /// Leaves out the list of known flaws, which is fetched from GitHub.
    #[arg(long)]
    offline: bool,
}

impl Supply {
    /// # Errors
    /// A line for people.
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
