//! The two archives: one for game servers, one with the bot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::build::TRIPLE;
use super::{EPOCH, Place, SUMS, VERSION};
use crate::run::{cargo, output, run};

/// Files of both archives and of the package: the documents, and what they link to.
pub const DOCUMENTS: [&str; 8] = [
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "docs",
    "SECURITY.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "bot/.env.example",
];

/// Packs the module, the script and what installs them. Returns the name of the archive.
pub fn server(place: &Place, module: &Path) -> Result<String, String> {
    let root = &place.root;
    let files = [
        (module.to_owned(), "qagame.mp.x86_64.so"),
        (root.join("fallback-lua/gametimes.lua"), "gametimes.lua"),
        (root.join("server-cfg/gametimes.cfg"), "gametimes.cfg"),
        (root.join("install.sh"), "install.sh"),
    ];
    pack(place, "gametimes", &files)
}

/// Packs the bot. Returns the name of the archive.
pub fn bot(place: &Place, bot: &Path) -> Result<String, String> {
    pack(place, "gametimes-bot", &[(bot.to_owned(), "gametimes-bot")])
}

/// Copies [`DOCUMENTS`] into a folder, at the same paths.
pub fn copy_documents(place: &Place, folder: &Path) -> Result<(), String> {
    run(Command::new("cp")
        .args(["-r", "--parents"])
        .args(DOCUMENTS)
        .arg(folder)
        .current_dir(&place.root))
}

fn pack(place: &Place, package: &str, files: &[(PathBuf, &str)]) -> Result<String, String> {
    let name = format!("{package}-{VERSION}-x86_64-linux");
    // Beside the release: `dist` contains only what is released.
    let staging = place.target.join("dist-staging");
    let stage = staging.join(&name);
    let failed = |e: std::io::Error| format!("{}: {e}", stage.display());
    if stage.exists() {
        fs::remove_dir_all(&stage).map_err(failed)?;
    }
    fs::create_dir_all(&stage).map_err(failed)?;
    for (from, to) in files {
        run(Command::new("cp").arg(from).arg(stage.join(to)))?;
    }
    copy_documents(place, &stage)?;
    fs::write(stage.join("LICENSES.txt"), licenses(place, package)?).map_err(failed)?;
    let sums = output(
        Command::new("sh")
            .args([
                "-c",
                &format!("find . -type f ! -name {SUMS} | LC_ALL=C sort | xargs sha256sum"),
            ])
            .current_dir(&stage),
    )?;
    fs::write(stage.join(SUMS), sums).map_err(failed)?;
    run(Command::new("chmod")
        .args(["-R", "u=rwX,go=rX"])
        .arg(&stage))?;

    let tar = staging.join(format!("{name}.tar"));
    run(Command::new("tar")
        .args([
            "--format=ustar",
            "--sort=name",
            "--owner=0",
            "--group=0",
            "--numeric-owner",
        ])
        .arg(format!("--mtime=@{EPOCH}"))
        .arg("-cf")
        .arg(&tar)
        .arg("-C")
        .arg(&staging)
        .arg(&name))?;
    run(Command::new("gzip")
        .args(["--no-name", "--best", "--force"])
        .arg(&tar))?;
    let archive = format!("{name}.tar.gz");
    fs::rename(staging.join(&archive), place.dist().join(&archive)).map_err(failed)?;
    Ok(archive)
}

/// The licences of the packages linked into a binary, and of the bot's fonts.
pub fn licenses(place: &Place, package: &str) -> Result<String, String> {
    let list = output(
        cargo(&[
            "tree",
            "--package",
            package,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--target",
            TRIPLE,
            "--format",
            "{p}\t{l}",
            "--locked",
        ])
        .current_dir(&place.root),
    )?;
    let ours = place.root.display().to_string();
    let mut lines: Vec<&str> = list
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.is_empty() && !line.contains(&ours))
        .collect();
    lines.sort_unstable();
    lines.dedup();
    let mut text = format!(
        "The packages in this binary and their licences.\n\n{}\n",
        lines.join("\n")
    );
    if package == "gametimes-bot" {
        text += &font_licenses(&place.root.join("bot/assets/fonts"))?;
    }
    Ok(text)
}

/// The fonts may only be distributed together with the full text of their licences.
fn font_licenses(folder: &Path) -> Result<String, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(failed)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .collect();
    files.sort_unstable();
    let mut text = String::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let license = fs::read_to_string(&file).map_err(failed)?;
        text += &format!("\n== {name}\n\n{}\n", license.trim());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(path: &Path, found: &mut Vec<PathBuf>) {
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                documents(&entry.unwrap().path(), found);
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path.to_owned());
        }
    }

    #[test]
    fn documents_in_a_release_link_to_nothing_that_is_not_in_it() {
        let root = crate::run::root();
        let packed: Vec<PathBuf> = DOCUMENTS.iter().map(|name| root.join(name)).collect();
        let mut found = Vec::new();
        packed.iter().for_each(|path| documents(path, &mut found));
        assert!(found.len() >= 15, "{found:?}");
        for document in found {
            let text = fs::read_to_string(&document).unwrap();
            let links = text
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split(')').next());
            for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
                let file = link.split('#').next().unwrap_or_default();
                let target = document.with_file_name(file);
                let target = target.canonicalize().unwrap_or(target);
                assert!(
                    packed.iter().any(|path| target.starts_with(path)),
                    "{}: {link} is not in a release",
                    document.display()
                );
            }
        }
    }
}
