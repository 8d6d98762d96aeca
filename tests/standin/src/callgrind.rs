//! Counts instructions of the game's thread with valgrind's callgrind. Unlike times, they depend neither on the machine nor on what
//! else it does.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{GAME_FILE, Server};

/// The counted frames of a fight: all players die and come back once.
pub const FRAMES: isize = 264;
/// Frames before them.
const WARM: isize = 300;
/// After this time the worker has logged the start of the round. The frames after it print these lines.
const WORKER_STARTS: Duration = Duration::from_secs(1);
/// The function in which callgrind counts, on the thread that calls it.
const TOGGLE: &str = "--toggle-collect=gametimes_standin::callgrind::counted_frames*";

/// Instructions in a server frame, rounded to tens: a few depend on the readings of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Everything on the game's thread.
    pub all: u64,
    /// What is executed in the module's own file. What it calls in libc depends on the processor.
    pub module: u64,
}

/// Plays a fight in a program under callgrind, and does something after each frame.
pub fn play(server: &mut Server, after: &mut dyn FnMut(&Server)) {
    let mut warm = |from: isize, to: isize| {
        for n in from..to {
            server.frame(n * 50);
            after(server);
        }
    };
    warm(1, WARM / 2);
    std::thread::sleep(WORKER_STARTS);
    warm(WARM / 2, WARM);
    counted_frames(server, after);
}

/// A function of its own, so that callgrind can count in it.
#[inline(never)]
fn counted_frames(server: &mut Server, after: &mut dyn FnMut(&Server)) {
    for n in WARM..WARM + FRAMES {
        server.frame(n * 50);
        after(server);
    }
}

/// Runs a program under callgrind that calls [`play`] with a server in the folder `home`.
///
/// # Errors
/// When valgrind is missing, or the program fails.
pub fn count(
    program: &Path,
    arguments: &[impl AsRef<OsStr>],
    home: &Path,
) -> Result<Counted, String> {
    let profile = home.join("callgrind.out");
    let output = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", "--dump-line=no", TOGGLE])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program)
        .args(arguments)
        .output()
        .map_err(|e| format!("valgrind: {e}"))?;
    if !output.status.success() {
        return Err(format!(
            "{} under callgrind: {}: {}",
            program.display(),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let text =
        std::fs::read_to_string(&profile).map_err(|e| format!("{}: {e}", profile.display()))?;
    let files = instructions(&text);
    let module = home.join("legacy").join(GAME_FILE);
    let a_frame = |all: u64| (all as f64 / FRAMES as f64 / 10.0).round() as u64 * 10;
    match files.values().sum() {
        0 => Err("callgrind has counted nothing: it did not find the function".to_owned()),
        all => Ok(Counted {
            all: a_frame(all),
            module: a_frame(files.get(&module).copied().unwrap_or(0)),
        }),
    }
}

/// The instructions in each file, by a profile of callgrind.
fn instructions(profile: &str) -> HashMap<PathBuf, u64> {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut files = HashMap::new();
    let mut file = "";
    let mut of_callee = false;
    for line in profile.lines() {
        let object = ["ob=", "cob="].map(|key| line.strip_prefix(key));
        if let Some(object) = object.into_iter().flatten().next() {
            // `(number) name` where the number is new, else `(number)`.
            let (number, name) = object.split_once(' ').unwrap_or((object, ""));
            if !name.is_empty() {
                names.insert(number, name);
            }
            if line.starts_with('o') {
                file = names.get(number).copied().unwrap_or("");
            }
        } else if line.starts_with("calls=") {
            of_callee = true; // the next line is the cost of what is called
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c))
            && !std::mem::take(&mut of_callee)
        {
            let cost = line.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok());
            *files.entry(PathBuf::from(file)).or_default() += cost.unwrap_or(0);
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_of_calls_are_not_counted_twice() {
        let profile = "events: Ir\n\nob=(1) /a.so\nfl=(1) a.c\nfn=(1) f\n0 100\ncob=(2) /b.so\ncfn=(2) g\n\
                       calls=3 0\n0 7000\n0 20\n\nob=(2)\nfn=(2)\n0 7000\n\nob=(1)\nfn=(3) h\n+0 3\n";
        let files = instructions(profile);
        assert_eq!(files[Path::new("/a.so")], 123);
        assert_eq!(files[Path::new("/b.so")], 7000);
    }
}
