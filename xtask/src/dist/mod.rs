//! `cargo xtask dist`: builds the release against an old glibc and packs it. Two builds give the same bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gametimes_standin::{Options, play, recorded};

use crate::packages;
use crate::run::{cargo, output, root, run, target};

/// The oldest glibc that module and bot run on: the module on RHEL 7, the bot on Debian 10 and RHEL 8.
const MODULE_GLIBC: &str = "2.17";
const BOT_GLIBC: &str = "2.28";
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// The tools that build against an old glibc: a cargo command from crates.io, and the zig compiler from PyPI.
const ZIGBUILD_VERSION: &str = "0.24.1";
const ZIGLANG_VERSION: &str = "0.17.0";
/// Unix time of 2026-01-01: the time of every file in the archive, and the build date for compilers.
const EPOCH: &str = "1767225600";
/// The other files of the archive: path in the repository, name in the archive.
const FILES: [(&str, &str); 8] = [
    ("fallback-lua/gametimes.lua", "gametimes.lua"),
    ("server-cfg/gametimes.cfg", "gametimes.cfg"),
    ("install.sh", "install.sh"),
    ("bot/.env.example", "bot.env.example"),
    ("README.md", "README.md"),
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE", "LICENSE"),
    ("docs", "docs"),
];

/// Builds the release and packs it in `target/dist/`.
#[derive(Debug, clap::Args)]
pub struct Dist {
    /// Only build and check the module; create no archive.
    #[arg(long)]
    module_only: bool,
    /// Also unpack the archive in an empty folder and try everything in it.
    #[arg(long)]
    verify: bool,
}

impl Dist {
    pub fn run(self) -> Result<(), String> {
        let tools = Tools::install()?;
        let module = tools.build(
            "gametimes",
            "--lib",
            "module",
            MODULE_GLIBC,
            "libgametimes.so",
        )?;
        check_module(&module)?;
        if self.module_only {
            return Ok(());
        }
        let bot = tools.build(
            "gametimes-bot",
            "--bin=gametimes-bot",
            "dist",
            BOT_GLIBC,
            "gametimes-bot",
        )?;
        check_glibc(&bot, BOT_GLIBC)?;
        let archive = pack(&module, &bot)?;
        if self.verify {
            verify(&archive)?;
        }
        println!("{}", archive.display());
        Ok(())
    }
}

/// The build tools, installed in `target/tools`.
struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Installs the tools that are missing.
    fn install() -> Result<Self, String> {
        packages::for_release()?;
        let folder = target().join("tools");
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
        // `--clear` removes what an interrupted installation left.
        if !has_zig() {
            run(Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(folder.join("zig")))?;
            run(Command::new(&python).args(["-m", "pip", "install", "--quiet", &zig]))?;
        }
        Ok(Self { folder })
    }

    /// Builds one package. The binary contains neither local paths nor the time of the build.
    fn build(
        &self,
        package: &str,
        kind: &str,
        profile: &str,
        glibc: &str,
        file: &str,
    ) -> Result<PathBuf, String> {
        let out = target().join("dist-build");
        let home = std::env::var_os("CARGO_HOME").map_or_else(
            || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cargo"),
            PathBuf::from,
        );
        let renamed_paths = [(root(), "/gametimes"), (home, "/cargo")];
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
        Ok(out.join(TRIPLE).join(profile).join(file))
    }
}

/// Checks what the engine and an admin rely on: the library stays mapped, exports its entry points, and runs on an old glibc.
pub fn check_module(module: &Path) -> Result<(), String> {
    let readelf = |flag: &str| output(Command::new("readelf").args(["--wide", flag]).arg(module));
    let fail = |problem: &str| Err(format!("{}: {problem}", module.display()));
    if !readelf("--dynamic")?.contains("NODELETE") {
        return fail("the flag NODELETE is missing");
    }
    let symbols = readelf("--dyn-syms")?;
    for name in ["vmMain", "dllEntry"] {
        if !symbols
            .lines()
            .any(|line| line.ends_with(&format!(" {name}")))
        {
            return fail(&format!("{name} is not exported"));
        }
    }
    if symbols.contains("gametimes_arm_fault") {
        return fail("it was built with the feature faults");
    }
    if module
        .components()
        .any(|part| part.as_os_str() == "dist-build")
    {
        check_glibc(module, MODULE_GLIBC)?;
    }
    println!(
        "{}: has NODELETE, exports vmMain and dllEntry",
        module.display()
    );
    Ok(())
}

/// Checks that the file needs no symbol of a newer glibc.
fn check_glibc(file: &Path, limit: &str) -> Result<(), String> {
    let versions = output(
        Command::new("readelf")
            .args(["--wide", "--version-info"])
            .arg(file),
    )?;
    let number =
        |text: &str| -> Vec<u32> { text.split('.').filter_map(|n| n.parse().ok()).collect() };
    let highest = versions
        .split("GLIBC_")
        .skip(1)
        .map(|rest| {
            let end = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(rest.len());
            &rest[..end]
        })
        .max_by_key(|version| number(version))
        .unwrap_or("0");
    if number(highest) > number(limit) {
        return Err(format!(
            "{}: needs glibc {highest}, but may need at most {limit}",
            file.display()
        ));
    }
    println!("{}: needs glibc {highest}", file.display());
    Ok(())
}

fn pack(module: &Path, bot: &Path) -> Result<PathBuf, String> {
    let name = format!("gametimes-{}-linux-x86_64", env!("CARGO_PKG_VERSION"));
    let dist = target().join("dist");
    let stage = dist.join(&name);
    let failed = |e: std::io::Error| format!("{}: {e}", stage.display());
    if stage.exists() {
        fs::remove_dir_all(&stage).map_err(failed)?;
    }
    fs::create_dir_all(&stage).map_err(failed)?;
    let copy =
        |from: &Path, to: &str| run(Command::new("cp").arg("-r").arg(from).arg(stage.join(to)));
    copy(module, "qagame.mp.x86_64.so")?;
    copy(bot, "gametimes-bot")?;
    for (from, to) in FILES {
        copy(&root().join(from), to)?;
    }
    fs::write(stage.join("LICENSES.txt"), licenses()?).map_err(failed)?;
    let sums = output(
        Command::new("sh")
            .args([
                "-c",
                "find . -type f ! -name SHA256SUMS | LC_ALL=C sort | xargs sha256sum",
            ])
            .current_dir(&stage),
    )?;
    fs::write(stage.join("SHA256SUMS"), sums).map_err(failed)?;
    run(Command::new("chmod")
        .args(["-R", "u=rwX,go=rX"])
        .arg(&stage))?;

    let archive = dist.join(format!("{name}.tar.gz"));
    let tar = dist.join(format!("{name}.tar"));
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
        .arg(&dist)
        .arg(&name))?;
    run(Command::new("gzip")
        .args(["--no-name", "--best", "--force"])
        .arg(&tar))?;
    Ok(archive)
}

/// The licences of the packages linked into the two binaries, and of the bot's fonts.
fn licenses() -> Result<String, String> {
    let list = output(&mut cargo(&[
        "tree",
        "--package",
        "gametimes",
        "--package",
        "gametimes-bot",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--target",
        TRIPLE,
        "--format",
        "{p}\t{l}",
        "--locked",
    ]))?;
    let root = root();
    let ours = root.display().to_string();
    let mut lines: Vec<&str> = list
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.is_empty() && !line.contains(&ours))
        .collect();
    lines.sort_unstable();
    lines.dedup();
    let mut text = format!(
        "The packages in these binaries and their licences.\n\n{}\n",
        lines.join("\n")
    );
    // The fonts may only be distributed together with the full text of their licences.
    let folder = root.join("bot/assets/fonts");
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut fonts: Vec<PathBuf> = fs::read_dir(&folder)
        .map_err(failed)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .collect();
    fonts.sort_unstable();
    for font in fonts {
        let name = font.file_name().unwrap_or_default().to_string_lossy();
        let license = fs::read_to_string(&font).map_err(failed)?;
        text += &format!("\n== {name}\n\n{}\n", license.trim());
    }
    Ok(text)
}

/// Unpacks the archive in an empty folder and tries its content, without using anything from the repository but the stand-ins.
fn verify(archive: &Path) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    run(Command::new("tar")
        .arg("-xzf")
        .arg(archive)
        .arg("--strip-components=1")
        .current_dir(folder.path()))?;
    run(Command::new("sha256sum")
        .args(["--check", "--quiet", "SHA256SUMS"])
        .current_dir(folder.path()))?;

    let tape = recorded::tape("surrender")?;
    let home = folder.path().join("home");
    play(
        &tape,
        &Options::new(&folder.path().join("qagame.mp.x86_64.so"), &home),
    )?;
    let written = home.join("legacy/gametimes/gametime-room1-R1-1795179043.json");
    if !written.exists() {
        return Err(format!("{} was not written", written.display()));
    }

    let database = format!("sqlite:{}", folder.path().join("bot.sqlite").display());
    let bot = |arguments: &[&str]| {
        let mut command = Command::new(folder.path().join("gametimes-bot"));
        command
            .args(arguments)
            .env("GAMETIMES_DATABASE_URL", &database);
        command
    };
    run(bot(&["ingest"]).arg(&written))?;
    let rounds = output(&mut bot(&["rounds", "--json"]))?;
    if !rounds.contains("room1") {
        return Err(format!(
            "the bot did not store the round that it ingested: {rounds}"
        ));
    }

    // A server folder that contains only a stock game and a cfg.
    let server = folder.path().join("server");
    let legacy = server.join("legacy");
    fs::create_dir_all(&legacy)
        .and_then(|()| fs::copy(gametimes_standin::GAME, legacy.join("qagame.mp.x86_64.so")))
        .and_then(|_| fs::write(legacy.join("etl_server.cfg"), "set sv_hostname \"x\"\n"))
        .and_then(|()| fs::write(server.join("etlded.x86_64"), ""))
        .map_err(|e| format!("{}: {e}", server.display()))?;
    let server_home = folder.path().join("server-home");
    fs::create_dir_all(server_home.join("legacy")).map_err(|e| e.to_string())?;
    let install = |arguments: &[&str]| {
        let mut command = Command::new("sh");
        command
            .arg(folder.path().join("install.sh"))
            .args(arguments);
        command.arg("--homepath").arg(&server_home).arg(&server);
        command
    };
    run(&mut install(&[
        "--webhook",
        "https://discord.com/api/webhooks/1/example",
    ]))?;
    run(&mut install(&["--check"]))?;
    println!("{}: unpacked and tested", archive.display());
    Ok(())
}
