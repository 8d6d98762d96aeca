//! A full disk: the game continues, the log reports it, and the files are written once there is space.

use gametimes_format::live::State;
use gametimes_test_support::game::{Match, gametimes_files, outbox};
use gametimes_test_support::live::wait_for_snapshot;
use gametimes_test_support::webhook::Webhook;

/// From now on no file of this process can grow beyond this size, as on a full disk.
fn limit_files(bytes: u64) {
    // SAFETY: sets a limit of this process; the signal that comes with it is ignored.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit), 0);
        limit.rlim_cur = bytes;
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit), 0);
    }
}

/// One test only, because the limit holds for the whole process.
#[test]
fn full_disk_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([]);
    let mut game = Match::new(
        home.path(),
        &[
            ("gametimes_webhook_url", &hook.url()),
            ("gametimes_live", "1"),
        ],
    );
    game.start();
    limit_files(1);
    game.frame(5000, []);
    game.finish();
    let console = game.stop();
    limit_files(libc::RLIM_INFINITY);
    assert!(
        console.contains("the journal cannot be written"),
        "{console}"
    );
    assert!(
        console.contains("it is kept in memory and written later"),
        "{console}"
    );
    assert_eq!(console.matches("the live file").count(), 1, "{console}");
    assert!(
        gametimes_files(home.path()).is_empty(),
        "nothing is half-written"
    );
    assert!(outbox(home.path(), "queue").is_empty());

    game.start(); // the server continues
    game.console_with("file written");
    hook.wait(1);
    wait_for_snapshot(home.path(), |s| s.state == State::Playing);
    let files = gametimes_files(home.path());
    assert_eq!(files.len(), 1);
    assert_eq!(hook.accepted(), [files[0].meta.event_id.as_str()]);

    // Writing the old round late did not touch the journal of the current map: a crash would lose nothing of it.
    let instance = home.path().join("legacy/gametimes/outbox/127.0.0.1_27960");
    let journal = std::fs::read_to_string(instance.join("round.journal")).unwrap();
    let head = journal.lines().next().unwrap();
    assert!(!head.contains(&files[0].meta.event_id), "{head}");
    assert!(!journal.contains("queued"), "{journal}");
    game.stop();
}
