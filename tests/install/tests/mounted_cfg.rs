//! A cfg that is a mount point, as containers have them, cannot be replaced by a rename.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gametimes_install_tests::{
    MODULE, TestServer, elf, fails, is_root, module, printed, text, write,
};

/// A server on whose cfg another file is mounted while install.sh runs.
struct Mounted {
    server: TestServer,
    file: PathBuf,
}

impl Mounted {
    fn new() -> Self {
        let server = TestServer::new("base", "home");
        let file = server.dir.path().join("the mounted.cfg");
        write(&file, b"set sv_hostname \"mounted\"\nmap oasis\n");
        Self { server, file }
    }

    /// install.sh in its own mount namespace.
    fn command(&self, target: &Path, args: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        if !is_root() {
            command.arg("--map-root-user");
        }
        command
            .args(["--mount", "sh", "-c"])
            .arg("mount --bind \"$1\" \"$2\" || exit 9; shift 2; exec sh \"$@\"")
            .args([Path::new("sh"), &self.file, target])
            .arg(self.server.package().join("install.sh"))
            .args(args)
            .arg("--homepath")
            .args([&self.server.home, &self.server.base]);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(&self.server.base.join("etmain/etl_server.cfg"), args)
            .output()
            .unwrap()
    }

    fn succeeds(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{}", printed(&output));
        printed(&output)
    }
}

#[test]
fn mounted_cfg_is_written_in_place() {
    let mounted = Mounted::new();
    let before = text(&mounted.file);
    mounted.succeeds(&[]);
    let written = text(&mounted.file);
    assert!(written.contains("exec gametimes.cfg"), "{written}");
    assert!(written.ends_with(&before), "{written}");
    assert!(!mounted.server.cfg().contains("gametimes"));
    mounted.succeeds(&["--check"]);
    assert!(mounted.succeeds(&[]).contains("nothing to do"));
    mounted.succeeds(&["--uninstall"]);
    assert_eq!(text(&mounted.file), before);
}

#[test]
fn interrupted_writing_of_a_mounted_cfg_is_finished_by_the_next_run() {
    for args in [&[][..], &["--uninstall"][..]] {
        let mounted = Mounted::new();
        let before = text(&mounted.file);
        mounted.succeeds(&[]);
        let with_block = text(&mounted.file);
        mounted.succeeds(&["--uninstall"]);
        if !args.is_empty() {
            mounted.succeeds(&[]);
        }
        let whole = if args.is_empty() {
            &with_block
        } else {
            &before
        };
        // The write to the cfg fails after 9 bytes.
        let target = mounted.server.base.join("etmain/etl_server.cfg");
        let path = mounted.server.tool(
            "cat",
            &format!(
                "if [ \"$(readlink /proc/$$/fd/1)\" = '{}' ]; then /bin/cat \"$@\" | head -c 9; exit 1; fi\n\
                 exec /bin/cat \"$@\"\n",
                target.display()
            ),
        );
        let said = fails(mounted.command(&target, args).env("PATH", path));
        assert_eq!(text(&mounted.file).len(), 9, "{said}");
        assert!(said.contains("run this again to finish it"), "{said}");
        let said = mounted.succeeds(args);
        assert!(said.contains("finish writing"), "{said}");
        assert_eq!(&text(&mounted.file), whole, "{said}");
        assert!(mounted.succeeds(args).contains("nothing to do"));
    }
}

#[test]
fn cut_off_cfg_that_the_admin_has_repaired_is_not_overwritten() {
    let mounted = Mounted::new();
    let state = mounted.server.game("gametimes-install");
    write(
        &state.join("unfinished"),
        b"what an interrupted run wanted\n",
    );
    let target = mounted.server.base.join("etmain/etl_server.cfg");
    let name = format!("{}\n", target.display());
    write(&state.join("unfinished.name"), name.as_bytes());
    let before = text(&mounted.file);
    mounted.succeeds(&[]);
    assert!(text(&mounted.file).ends_with(&before));
    assert!(!state.join("unfinished").exists());
}

/// A game that is written in place kills a server that has loaded it.
#[test]
fn mounted_game_is_refused_before_anything_is_changed() {
    let mounted = Mounted::new();
    let target = mounted.server.game(MODULE);
    write(&target, b"");
    fs::write(&mounted.file, elf(62, "a patched game")).unwrap();
    let before = mounted.server.tree();
    let said = fails(&mut mounted.command(&target, &[]));
    assert!(said.contains("is a mount point"), "{said}");
    assert_eq!(mounted.server.tree(), before);
    assert_ne!(fs::read(&mounted.file).unwrap(), module("1"));
}
