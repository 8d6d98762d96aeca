//! install.sh installs, upgrades, checks and uninstalls.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use gametimes_install_tests::{
    MODULE, REAL, SCRIPT, TestServer, elf, module, printed, succeeds, text, write,
};

#[test]
fn second_installation_changes_nothing_and_uninstalling_restores_the_server() {
    let server = TestServer::new("base", "home");
    let before = server.tree();
    let said = server.run(&["--dry-run"]);
    assert!(said.contains("would install"), "{said}");
    assert_eq!(server.tree(), before, "a dry run must not change anything");
    assert!(!server.game("gametimes-install").exists());
    assert!(server.fails(&["--check"]).contains("WRONG"));

    server.run(&[]);
    assert_eq!(fs::read(server.game(MODULE)).unwrap(), module("1"));
    assert!(server.game(SCRIPT).exists());
    assert_eq!(
        fs::metadata(server.game("gametimes.cfg"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    let cfg = server.cfg();
    // Before the line that starts the first map.
    assert!(
        cfg.find("exec gametimes.cfg").unwrap() < cfg.find("map oasis").unwrap(),
        "{cfg}"
    );
    assert_eq!(
        cfg.matches("set lua_modules \"luascripts/gametimes.lua\"")
            .count(),
        1,
        "{cfg}"
    );
    assert!(server.run(&["--check"]).contains("all is well"));

    let installed = server.tree();
    assert!(server.run(&[]).contains("nothing to do"));
    assert_eq!(server.tree(), installed);

    server.run(&["--uninstall"]);
    assert_eq!(server.tree(), before);
    assert!(server.run(&["--uninstall"]).contains("nothing to do"));
}

#[test]
fn existing_lua_modules_are_kept_and_ours_is_added_last() {
    let server = TestServer::new("base", "home");
    let original = "seta lua_modules \"c0rnp0rn.lua, combinedfixes.lua\"\r\nmap oasis\r\n// set lua_modules \"no\"\n";
    write(
        &server.base.join("etmain/etl_server.cfg"),
        original.as_bytes(),
    );
    write(
        &server.base.join("legacy/configs/legacy6.config"),
        b"setl lua_modules endstats.lua // six\n//setl lua_modules \"\"\n",
    );
    write(
        &server.base.join("etmain/configs/empty.config"),
        b"\tsetl  lua_modules \"\"",
    );
    let before = server.tree();
    server.run(&[]);
    let cfg = server.cfg();
    assert!(
        cfg.contains(
            "seta lua_modules \"c0rnp0rn.lua, combinedfixes.lua luascripts/gametimes.lua\"\r\n"
        ),
        "{cfg}"
    );
    assert_eq!(cfg.matches("luascripts/gametimes.lua").count(), 1, "{cfg}");
    assert!(
        cfg.contains("map oasis\r\n// set lua_modules \"no\"\n"),
        "{cfg}"
    );
    let six = text(&server.base.join("legacy/configs/legacy6.config"));
    assert_eq!(
        six,
        "setl lua_modules \"endstats.lua luascripts/gametimes.lua\" // six\n//setl lua_modules \"\"\n"
    );
    assert_eq!(
        text(&server.base.join("etmain/configs/empty.config")),
        "\tsetl  lua_modules \"luascripts/gametimes.lua\"\n"
    );
    let installed = server.tree();
    assert!(server.run(&[]).contains("nothing to do"));
    assert_eq!(server.tree(), installed);
    server.run(&["--check"]);
    server.run(&["--uninstall"]);
    let after = server.tree();
    let words = |tree: &BTreeMap<PathBuf, (u32, Vec<u8>)>| -> Vec<String> {
        let line = |b: &[u8]| String::from_utf8_lossy(b).replace(['"', ','], " ");
        tree.values()
            .map(|(_, b)| line(b).split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    };
    assert_eq!(words(&after), words(&before), "only the spacing may differ");
}

/// The game appends .lua to a name; added again, the script would be loaded twice.
#[test]
fn script_that_is_listed_without_its_extension_is_not_added_again() {
    let server = TestServer::new("base", "home");
    let cfg = server.base.join("etmain/etl_server.cfg");
    write(
        &cfg,
        b"set lua_modules \"a.lua luascripts/gametimes b\"\nexec gametimes.cfg\n",
    );
    server.run(&[]);
    assert!(
        server.cfg().ends_with(
            "set lua_modules \"a.lua luascripts/gametimes.lua b\"\nexec gametimes.cfg\n"
        ),
        "{}",
        server.cfg()
    );
    server.run(&["--check"]);
    assert!(server.run(&[]).contains("nothing to do"));
    let list = "luascripts/gametimes\nb\n";
    write(&server.game("modules.txt"), list.as_bytes());
    write(
        &cfg,
        b"set g_luaModuleList \"modules.txt\"\nexec gametimes.cfg\n",
    );
    server.run(&[]);
    assert_eq!(text(&server.game("modules.txt")), list);
    server.run(&["--check"]);
}

#[test]
fn module_list_file_is_edited_instead_of_lua_modules() {
    let server = TestServer::new("base", "home");
    write(
        &server.base.join("etmain/etl_server.cfg"),
        b"set g_luaModuleList \"modules.txt\"\nmap oasis\n",
    );
    write(&server.game("modules.txt"), b"stats.lua\n");
    server.run(&[]);
    assert_eq!(
        text(&server.game("modules.txt")),
        "stats.lua\nluascripts/gametimes.lua\n"
    );
    assert!(!server.cfg().contains("lua_modules"), "{}", server.cfg());
    server.run(&["--check"]);
    assert!(server.run(&[]).contains("nothing to do"));
    server.run(&["--uninstall"]);
    assert_eq!(text(&server.game("modules.txt")), "stats.lua\n");
}

#[test]
fn stock_game_is_kept_and_restored_if_home_is_base() {
    let server = TestServer::new("server", "server");
    let before = server.tree();
    server.run(&[]);
    assert_eq!(
        fs::read(server.game(REAL)).unwrap(),
        elf(62, "the stock game")
    );
    assert_eq!(fs::read(server.game(MODULE)).unwrap(), module("1"));
    server.run(&["--check"]);
    assert!(server.run(&[]).contains("nothing to do"));

    // An upgrade of ET:Legacy overwrites the module. The next run keeps the new stock game instead of the old one.
    write(&server.game(MODULE), &elf(62, "a newer stock game"));
    assert!(server.fails(&["--check"]).contains("not from gametimes"));
    server.run(&[]);
    assert_eq!(
        fs::read(server.game(REAL)).unwrap(),
        elf(62, "a newer stock game")
    );
    assert_eq!(fs::read(server.game(MODULE)).unwrap(), module("1"));

    server.run(&["--uninstall"]);
    let mut expected = before;
    expected.get_mut(&server.game(MODULE)).unwrap().1 = elf(62, "a newer stock game");
    let contents = |t: BTreeMap<PathBuf, (u32, Vec<u8>)>| {
        t.into_iter().map(|(p, (_, b))| (p, b)).collect::<Vec<_>>()
    };
    assert_eq!(contents(server.tree()), contents(expected));
}

/// The module stays loaded until the server ends, and needs the stock game at every map.
#[test]
fn uninstalling_keeps_the_stock_game_that_a_running_server_uses() {
    for (base, home) in [("server", "server"), ("base", "home")] {
        let server = TestServer::new(base, home);
        let stock = elf(62, "the stock game");
        write(&server.game(MODULE), &stock);
        server.run(&[]);
        let running = server.start_server();
        let said = [server.run(&["--uninstall"]), server.run(&["--uninstall"])];
        let games = [MODULE, REAL].map(|file| fs::read(server.game(file)).ok());
        drop(running);
        assert!(said.iter().all(|s| s.contains("kept: ")), "{said:?}");
        assert!(said[1].contains("nothing to do"), "{said:?}");
        assert_eq!(games, [Some(stock.clone()), Some(stock.clone())]);
        // The server has stopped.
        server.run(&["--uninstall"]);
        assert!(!server.game(REAL).exists());
        assert_eq!(fs::read(server.game(MODULE)).unwrap(), stock);
        assert!(server.run(&["--uninstall"]).contains("nothing to do"));
    }
}

#[test]
fn uninstalling_without_the_stock_game_changes_nothing() {
    let server = TestServer::new("server", "server");
    server.run(&[]);
    fs::remove_file(server.game(REAL)).unwrap();
    for copy in server.stock_copies() {
        fs::remove_file(copy).unwrap();
    }
    let before = server.tree();
    assert!(
        server
            .fails(&["--uninstall"])
            .contains("would have no game")
    );
    assert_eq!(server.tree(), before);
    assert!(server.fails(&["--check"]).contains("cannot start"));
}

#[test]
fn patched_game_in_the_home_folder_stays_in_use() {
    let server = TestServer::new("base", "home");
    write(&server.game(MODULE), &elf(62, "a patched game"));
    server.run(&[]);
    assert_eq!(
        fs::read(server.game(REAL)).unwrap(),
        elf(62, "a patched game")
    );
    let cfg = text(&server.game("gametimes.cfg"));
    assert!(
        cfg.contains(&format!(
            "set gametimes_qagame \"{}\"",
            server.game(REAL).display()
        )),
        "{cfg}"
    );
    assert!(server.run(&[]).contains("nothing to do"));
    server.run(&["--check"]);
    // Our edit of the settings does not count as a change by the admin: they are upgraded, and removed.
    let settings = server.package().join("server-cfg/gametimes.cfg");
    write(&settings, b"// version 2\nset gametimes_qagame \"\"\n");
    server.run(&[]);
    let real = server.game(REAL);
    assert_eq!(
        text(&server.game("gametimes.cfg")),
        format!(
            "// version 2\nset gametimes_qagame \"{}\"\n",
            real.display()
        )
    );
    assert!(server.run(&[]).contains("nothing to do"));
    server.run(&["--uninstall"]);
    assert_eq!(
        fs::read(server.game(MODULE)).unwrap(),
        elf(62, "a patched game")
    );
    assert!(!real.exists());
    assert!(!server.game("gametimes.cfg").exists());
}

#[test]
fn upgrade_replaces_our_files_and_keeps_changed_settings() {
    let server = TestServer::new("base", "home");
    server.run(&[]);
    let settings = server.package().join("server-cfg/gametimes.cfg");
    write(&server.package().join(MODULE), &module("2"));
    write(
        &server.package().join("fallback-lua/gametimes.lua"),
        b"-- version 2\n",
    );
    write(&settings, b"// version 2\n");
    assert!(server.fails(&["--check"]).contains("another version"));
    server.run(&[]);
    assert_eq!(fs::read(server.game(MODULE)).unwrap(), module("2"));
    assert_eq!(text(&server.game(SCRIPT)), "-- version 2\n");
    assert_eq!(text(&server.game("gametimes.cfg")), "// version 2\n");

    // The same with changed settings.
    write(
        &server.game("gametimes.cfg"),
        b"set gametimes_keep_days \"7\"\n",
    );
    assert!(server.run(&[]).contains("nothing to do"));
    write(&settings, b"// version 3\n");
    server.run(&[]);
    assert_eq!(
        text(&server.game("gametimes.cfg")),
        "set gametimes_keep_days \"7\"\n"
    );
    assert_eq!(text(&server.game("gametimes.cfg.new")), "// version 3\n");
    assert!(server.run(&[]).contains("nothing to do"));
    assert!(server.run(&["--uninstall"]).contains("kept: "));
    assert_eq!(
        text(&server.game("gametimes.cfg")),
        "set gametimes_keep_days \"7\"\n"
    );
}

#[test]
fn paths_with_spaces_and_quotes_work() {
    let server = TestServer::new("the base's \"folder\"", "a $HOME; with (blanks) & more");
    let before = server.tree();
    server.run(&[]);
    server.run(&["--check"]);
    assert!(server.run(&[]).contains("nothing to do"));
    server.run(&["--uninstall"]);
    assert_eq!(server.tree(), before);
}

#[test]
fn shared_cfg_keeps_the_block_until_the_last_server_is_uninstalled() {
    let server = TestServer::new("base", "home one");
    let before = server.tree();
    let other = server.dir.path().join("home two");
    fs::create_dir_all(other.join("legacy")).unwrap();
    let second = |args: &[&str]| {
        let mut command = Command::new("sh");
        command
            .arg(server.package().join("install.sh"))
            .args(args)
            .arg("--homepath")
            .arg(&other)
            .arg(&server.base);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", printed(&output));
        printed(&output)
    };
    server.run(&[]);
    second(&[]);
    let both = server.cfg();
    assert_eq!(
        (
            both.matches("exec gametimes.cfg").count(),
            both.matches("// for ").count()
        ),
        (1, 2),
        "{both}"
    );
    assert!(server.run(&[]).contains("nothing to do"));
    assert!(second(&[]).contains("nothing to do"));
    assert_eq!(server.cfg(), both);
    server.run(&["--uninstall"]);
    assert!(
        server.cfg().contains("exec gametimes.cfg"),
        "the other server still needs it: {}",
        server.cfg()
    );
    second(&["--check"]);
    second(&["--uninstall"]);
    assert_eq!(server.tree(), before);
}

#[test]
fn home_folder_is_taken_from_the_running_server() {
    let server = TestServer::new("base", "the home");
    let _running = server.start_server();
    let said = succeeds(&mut server.command_without_home(&[]));
    assert!(server.game(MODULE).exists(), "{said}");
    assert!(
        said.contains("TO DO: the server is started with +set lua_modules \"stats.lua\""),
        "{said}"
    );
    assert!(
        !server.cfg().contains("lua_modules"),
        "would override the scripts of the command line: {}",
        server.cfg()
    );
}
