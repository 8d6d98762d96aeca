//! The Debian package of the bot.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::build::BOT_GLIBC;
use super::{EPOCH, Place, VERSION, archive, read};
use crate::run::{output, run};

/// The folder of the settings and the database. Neither an update nor the removal of the package touches it.
const STATE: &str = "/var/lib/gametimes-bot";

/// What dpkg runs after unpacking. It starts nothing: a bot without settings has nothing to do.
const POSTINST: &str = r#"#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
if ! getent passwd gametimes-bot >/dev/null; then
  useradd --system --user-group --home-dir /var/lib/gametimes-bot --shell /usr/sbin/nologin gametimes-bot
fi
install -d -m 0750 -o gametimes-bot -g gametimes-bot /var/lib/gametimes-bot
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  # Only restarts a bot that runs.
  systemctl try-restart gametimes-bot.service || :
fi
if [ ! -e /var/lib/gametimes-bot/gametimes-bot.toml ]; then
  echo 'gametimes-bot has no settings yet, and was not started. As root:'
  echo '  cd /var/lib/gametimes-bot && runuser -u gametimes-bot -- gametimes-bot init'
  echo '  systemctl enable --now gametimes-bot'
fi
"#;
const PRERM: &str = r#"#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl disable --now gametimes-bot.service || :
fi
"#;
const POSTRM: &str = r#"#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then systemctl daemon-reload || :; fi
"#;

/// Packs the bot, and returns the name of the package.
pub fn pack(place: &Place, bot: &Path) -> Result<String, String> {
    let name = format!("gametimes-bot_{VERSION}_amd64.deb");
    let stage = place.target.join("dist-staging/deb");
    let failed = |e: std::io::Error| format!("{}: {e}", stage.display());
    if stage.exists() {
        fs::remove_dir_all(&stage).map_err(failed)?;
    }
    let document = "usr/share/doc/gametimes-bot";
    let unit_folder = "usr/lib/systemd/system";
    let completions = "usr/share/bash-completion/completions";
    for folder in ["DEBIAN", "usr/bin", document, unit_folder, completions] {
        fs::create_dir_all(stage.join(folder)).map_err(failed)?;
    }
    fs::copy(bot, stage.join("usr/bin/gametimes-bot")).map_err(failed)?;
    let root = &place.root;
    archive::copy_documents(place, &stage.join(document))?;
    // Debian's name for it.
    fs::copy(
        root.join("CHANGELOG.md"),
        stage.join(document).join("changelog"),
    )
    .map_err(failed)?;
    let copyright = format!(
        "{}\n{}",
        read(&root.join("LICENSE"))?,
        archive::licenses(place, "gametimes-bot")?
    );
    let unit = unit(&read(&root.join("bot/templates/gametimes-bot.service"))?)?;
    let bash = output(Command::new(bot).args(["completions", "bash"]))?;
    for (folder, file, text) in [
        (document, "copyright", copyright.as_str()),
        (unit_folder, "gametimes-bot.service", &unit),
        (completions, "gametimes-bot", &bash),
        ("DEBIAN", "postinst", POSTINST),
        ("DEBIAN", "prerm", PRERM),
        ("DEBIAN", "postrm", POSTRM),
    ] {
        fs::write(stage.join(folder).join(file), text).map_err(failed)?;
    }
    run(Command::new("gzip")
        .args(["--no-name", "--best"])
        .arg(stage.join(document).join("changelog")))?;
    run(Command::new("chmod")
        .args(["-R", "u=rwX,go=rX"])
        .arg(&stage))?;
    for script in ["postinst", "prerm", "postrm"] {
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(stage.join("DEBIAN").join(script), mode).map_err(failed)?;
    }
    let sums = "find usr -type f | LC_ALL=C sort | xargs md5sum >DEBIAN/md5sums";
    run(Command::new("sh").args(["-c", sums]).current_dir(&stage))?;
    fs::write(stage.join("DEBIAN/control"), control(&stage.join("usr"))?).map_err(failed)?;
    run(Command::new("dpkg-deb")
        .args(["--root-owner-group", "-Zxz", "--build"])
        .arg(&stage)
        .arg(place.dist().join(&name))
        .env("SOURCE_DATE_EPOCH", EPOCH)
        // Several threads compress differently.
        .env("DPKG_DEB_THREADS_MAX", "1"))?;
    Ok(name)
}

fn control(content: &Path) -> Result<String, String> {
    // The sizes of the files, rounded up: what folders take depends on the file system.
    let sizes = output(
        Command::new("find")
            .arg(content)
            .args(["-type", "f", "-printf", "%s\n"]),
    )?;
    let sizes = sizes.lines().filter_map(|size| size.parse::<u64>().ok());
    let kib: u64 = sizes.map(|size| size.div_ceil(1024)).sum();
    Ok(format!(
        "Package: gametimes-bot\n\
         Version: {VERSION}\n\
         Architecture: amd64\n\
         Maintainer: gametimes contributors <root@localhost>\n\
         Installed-Size: {kib}\n\
         Depends: libc6 (>= {BOT_GLIBC}), passwd\n\
         Suggests: postgresql-client\n\
         Section: games\n\
         Priority: optional\n\
         Description: stores and shows the rounds of ET:Legacy servers\n \
         Receives the rounds that game servers with gametimes post to Discord, stores each once with\n \
         its true times in SQLite or PostgreSQL, and shows them on web pages and in Discord.\n"
    ))
}

/// The unit that `gametimes-bot service install` writes, for the package's user. It does not start without settings.
fn unit(template: &str) -> Result<String, String> {
    let settings = format!("{STATE}/gametimes-bot.toml");
    let mut unit = template
        .replace("# Written by `gametimes-bot service install`.\n", "")
        .replace(
            "\n\n[Service]",
            &format!("\nConditionPathExists={settings}\n\n[Service]"),
        );
    for (name, value) in [
        ("user", "gametimes-bot"),
        ("group", "gametimes-bot"),
        ("program", "/usr/bin/gametimes-bot"),
        ("settings", &settings),
        ("folder", STATE),
        ("working_directory", STATE),
    ] {
        unit = unit.replace(&format!("{{{{ {name} }}}}"), value);
    }
    match unit.find("{{") {
        None => Ok(unit),
        Some(at) => Err(format!(
            "bot/templates/gametimes-bot.service: no value for {}",
            unit[at..].lines().next().unwrap_or_default()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_of_the_package_starts_only_with_settings() {
        let template = include_str!("../../../bot/templates/gametimes-bot.service");
        let unit = unit(template).unwrap();
        for line in [
            "ConditionPathExists=/var/lib/gametimes-bot/gametimes-bot.toml",
            "ExecStart=/usr/bin/gametimes-bot --config /var/lib/gametimes-bot/gametimes-bot.toml run",
            "User=gametimes-bot",
            "ReadWritePaths=/var/lib/gametimes-bot",
        ] {
            assert!(unit.lines().any(|l| l == line), "{line}: {unit}");
        }
        assert!(super::unit("{{ unknown }}").is_err());
    }
}
