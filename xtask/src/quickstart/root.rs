//! An empty Debian system in a folder, with processes of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::run::{output, run};

/// The release for a host that is not Debian, of which Debian's default mirror is used.
const SUITE: &str = "trixie";
/// What the namespaces exist for: a process with the folder as its root, which does nothing.
const HOLDER: &str = "mount -t proc proc \"$0/proc\" && mount --rbind /dev \"$0/dev\" && exec chroot \"$0\" sleep infinity";

/// A running system. Dropping it ends all its processes and removes it.
pub struct Root {
    folder: PathBuf,
    holder: Child,
    /// The process whose namespaces and root the others share.
    pid: String,
}

impl Root {
    /// A new system with a user `et`. The packages are kept in `cache` for the next one.
    pub fn create(cache: &Path) -> Result<Self, String> {
        fs::create_dir_all(cache).map_err(|e| format!("{}: {e}", cache.display()))?;
        let folder = tempfile::Builder::new()
            .prefix("gametimes-debian-")
            .tempdir()
            .and_then(|folder| folder.keep().canonicalize())
            .map_err(|e| e.to_string())?;
        unpack(cache, &folder)?;
        // All of it ends with this process, even if that is killed.
        let holder = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare"])
            .args(["--mount", "--pid", "--fork", "--kill-child"])
            .args(["sh", "-c", HOLDER])
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|e| format!("unshare: {e}"))?;
        let mut root = Self {
            folder,
            holder,
            pid: String::new(),
        };
        root.pid = root.find()?;
        run(root
            .command("root")
            .args(["useradd", "--create-home", "--shell", "/bin/sh", "et"]))?;
        Ok(root)
    }

    /// Waits for the process that has the new root.
    fn find(&self) -> Result<String, String> {
        let pid = self.holder.id();
        let children = format!("/proc/{pid}/task/{pid}/children");
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            let child = fs::read_to_string(&children).unwrap_or_default();
            let child = child.trim();
            let root = fs::read_link(format!("/proc/{child}/root"));
            if root.is_ok_and(|root| root == self.folder) {
                return Ok(child.to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err("the namespaces of the empty Debian do not start".into())
    }

    /// A path in it, as seen from outside.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.folder.join(inside.trim_start_matches('/'))
    }

    /// A command in it, as `root` or `et`, in the user's home folder and without this process's environment.
    pub fn command(&self, user: &str) -> Command {
        let home = match user {
            "root" => "/root".to_owned(),
            user => format!("/home/{user}"),
        };
        let mut command = Command::new("nsenter");
        command
            .args(["--mount", "--pid", "--root", "--target", &self.pid])
            .arg(format!("--wdns={home}"))
            .args(["setpriv", "--init-groups"])
            .args([format!("--reuid={user}"), format!("--regid={user}")])
            .env_clear()
            .env("HOME", home)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm");
        command
    }

    /// Writes a file that everybody in it may read and execute.
    pub fn put(&self, from: &Path, inside: &str) -> Result<(), String> {
        let to = self.path(inside);
        run(Command::new("install")
            .args(["-D", "-m", "755"])
            .arg(from)
            .arg(to))
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        // Its mounts were in the namespace that has ended, so this removes nothing else.
        let removed = Command::new("rm")
            .args(["-rf", "--one-file-system"])
            .arg(&self.folder)
            .status();
        if !removed.is_ok_and(|status| status.success()) {
            eprintln!("{}: cannot be removed", self.folder.display());
        }
    }
}

/// Fills a folder with the smallest Debian there is.
fn unpack(cache: &Path, folder: &Path) -> Result<(), String> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let value = |key: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(key));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    let is_debian = value("ID=").is_some_and(|id| id == "debian");
    let suite = value("VERSION_CODENAME=").filter(|_| is_debian);
    let suite = suite.unwrap_or_else(|| SUITE.to_owned());
    let archive = cache.join(format!("{suite}.tar"));
    if !archive.exists() {
        let mut command = Command::new("debootstrap");
        command.args(["--variant=minbase", &suite]).arg(folder);
        // The mirror of this machine, if it has one.
        command.args(is_debian.then(mirror).flatten());
        let log = cache.join("debootstrap.log");
        let file = File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let status = command.stdout(file).stderr(Stdio::inherit()).status();
        if !status.is_ok_and(|status| status.success()) {
            return Err(format!("debootstrap failed; see {}", log.display()));
        }
        let partial = cache.join("partial.tar");
        run(Command::new("tar")
            .args(["--numeric-owner", "--exclude=./var/cache/apt/archives/*"])
            .arg("-C")
            .arg(folder)
            .arg("-cf")
            .arg(&partial)
            .arg("."))?;
        return fs::rename(&partial, &archive).map_err(|e| e.to_string());
    }
    run(Command::new("tar")
        .args(["--numeric-owner", "-xf"])
        .arg(&archive)
        .arg("-C")
        .arg(folder))
}

/// The mirror that apt uses for Debian itself.
fn mirror() -> Option<String> {
    let indexes = output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(REPO_URI)",
        "Label: Debian",
        "Identifier: Packages",
    ]));
    let indexes = indexes.ok()?;
    indexes.lines().next().map(str::to_owned)
}
