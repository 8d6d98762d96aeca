//! The game cannot start if a cvar such as lua_modules has more than 255 characters.

use gametimes_install_tests::{MODULE, REAL, SCRIPT, TestServer, elf, succeeds, text, write};

/// A list of scripts with exactly this length.
fn scripts(length: usize) -> String {
    let list = format!("c0rnp0rn7.lua luascripts/{}.lua", "x".repeat(length - 29));
    assert_eq!(list.len(), length);
    list
}

/// The value that a cfg sets for lua_modules.
fn value(cfg: &str) -> String {
    let line = cfg.lines().find(|line| line.contains("lua_modules "));
    let line = line.unwrap_or_else(|| panic!("no lua_modules in {cfg}"));
    let value = line.split_once("lua_modules ").unwrap().1;
    value.trim_end().trim_matches('"').to_owned()
}

#[test]
fn lua_modules_without_room_for_ours_is_left_alone() {
    for (length, fits) in [(230, true), (231, false), (240, false), (255, false)] {
        for quote in ["\"", ""] {
            let server = TestServer::new("base", "home");
            let list = scripts(length);
            let line = format!("set lua_modules {quote}{list}{quote}\nmap oasis\n");
            write(&server.base.join("etmain/etl_server.cfg"), line.as_bytes());
            let config = server.base.join("legacy/configs/six.config");
            write(
                &config,
                format!("setl lua_modules {quote}{list}{quote}\n").as_bytes(),
            );
            let said = server.run(&[]);
            for cfg in [server.cfg(), text(&config)] {
                let value = value(&cfg);
                assert!(value.len() <= 255, "{} characters: {cfg}", value.len());
                assert_eq!(value == list, !fits, "{length} {cfg}");
                assert_eq!(
                    value.ends_with(&format!(" {SCRIPT}")),
                    fits,
                    "{length} {cfg}"
                );
            }
            assert!(server.cfg().contains("exec gametimes.cfg"));
            assert_eq!(said.contains("g_luaModuleList"), !fits, "{said}");
            if fits {
                server.run(&["--check"]);
                server.run(&["--uninstall"]);
            } else {
                let said = server.fails(&["--check"]);
                assert!(said.contains("no room"), "{said}");
            }
            let after = value(&server.cfg());
            assert_eq!(after, list, "{length}");
        }
    }
}

#[test]
fn advice_for_a_long_lua_modules_leads_to_a_working_installation() {
    let server = TestServer::new("base", "home");
    let list = scripts(250);
    let cfg = server.base.join("etmain/etl_server.cfg");
    write(&cfg, format!("set lua_modules \"{list}\"\n").as_bytes());
    let said = server.run(&[]);
    let file = server.game("luamodules.txt");
    assert!(said.contains(file.to_str().unwrap()), "{said}");
    write(&file, (list.replace(' ', "\n") + "\n").as_bytes());
    write(&cfg, b"set g_luaModuleList \"luamodules.txt\"\n");
    server.run(&[]);
    assert_eq!(text(&file), list.replace(' ', "\n") + "\n" + SCRIPT + "\n");
    server.run(&["--check"]);
    assert!(server.run(&[]).contains("nothing to do"));
}

#[test]
fn lua_modules_that_an_earlier_version_made_too_long_is_repaired() {
    let server = TestServer::new("base", "home");
    let list = scripts(240);
    let cfg = format!("set lua_modules \"{list} {SCRIPT}\"\nmap oasis\n");
    write(&server.base.join("etmain/etl_server.cfg"), cfg.as_bytes());
    let said = server.fails(&["--check"]);
    assert!(
        said.contains("265 characters; the game cannot start"),
        "{said}"
    );
    server.run(&[]);
    assert_eq!(value(&server.cfg()), list);
    assert!(server.run(&[]).contains("nothing to do"));
}

#[test]
fn long_lua_modules_on_the_command_line_is_not_to_be_extended() {
    for (length, fits) in [(230, true), (231, false)] {
        let server = TestServer::new("base", "home");
        let list = scripts(length);
        let home = server.home.to_str().unwrap();
        let _running = server.start(
            &server.base.join("etlded"),
            &server.base,
            &[
                "+set",
                "fs_homepath",
                home,
                "+set",
                "lua_modules",
                &list,
                "+exec",
                "etl_server",
            ],
        );
        let said = succeeds(&mut server.command(&[]));
        assert_eq!(
            said.contains(&format!("add {SCRIPT} to it")),
            fits,
            "{said}"
        );
        assert_eq!(said.contains("g_luaModuleList"), !fits, "{said}");
    }
}

#[test]
fn patched_game_whose_path_does_not_fit_into_a_cvar_is_refused() {
    for (length, fits) in [(255, true), (256, false)] {
        let root = TestServer::new("base", "home");
        let root = root.dir.path().to_str().unwrap().len();
        // ROOT/xxx/yyy/legacy/qagame_real.mp.x86_64.so
        let rest = length - root - "/".len() - "/legacy/qagame_real.mp.x86_64.so".len();
        let home = format!("{}/{}", "x".repeat(100), "y".repeat(rest - 101));
        let server = TestServer::new("base", &home);
        write(&server.game(MODULE), &elf(62, "a patched game"));
        assert_eq!(server.game(REAL).to_str().unwrap().len(), length);
        let before = server.tree();
        if fits {
            server.run(&[]);
            server.run(&["--check"]);
        } else {
            let said = server.fails(&[]);
            assert!(said.contains("gametimes_qagame can have"), "{said}");
            assert_eq!(server.tree(), before);
        }
    }
}
