//! Names of files that install.sh must not trip over.

use std::fs;
use std::os::unix::fs::symlink;

use gametimes_install_tests::{MODULE, SCRIPT, TestServer, text, write};

#[test]
fn symlink_at_a_temporary_name_is_not_written_through() {
    let server = TestServer::new("server", "server");
    let victim = server.dir.path().join("victim");
    write(&victim, b"precious\n");
    let state = server.game("gametimes-install");
    fs::create_dir_all(&state).unwrap();
    fs::create_dir_all(server.game("luascripts")).unwrap();
    let cfg = server.base.join("etmain/etl_server.cfg");
    let mut links = vec![
        state.join("manifest.tmp"),
        state.join("cfgs.tmp"),
        server.game(".gametimes-tmp.abcdef"),
    ];
    for file in [
        server.game(MODULE),
        server.game("qagame_real.mp.x86_64.so"),
        server.game(SCRIPT),
        server.game("gametimes.cfg"),
        cfg.clone(),
    ] {
        for end in ["gametimes-tmp", "tmp", "new"] {
            links.push(format!("{}.{end}", file.display()).into());
        }
    }
    // The copy of the cfg from before its first change.
    let copy = format!("before{}", cfg.display()).replace('/', "_");
    links.push(state.join(copy));
    for link in &links {
        symlink(&victim, link).unwrap();
    }
    server.run(&[]);
    server.run(&["--check"]);
    server.run(&["--uninstall"]);
    assert_eq!(text(&victim), "precious\n");
    assert!(!server.cfg().contains("gametimes"));
}

#[test]
fn temporary_files_of_an_interrupted_run_are_removed() {
    let server = TestServer::new("base", "home");
    let left = [
        server.game(".gametimes-tmp.AbCd12"),
        server.base.join("etmain/.gametimes-tmp.AbCd12"),
    ];
    for file in &left {
        write(file, b"half");
    }
    server.run(&[]);
    assert!(left.iter().all(|file| !file.exists()));
}

#[test]
fn cfg_with_a_line_break_in_its_name_is_left_out() {
    let server = TestServer::new("base", "home");
    let line = b"set lua_modules \"stats.lua\"\n";
    for folder in ["base/etmain", "base/legacy", "home/legacy"] {
        let folder = server.dir.path().join(folder);
        write(&folder.join("a\nb.cfg"), line);
        write(&folder.join("ends in one.cfg\n"), line);
        // A name that looks like two files.
        write(&folder.join(format!("x.cfg\n{}", "y.cfg")), line);
        symlink(folder.join("a\nb.cfg"), folder.join("link.cfg")).unwrap();
        write(&folder.join("configs/a\nb.config"), line);
    }
    let before = server.tree();
    let said = server.run(&[]);
    assert!(said.contains("contains a line break"), "{said}");
    assert!(server.game(MODULE).exists() && server.cfg().contains("exec gametimes.cfg"));
    server.run(&["--check"]);
    assert!(server.run(&[]).contains("nothing to do"));
    server.run(&["--uninstall"]);
    assert_eq!(server.tree(), before);
}

#[test]
fn line_break_in_a_given_path_changes_nothing() {
    let server = TestServer::new("base", "home");
    let odd = server.base.join("etmain/a\nb.cfg");
    write(&odd, b"map oasis\n");
    symlink(&odd, server.base.join("etmain/fine.cfg")).unwrap();
    let fine = server.base.join("etmain/fine.cfg");
    let before = server.tree();
    for cfg in [&odd, &fine] {
        let said = server.fails(&["--cfg", cfg.to_str().unwrap()]);
        assert!(
            said.contains("line break") && said.contains("Nothing was changed"),
            "{said}"
        );
        assert_eq!(server.tree(), before);
    }
    let server = TestServer::new("base", "a\nhome");
    let before = server.tree();
    let said = server.fails(&[]);
    assert!(said.contains("line break"), "{said}");
    assert_eq!(server.tree(), before);
}

#[test]
fn long_path_of_a_cfg_does_not_stop_the_installation_half_way() {
    let base = ["long".repeat(40), "er".repeat(60)].join("/");
    let server = TestServer::new(&base, "home");
    let before = server.tree();
    server.run(&[]);
    server.run(&["--check"]);
    server.run(&["--uninstall"]);
    assert_eq!(server.tree(), before);
}
