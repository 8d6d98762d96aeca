//! `cargo xtask dist`: builds the release. Two builds of one commit give the same bytes, in any folder.
//!
//! [`build`] makes the binaries and [`elf`] checks them. [`archive`] and [`deb`] pack them, [`sbom`] lists what is built into them,
//! [`provenance`] says from what they were built. [`signature`] signs the checksums of all that, [`verify`] tries it.

mod archive;
mod build;
mod deb;
mod elf;
mod provenance;
mod sbom;
mod signature;
mod verify;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use self::elf::check_module;

use self::build::{BOT_GLIBC, Binaries, Tools};
use crate::run::{output, root, run, target};

/// The version of everything that is released.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Unix time of 2026-01-01: the time of every file in the archives, and the build date for compilers.
const EPOCH: &str = "1767225600";
/// The file with the checksums of all others. Only this one is signed.
const SUMS: &str = "SHA256SUMS";

/// Builds the release in `target/dist/`: an archive for game servers, an archive and a Debian package with the bot, and their
/// checksums, SBOMs and provenance.
#[derive(Debug, clap::Args)]
pub struct Dist {
    /// Only build and check the module; create no archive.
    #[arg(long)]
    module_only: bool,
    /// Also unpack everything in empty folders and try it.
    #[arg(long)]
    verify: bool,
    /// Also build everything a second time, from a clone in another folder, and compare each byte. Takes twice as long.
    #[arg(long)]
    reproducible: bool,
    /// Sign the checksums with this private SSH key, for example from `ssh-keygen -t ed25519 -f release_key`.
    #[arg(long)]
    sign_key: Option<PathBuf>,
    /// Fail unless the release is the one of this tag.
    #[arg(long)]
    tag: Option<String>,
    /// Who builds, as a URI, for the provenance.
    #[arg(long, default_value = "urn:gametimes:builder:local")]
    builder: String,
}

/// A checkout of the repository, and the target folder for it.
pub struct Place {
    pub root: PathBuf,
    pub target: PathBuf,
}

impl Place {
    /// The folder of the release.
    pub fn dist(&self) -> PathBuf {
        self.target.join("dist")
    }
}

impl Dist {
    pub fn run(self) -> Result<(), String> {
        if let Some(tag) = &self.tag
            && *tag != format!("v{VERSION}")
        {
            return Err(format!(
                "the tag {tag} is not v{VERSION}: set `version` in Cargo.toml"
            ));
        }
        let place = Place {
            root: root(),
            target: target(),
        };
        if self.reproducible && provenance::is_changed(&place)? {
            return Err("--reproducible builds what is committed: commit your changes".into());
        }
        let tools = Tools::install(&place.target)?;
        let module = tools.module(&place)?;
        check_module(&module)?;
        if self.module_only {
            return Ok(());
        }
        let bot = tools.bot(&place)?;
        elf::check_glibc(&bot, BOT_GLIBC)?;
        let names = self.pack(&place, &Binaries { module, bot })?;
        if self.verify {
            verify::verify(&place.dist())?;
        }
        if self.reproducible {
            self.build_again(&tools, &place)?;
        }
        if let Some(key) = &self.sign_key {
            signature::sign(&place.dist().join(SUMS), key)?;
        }
        for name in &names {
            println!("{}", place.dist().join(name).display());
        }
        Ok(())
    }

    /// Fills the folder of the release, and returns the names of its files.
    fn pack(&self, place: &Place, binaries: &Binaries) -> Result<Vec<String>, String> {
        let dist = place.dist();
        let failed = |e: std::io::Error| format!("{}: {e}", dist.display());
        if dist.exists() {
            fs::remove_dir_all(&dist).map_err(failed)?;
        }
        fs::create_dir_all(&dist).map_err(failed)?;
        let mut names = vec![
            archive::server(place, &binaries.module)?,
            archive::bot(place, &binaries.bot)?,
            deb::pack(place, &binaries.bot)?,
            sbom::write(place, "gametimes", "library")?,
            sbom::write(place, "gametimes-bot", "application")?,
        ];
        names.push(provenance::write(place, &names, &self.builder)?);
        let sums = output(Command::new("sha256sum").args(&names).current_dir(&dist))?;
        fs::write(dist.join(SUMS), sums).map_err(failed)?;
        names.push(SUMS.to_owned());
        Ok(names)
    }

    /// Builds the same commit in another folder, and compares the checksums.
    fn build_again(&self, tools: &Tools, first: &Place) -> Result<(), String> {
        let folder = tempfile::Builder::new()
            .prefix("gametimes-again-")
            .tempdir()
            .map_err(|e| e.to_string())?;
        let source = folder.path().join("source");
        run(Command::new("git")
            .args(["clone", "--quiet"])
            .arg(&first.root)
            .arg(&source))?;
        let second = Place {
            root: source,
            target: folder.path().join("target"),
        };
        let module = tools.module(&second)?;
        let bot = tools.bot(&second)?;
        self.pack(&second, &Binaries { module, bot })?;
        let sums = |place: &Place| read(&place.dist().join(SUMS));
        let (one, two) = (sums(first)?, sums(&second)?);
        let differing: Vec<&str> = one
            .lines()
            .filter(|line| !two.lines().any(|other| other == *line))
            .filter_map(|line| line.split_whitespace().nth(1))
            .collect();
        if !differing.is_empty() {
            // For a look at the difference.
            let kept = folder.keep();
            return Err(format!(
                "the second build in {} differs in: {}",
                kept.display(),
                differing.join(", ")
            ));
        }
        println!("built twice, in two folders: every byte is the same");
        Ok(())
    }
}

/// A text file.
fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}
