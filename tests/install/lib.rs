//! A made-up server folder and a package to install in it. The tests are in `tests/`.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The module, under the file name of the game that the engine loads.
pub const MODULE: &str = "qagame.mp.x86_64.so";
/// The stock game, where the module has taken its name.
pub const REAL: &str = "qagame_real.mp.x86_64.so";
/// The fallback script, relative to the game folder.
pub const SCRIPT: &str = "luascripts/gametimes.lua";

/// A URL as Discord's webhooks have them.
pub const WEBHOOK: &str = "https://discord.com/api/webhooks/1234567890/a-Secret_token";

/// An ELF shared object with one section header; `machine` is its architecture, 62 for x86_64.
pub fn elf(machine: u8, text: &str) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(64, 0);
    bytes[16..20].copy_from_slice(&[3, 0, machine, 0]);
    bytes.extend(text.as_bytes());
    bytes.push(0);
    let headers = bytes.len() as u64;
    bytes[40..48].copy_from_slice(&headers.to_le_bytes());
    bytes[58..62].copy_from_slice(&[64, 0, 1, 0]);
    bytes.resize(bytes.len() + 64, 0);
    bytes
}

/// A file that install.sh recognizes as a module.
pub fn module(version: &str) -> Vec<u8> {
    elf(62, &format!("gametimes_module {version} GLIBC_2.17"))
}

/// A server and an unpacked package, in a temporary folder.
pub struct TestServer {
    /// Holds everything; removed at the end.
    pub dir: tempfile::TempDir,
    /// `fs_basepath`, with the stock game and the server's cfg.
    pub base: PathBuf,
    /// `fs_homepath`.
    pub home: PathBuf,
}

impl TestServer {
    /// `base` and `home` are folder names; they may be equal.
    pub fn new(base: &str, home: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let server = Self {
            base: root.join(base),
            home: root.join(home),
            dir,
        };
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let package = server.package();
        for (from, to) in [
            ("install.sh", "install.sh"),
            ("fallback-lua/gametimes.lua", "fallback-lua/gametimes.lua"),
            ("server-cfg/gametimes.cfg", "server-cfg/gametimes.cfg"),
        ] {
            write(&package.join(to), &fs::read(project.join(from)).unwrap());
        }
        write(&package.join(MODULE), &module("1"));
        write(
            &server.base.join("legacy").join(MODULE),
            &elf(62, "the stock game"),
        );
        write(
            &server.base.join("etmain/etl_server.cfg"),
            b"set sv_hostname \"x\"\nmap oasis\n",
        );
        write(
            &server.webhook_cfg(),
            format!("set gametimes_webhook_url \"{WEBHOOK}\"\n").as_bytes(),
        );
        // The folder of a server contains its program.
        write(&server.base.join("etlded.i386"), b"");
        fs::create_dir_all(server.home.join("legacy")).unwrap();
        server
    }

    /// The folder of the unpacked package.
    pub fn package(&self) -> PathBuf {
        fs::canonicalize(self.dir.path())
            .unwrap()
            .join("the package")
    }

    /// A cfg that sets a webhook. A test that is about webhooks removes it.
    pub fn webhook_cfg(&self) -> PathBuf {
        self.base.join("legacy/webhook.cfg")
    }

    /// A file in the game folder of the home folder.
    pub fn game(&self, file: &str) -> PathBuf {
        self.home.join("legacy").join(file)
    }

    /// The copies of stock games that install.sh keeps.
    pub fn stock_copies(&self) -> Vec<PathBuf> {
        let Ok(folder) = fs::read_dir(self.game("gametimes-install")) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.to_string_lossy().contains("stock-game-"));
        paths.sort();
        paths
    }

    /// The content of the server's cfg.
    pub fn cfg(&self) -> String {
        text(&self.base.join("etmain/etl_server.cfg"))
    }

    /// install.sh with these arguments and this server's folders.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command
            .arg(self.package().join("install.sh"))
            .args(args)
            .arg("--homepath")
            .arg(&self.home)
            .arg(&self.base);
        command
    }

    /// Starts a process that looks like this server running.
    pub fn start_server(&self) -> Running {
        let home = self.home.to_str().unwrap();
        let args = ["+set", "fs_homepath", home, "+set", "lua_modules"];
        self.start(
            &self.base.join("etlded.x86_64"),
            &self.base,
            &[&args[..], &["stats.lua", "+exec", "etl_server.cfg"]].concat(),
        )
    }

    /// Starts a process whose program is this file and that has this command line.
    pub fn start(&self, program: &Path, folder: &Path, args: &[&str]) -> Running {
        if !program.exists() {
            fs::create_dir_all(program.parent().unwrap()).unwrap();
            // Not fs::copy: another thread's child could still have the file open for writing when it is executed.
            let copied = Command::new("cp").arg("/bin/sh").arg(program).status();
            assert!(copied.unwrap().success());
        }
        // A server keeps its game data open.
        let data = self.base.join("etmain/pak0.pk3");
        write(&data, b"");
        // Without a child: between its fork and its exec that would look like a second server.
        let child = Command::new(program)
            .args(["-c", "read -r line; :", "x"])
            .args(args)
            .current_dir(folder)
            .env("HOME", self.dir.path())
            .stdin(Stdio::piped())
            .stdout(fs::File::options().append(true).open(data).unwrap())
            .spawn()
            .unwrap();
        Running(child)
    }

    /// install.sh without `--homepath`, for a test that has it found.
    pub fn command_without_home(&self, args: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command
            .arg(self.package().join("install.sh"))
            .args(args)
            .arg(&self.base)
            .env("HOME", "/nonexistent");
        command
    }

    /// Writes a program that runs before the one in `/bin`; returns the `PATH` that finds it.
    pub fn tool(&self, name: &str, script: &str) -> String {
        let folder = self.dir.path().join("tools");
        let source = folder.join(format!("{name}.source"));
        write(&source, format!("#!/bin/sh\n{script}").as_bytes());
        // As above: this process must never have a file open for writing that is executed.
        succeeds(
            Command::new("install")
                .args(["-m", "755"])
                .arg(&source)
                .arg(folder.join(name)),
        );
        format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
    }

    /// Runs install.sh, expects success, and returns what it printed.
    pub fn run(&self, args: &[&str]) -> String {
        succeeds(&mut self.command(args))
    }

    /// Runs install.sh, expects failure, and returns what it printed.
    pub fn fails(&self, args: &[&str]) -> String {
        fails(&mut self.command(args))
    }

    /// Every file of the server with its mode and content, except the installer's state.
    pub fn tree(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut tree = BTreeMap::new();
        for folder in [&self.base, &self.home] {
            walk(folder, &mut tree);
        }
        tree.retain(|path, _| !path.to_string_lossy().contains("gametimes-install"));
        tree
    }
}

/// A process that looks like a server; it ends with this value.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn walk(dir: &Path, tree: &mut BTreeMap<PathBuf, (u32, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, tree);
        } else if let Ok(target) = fs::read_link(&path) {
            tree.insert(path, (0, target.into_os_string().into_encoded_bytes()));
        } else {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            tree.insert(path.clone(), (mode, fs::read(&path).unwrap()));
        }
    }
}

/// Writes a file; creates its folder.
pub fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// The content of a text file.
pub fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Does this test run as root?
pub fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}

/// The output of a program that succeeded.
pub fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    printed(&output)
}

/// The output of a program that failed.
pub fn fails(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{}", printed(&output));
    printed(&output)
}

/// Everything that a program printed.
pub fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
