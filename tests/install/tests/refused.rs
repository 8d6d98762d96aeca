//! install.sh refuses what it cannot do, gives the reason, and changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use gametimes_install_tests::{MODULE, SCRIPT, TestServer, elf, is_root, printed, write};

#[test]
fn module_that_cannot_run_here_is_skipped_and_the_script_installed() {
    for (bytes, why) in [
        (
            elf(183, "gametimes_module GLIBC_2.17"),
            "not built for x86_64",
        ),
        (
            elf(62, "gametimes_module GLIBC_2.17 GLIBC_2.99"),
            "needs glibc 2.99",
        ),
    ] {
        let server = TestServer::new("base", "home");
        write(&server.package().join(MODULE), &bytes);
        let said = server.run(&[]);
        assert!(
            said.contains(why) && said.contains("The script records"),
            "{said}"
        );
        assert!(!server.game(MODULE).exists() && server.game(SCRIPT).exists());
        server.run(&["--check"]);
        assert!(server.run(&[]).contains("nothing to do"));
        assert!(server.fails(&["--no-script"]).contains(why));
    }
    let server = TestServer::new("base", "home");
    fs::remove_file(server.base.join("legacy").join(MODULE)).unwrap();
    assert!(
        server
            .run(&[])
            .contains("is missing or incomplete (the module needs a 64-bit server)")
    );
    assert!(!server.game(MODULE).exists());
}

#[test]
fn wrong_arguments_are_refused_with_the_reason() {
    let server = TestServer::new("base", "home");
    assert!(
        server
            .fails(&["--game", "nonesuch"])
            .contains("contains no folder nonesuch")
    );
    assert!(server.fails(&["--game", "../x"]).contains("must be a name"));
    assert!(
        server
            .fails(&["--cfg", "/nonesuch.cfg"])
            .contains("no such file")
    );
    assert!(server.fails(&["--nonesuch"]).contains("unknown option"));
    fs::remove_file(server.base.join("etmain/etl_server.cfg")).unwrap();
    assert!(server.run(&[]).contains("TO DO: no etl_server.cfg"));
}

#[test]
fn missing_permission_changes_nothing() {
    let server = TestServer::new("base", "home");
    let before = server.tree();
    let mode = |mode| {
        for dir in [server.game(""), server.base.join("etmain")] {
            fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    // Root can write everywhere, so the test runs as an unprivileged user.
    let mut command = Command::new(if is_root() { "setpriv" } else { "env" });
    if is_root() {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        fs::set_permissions(server.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    }
    mode(0o555);
    let output = command
        .arg("sh")
        .arg(server.package().join("install.sh"))
        .arg("--homepath")
        .arg(&server.home)
        .arg(&server.base)
        .output();
    mode(0o755);
    let output = output.unwrap();
    assert!(!output.status.success());
    assert!(
        printed(&output).contains("Nothing was changed"),
        "{}",
        printed(&output)
    );
    assert_eq!(server.tree(), before);
}

#[test]
fn root_is_refused_if_another_user_owns_the_server() {
    if !is_root() {
        return; // only root can set the owner of a file
    }
    let server = TestServer::new("base", "home");
    std::os::unix::fs::chown(&server.home, Some(65534), None).unwrap();
    let before = server.tree();
    assert!(server.fails(&[]).contains("sudo -u 'nobody'"));
    assert_eq!(server.tree(), before);
}
