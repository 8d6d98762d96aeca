//! What the tests of several crates share.
//!
//! * [`game`]: a server that plays rounds through the built module, and the files it leaves behind.
//! * [`calls`]: the same server, call by call.
//! * [`figures`]: compares a file with what the game itself reported.
//! * [`live`]: compares snapshots of a server with its files.
//! * [`played`]: waves, classes and objectives as another program computed them from recorded matches.
//! * [`webhook`]: a webhook that answers as a test tells it to: well, badly, or not at all.
//! * [`postgres`] (feature `postgres`): a PostgreSQL cluster.
//! * [`samples`]: files that real servers wrote.
//! * [`season`] (feature `season`): the files of a made-up season of hundreds of evenings.
//! * [`bot`] (feature `bot`): a running bot, and real servers for it: PostgreSQL, OpenSSH, Chromium.
//!
//! [`gametimes_standin`] is the engine, `gametimes-discord-standin` is Discord, and `gametimes-lua-tests` is the game as
//! the fallback script sees it.

#![forbid(unsafe_code)]

#[cfg(feature = "bot")]
pub mod bot;
pub mod calls;
pub mod figures;
pub mod game;
pub mod live;
pub mod played;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod samples;
#[cfg(feature = "season")]
pub mod season;
pub mod webhook;

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Waits until a condition holds.
///
/// # Panics
/// After 60 seconds.
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "waited 60 s in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A port that is free now. It is below the range from which the system takes the ports of outgoing connections, so that
/// none of those takes it before the server does.
pub fn free_port() -> u16 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let number = std::process::id().wrapping_mul(16).wrapping_add(count);
        let port = 10_000 + (number % 20_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
