//! Two install.sh at once, and an upgrade of the game in the middle: the stock game is never lost.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gametimes_install_tests::{MODULE, REAL, TestServer, elf, fails, module, printed, write};

/// The second install.sh has seen the stock game, and copies it only when the first one is done.
#[test]
fn two_installations_at_once_keep_the_stock_game() {
    for first in [&[][..], &["--uninstall"][..]] {
        let server = TestServer::new("server", "server");
        let stock = elf(62, "the stock game");
        if !first.is_empty() {
            server.run(&[]);
        }
        let seen = server.dir.path().join("seen");
        let go = server.dir.path().join("go");
        let wait = format!(
            "touch '{}'\nn=0\nwhile [ ! -e '{}' ] && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); done\nexec /bin/cp \"$@\"\n",
            seen.display(),
            go.display()
        );
        let path = server.tool("cp", &wait);
        let slow = server
            .command(first)
            .env("PATH", path)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while !seen.exists() {
            assert!(Instant::now() < until, "the slow install.sh copies nothing");
            std::thread::sleep(Duration::from_millis(10));
        }
        let quick = server
            .command(&[])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Time enough for the quick one, were it not for the lock.
        std::thread::sleep(Duration::from_secs(3));
        write(&go, b"");
        let said = [slow, quick].map(|child| {
            let output = child.wait_with_output().unwrap();
            (output.status.success(), printed(&output))
        });
        assert!(said.iter().all(|(success, _)| *success), "{said:?}");
        assert!(
            said[1].1.contains("waiting for another install.sh"),
            "{said:?}"
        );
        assert_eq!(fs::read(server.game(REAL)).unwrap(), stock, "{said:?}");
        assert_eq!(
            fs::read(server.game(MODULE)).unwrap(),
            module("1"),
            "{said:?}"
        );
        server.run(&["--check"]);
        server.run(&["--uninstall"]);
        assert_eq!(fs::read(server.game(MODULE)).unwrap(), stock);
    }
}

#[test]
fn twelve_installations_at_once_install_once() {
    let server = TestServer::new("server", "server");
    let go = server.dir.path().join("go");
    let all: Vec<_> = (0..12)
        .map(|_| {
            Command::new("sh")
                .arg("-c")
                .arg("go=$1; shift; until [ -e \"$go\" ]; do sleep 0.01; done; exec sh \"$@\"")
                .arg("sh")
                .arg(&go)
                .args(server.command(&[]).get_args())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    write(&go, b"");
    let said: Vec<String> = all
        .into_iter()
        .map(|child| printed(&child.wait_with_output().unwrap()))
        .collect();
    let idle = said.iter().filter(|s| s.contains("nothing to do")).count();
    assert_eq!(idle, 11, "{said:?}");
    assert_eq!(
        fs::read(server.game(REAL)).unwrap(),
        elf(62, "the stock game")
    );
    server.run(&["--check"]);
}

#[test]
fn game_that_an_upgrade_replaces_during_the_copy_is_kept() {
    // The upgrade writes the new game after the given number of copies.
    for after in 0..4 {
        let server = TestServer::new("server", "server");
        let target = server.game(MODULE);
        let newer = server.dir.path().join("newer");
        write(&newer, &elf(62, "a newer stock game"));
        let count = server.dir.path().join("count");
        write(&count, format!("{after}\n").as_bytes());
        // Only copies of the game count.
        let upgrade = format!(
            "/bin/cp \"$@\" || exit 1\ncase $1 in *\"{MODULE}\" | *qagame_real*) ;; *) exit 0 ;; esac\n\
             n=$(cat '{count}')\necho $((n - 1)) >'{count}'\n\
             if [ \"$n\" -eq 0 ]; then /bin/cp '{newer}' '{target}.new' && /bin/mv '{target}.new' '{target}'; fi\n",
            count = count.display(),
            newer = newer.display(),
            target = target.display()
        );
        let path = server.tool("cp", &upgrade);
        let output = server.command(&[]).env("PATH", path).output().unwrap();
        let games: Vec<_> = [MODULE, REAL]
            .iter()
            .filter_map(|file| fs::read(server.game(file)).ok())
            .collect();
        assert!(
            games
                .iter()
                .any(|g| !g.windows(9).any(|w| w == b"gametimes")),
            "no game is left after {after} copies: {}",
            printed(&output)
        );
        if after == 0 {
            assert!(!output.status.success(), "{}", printed(&output));
            assert!(
                printed(&output).contains("changed while"),
                "{}",
                printed(&output)
            );
            assert_eq!(games[0], elf(62, "a newer stock game"));
        }
        // The next run keeps the game that is there now.
        server.run(&[]);
        server.run(&["--check"]);
    }
}

#[test]
fn copy_of_the_stock_game_stays_and_restores_a_lost_one() {
    for args in [&[][..], &["--uninstall"][..]] {
        for lost in [true, false] {
            let server = TestServer::new("server", "server");
            let stock = elf(62, "the stock game");
            server.run(&[]);
            assert_eq!(server.stock_copies().len(), 1);
            // Lost, or replaced by the module, as two install.sh at once once did.
            if lost {
                fs::remove_file(server.game(REAL)).unwrap();
            } else {
                write(&server.game(REAL), &module("1"));
            }
            assert!(server.fails(&["--check"]).contains("cannot start"));
            let said = server.run(args);
            assert!(said.contains("restore the"), "{said}");
            if args.is_empty() {
                assert_eq!(fs::read(server.game(REAL)).unwrap(), stock);
                server.run(&["--check"]);
                server.run(&["--uninstall"]);
            }
            assert_eq!(fs::read(server.game(MODULE)).unwrap(), stock);
            assert!(!server.game(REAL).exists());
            let copies = server.stock_copies();
            assert_eq!(copies.len(), 1);
            assert_eq!(fs::read(&copies[0]).unwrap(), stock);
        }
    }
}

#[test]
fn damaged_copy_of_the_stock_game_is_not_used() {
    let server = TestServer::new("server", "server");
    server.run(&[]);
    fs::remove_file(server.game(REAL)).unwrap();
    let copies = server.stock_copies();
    assert_eq!(copies.len(), 1);
    write(&copies[0], &elf(62, "the st"));
    let before = server.tree();
    for args in [&[][..], &["--uninstall"][..]] {
        fails(&mut server.command(&[args, &["--no-script"]].concat()));
        assert_eq!(server.tree(), before);
    }
}
