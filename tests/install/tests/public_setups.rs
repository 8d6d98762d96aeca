//! install.sh on server folders like those that communities have: a dry run changes nothing, the installation works and is
//! complete, a second run changes nothing, and uninstalling leaves every byte as it was.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use gametimes_install_tests::{TestServer, WEBHOOK, elf, fails, succeeds, text, write};

/// A made-up server: where its folders are, what is in them, and how it is started.
#[derive(Default)]
struct Setup {
    base: &'static str,
    home: &'static str,
    /// `fs_game` if it is not `legacy`.
    game: Option<&'static str>,
    /// Files by their path in the folder that holds everything.
    files: Vec<(&'static str, String)>,
    /// Symlinks: path and target.
    links: Vec<(&'static str, &'static str)>,
    /// The program, the folder in which it runs, and its arguments; none if the server does not run. ROOT is replaced.
    runs: Option<(&'static str, &'static str, &'static [&'static str])>,
    /// The cfg that must execute gametimes.cfg.
    cfg: &'static str,
    /// What --check still names.
    unsolved: Option<&'static str>,
}

fn play(setup: &Setup) {
    let server = TestServer::new(setup.base, setup.home);
    let root = fs::canonicalize(server.dir.path()).unwrap();
    if let Some(game) = setup.game {
        for folder in [&server.base, &server.home] {
            fs::rename(folder.join("legacy"), folder.join(game)).unwrap();
        }
    }
    for (path, content) in &setup.files {
        write(&root.join(path), content.as_bytes());
    }
    for (path, target) in &setup.links {
        drop(fs::remove_file(root.join(path)));
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        symlink(target, root.join(path)).unwrap();
    }
    let own = |text: &str| text.replace("ROOT", root.to_str().unwrap());
    let running = setup.runs.map(|(program, folder, args)| {
        let args: Vec<String> = args.iter().map(|arg| own(arg)).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        server.start(&root.join(program), &root.join(folder), &args)
    });
    let install = |args: &[&str]| {
        let mut command = Command::new("sh");
        command
            .arg(server.package().join("install.sh"))
            .args(args)
            .arg(&server.base)
            .env("HOME", root.join("user"));
        if running.is_none() {
            command.arg("--homepath").arg(&server.home);
        }
        command
    };
    let name = format!("{} {}", setup.base, setup.cfg);
    let before = server.tree();
    succeeds(&mut install(&["--dry-run", "--webhook", WEBHOOK]));
    assert_eq!(server.tree(), before, "{name}");

    let said = succeeds(&mut install(&["--webhook", WEBHOOK]));
    let cfg = text(&root.join(setup.cfg));
    assert!(cfg.contains("exec gametimes.cfg"), "{name}: {said}");
    match setup.unsolved {
        None => {
            succeeds(&mut install(&["--check"]));
        }
        Some(problem) => {
            let said = fails(&mut install(&["--check"]));
            assert_eq!(said.matches("WRONG").count(), 1, "{name}: {said}");
            assert!(said.contains(problem), "{name}: {said}");
        }
    }
    let installed = server.tree();
    assert!(
        succeeds(&mut install(&[])).contains("nothing to do"),
        "{name}"
    );
    assert_eq!(server.tree(), installed, "{name}");

    succeeds(&mut install(&["--uninstall"]));
    drop(running);
    // What a running server still used.
    let mut command = server.command(&["--uninstall"]);
    if let Some(game) = setup.game {
        command.args(["--game", game]);
    }
    succeeds(&mut command);
    let after = server.tree();
    let changed = differences(&before, &after);
    assert!(changed.is_empty(), "{name}: {changed:?}");
}

type Tree = std::collections::BTreeMap<PathBuf, (u32, Vec<u8>)>;

/// The files that are not as they were.
fn differences<'a>(before: &'a Tree, after: &'a Tree) -> Vec<&'a Path> {
    let paths = before.keys().chain(after.keys());
    let content = |tree: &'a Tree, path| tree.get(path).map(|(_, content)| content);
    paths
        .filter(|path| content(before, *path) != content(after, *path))
        .map(PathBuf::as_path)
        .collect()
}

/// A cfg as the archive of ET:Legacy has it.
fn stock_cfg() -> String {
    "// server config\nset sv_hostname \"ETL Host\"\nset g_gametype \"6\"\nexec legacy.cfg\n\nset d1 \"map oasis\"\nvstr d1\n".to_owned()
}

/// A config as leagues have them.
fn league(modules: &str) -> String {
    format!(
        "configname \"^1Legacy ^7Global 6on6\"\n\ninit\n{{\n\tsetl sv_fps \"40\"\n\t// set this to enable custom Lua files\n\tsetl lua_modules \"{modules}\"\n\tset g_log \"legacy6.log\"\n}}\n"
    )
}

fn old_script() -> String {
    format!(
        "local configuration = {{\n  discord_webhook_url = \"{}\",\n}}\ncontent = \"STATS_READY\"\n",
        WEBHOOK.replace("1234567890", "77")
    )
}

#[test]
fn archive_unpacked_into_one_folder() {
    play(&Setup {
        base: "etlegacy",
        home: "etlegacy",
        files: vec![
            ("etlegacy/etmain/etl_server.cfg", stock_cfg()),
            (
                "etlegacy/legacy/legacy.cfg",
                "set lua_modules \"luascripts/wolfadmin/main.lua\"\n".into(),
            ),
        ],
        cfg: "etlegacy/etmain/etl_server.cfg",
        ..Setup::default()
    });
}

#[test]
fn archive_with_the_home_folder_of_its_user() {
    play(&Setup {
        base: "etlegacy-v2.83.1-x86_64",
        home: "user/.etlegacy",
        files: vec![("etlegacy-v2.83.1-x86_64/etmain/etl_server.cfg", stock_cfg())],
        runs: Some((
            "etlegacy-v2.83.1-x86_64/etlded",
            "etlegacy-v2.83.1-x86_64",
            &["+set", "g_protect", "1", "+exec", "etl_server.cfg"],
        )),
        cfg: "etlegacy-v2.83.1-x86_64/etmain/etl_server.cfg",
        ..Setup::default()
    });
}

#[test]
fn old_script_in_the_home_folder_and_cfg_of_another_name() {
    let modules = "set lua_modules \"luascripts/team-lock c0rnp0rn7.lua endstats.lua luascripts/stats_discord_webhook.lua\"\n";
    play(&Setup {
        base: "etlegacy",
        home: "user/.etlegacy",
        files: vec![
            ("etlegacy/etmain/vektor.cfg", stock_cfg()),
            ("etlegacy/etmain/legacy.cfg", modules.into()),
            (
                "etlegacy/legacy/luascripts/stats_discord_webhook.lua",
                "-- an older copy\n".into(),
            ),
            (
                "user/.etlegacy/legacy/luascripts/stats_discord_webhook.lua",
                old_script(),
            ),
        ],
        runs: Some((
            "etlegacy/etlded.x86_64",
            "etlegacy",
            &["+exec", "vektor.cfg"],
        )),
        cfg: "etlegacy/etmain/vektor.cfg",
        ..Setup::default()
    });
}

#[test]
fn competition_configs() {
    play(&Setup {
        base: "etlegacy",
        home: "etlegacy",
        files: vec![
            (
                "etlegacy/etmain/etl_server.cfg",
                "seta sv_maxClients \"%CONF_MAXCLIENTS%\"\nset g_customConfig \"%CONF_SERVERCONF%\"\nset lua_modules \"\"\n".into(),
            ),
            (
                "etlegacy/legacy/configs/legacy6.config",
                league("luascripts/combinedfixes.lua"),
            ),
            (
                "etlegacy/legacy/configs/legacy3.config",
                league("luascripts/combinedfixes.lua luascripts/stats.lua"),
            ),
            (
                "etlegacy/etmain/configs/practice.config",
                league("stats_discord_webhook.lua, luascripts/pause.lua"),
            ),
            (
                "etlegacy/legacy/stats_discord_webhook.lua",
                old_script().replace('\n', "\r\n"),
            ),
        ],
        cfg: "etlegacy/etmain/etl_server.cfg",
        ..Setup::default()
    });
}

#[test]
fn container_image_of_etlegacy() {
    play(&Setup {
        base: "legacy/server",
        home: "legacy/homepath",
        files: vec![("legacy/server/etmain/etl_server.cfg", stock_cfg())],
        runs: Some((
            "legacy/server/etlded",
            "legacy/server",
            &[
                "+set",
                "fs_homepath",
                "ROOT/legacy/homepath",
                "+exec",
                "etl_server.cfg",
            ],
        )),
        cfg: "legacy/server/etmain/etl_server.cfg",
        ..Setup::default()
    });
}

#[test]
fn container_whose_home_is_its_base() {
    play(&Setup {
        base: "home/container",
        home: "home/container",
        files: vec![("home/container/etmain/server.cfg", stock_cfg())],
        runs: Some((
            "home/container/etlded",
            "home/container",
            &[
                "+set",
                "net_port",
                "27960",
                "+set",
                "fs_homepath",
                ".",
                "+set",
                "dedicated",
                "2",
                "+exec",
                "server.cfg",
                "+set",
                "rconpassword",
                "x",
            ],
        )),
        cfg: "home/container/etmain/server.cfg",
        ..Setup::default()
    });
}

#[test]
fn another_mod_folder() {
    play(&Setup {
        base: "basepath",
        home: "homepath",
        game: Some("etrun"),
        files: vec![("basepath/etmain/server.cfg", stock_cfg())],
        runs: Some((
            "basepath/etlded.x86_64",
            "/",
            &[
                "+exec",
                "server.cfg",
                "+set",
                "fs_game",
                "etrun",
                "+set",
                "fs_basepath",
                "ROOT/basepath",
                "+set",
                "fs_homepath",
                "ROOT/homepath",
                "+map",
                "oasis",
            ],
        )),
        cfg: "basepath/etmain/server.cfg",
        ..Setup::default()
    });
}

/// Its systemd unit has "+ set".
#[test]
fn package_of_a_distribution() {
    play(&Setup {
        base: "usr/lib/etlegacy",
        home: "var/lib/etlegacy",
        files: vec![("usr/lib/etlegacy/etmain/etl_server.cfg", stock_cfg())],
        runs: Some((
            "usr/bin/etlded",
            "/",
            &[
                "+set",
                "fs_basepath",
                "ROOT/usr/lib/etlegacy",
                "+",
                "set",
                "fs_homepath",
                "ROOT/var/lib/etlegacy",
                "+",
                "set",
                "fs_game",
                "legacy",
                "+exec",
                "etl_server",
            ],
        )),
        cfg: "usr/lib/etlegacy/etmain/etl_server.cfg",
        ..Setup::default()
    });
}

#[test]
fn cfg_with_line_ends_of_windows() {
    play(&Setup {
        base: "et",
        home: "et",
        files: vec![(
            "et/etmain/etl_server.cfg",
            "set sv_hostname \"x\"\r\nset lua_modules c0rnp0rn.lua  // stats\r\nset lua_modules \"stats_discord_webhook.lua\"\r\nmap oasis".into(),
        )],
        cfg: "et/etmain/etl_server.cfg",
        ..Setup::default()
    });
}

#[test]
fn symlinks() {
    play(&Setup {
        base: "et",
        home: "home",
        files: vec![
            ("et/shared/server.cfg", stock_cfg()),
            ("et/shared/six.config", league("a.lua")),
        ],
        links: vec![
            ("et/etmain/etl_server.cfg", "../shared/server.cfg"),
            ("et/legacy/configs/six.config", "../../shared/six.config"),
            ("et/legacy/configs/gone.config", "nowhere"),
        ],
        cfg: "et/etmain/etl_server.cfg",
        ..Setup::default()
    });
}

#[test]
fn spaces_and_quotes() {
    play(&Setup {
        base: "my server's \"files\"",
        home: "my home; $HOME",
        files: vec![("my server's \"files\"/etmain/my server.cfg", stock_cfg())],
        runs: Some((
            "my server's \"files\"/etlded",
            "my server's \"files\"",
            &[
                "+set",
                "fs_homepath",
                "../my home; $HOME",
                "+exec",
                "my server.cfg",
            ],
        )),
        cfg: "my server's \"files\"/etmain/my server.cfg",
        ..Setup::default()
    });
}

#[test]
fn relative_home_and_nested_cfg() {
    play(&Setup {
        base: "opt/et",
        home: "srv/one",
        files: vec![
            (
                "opt/et/etmain/servers/one.cfg",
                "exec common\nmap oasis\n".into(),
            ),
            (
                "srv/one/etmain/common.cfg",
                "set g_luaModuleList \"modules.txt\"\n".into(),
            ),
            (
                "srv/one/legacy/modules.txt",
                "c0rnp0rn8.lua\nluascripts/stats_discord_webhook.lua\n".into(),
            ),
        ],
        runs: Some((
            "opt/et/etlded.x86_64",
            "srv",
            &["+set", "fs_homepath", "one", "+exec", "servers/one"],
        )),
        cfg: "opt/et/etmain/servers/one.cfg",
        ..Setup::default()
    });
}

#[test]
fn lua_modules_of_250_characters() {
    play(&Setup {
        base: "et",
        home: "home",
        files: vec![(
            "et/etmain/etl_server.cfg",
            format!("set lua_modules \"{}\"\nmap oasis\n", "x".repeat(250)),
        )],
        cfg: "et/etmain/etl_server.cfg",
        unsolved: Some("no room"),
        ..Setup::default()
    });
}

/// The old script leaves room.
#[test]
fn lua_modules_of_250_characters_with_the_old_script() {
    let list = format!("{} stats_discord_webhook.lua", "x".repeat(224));
    play(&Setup {
        base: "et",
        home: "home",
        files: vec![(
            "et/etmain/etl_server.cfg",
            format!("seta lua_modules \"{list}\"\nmap oasis\n"),
        )],
        cfg: "et/etmain/etl_server.cfg",
        ..Setup::default()
    });
}

#[test]
fn patched_game_in_the_home_folder() {
    play(&Setup {
        base: "et",
        home: "home",
        files: vec![
            ("et/etmain/server.cfg", stock_cfg()),
            (
                "home/legacy/qagame.mp.x86_64.so",
                String::from_utf8_lossy(&elf(62, "patched")).into_owned(),
            ),
        ],
        links: vec![("et/etmain/etl_server.cfg", "server.cfg")],
        cfg: "et/etmain/server.cfg",
        ..Setup::default()
    });
}

/// Each has its own home; the cfg is shared.
#[test]
fn two_servers_in_one_folder() {
    for first_out in [0, 1] {
        let server = TestServer::new("et", "one");
        let root = server.base.parent().unwrap();
        fs::create_dir_all(root.join("two/legacy")).unwrap();
        let cfg = server.base.join("etmain/etl_server.cfg");
        let modules = "set lua_modules \"a.lua stats_discord_webhook.lua\"";
        write(&cfg, modules.as_bytes());
        let before = server.tree();
        let homes = [root.join("one"), root.join("two")];
        let install = |home: &Path, args: &[&str]| {
            let mut command = Command::new("sh");
            command.arg(server.package().join("install.sh")).args(args);
            succeeds(command.arg("--homepath").arg(home).arg(&server.base))
        };
        for home in &homes {
            install(home, &["--webhook", WEBHOOK]);
        }
        for home in &homes {
            install(home, &["--check"]);
            assert!(install(home, &[]).contains("nothing to do"));
        }
        install(&homes[first_out], &["--uninstall"]);
        assert!(text(&cfg).contains("exec gametimes.cfg"), "{}", text(&cfg));
        install(&homes[1 - first_out], &["--check"]);
        install(&homes[1 - first_out], &["--uninstall"]);
        if first_out == 1 {
            assert_eq!(server.tree(), before);
        } else {
            // The first one to come has gone while the other still needed the line.
            assert!(
                text(&cfg).starts_with("set lua_modules \"a.lua"),
                "{}",
                text(&cfg)
            );
            assert!(!text(&cfg).contains("gametimes"), "{}", text(&cfg));
        }
    }
}

/// The shells that servers have as /bin/sh.
#[test]
fn every_shell() {
    for shell in [
        &["dash"][..],
        &["bash"],
        &["bash", "--posix"],
        &["busybox", "sh"],
    ] {
        let server = TestServer::new("et", "home");
        let cfg = "set lua_modules \"a.lua stats_discord_webhook.lua\"\r\n";
        write(&server.base.join("etmain/etl_server.cfg"), cfg.as_bytes());
        write(
            &server.game("stats_discord_webhook.lua"),
            old_script().as_bytes(),
        );
        let before = server.tree();
        let run = |args: &[&str]| {
            let mut command = Command::new(shell[0]);
            command
                .args(&shell[1..])
                .arg(server.package().join("install.sh"));
            command.args(args).arg("--homepath").arg(&server.home);
            succeeds(command.arg(&server.base))
        };
        run(&["--dry-run"]);
        assert_eq!(server.tree(), before, "{shell:?}");
        run(&[]);
        assert!(
            text(&server.game("webhooks.txt")).contains("webhooks/77/"),
            "{shell:?}"
        );
        run(&["--check"]);
        assert!(run(&[]).contains("nothing to do"), "{shell:?}");
        run(&["--uninstall"]);
        assert_eq!(server.tree(), before, "{shell:?}");
    }
}

#[test]
fn shellcheck_finds_nothing() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../install.sh");
    let mut shellcheck = Command::new("shellcheck");
    assert_eq!(succeeds(shellcheck.arg("--shell=sh").arg(script)), "");
}
