//! `cargo xtask openapi`: has validators check the description of the bot's API. A test holds `docs/openapi.json` equal to what the bot
//! serves.

use std::process::{Command, Stdio};

use crate::packages;
use crate::run::{install_python_package, root, run, target};

/// Versions are pinned, so that a new rule of theirs is not a failure of ours.
const VALIDATOR: &str = "openapi-spec-validator==0.9.0";
const LINT: &str = "@redocly/cli@2.77.0";

/// Checks `docs/openapi.json` with openapi-spec-validator, and with `redocly lint` where npm is installed.
#[derive(Debug, clap::Args)]
pub struct Openapi {}

impl Openapi {
    pub fn run(self) -> Result<(), String> {
        check()
    }
}

/// Fails if a validator finds something.
pub fn check() -> Result<(), String> {
    let description = root().join("docs/openapi.json");
    packages::for_python()?;
    let folder = target().join("tools").join(VALIDATOR);
    let validator = folder.join("bin/openapi-spec-validator");
    if !validator.exists() {
        install_python_package(VALIDATOR, &folder)?;
    }
    run(Command::new(validator).arg(&description))?;
    let npm = Command::new("npm")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !npm.is_ok_and(|status| status.success()) {
        eprintln!("skipped: redocly lint, because npm is not installed");
        return Ok(());
    }
    let folder = target().join("tools").join(LINT.replace('/', "-"));
    let redocly = folder.join("node_modules/.bin/redocly");
    if !redocly.exists() {
        run(Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
            .arg(&folder)
            .arg(LINT))?;
    }
    run(Command::new(redocly)
        .arg("lint")
        .arg(&description)
        .env("REDOCLY_TELEMETRY", "off")
        .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true"))
}
