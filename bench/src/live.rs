//! What the live file costs: on the game's thread nothing, on the background threads a part of a core.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gametimes_standin::{Fight, GAME};
use gametimes_test_support::webhook::Webhook;

use crate::script::Script;
use crate::server::{fight, thread_cpu, timed_frames};
use crate::times::Times;

const PLAYERS: usize = 64;
/// The frames of one block, and how many blocks alternate.
const FRAMES: isize = 4000;
const BLOCKS: usize = 5;
/// Frames of a fight in real time, and the length of a frame.
const REALTIME_FRAMES: isize = 600;
const FRAME: Duration = Duration::from_millis(50);
/// The number of `GAME_SHUTDOWN`.
const SHUTDOWN: i32 = 1;
/// The script writes the file in every so many frames.
const SCRIPT_EVERY: usize = 40;

/// Prints the table.
pub fn print(module: &Path) {
    let receiver = Webhook::start([]);
    let url = receiver.url();
    let switches: [(&str, &[(&str, &str)]); 3] = [
        ("off", &[]),
        ("file", &[("gametimes_live", "1")]),
        (
            "file and posts",
            &[("gametimes_live", "1"), ("gametimes_live_url", &url)],
        ),
    ];
    println!("## The live file with 64 players");
    println!();
    println!(
        "A player dies every 0.2 s. Frames in nanoseconds, of the game's thread, with warm caches. CPU time of the module's background threads in {} s of play.",
        REALTIME_FRAMES / 20
    );
    println!();
    println!(
        "| `gametimes_live` | frame median | p99 | max | **worker, % of a core** | posts, % of a core |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    let mut frames: [Vec<Duration>; 3] = Default::default();
    let mut base = Vec::new();
    for _ in 0..BLOCKS {
        let home = tempfile::tempdir().expect("a temporary folder");
        base.extend(block(Path::new(GAME), &home.path().join("base"), &[]));
        for (n, (_, cvars)) in switches.iter().enumerate() {
            frames[n].extend(block(module, &home.path().join(n.to_string()), cvars));
        }
    }
    println!("| without the module | {} | | |", Times::new(base).row());
    for ((what, cvars), frames) in switches.iter().zip(frames) {
        let [worker, posts] = cpu_in_real_time(module, cvars);
        println!(
            "| {what} | {} | **{worker:.2}** | {posts:.2} |",
            Times::new(frames).row()
        );
    }
    println!();
    // The frames that write the file are the slowest.
    let mut frames = script_frames();
    frames.sort_unstable();
    let writes = frames.split_off(frames.len() - frames.len() / SCRIPT_EVERY);
    println!(
        "The script writes the file in a frame every two seconds. Such a frame takes (median, p99, max): {} ns.",
        Times::new(writes).row().replace(" | ", ", ")
    );
}

fn block(game: &Path, home: &Path, cvars: &[(&str, &str)]) -> Vec<Duration> {
    let mut server = fight(game, home, &Fight::new(PLAYERS), cvars);
    timed_frames(&mut server, 1, FRAMES / 4);
    let times = timed_frames(&mut server, FRAMES, FRAMES);
    server.bare_call(SHUTDOWN, 0);
    times
}

/// Frames of the script with its live file.
fn script_frames() -> Vec<Duration> {
    let plan = Fight::new(PLAYERS).plan();
    let mut script = Script::new(PLAYERS, "1");
    (0..FRAMES)
        .map(|_| thread_cpu(|| script.frame(&plan)))
        .collect()
}

/// Plays a fight in real time. Returns the part of a core that the worker and the thread of the posts take.
fn cpu_in_real_time(module: &Path, cvars: &[(&str, &str)]) -> [f64; 2] {
    let home = tempfile::tempdir().expect("a temporary folder");
    let earlier: Vec<PathBuf> = threads().collect();
    let mut server = fight(module, home.path(), &Fight::new(PLAYERS), cvars);
    let began = Instant::now();
    for n in 1..=REALTIME_FRAMES {
        server.frame(n * FRAME.as_millis() as isize);
        std::thread::sleep((began + FRAME * n as u32).saturating_duration_since(Instant::now()));
    }
    let elapsed = began.elapsed();
    let mut cpu = [Duration::ZERO; 2];
    for thread in threads().filter(|thread| !earlier.contains(thread)) {
        let read = |name: &str| std::fs::read_to_string(thread.join(name)).unwrap_or_default();
        let which = match read("comm").trim() {
            "gametimes" => 0,
            "gametimes-live" => 1,
            _ => continue,
        };
        // The first number of schedstat is the time on a core in nanoseconds.
        let schedstat = read("schedstat");
        let on_core = schedstat.split(' ').next().and_then(|n| n.parse().ok());
        cpu[which] += Duration::from_nanos(on_core.expect("the kernel counts"));
    }
    server.bare_call(SHUTDOWN, 0);
    cpu.map(|cpu| 100.0 * cpu.as_secs_f64() / elapsed.as_secs_f64())
}

/// The threads of this process.
fn threads() -> impl Iterator<Item = PathBuf> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("procfs");
    tasks.flatten().map(|task| task.path())
}
