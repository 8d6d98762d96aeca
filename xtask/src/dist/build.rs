//! Builds module and bot against an old glibc, with the same bytes wherever and whenever they are built.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{EPOCH, Place};
use crate::packages;
use crate::run::{cargo, install_python_package, run};

/// The oldest glibc that module and bot run on: the module on RHEL 7, the bot on Debian 10 and RHEL 8.
pub const MODULE_GLIBC: &str = "2.17";
pub const BOT_GLIBC: &str = "2.28";
pub const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// The tools that build against an old glibc: a cargo command from crates.io, and the zig compiler from PyPI.
pub const ZIGBUILD_VERSION: &str = "0.24.1";
pub const ZIGLANG_VERSION: &str = "0.17.0";

/// The two binaries of a release.
pub struct Binaries {
    pub module: PathBuf,
    pub bot: PathBuf,
}

/// The build tools, installed in `target/tools`.
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Installs the tools that are missing.
    pub fn install(target: &Path) -> Result<Self, String> {
        packages::for_release()?;
        let folder = target.join("tools");
        let zigbuild = folder.join("bin/cargo-zigbuild");
        if !zigbuild.exists() {
            run(cargo(&[
                "install",
                "--quiet",
                "--locked",
                "cargo-zigbuild",
                "--version",
                ZIGBUILD_VERSION,
                "--root",
            ])
            .arg(&folder))?;
        }
        let python = folder.join("zig/bin/python3");
        let zig = format!("ziglang=={ZIGLANG_VERSION}");
        let has_zig = || {
            Command::new(&python)
                .args(["-c", "import ziglang"])
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        };
        if !has_zig() {
            install_python_package(&zig, &folder.join("zig"))?;
        }
        Ok(Self { folder })
    }

    /// Builds the module.
    pub fn module(&self, place: &Place) -> Result<PathBuf, String> {
        let built = self.build(place, "gametimes", "--lib", "module", MODULE_GLIBC)?;
        Ok(built.join("libgametimes.so"))
    }

    /// Builds the bot.
    pub fn bot(&self, place: &Place) -> Result<PathBuf, String> {
        let bin = "--bin=gametimes-bot";
        let built = self.build(place, "gametimes-bot", bin, "dist", BOT_GLIBC)?;
        Ok(built.join("gametimes-bot"))
    }

    /// Builds one package and returns the folder of its binary, which contains neither local paths nor the time of the build.
    fn build(
        &self,
        place: &Place,
        package: &str,
        kind: &str,
        profile: &str,
        glibc: &str,
    ) -> Result<PathBuf, String> {
        let out = place.target.join("dist-build");
        let home = std::env::var_os("CARGO_HOME").map_or_else(
            || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cargo"),
            PathBuf::from,
        );
        // The last one that fits counts: the target folder need not be in the repository.
        let renamed_paths = [
            (&place.root, "/gametimes"),
            (&home, "/cargo"),
            (&out, "/gametimes/target/dist-build"),
        ];
        let rename_flags = |flag: &str| {
            let flags: Vec<String> = renamed_paths
                .iter()
                .map(|(from, to)| format!("{flag}={}={to}", from.display()))
                .collect();
            flags.join(" ")
        };
        let path = std::env::join_paths(std::iter::once(self.folder.join("bin")).chain(
            std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()),
        ))
        .map_err(|e| e.to_string())?;
        let target_arg = format!("{TRIPLE}.{glibc}");
        run(cargo(&[
            "zigbuild",
            "--locked",
            "--profile",
            profile,
            "--package",
            package,
            kind,
            "--target",
            &target_arg,
        ])
        .current_dir(&place.root)
        .env("PATH", path)
        .env(
            "CARGO_ZIGBUILD_PYTHON_PATH",
            self.folder.join("zig/bin/python3"),
        )
        .env("CARGO_TARGET_DIR", &out)
        .env("CARGO_INCREMENTAL", "0")
        .env("SOURCE_DATE_EPOCH", EPOCH)
        .env("RUSTFLAGS", rename_flags("--remap-path-prefix"))
        .env("CFLAGS", rename_flags("-ffile-prefix-map")))?;
        Ok(out.join(TRIPLE).join(profile))
    }
}
