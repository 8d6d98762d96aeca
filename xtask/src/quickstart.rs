//! `cargo xtask quickstart`. What it does needs a web server and is behind a feature: without it, this command builds and runs itself with it.

#[cfg(feature = "web")]
mod document;
#[cfg(feature = "web")]
mod play;
#[cfg(feature = "web")]
mod root;
#[cfg(feature = "web")]
mod server;
#[cfg(feature = "web")]
mod terminal;

/// Plays docs/quickstart.md in an empty Debian, from unpacking the archives to the first round on the page: on a new server, and on one
/// with the script that gametimes replaces. Shows how long each step takes. Needs root, and the archives of `cargo xtask dist`.
#[derive(Debug, clap::Args)]
pub struct Quickstart {}

impl Quickstart {
    #[cfg(feature = "web")]
    pub fn run(self) -> Result<(), String> {
        play::run()
    }

    #[cfg(not(feature = "web"))]
    pub fn run(self) -> Result<(), String> {
        let with_feature = ["--package", "xtask", "--features", "web"];
        let mut command = crate::run::cargo(&["run", "--quiet"]);
        crate::run::run(command.args(with_feature).args(["--", "quickstart"]))
    }
}
