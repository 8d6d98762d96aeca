//! `gametimes-bot backup` and `gametimes-bot service`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use gametimes_bot::db::Db;
use gametimes_test_support::bot::databases::dump;
use gametimes_test_support::bot::items::everything;
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::bot::{config_in, open};

fn bot(args: &[&str], url: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gametimes-bot"))
        .args(args)
        .env("GAMETIMES_DATABASE_URL", url)
        .output()
        .unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A database with all samples, still open.
async fn filled(url: &str) -> Db {
    let db = open(url).await;
    db.ingest(&everything()).await.unwrap();
    db
}

/// Makes a backup of an open database, and checks who may read it.
fn back_up(url: &str, file: &Path) {
    let output = bot(&["backup", file.to_str().unwrap()], url);
    assert!(output.status.success(), "{}", errors(&output));
    let mode = std::fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = bot(&["backup", file.to_str().unwrap()], url);
    assert!(
        errors(&again).contains("exists already"),
        "{}",
        errors(&again)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_sqlite_is_the_database_of_that_moment() {
    let folder = tempfile::tempdir().unwrap();
    let config = config_in(&folder);
    let db = filled(config.database_url.reveal()).await;
    let expected = dump(&db).await;
    let copy = folder.path().join("copy.db");
    back_up(config.database_url.reveal(), &copy);
    let copy = open(&format!("sqlite:{}", copy.display())).await;
    assert_eq!(dump(&copy).await, expected);
    assert!(expected.contains("room2"), "no samples: {expected}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_postgresql_can_be_restored() {
    let cluster = Cluster::shared();
    let folder = tempfile::tempdir().unwrap();
    let url = cluster.database();
    let db = filled(&url).await;
    let expected = dump(&db).await;
    let copy = folder.path().join("copy.dump");
    back_up(&url, &copy);
    let restored = cluster.database();
    let name = restored.rsplit_once('/').unwrap().1;
    let name = name.split_once('?').unwrap().0;
    let output = Command::new("pg_restore")
        .args([
            "--no-owner",
            "--exit-on-error",
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
        ])
        .args(["-p", &cluster.port().to_string(), "-d", name])
        .arg(&copy)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(dump(&open(&restored).await).await, expected);
}

#[test]
fn a_backup_that_fails_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    for url in [
        format!("sqlite:{}/missing.db", folder.path().display()),
        "postgres://bot:very-secret@127.0.0.1:1/stats".to_owned(),
    ] {
        let output = bot(&["backup", copy.to_str().unwrap()], &url);
        assert!(!output.status.success());
        assert!(!errors(&output).contains("very-secret"));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{url}");
    }
}

#[test]
fn the_service_is_one_that_systemd_accepts() {
    let folder = tempfile::Builder::new().prefix("a b%c").tempdir().unwrap();
    let settings = folder.path().join("gametimes-bot.toml");
    std::fs::write(&settings, "").unwrap();
    let args = [
        "--config",
        settings.to_str().unwrap(),
        "service",
        "install",
        "--print",
    ];
    let output = bot(&args, "sqlite:unused.db");
    assert!(output.status.success(), "{}", errors(&output));
    let unit = String::from_utf8(output.stdout).unwrap();
    assert!(unit.contains("a b%%c"), "{unit}");
    let file = folder.path().join("gametimes-bot.service");
    std::fs::write(&file, &unit).unwrap();
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .arg(&file)
        .output()
        .expect("systemd-analyze is missing: install the Debian package `systemd` (apt-get install systemd)");
    assert!(verified.status.success(), "{}", errors(&verified));
    assert_eq!(errors(&verified), "");
    let rated = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold=25"])
        .arg(&file)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&rated.stdout);
    assert!(rated.status.success(), "the exposure is above 2.5:\n{text}");
}
