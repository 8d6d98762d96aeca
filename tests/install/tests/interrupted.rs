//! install.sh interrupted at every step: the server can still start, and the next run completes the work.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gametimes_install_tests::{MODULE, REAL, TestServer, WEBHOOK, elf, module, write};

/// A server that loads the old script, which has a webhook.
fn server(base: &str, home: &str) -> TestServer {
    let server = TestServer::new(base, home);
    let cfg = "set lua_modules \"stats_discord_webhook.lua\"\nmap oasis";
    write(&server.base.join("etmain/etl_server.cfg"), cfg.as_bytes());
    write(
        &server.base.join("legacy/configs/six.config"),
        b"setl lua_modules \"a.lua\"\n",
    );
    fs::remove_file(server.webhook_cfg()).unwrap();
    let script = format!("x = '{WEBHOOK}'\n");
    write(&server.game("stats_discord_webhook.lua"), script.as_bytes());
    server
}

/// The content of every file.
fn contents(server: &TestServer) -> BTreeMap<PathBuf, Vec<u8>> {
    let tree = server.tree().into_iter();
    tree.map(|(path, (_, content))| (path, content)).collect()
}

fn copy(from: &Path, to: &Path) {
    let mut command = Command::new("cp");
    command.arg("-a").args([from, to]);
    assert!(command.status().unwrap().success());
}

/// Interrupts install.sh before each command that changes files, or before every `stride`-th: at every moment there is a game to load
/// and no file is half-written, and the next run completes the work.
fn interrupt(base: &str, home: &str, args: &[&str], stride: usize) {
    let server = server(base, home);
    let root = server.base.parent().unwrap();
    let original = contents(&server);
    // Every step begins with the same folders.
    let folders = [server.base.as_path(), &server.home];
    let saved = |folder: &Path| root.join("saved").join(folder.file_name().unwrap());
    fs::create_dir(root.join("saved")).unwrap();
    let save = || {
        for folder in folders.iter().filter(|folder| !saved(folder).exists()) {
            copy(folder, &saved(folder));
        }
    };
    let expected = if args.is_empty() {
        save();
        server.run(&[]);
        server.run(&["--check"]);
        contents(&server)
    } else {
        server.run(&[]);
        save();
        original.clone()
    };
    // From the given call on, these tools kill the shell that calls them, as if the power had failed.
    let tools = server.dir.path().join("tools");
    let mut path = String::new();
    for tool in ["mv", "cp", "rm", "mkdir", "chmod", "mktemp", "touch"] {
        let folder = tools.display();
        path = server.tool(
            tool,
            &format!(
                "read n <{folder}/n\n[ \"$n\" -gt 0 ] || kill -9 $PPID\n[ \"$n\" -gt 0 ] || exit 1\n\
                 echo $((n - 1)) >{folder}/n\nexec /bin/{tool} \"$@\"\n"
            ),
        );
    }
    let mut steps = 0;
    loop {
        for folder in folders.iter().filter(|folder| folder.exists()) {
            fs::remove_dir_all(folder).unwrap();
        }
        for folder in folders.iter().filter(|folder| !folder.exists()) {
            copy(&saved(folder), folder);
        }
        write(&tools.join("n"), format!("{steps}\n").as_bytes());
        let mut command = server.command(args);
        command.env("PATH", &path).env("TMPDIR", server.dir.path());
        let output = command.output().unwrap();
        let game = |file: &Path| fs::read(file).ok();
        let stock = elf(62, "the stock game");
        let loaded =
            game(&server.game(MODULE)).or_else(|| game(&server.base.join("legacy").join(MODULE)));
        let real = [server.base.join("legacy").join(MODULE), server.game(REAL)];
        let starts = loaded == Some(stock.clone())
            || loaded == Some(module("1")) && real.iter().any(|f| game(f) == Some(stock.clone()));
        assert!(starts, "{base} {args:?} interrupted at step {steps}");
        let cfg = server.cfg();
        assert!(
            cfg.contains("map oasis") && cfg.contains("set lua_modules \""),
            "{args:?} {steps} {cfg}"
        );
        server.run(args);
        assert_eq!(contents(&server), expected, "{base} {args:?} {steps}");
        if args.is_empty() && base != home {
            server.run(&["--uninstall"]);
            assert_eq!(contents(&server), original, "undone after step {steps}");
        }
        if output.status.success() {
            break;
        }
        steps += stride;
    }
    assert!(steps >= 20, "{args:?}: only {steps} steps");
}

#[test]
fn interrupted_installation_leaves_a_server_that_starts() {
    interrupt("base", "home", &[], 1);
}

#[test]
fn interrupted_installation_leaves_a_server_that_starts_if_home_is_base() {
    interrupt("server", "server", &[], 4);
}

#[test]
fn interrupted_uninstallation_leaves_a_server_that_starts() {
    interrupt("base", "home", &["--uninstall"], 1);
}

#[test]
fn interrupted_uninstallation_leaves_a_server_that_starts_if_home_is_base() {
    interrupt("server", "server", &["--uninstall"], 4);
}
