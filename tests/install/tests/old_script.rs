//! install.sh takes over from stats_discord_webhook.lua: its webhooks, and its place in lua_modules.

use std::fs;

use gametimes_install_tests::{SCRIPT, TestServer, WEBHOOK, text, write};

const CFG: &str = "etmain/etl_server.cfg";

/// A server that loads the old script.
fn server(cfg: &str) -> TestServer {
    let server = TestServer::new("base", "home");
    fs::remove_file(server.webhook_cfg()).unwrap();
    write(&server.base.join(CFG), cfg.as_bytes());
    server
}

fn second() -> String {
    WEBHOOK.replace("1234567890", "99")
}

/// The script as communities have it: the URL of the examples is in comments.
fn script(setting: &str) -> String {
    format!(
        "--[[\n    Format: https://discord.com/api/webhooks/11/comment\n]]--\n\
         local configuration = {{\n    -- discord_webhook_url = \"https://discord.com/api/webhooks/12/comment\",\n    {setting}\n}}\n\
         -- return {{ discord_webhook_urls = {{ 'https://discord.com/api/webhooks/13/comment' }} }}\n\
         local site = \"https://example.com/\" --[==[ 'https://discord.com/api/webhooks/14/x' ]==]\nlocal content = 'STATS_READY'\n"
    )
}

fn webhooks(server: &TestServer) -> Vec<String> {
    let Ok(file) = fs::read_to_string(server.game("webhooks.txt")) else {
        return Vec::new();
    };
    let urls = file.lines().filter(|line| !line.starts_with('#'));
    urls.map(str::to_owned).collect()
}

#[test]
fn webhooks_of_the_old_script_are_taken_over() {
    let single = format!("discord_webhook_url = \"{WEBHOOK}\",");
    let list = format!(
        "discord_webhook_url = \"https://discord.com/api/webhooks/5/unused\",\r\n discord_webhook_urls = {{\r\n  '{WEBHOOK}',\r\n  \"{}\" }}",
        second()
    );
    let none =
        "discord_webhook_url = \"REPLACE_WITH_YOUR_WEBHOOK_URL\",\n discord_webhook_urls = {},";
    let config = "luascripts/stats_discord_webhook_config.lua";
    let name = "luascripts/stats_discord_webhook.lua";
    // Where the script is, what it sets, and its configuration file.
    for (file, setting, config, expected) in [
        (format!("home/legacy/{name}"), single.as_str(), None, 1),
        (format!("base/legacy/{name}"), &list, None, 2),
        (format!("base/etmain/{name}"), none, None, 0),
        (
            format!("base/legacy/{name}"),
            none,
            Some((
                format!("home/legacy/{config}"),
                format!("return {{ {single} }}"),
            )),
            1,
        ),
        // The configuration file counts more than the script.
        (
            format!("base/legacy/{name}"),
            "discord_webhook_url = \"https://discord.com/api/webhooks/5/unused\",",
            Some((
                format!("base/legacy/{config}"),
                format!("return {{ {list} }}"),
            )),
            2,
        ),
    ] {
        let server = server(
            "set lua_modules \"c0rnp0rn8.lua luascripts/stats_discord_webhook.lua, luascripts/live_events.lua\"\nmap oasis\n",
        );
        let root = server.base.parent().unwrap();
        write(&root.join(&file), script(setting).as_bytes());
        if let Some((path, content)) = &config {
            write(&root.join(path), content.as_bytes());
        }
        let before = server.tree();
        let said = server.run(&[]);
        let all = [WEBHOOK.to_owned(), second()];
        assert_eq!(webhooks(&server), all[..expected], "{file} {said}");
        assert_eq!(said.contains("has no webhook"), expected == 0, "{said}");
        assert!(!said.contains("Secret"), "{said}");
        assert!(
            server.cfg().starts_with("// >>>")
                && server.cfg().contains(
                    "set lua_modules \"c0rnp0rn8.lua, luascripts/live_events.lua luascripts/gametimes.lua\"\n"
                ),
            "{}",
            server.cfg()
        );
        if expected > 0 {
            server.run(&["--check"]);
        }
        let installed = server.tree();
        assert!(server.run(&[]).contains("nothing to do"));
        assert_eq!(server.tree(), installed);
        server.run(&["--uninstall"]);
        assert_eq!(server.tree(), before);
    }
}

/// The game appends .lua to a name.
#[test]
fn old_script_is_replaced_wherever_it_is_loaded() {
    let server = server("set lua_modules stats_discord_webhook\r\nset g_x 1\r\nmap oasis");
    for (file, content) in [
        (
            "legacy/configs/six.config",
            "init\n{\n\tsetl lua_modules \"luascripts/hook.lua;luascripts/combinedfixes.lua\"\n}\n",
        ),
        (
            "legacy/configs/three.config",
            "\tsetl lua_modules \"luascripts/combinedfixes.lua\"\n",
        ),
        (
            "legacy/configs/one.config",
            "\tsetl lua_modules \"stats_discord_webhook.lua\"",
        ),
    ] {
        write(&server.base.join(file), content.as_bytes());
    }
    let old = script(&format!("discord_webhook_url = \"{WEBHOOK}\""));
    for file in ["stats_discord_webhook.lua", "luascripts/hook.lua"] {
        write(&server.game(file), old.as_bytes());
    }
    let before = server.tree();
    server.run(&[]);
    let config = |name: &str| text(&server.base.join("legacy/configs").join(name));
    assert!(
        server
            .cfg()
            .contains("set lua_modules \"luascripts/gametimes.lua\"\r\n")
    );
    assert!(config("six.config").contains(
        "\tsetl lua_modules \"luascripts/combinedfixes.lua luascripts/gametimes.lua\"\n"
    ));
    assert!(config("three.config").contains("combinedfixes.lua luascripts/gametimes.lua\""));
    assert!(config("one.config").contains("lua_modules \"luascripts/gametimes.lua\""));
    assert_eq!(webhooks(&server), [WEBHOOK]);
    server.run(&["--check"]);
    server.run(&["--uninstall"]);
    assert_eq!(server.tree(), before);
}

#[test]
fn old_script_is_replaced_in_the_module_list_file() {
    let server = server("set g_luaModuleList \"modules.txt\"\nmap oasis\n");
    let list = "c0rnp0rn8.lua\r\nluascripts/stats_discord_webhook.lua\r\n";
    write(&server.game("modules.txt"), list.as_bytes());
    write(
        &server
            .base
            .join("legacy/luascripts/stats_discord_webhook.lua"),
        script(&format!("discord_webhook_url = '{WEBHOOK}'")).as_bytes(),
    );
    let before = server.tree();
    let said = server.fails(&["--check"]);
    assert!(
        said.contains("stats_discord_webhook.lua in")
            && said.contains("modules.txt is the script that gametimes replaces; run install.sh"),
        "{said}"
    );
    server.run(&[]);
    assert_eq!(
        text(&server.game("modules.txt")),
        format!("c0rnp0rn8.lua\r\n{SCRIPT}\n")
    );
    server.run(&["--check"]);
    server.run(&["--uninstall"]);
    assert_eq!(server.tree(), before);
}

#[test]
fn old_script_is_kept_if_that_is_asked_for() {
    let server = server("set lua_modules \"stats_discord_webhook.lua\"\nmap oasis\n");
    write(
        &server.game("stats_discord_webhook.lua"),
        script(&format!("discord_webhook_url = \"{WEBHOOK}\"")).as_bytes(),
    );
    let said = server.run(&["--keep-old"]);
    assert!(said.contains("stays (--keep-old)"), "{said}");
    assert!(
        server
            .cfg()
            .contains("\"stats_discord_webhook.lua luascripts/gametimes.lua\"")
    );
    assert_eq!(webhooks(&server), Vec::<String>::new());
    let said = server.fails(&["--check"]);
    assert!(
        said.contains("run install.sh") && said.contains("posted twice"),
        "{said}"
    );
}

#[test]
fn script_that_only_looks_like_the_old_one_is_reported_and_stays() {
    let server = server("set lua_modules \"luascripts/mine.lua luascripts/old/gametimes.lua\"\n");
    write(
        &server.game("luascripts/mine.lua"),
        b"if text == 'STATS_READY' then\n",
    );
    let package = server.package().join("fallback-lua/gametimes.lua");
    write(
        &server.game("luascripts/old/gametimes.lua"),
        &fs::read(package).unwrap(),
    );
    let installed = server.run(&[]);
    assert!(
        server.cfg().contains(
            "\"luascripts/mine.lua luascripts/old/gametimes.lua luascripts/gametimes.lua\""
        )
    );
    for said in [installed, server.fails(&["--check"])] {
        for what in [
            "luascripts/mine.lua in",
            "posts the same messages",
            "luascripts/old/gametimes.lua in",
            "another copy of the gametimes script",
        ] {
            assert!(said.contains(what), "{what}: {said}");
        }
    }
}

/// The admin's changes stay, and the old script comes back.
#[test]
fn old_script_comes_back_in_a_cfg_that_was_changed_since() {
    let server = server("set lua_modules \"a.lua stats_discord_webhook.lua, b.lua\"\nmap oasis\n");
    server.run(&["--webhook", WEBHOOK]);
    let changed = server.cfg().replace("map oasis", "map radar");
    write(&server.base.join(CFG), changed.as_bytes());
    server.run(&["--uninstall"]);
    assert_eq!(
        server.cfg(),
        "set lua_modules \"a.lua, b.lua stats_discord_webhook.lua\"\nmap radar\n"
    );
}

#[test]
fn old_script_on_the_command_line_is_reported() {
    let server = server("map oasis\n");
    let home = server.home.to_str().unwrap().to_owned();
    let _running = server.start(
        &server.base.join("etlded"),
        &server.base,
        &[
            "+set",
            "fs_homepath",
            &home,
            "+set",
            "lua_modules",
            "stats_discord_webhook.lua",
            "+exec",
            "etl_server.cfg",
        ],
    );
    let said = server.run(&[]);
    assert!(
        said.contains("TO DO: stats_discord_webhook.lua in the command line"),
        "{said}"
    );
}

/// With the old script a value can be as long as the game allows: ours is shorter, and fits in its place.
#[test]
fn replacing_the_old_script_never_makes_the_value_too_long() {
    for (name, fits) in [
        ("stats_discord_webhook.lua", true),
        ("stats_discord_webhook", false),
    ] {
        let list = format!("{} {name}", "x".repeat(254 - name.len()));
        assert_eq!(list.len(), 255);
        let line = format!("set lua_modules \"{list}\"\n");
        let server = server(&line);
        let said = server.run(&[]);
        let cfg = server.cfg();
        assert_eq!(cfg.contains(&line), !fits, "{said}");
        assert_eq!(cfg.contains(" luascripts/gametimes.lua\""), fits, "{cfg}");
        assert_eq!(said.contains("posted twice"), !fits, "{said}");
        let value = cfg.lines().find(|line| line.contains("xxx")).unwrap();
        assert!(value.len() <= "set lua_modules \"\"".len() + 255, "{value}");
    }
}
