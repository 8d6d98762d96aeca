//! The program itself: its arguments, its environment, what it prints and its exit codes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Output};

use gametimes_test_support::samples::samples;

/// The program with a database in this folder, and without settings of the tester's environment.
fn bot(folder: &tempfile::TempDir) -> Command {
    let mut bot = Command::new(env!("CARGO_BIN_EXE_gametimes-bot"));
    for (name, _) in std::env::vars_os() {
        if name.as_bytes().starts_with(b"GAMETIMES_") {
            bot.env_remove(name);
        }
    }
    let database = format!("sqlite:{}/bot.db", folder.path().display());
    bot.env("GAMETIMES_DATABASE_URL", database);
    bot.current_dir(folder.path());
    bot
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

const NOT_UTF8: &[u8] = b"very-secret\xff";

#[test]
fn environment_that_is_not_utf8_stops_the_bot_only_if_it_is_a_setting() {
    let folder = tempfile::tempdir().unwrap();
    let not_utf8 = OsStr::from_bytes(NOT_UTF8);
    let before = bot(&folder).arg("rounds").output().unwrap();
    let (_, err) = texts(&before);
    assert!(err.contains("bot.db: does not exist yet: "), "{err}");
    assert!(bot(&folder).arg("migrate").status().unwrap().success());
    let others = bot(&folder)
        .arg("rounds")
        .env("LC_NAME", not_utf8)
        .env(not_utf8, "x")
        .output()
        .unwrap();
    let (out, err) = texts(&others);
    assert!(others.status.success(), "{err}");
    assert!(out.starts_with("There are no rounds yet."), "{out}");
    for name in ["GAMETIMES_DISCORD_TOKEN", "GAMETIMES_LOG"] {
        let ours = bot(&folder).arg("rounds").env(name, not_utf8).output();
        let ours = ours.unwrap();
        let (_, err) = texts(&ours);
        assert_eq!(ours.status.code(), Some(2), "{err}");
        let expected = format!("{name}: is not valid UTF-8");
        assert!(err.contains(&expected), "{err}");
        assert!(!err.contains("very-secret"), "{err}");
    }
    // Paths may have any name.
    let settings = folder.path().join(not_utf8);
    std::fs::write(&settings, "nonsense = 1").unwrap();
    for set in [false, true] {
        let mut command = bot(&folder);
        if set {
            command.env("GAMETIMES_CONFIG", &settings);
        } else {
            command.arg("--config").arg(&settings);
        }
        let (_, err) = texts(&command.arg("rounds").output().unwrap());
        assert!(err.contains("nonsense: no such setting"), "{err}");
    }
    let mut picture = not_utf8.to_owned();
    picture.push(".svg");
    let output = bot(&folder)
        .args(["timeline", "1", "-o"])
        .arg(picture)
        .output();
    let (_, err) = texts(&output.unwrap());
    assert!(err.contains("there is no round 1"), "{err}");
}

#[test]
fn log_in_a_file_has_no_colour_codes() {
    let folder = tempfile::tempdir().unwrap();
    let output = bot(&folder)
        .arg("migrate")
        .env("GAMETIMES_LOG", "debug")
        .output();
    let (out, err) = texts(&output.unwrap());
    assert!(err.contains("INFO"), "{err}");
    assert!(!out.contains('\u{1b}') && !err.contains('\u{1b}'), "{err}");
}

#[test]
fn ingest_of_nothing_but_rejected_files_fails_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("gametime-x-R1-1795179043.json");
    std::fs::write(&bad, "{}").unwrap();
    let output = bot(&folder).arg("ingest").arg(&bad).output().unwrap();
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{out}{err}");
    assert!(
        out.starts_with("1 file: 0 new, 0 known, 1 rejected"),
        "{out}"
    );
    assert!(err.contains("nothing was stored: 1 file rejected"), "{err}");
    let mut ingest = bot(&folder);
    let output = ingest
        .arg("ingest")
        .arg(&bad)
        .arg(samples().join("gamestats"));
    let output = output.output().unwrap();
    let (out, err) = texts(&output);
    assert!(output.status.success(), "{out}{err}");
    assert!(out.contains("1 rejected"), "{out}");
}

#[test]
fn rounds_with_a_filter_that_nothing_matches_names_the_filter() {
    let folder = tempfile::tempdir().unwrap();
    let mut ingest = bot(&folder);
    let ingest = ingest.arg("ingest").arg(samples().join("gamestats"));
    assert!(ingest.status().unwrap().success());
    let rounds = |more: &[&str]| {
        let output = bot(&folder).arg("rounds").args(more).output().unwrap();
        texts(&output)
    };
    let (out, _) = rounds(&["--map", "nosuch"]);
    assert!(out.starts_with("No round matches --map nosuch;"), "{out}");
    assert!(!out.contains("doctor"), "{out}");
    let (out, _) = rounds(&["--map", "room1"]);
    assert!(out.contains("room1"), "{out}");
    let (out, err) = rounds(&["--limit", "0"]);
    assert!(
        out.is_empty() && err.contains("0 is not in 1.."),
        "{out}{err}"
    );
}

#[test]
fn database_that_cannot_be_opened_is_reported_in_words() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["rounds", "migrate", "doctor"] {
        let mut bot = bot(&folder);
        bot.arg(command).env("GAMETIMES_LISTEN", "127.0.0.1:0");
        bot.env("GAMETIMES_DATABASE_URL", "sqlite:missing/bot.db");
        let output = bot.output().unwrap();
        let (out, err) = texts(&output);
        let all = format!("{out}{err}");
        assert_eq!(output.status.code(), Some(1), "{all}");
        assert!(all.contains("missing/bot.db"), "{all}");
        assert!(!all.contains("code: 14"), "{all}");
    }
}
