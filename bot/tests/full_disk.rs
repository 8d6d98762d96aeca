//! A disk that is really full: a small tmpfs that is filled and freed again.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use gametimes_bot::Config;
use gametimes_bot::config::Folder;
use gametimes_test_support::bot::{get, wait_for, wait_for_rounds};
use gametimes_test_support::samples::native_files;

/// A file system of a few megabytes; unmounted at the end of the test.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Mounts one, or says why that is not possible here: it needs root, which a container may not give.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "gametimes-test"])
            .arg(folder.path())
            .output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(folder)),
            Ok(output) => {
                let why = String::from_utf8_lossy(&output.stderr);
                eprintln!("skipped: a tmpfs cannot be mounted: {why}");
                None
            }
            Err(error) => {
                eprintln!("skipped: mount cannot be run: {error}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn ballast(&self) -> std::path::PathBuf {
        self.path().join("ballast")
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut file = File::create(self.ballast()).unwrap();
        for size in [4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmount = Command::new("umount")
            .arg("--lazy")
            .arg(self.path())
            .status();
        drop(unmount);
    }
}

async fn health_is(url: &str, expected: (u16, &str)) {
    wait_for(&format!("health {expected:?}"), || async {
        let (status, body) = get(url).await;
        ((status, body["status"].as_str()?) == (expected.0, expected.1)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn full_disk_is_reported_and_storing_resumes_without_a_restart_once_it_has_space() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let inbox = tempfile::tempdir().unwrap();
    let mut config =
        Config::with_database(&format!("sqlite:{}", disk.path().join("bot.db").display()));
    config.poll = Duration::from_secs(1);
    config.folders = vec![Folder {
        path: inbox.path().to_owned(),
        server: String::new(),
    }];
    let bot = gametimes_bot::start(config).await.unwrap();
    let health = bot.url("/api/health");
    let place = format!("folder {}", inbox.path().display());
    let write = |tape: &str| {
        for (name, bytes) in native_files(tape) {
            std::fs::write(inbox.path().join(name), bytes).unwrap();
        }
    };
    // All of them: a stats file that is read last does not add a round.
    let all_are_read = async || {
        let written = std::fs::read_dir(inbox.path()).unwrap().count();
        wait_for("every file", || async {
            (bot.store.files_read(&place).await.unwrap().len() == written).then_some(())
        })
        .await;
    };
    write("stopwatch");
    let before = wait_for_rounds(&bot, 3).await.len();
    health_is(&health, (200, "ok")).await;

    for (round, tape) in (1..).zip(["surrender", "public40"]) {
        all_are_read().await;
        let read = bot.store.files_read(&place).await.unwrap().len();
        let stored = wait_for_rounds(&bot, before).await.len();
        disk.fill();
        write(tape);
        // Each attempt may use another connection of the pool.
        wait_for("more attempts than connections", || async {
            let database = bot.status.delivery().remove("database")?;
            (database.failed > 4 * round).then_some(())
        })
        .await;
        health_is(&health, (503, "degraded")).await;
        let (_, body) = get(&health).await;
        let reason = body["reason"].as_str().unwrap();
        assert!(reason.contains("does not store"), "{reason}");
        let shown = bot.status.delivery()["database"].last_error.clone();
        assert!(shown.unwrap().contains("full"));
        assert_eq!(bot.store.files_read(&place).await.unwrap().len(), read);
        disk.free();
        wait_for_rounds(&bot, stored + 1).await;
        health_is(&health, (200, "ok")).await;
        assert!(bot.store.files_read(&place).await.unwrap().len() > read);
        assert_eq!(bot.status.delivery()["database"].last_error, None);
    }
    bot.stop().await.unwrap();
}
