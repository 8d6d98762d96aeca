//! The stand-in engine, ready to be measured.

use std::path::Path;
use std::time::{Duration, Instant};

use gametimes_standin::Server;

/// A server with a fight of this many players.
pub fn fight(
    game: &Path,
    home: &Path,
    players: usize,
    last_frame: isize,
    cvars: &[(&str, &str)],
) -> Server {
    let mut server = Server::new(game, home, &home.join("base")).expect("a folder for the server");
    cvars
        .iter()
        .for_each(|(name, value)| server.set_cvar(name, value));
    server.load().expect("the module loads");
    server.fight(players, last_frame);
    server
}

pub fn timed_frames(server: &mut Server, from: isize, count: isize) -> Vec<Duration> {
    (from..from + count)
        .map(|n| {
            let began = Instant::now();
            server.frame(n * 50);
            began.elapsed()
        })
        .collect()
}
