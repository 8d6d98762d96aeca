//! install.sh sets webhooks. A URL is a secret.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use gametimes_install_tests::{TestServer, WEBHOOK, fails, printed, succeeds, text, write};

/// A server without a webhook.
fn server() -> TestServer {
    let server = TestServer::new("base", "home");
    fs::remove_file(server.webhook_cfg()).unwrap();
    server
}

/// The URLs in the file of webhooks.
fn webhooks(server: &TestServer) -> Vec<String> {
    let file = text(&server.game("webhooks.txt"));
    let urls = file.lines().filter(|line| !line.starts_with('#'));
    urls.map(str::to_owned).collect()
}

/// install.sh with this text on its standard input.
fn with_input(server: &TestServer, args: &[&str], input: &[u8]) -> String {
    let mut child = server
        .command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    printed(&output)
}

#[test]
fn webhook_is_written_to_a_file_that_only_the_server_reads() {
    let server = server();
    let before = server.tree();
    let said = server.run(&[]);
    assert!(said.contains("TO DO: no webhook is set"), "{said}");
    assert!(server.fails(&["--check"]).contains("no webhook is set"));

    let planned = server.run(&["--dry-run", "--webhook", WEBHOOK]);
    assert!(planned.contains("would set 1 webhook"), "{planned}");
    assert!(!server.game("webhooks.txt").exists());
    let said = server.run(&["--webhook", WEBHOOK]);
    assert_eq!(webhooks(&server), [WEBHOOK]);
    let mode = fs::metadata(server.game("webhooks.txt"))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let cfg = text(&server.game("gametimes.cfg"));
    assert!(
        cfg.contains("set gametimes_webhook_file \"webhooks.txt\"\n"),
        "{cfg}"
    );
    let checked = server.run(&["--check"]);
    for args in [&["--webhook", WEBHOOK][..], &[]] {
        assert!(server.run(args).contains("nothing to do"));
    }
    // Another one is added.
    let second = WEBHOOK.replace("1234567890", "99");
    server.run(&["--webhook", &second, "--webhook", WEBHOOK]);
    assert_eq!(webhooks(&server), [WEBHOOK, &second]);
    let gone = server.run(&["--uninstall", "--webhook", WEBHOOK, "--yes"]);
    assert_eq!(server.tree(), before);
    for said in [said, checked, gone] {
        assert!(!said.contains("Secret"), "{said}");
    }
}

/// Every user of the host can see the arguments of a process.
#[test]
fn webhook_does_not_stay_in_the_process_list() {
    let server = server();
    let seen = server.dir.path().join("seen");
    let note = format!(
        "/bin/cat /proc/[0-9]*/cmdline /proc/$PPID/cmdline 2>/dev/null | /usr/bin/tr '\\0' ' ' >>'{}'\n",
        seen.display()
    );
    let mut path = String::new();
    for tool in ["mktemp", "awk", "sed", "grep", "cp", "mv", "cat"] {
        path = server.tool(tool, &format!("{note}exec /bin/{tool} \"$@\"\n"));
    }
    let webhook = WEBHOOK.replace("a-Secret", "only-in-this-test");
    let mut command = server.command(&["--webhook", &webhook]);
    succeeds(command.env("PATH", path));
    assert_eq!(webhooks(&server), [webhook]);
    let seen = String::from_utf8_lossy(&fs::read(seen).unwrap()).into_owned();
    assert!(seen.contains("install.sh"), "nothing was noted");
    assert!(!seen.contains("only-in-this-test"));
}

#[test]
fn webhooks_are_read_from_standard_input() {
    let server = server();
    let second = WEBHOOK.replace("1234567890", "99");
    let input = format!("\u{feff}# mine\r\n {WEBHOOK}  # one\r\n\r\n{second}");
    let said = with_input(&server, &["--webhook", "-"], input.as_bytes());
    assert_eq!(webhooks(&server), [WEBHOOK, &second], "{said}");
    server.run(&["--check"]);
}

#[test]
fn webhook_that_is_typed_is_not_shown() {
    let server = server();
    let install = format!(
        "sh '{}/install.sh' --homepath '{}' '{}'",
        server.package().display(),
        server.home.display(),
        server.base.display()
    );
    // The terminal stays open until install.sh has ended.
    let typed = format!(
        "mkfifo keys; {{ until [ -e asked ]; do sleep 0.05; done; printf '%s\\ny\\n' '{WEBHOOK}'; exec sleep 60; }} >keys &\n\
         script -qec \"{install}\" /dev/null <keys | while IFS= read -r -d '' -n 1 c; do printf '%s' \"$c\"; said=$said$c\n\
         case $said in *'none): '*) : >asked ;; esac; done; kill $!"
    );
    let mut command = Command::new("bash");
    command.args(["-c", &typed]).current_dir(server.dir.path());
    let said = printed(&command.output().unwrap());
    assert_eq!(webhooks(&server), [WEBHOOK], "{said}");
    assert!(
        said.contains("Shall I do this?") && !said.contains("Secret"),
        "{said}"
    );
}

#[test]
fn what_is_no_webhook_is_refused_without_showing_it() {
    let server = server();
    let before = server.tree();
    for (url, why) in [
        ("discord.com/api/webhooks/1/Secret", "https://"),
        ("http://discord.com/api/webhooks/1/Secret", "https://"),
        (
            "https://example.com/api/webhooks/1/Secret",
            "gametimes_webhook_hosts",
        ),
        ("https://discord.com/api/webhooks/Secret/x", "its path"),
        ("https://discord.com/api/webhooks/1/", "its path"),
        ("https://discord.com/channels/1/Secret", "its path"),
        ("https://discord.com", "no path"),
        ("https://u@discord.com/api/webhooks/1/Secret", "user name"),
        (
            "https://discord.com/api/webhooks/1/Secret\"x",
            "invalid characters",
        ),
        (
            "https://discord.com/api/webhooks/1/Secret`x`",
            "invalid characters",
        ),
        (
            "https://discord.com/api/webhooks/1/Secret\u{a0}",
            "invalid characters",
        ),
    ] {
        let said = server.fails(&["--webhook", url]);
        assert!(said.contains(why), "{url}: {said}");
        assert!(!said.contains("Secret"), "{said}");
        assert_eq!(server.tree(), before);
    }
    for url in [
        "https://discord.com/api/v10/webhooks/1/a?thread_id=5",
        "https://PTB.discord.com/api/webhooks/1/a/",
        "http://127.0.0.1:8080/x",
        "http://localhost/x",
        "http://[::1]:80/x",
    ] {
        server.run(&["--dry-run", "--webhook", url]);
    }
    // A host that the settings allow.
    write(
        &server.webhook_cfg(),
        b"set gametimes_webhook_hosts \"a.example Hooks.example.org\"\n",
    );
    server.run(&["--webhook", "https://hooks.example.org/x"]);
    server.run(&["--check"]);
    // An option that does not exist, and a URL without its option.
    let said = server.fails(&["--webhok=https://discord.com/Secret"]);
    assert!(!said.contains("Secret"), "{said}");
    let said = fails(
        Command::new("sh")
            .arg(server.package().join("install.sh"))
            .arg(WEBHOOK),
    );
    assert!(
        said.contains("needs --webhook") && !said.contains("Secret"),
        "{said}"
    );
}

#[test]
fn file_of_webhooks_that_the_admin_wrote_is_used_and_kept() {
    let server = server();
    let second = WEBHOOK.replace("1234567890", "99");
    let own = format!("# ours\r\n{WEBHOOK}");
    write(&server.game("webhooks.txt"), own.as_bytes());
    let before = server.tree();
    server.run(&[]);
    let said = server.fails(&["--check"]);
    assert!(said.contains("run chmod 600"), "{said}");
    fs::set_permissions(
        server.game("webhooks.txt"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    server.run(&["--check"]);
    server.run(&["--webhook", &second]);
    let file = text(&server.game("webhooks.txt"));
    assert_eq!(file, format!("{own}\n{second}\n"));
    server.run(&["--uninstall"]);
    fs::set_permissions(
        server.game("webhooks.txt"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    assert_eq!(server.tree(), before);
}
