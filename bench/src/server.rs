//! The stand-in engine, ready to be measured.

use std::path::Path;
use std::time::Duration;

use gametimes_standin::{Fight, Server};
use rustix::time::{ClockId, clock_gettime};

/// A server with a fight.
pub fn fight(game: &Path, home: &Path, fight: &Fight, cvars: &[(&str, &str)]) -> Server {
    let mut server = Server::new(game, home, &home.join("base")).expect("a folder for the server");
    cvars
        .iter()
        .for_each(|(name, value)| server.set_cvar(name, value));
    server.load().expect("the module loads");
    server.fight(fight);
    server
}

/// Plays frames and measures the CPU time of each.
pub fn timed_frames(server: &mut Server, from: isize, count: isize) -> Vec<Duration> {
    (from..from + count)
        .map(|n| thread_cpu(|| server.frame(n * 50)))
        .collect()
}

/// The CPU time that this thread takes for something. Other threads of the machine do not count.
pub fn thread_cpu(work: impl FnOnce()) -> Duration {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let began = now();
    work();
    now() - began
}
