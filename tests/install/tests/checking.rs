//! `install.sh --check` names everything that is wrong, with the cure.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use gametimes_install_tests::{
    MODULE, REAL, SCRIPT, TestServer, WEBHOOK, elf, module, text, write,
};

/// The lines that name a problem.
fn problems(said: &str) -> Vec<&str> {
    said.lines().filter(|l| l.starts_with("WRONG")).collect()
}

/// Damages a working installation; exactly one problem is named, with these words, and `install.sh` or the deed in `mend` cures it.
fn one_problem(damage: impl Fn(&TestServer), words: &[&str], mend: impl Fn(&TestServer)) {
    let server = TestServer::new("base", "home");
    server.run(&[]);
    server.run(&["--check"]);
    damage(&server);
    let said = server.fails(&["--check"]);
    let found = problems(&said);
    assert_eq!(found.len(), 1, "{words:?}: {said}");
    for word in words {
        assert!(found[0].contains(word), "{word}: {said}");
    }
    mend(&server);
    server.run(&["--check"]);
}

fn install(server: &TestServer) {
    server.run(&[]);
}

#[test]
fn module_that_is_missing_foreign_or_cut_off_is_named() {
    one_problem(
        |server| fs::remove_file(server.game(MODULE)).unwrap(),
        &["is missing; run install.sh"],
        install,
    );
    one_problem(
        |server| write(&server.game(MODULE), &elf(62, "a patched game")),
        &["is another game", "run install.sh"],
        install,
    );
    for length in [30, 64, 100] {
        one_problem(
            |server| write(&server.game(MODULE), &module("1")[..length]),
            &["is incomplete", "crashes", "run install.sh"],
            |server| {
                server.run(&[]);
                // It was no game, so it is not kept as one.
                assert!(!server.game(REAL).exists());
                assert_eq!(fs::read(server.game(MODULE)).unwrap(), module("1"));
            },
        );
    }
    one_problem(
        |server| write(&server.game(SCRIPT), b"-- cut o"),
        &["script:", "run install.sh"],
        install,
    );
}

#[test]
fn stock_game_that_is_cut_off_is_named_and_not_used() {
    let server = TestServer::new("server", "server");
    server.run(&[]);
    let stock = elf(62, "the stock game");
    write(&server.game(REAL), &stock[..stock.len() - 9]);
    let said = server.fails(&["--check"]);
    assert!(said.contains("the server cannot start"), "{said}");
    server.run(&[]);
    assert_eq!(fs::read(server.game(REAL)).unwrap(), stock);
    server.run(&["--check"]);
    // An interrupted upgrade of ET:Legacy.
    write(&server.game(MODULE), &stock[..stock.len() - 9]);
    server.run(&[]);
    assert_eq!(fs::read(server.game(REAL)).unwrap(), stock);
    assert_eq!(fs::read(server.game(MODULE)).unwrap(), module("1"));
}

#[test]
fn module_that_is_cut_off_in_the_package_is_not_installed() {
    let server = TestServer::new("base", "home");
    let whole = module("1");
    write(&server.package().join(MODULE), &whole[..whole.len() - 1]);
    let said = server.run(&[]);
    assert!(said.contains("in this package is incomplete"), "{said}");
    assert!(!server.game(MODULE).exists());
}

#[test]
fn webhook_that_is_missing_or_none_is_named() {
    one_problem(
        |server| fs::remove_file(server.webhook_cfg()).unwrap(),
        &["no webhook is set", "install.sh --webhook -"],
        |server| {
            server.run(&["--webhook", WEBHOOK]);
        },
    );
    let set = |value: &str| format!("set gametimes_webhook_url \"{value}\"\n");
    let cure = |server: &TestServer| write(&server.webhook_cfg(), set(WEBHOOK).as_bytes());
    one_problem(
        |server| {
            let urls = format!("{WEBHOOK} https://example.com/Secret");
            write(&server.webhook_cfg(), set(&urls).as_bytes());
        },
        &["webhook 2 is not a webhook URL", "gametimes_webhook_hosts"],
        cure,
    );
    one_problem(
        |server| {
            let urls = format!("{WEBHOOK} {WEBHOOK}{}", "x".repeat(200));
            write(&server.webhook_cfg(), set(&urls).as_bytes());
        },
        &[
            "gametimes_webhook_url in",
            "a cvar can have 255",
            "gametimes_webhook_file",
        ],
        cure,
    );
    one_problem(
        |server| {
            let file = "set gametimes_webhook_file \"/nonesuch\"\n";
            write(
                &server.webhook_cfg(),
                (file.to_owned() + &set(WEBHOOK)).as_bytes(),
            );
        },
        &["/nonesuch is missing", "install.sh --webhook -"],
        cure,
    );
    one_problem(
        |server| {
            write(&server.game("webhooks.txt"), WEBHOOK.as_bytes());
            let mode = fs::Permissions::from_mode(0o600);
            fs::set_permissions(server.game("webhooks.txt"), mode).unwrap();
        },
        &["gametimes_webhook_file is not set", "run install.sh"],
        install,
    );
}

#[test]
fn cfg_that_is_not_executed_and_old_script_are_named() {
    one_problem(
        |server| {
            let cfg = server.cfg().replace("exec gametimes.cfg", "");
            write(&server.base.join("etmain/etl_server.cfg"), cfg.as_bytes());
        },
        &["etl_server.cfg does not execute gametimes.cfg; run install.sh"],
        |server| {
            let cfg = server.cfg().replace("// <<<", "exec gametimes.cfg\n// <<<");
            write(&server.base.join("etmain/etl_server.cfg"), cfg.as_bytes());
        },
    );
    one_problem(
        |server| {
            let config =
                b"setl lua_modules \"stats_discord_webhook.lua luascripts/gametimes.lua\"\n";
            write(&server.base.join("legacy/configs/x.config"), config);
        },
        &[
            "stats_discord_webhook.lua in",
            "x.config",
            "run install.sh",
            "posted twice",
        ],
        install,
    );
}

#[test]
fn messages_that_wait_are_counted_also_by_uninstall() {
    let queued = "gametimes/outbox/127.0.0.1_27960/queue/1-a.msg";
    one_problem(
        |server| {
            write(&server.game(queued), b"x");
            write(&server.game("gametimes/outbox/lua/1.a.curl"), b"x");
            write(&server.game("gametimes/outbox/lua/send.sh"), b"x");
            write(
                &server.game("gametimes/outbox/127.0.0.1_27960/dropped/1-b"),
                b"x",
            );
        },
        &[
            "2 messages wait in",
            "gametimes/outbox",
            "troubleshooting.md",
        ],
        |server| {
            let said = server.run(&["--uninstall"]);
            assert!(said.contains("2 messages that were not sent yet"), "{said}");
            assert!(server.game(queued).exists());
            server.run(&[]);
            fs::remove_file(server.game(queued)).unwrap();
            let said = server.fails(&["--check"]);
            assert!(said.contains("1 message waits in"), "{said}");
            fs::remove_file(server.game("gametimes/outbox/lua/1.a.curl")).unwrap();
        },
    );
}

/// Whatever it was installed with.
#[test]
fn uninstall_understands_the_options_of_the_installation() {
    for options in [
        &["--no-module"][..],
        &["--no-script", "--yes"],
        &["--cfg", "CFG", "--game", "legacy"],
        &["--start-script", "START", "--keep-old"],
    ] {
        let server = TestServer::new("base", "home");
        let cfg = server.base.join("etmain/mine.cfg");
        write(&cfg, b"map oasis");
        let start = server.dir.path().join("start.sh");
        let line = "./etlded +set fs_homepath 'HOME' +exec mine.cfg\n";
        let line = line.replace("HOME", server.home.to_str().unwrap());
        write(&start, line.as_bytes());
        let before = server.tree();
        let given: Vec<&str> = options
            .iter()
            .map(|option| match *option {
                "CFG" => cfg.to_str().unwrap(),
                "START" => start.to_str().unwrap(),
                option => option,
            })
            .collect();
        server.run(&given);
        let used = text(&cfg).contains("exec gametimes.cfg");
        assert_eq!(used, options.iter().any(|o| *o == "CFG" || *o == "START"));
        server.run(&[&["--uninstall"], &given[..]].concat());
        // Also if its cfg is gone.
        server.run(&["--uninstall", "--cfg", "/nonesuch.cfg"]);
        assert_eq!(server.tree(), before, "{options:?}");
    }
}
