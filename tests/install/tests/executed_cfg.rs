//! install.sh edits the cfg that the server executes, not one that only has the usual name.

use std::fs;
use std::path::Path;

use gametimes_install_tests::{MODULE, SCRIPT, TestServer, fails, succeeds, text, write};

const CFG: &str = "set sv_hostname \"y\"\nmap oasis\n";

fn has_block(path: &Path) -> bool {
    text(path).contains("exec gametimes.cfg")
}

#[test]
fn cfg_that_the_running_server_executes_is_edited() {
    // The file that the engine reads under each name.
    for (names, file) in [
        (&["other.cfg"][..], "base/etmain/other.cfg"),
        (&["other"][..], "base/legacy/other.cfg"),
        (&["my server.cfg"][..], "home/etmain/my server.cfg"),
        (
            &["deep/er/x.cfg", "etl_server.cfg"][..],
            "home/legacy/deep/er/x.cfg",
        ),
    ] {
        let server = TestServer::new("base", "home");
        let root = server.base.parent().unwrap().to_owned();
        let cfg = root.join(file);
        write(&cfg, CFG.as_bytes());
        let before = server.tree();
        let home = server.home.to_str().unwrap();
        let mut args = vec!["+set", "dedicated", "2", "+set", "fs_homepath", home];
        for name in names {
            args.extend(["+exec", name]);
        }
        args.extend(["+map", "oasis"]);
        let running = server.start(&server.base.join("etlded"), &server.base, &args);
        let said = server.run(&[]);
        assert!(has_block(&cfg), "{said}");
        assert!(!server.cfg().contains("gametimes"), "{}", server.cfg());
        server.run(&["--check"]);
        assert!(server.run(&[]).contains("nothing to do"));

        // The admin names a cfg that this server does not execute.
        let wrong = root.join("base/etmain/unused.cfg");
        write(&wrong, b"exec gametimes.cfg\n");
        let given = wrong.to_str().unwrap();
        let planned = server.run(&["--dry-run", "--cfg", given]);
        let checked = server.fails(&["--check", "--cfg", given]);
        for said in [planned, checked] {
            assert!(said.contains("is not executed by the server"), "{said}");
        }
        fs::remove_file(wrong).unwrap();

        // Removed again although no server runs that shows where it is.
        drop(running);
        server.run(&["--uninstall"]);
        for file in ["etlded", "etmain/pak0.pk3"] {
            fs::remove_file(server.base.join(file)).unwrap();
        }
        assert_eq!(server.tree(), before, "{names:?}");
    }
}

#[test]
fn missing_cfg_is_reported_and_no_other_is_edited() {
    let server = TestServer::new("base", "home");
    let home = server.home.to_str().unwrap();
    for (args, what) in [
        (
            &["+exec", "nonesuch.cfg"][..],
            "the server executes nonesuch.cfg, which was not found",
        ),
        (
            &["+map", "oasis"][..],
            "add +exec gametimes.cfg to its command line",
        ),
    ] {
        let args = [&["+set", "fs_homepath", home], args].concat();
        let _running = server.start(&server.base.join("etlded"), &server.base, &args);
        let said = server.run(&[]);
        assert!(said.contains("TO DO") && said.contains(what), "{said}");
        assert!(!server.cfg().contains("gametimes"), "{}", server.cfg());
        let said = server.fails(&["--check"]);
        assert!(said.contains("WRONG") && said.contains(what), "{said}");
    }
}

#[test]
fn cfg_that_is_executed_by_another_cfg_is_found() {
    let server = TestServer::new("base", "home");
    server.run(&[]);
    write(
        &server.base.join("etmain/first.cfg"),
        b"set a \"1\"; exec \"second\" // exec nonesuch\n/* exec nonesuch */\n",
    );
    write(
        &server.base.join("etmain/second.cfg"),
        b"\tEXEC etl_server.cfg\r\n",
    );
    let home = server.home.to_str().unwrap();
    let args = ["+set", "fs_homepath", home, "+exec", "first"];
    let _running = server.start(&server.base.join("etlded"), &server.base, &args);
    server.run(&["--check"]);
    assert!(server.run(&[]).contains("nothing to do"));
    // Without the way to it, the block is of no use there.
    write(
        &server.base.join("etmain/second.cfg"),
        b"// exec etl_server.cfg\n",
    );
    let said = server.fails(&["--check"]);
    assert!(
        said.contains("first.cfg does not execute gametimes.cfg"),
        "{said}"
    );
    server.run(&[]);
    assert!(has_block(&server.base.join("etmain/first.cfg")));
}

#[test]
fn relative_homepath_is_resolved_from_the_folder_of_the_process() {
    let server = TestServer::new("base", "run/the home");
    let folder = server.home.parent().unwrap();
    let args = ["+set", "fs_homepath", "the home", "+exec", "etl_server.cfg"];
    let _running = server.start(&server.base.join("etlded"), folder, &args);
    let elsewhere = tempfile::tempdir().unwrap();
    let said = succeeds(
        server
            .command_without_home(&[])
            .current_dir(elsewhere.path()),
    );
    assert!(
        server.game(MODULE).exists() && server.game(SCRIPT).exists(),
        "{said}"
    );
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0, "{said}");
}

#[test]
fn homepath_of_a_server_that_sets_none_is_in_the_home_folder_of_its_user() {
    let server = TestServer::new("base", ".etlegacy");
    let args = ["+exec", "etl_server.cfg"];
    let _running = server.start(&server.base.join("etlded"), &server.base, &args);
    let said = succeeds(&mut server.command_without_home(&[]));
    assert!(server.game(MODULE).exists(), "{said}");
}

#[test]
fn packaged_server_is_recognized_although_its_program_is_elsewhere() {
    for with_basepath in [true, false] {
        let server = TestServer::new("usr/lib/etlegacy", "home");
        write(&server.base.join("etmain/other.cfg"), CFG.as_bytes());
        let program = server.dir.path().join("usr/bin/etlded");
        let (base, home) = (server.base.to_str().unwrap(), server.home.to_str().unwrap());
        let mut args = vec!["+set", "fs_homepath", home, "+exec", "other.cfg"];
        if with_basepath {
            args.extend(["+set", "fs_basepath", base]);
        }
        let _running = server.start(&program, Path::new("/"), &args);
        let said = succeeds(&mut server.command_without_home(&[]));
        assert!(server.game(MODULE).exists(), "{said}");
        assert!(has_block(&server.base.join("etmain/other.cfg")), "{said}");
        // A server of another folder is ignored.
        let other = TestServer::new("base", "home");
        let said = other.run(&[]);
        assert!(said.contains("(assumed)"), "{said}");
    }
}

#[test]
fn start_script_and_unit_name_the_cfg_and_the_homepath() {
    for (name, content) in [
        (
            "start.sh",
            "#!/bin/bash\n# ./etlded +exec old.cfg\nETHOME='HOME FOLDER'\nCFG=other\n\
             ./etlded +set dedicated 2 \\\n  +set fs_homepath \"$ETHOME\" \\\n  +exec ${CFG}.cfg > /dev/null\n",
        ),
        (
            "et.service",
            "[Service]\nType=simple\nWorkingDirectory=/srv\n\
             ExecStart=/usr/bin/etlded +set fs_homepath \"HOME FOLDER\" +exec other\n",
        ),
    ] {
        let server = TestServer::new("base", "the home");
        write(&server.base.join("etmain/other.cfg"), CFG.as_bytes());
        let script = server.dir.path().join(name);
        let content = content.replace("HOME FOLDER", server.home.to_str().unwrap());
        write(&script, content.as_bytes());
        let start = ["--start-script", script.to_str().unwrap()];
        let said = succeeds(&mut server.command_without_home(&start));
        assert!(server.game(MODULE).exists(), "{said}");
        assert!(has_block(&server.base.join("etmain/other.cfg")), "{said}");
        assert!(!server.cfg().contains("gametimes"), "{said}");
        // What cannot be resolved is not guessed.
        write(
            &script,
            b"./etlded +set fs_homepath \"$(pwd)/x\" +exec other.cfg\n",
        );
        let said = fails(&mut server.command_without_home(&start));
        assert!(said.contains("pass it as --homepath"), "{said}");
    }
}

/// The block in the cfg names it.
#[test]
fn homepath_of_an_installed_server_is_known_while_it_does_not_run() {
    let server = TestServer::new("base", "a home");
    let before = server.tree();
    server.run(&[]);
    let installed = server.tree();
    succeeds(&mut server.command_without_home(&["--check"]));
    let said = succeeds(&mut server.command_without_home(&[]));
    assert!(said.contains("nothing to do"), "{said}");
    assert_eq!(server.tree(), installed);
    // A second home.
    let second = server.home.with_file_name("second");
    fs::create_dir_all(second.join("legacy")).unwrap();
    let home = ["--homepath", second.to_str().unwrap()];
    succeeds(&mut server.command_without_home(&home));
    let said = fails(&mut server.command_without_home(&["--uninstall"]));
    for home in [server.home.to_str().unwrap(), home[1]] {
        assert!(said.contains(home), "{said}");
    }
    succeeds(&mut server.command_without_home(&[&["--uninstall"], &home[..]].concat()));
    succeeds(&mut server.command_without_home(&["--uninstall"]));
    assert_eq!(server.tree(), before);
}
