//! The recorded matches with the module linked into this test instead of loaded, so that a sanitizer sees every access of
//! every thread. `cargo xtask sanitize` runs it under ThreadSanitizer.

use std::path::Path;
use std::time::Duration;

use gametimes::ffi;
use gametimes_standin::play::Player;
use gametimes_standin::{GAME, Server, recorded};
use gametimes_test_support::game::gametimes_files;
use gametimes_test_support::webhook::{Reply, Webhook};

/// One test only, because the linked module can serve only one server.
#[test]
fn all_matches_run_with_all_threads_active() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([
        Reply::Answer(500, "", ""),
        Reply::Slow(Duration::from_millis(300)),
        Reply::CutHeaders,
    ]);
    let other = Webhook::start([Reply::Answer(
        429,
        "",
        r#"{"retry_after":0.2,"global":true}"#,
    )]);
    let live = Webhook::start([Reply::status(500), Reply::Garbage]);
    let base = home.path().join("base");
    let mut server = Server::new(Path::new(GAME), home.path(), &base).unwrap();
    // SAFETY: the three functions are the module's.
    unsafe {
        server.link(
            ffi::dllEntry as *mut _,
            ffi::vmMain as *mut _,
            ffi::gametimes_set_wall_clock as *mut _,
        );
    }
    let urls = format!("{} {}", hook.url(), other.url());
    server.set_cvar("gametimes_webhook_url", urls);
    server.set_cvar("gametimes_min_seconds", "0");
    server.set_cvar("gametimes_live", "1");
    server.set_cvar("gametimes_live_url", live.url());
    let mut rounds = 0;
    for name in recorded::NAMES {
        let tape = recorded::tape(name).unwrap();
        let mut player = Player::new(&tape, false);
        let mut calls = 0;
        while player.step(&mut server, |_| calls += 1).unwrap() {
            if calls % 1000 == 0 {
                server.console_command("gametimes status");
            }
        }
        rounds += recorded::expected(name).len();
    }
    let console = server.take_console();
    assert!(!console.contains("internal error"), "{console}");
    assert_eq!(gametimes_files(home.path()).len(), rounds);
    hook.wait(1);
    other.wait(1);
    // How many snapshots are posted depends on the time, in which the matches are played as fast as possible.
    live.wait(1);
}
