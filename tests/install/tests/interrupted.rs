//! install.sh interrupted at every step: the server can still start, and the next run completes the work.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use gametimes_install_tests::{MODULE, REAL, TestServer, elf, module, write};

/// Interrupts install.sh before each command that changes files: at every moment there is a game to load and no file is
/// half-written, and the next run completes the work.
fn interrupt_at_every_step(base: &str, home: &str, args: &[&str]) {
    let mut steps = 0;
    loop {
        let server = TestServer::new(base, home);
        if args.contains(&"--uninstall") {
            server.run(&[]);
        }
        // These tools fail from the given call on, as if the power had failed.
        let tools = server.dir.path().join("tools");
        for tool in ["mv", "cp", "rm", "mkdir", "chmod", "mktemp", "touch"] {
            let path = tools.join(tool);
            let folder = tools.display();
            let script = format!(
                "#!/bin/sh\nn=$(/bin/cat {folder}/n)\n[ \"$n\" -gt 0 ] || exit 1\n\
                 echo $((n - 1)) >{folder}/n\nexec /bin/{tool} \"$@\"\n"
            );
            write(&path, script.as_bytes());
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        write(&tools.join("n"), format!("{steps}\n").as_bytes());
        let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
        let output = server.command(args).env("PATH", path).output().unwrap();
        let game = |file: &Path| fs::read(file).ok();
        let stock = elf(62, "the stock game");
        let loaded =
            game(&server.game(MODULE)).or_else(|| game(&server.base.join("legacy").join(MODULE)));
        let real = [server.base.join("legacy").join(MODULE), server.game(REAL)];
        let starts = loaded == Some(stock.clone())
            || loaded == Some(module("1")) && real.iter().any(|f| game(f) == Some(stock.clone()));
        assert!(starts, "{base} {args:?} interrupted at step {steps}");
        assert!(server.cfg().contains("map oasis"), "{args:?} {steps}");
        server.run(args);
        if args.is_empty() {
            server.run(&["--check"]);
        } else {
            assert_eq!(game(&server.base.join("legacy").join(MODULE)), Some(stock));
            assert!(!server.cfg().contains("gametimes"), "{}", server.cfg());
        }
        if output.status.success() {
            break;
        }
        steps += 1;
    }
    assert!(steps >= 4, "{args:?}: only {steps} steps");
}

#[test]
fn interrupted_installation_leaves_a_server_that_starts() {
    interrupt_at_every_step("base", "home", &[]);
}

#[test]
fn interrupted_installation_leaves_a_server_that_starts_if_home_is_base() {
    interrupt_at_every_step("server", "server", &[]);
}

#[test]
fn interrupted_uninstallation_leaves_a_server_that_starts() {
    interrupt_at_every_step("base", "home", &["--uninstall"]);
}

#[test]
fn interrupted_uninstallation_leaves_a_server_that_starts_if_home_is_base() {
    interrupt_at_every_step("server", "server", &["--uninstall"]);
}
