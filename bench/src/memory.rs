//! The memory that the module needs in addition to the game.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use gametimes_standin::{Fight, GAME};

use crate::server::{fight, timed_frames};

/// The argument with which the benchmark starts itself, to measure in a separate process.
pub const FLAG: &str = "--memory-of";

/// Resident, anonymous and file-backed memory in KiB, and the number of threads.
type Figures = [i64; 4];

/// Prints the table. One process plays a round with the module, another the same round without it.
pub fn print(module: &Path) {
    let base = figures(Path::new(GAME));
    let with = figures(module);
    println!("## Memory that the module adds with 64 players, in KiB");
    println!();
    println!(
        "A webhook over TLS is set and never answers. At the end of the round, the message with its file of 500 deaths waits in memory."
    );
    println!();
    println!("| | resident | heap and stacks | mapped files | threads |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    for (n, when) in ["in play", "at the end of the round"]
        .into_iter()
        .enumerate()
    {
        let added: Figures = std::array::from_fn(|i| with[n][i] - base[n][i]);
        println!("| {when} | {} |", added.map(|n| n.to_string()).join(" | "));
    }
    println!();
    size(module);
}

/// Runs [`measure`] in a separate process and returns its figures.
fn figures(module: &Path) -> [Figures; 2] {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .arg(FLAG)
        .arg(module)
        .output()
        .expect("this program runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines().map(|line| {
        let numbers = line.split_whitespace().map(str::parse::<i64>);
        let numbers: Vec<i64> = numbers.map(|n| n.expect("a number")).collect();
        Figures::try_from(numbers).expect("four numbers")
    });
    std::array::from_fn(|_| lines.next().expect("two lines"))
}

/// Plays a fight until its end and prints this process's memory in the middle and at the end.
pub fn measure(module: &Path) {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let url = format!(
        "https://{}/api/webhooks/1/x",
        silent.local_addr().expect("its address")
    );
    let home = tempfile::tempdir().expect("a temporary folder");
    let cvars = [("gametimes_webhook_url", url.as_str())];
    let ending = Fight {
        last_frame: Some(2000),
        ..Fight::new(64)
    };
    let mut server = fight(module, home.path(), &ending, &cvars);
    timed_frames(&mut server, 1, 1900);
    say_memory(Duration::from_secs(2));
    timed_frames(&mut server, 1901, 200);
    // Longer than a round waits for its stats file.
    say_memory(Duration::from_secs(7));
}

/// Lets the other threads finish their work, and prints a line of [`Figures`].
fn say_memory(after: Duration) {
    std::thread::sleep(after);
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let figure = |key: &str| {
        let line = status.lines().find(|l| l.starts_with(key));
        line.and_then(|l| l.split_whitespace().nth(1))
            .unwrap_or("0")
            .to_owned()
    };
    println!(
        "{}",
        ["VmRSS:", "RssAnon:", "RssFile:", "Threads:"]
            .map(figure)
            .join(" ")
    );
}

/// What `size` says of the module, in bytes.
fn size(module: &Path) {
    let Ok(output) = Command::new("size").arg(module).output() else {
        println!("`size` (Debian's binutils) is not installed.");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<&str> = text
        .lines()
        .nth(1)
        .unwrap_or("")
        .split_whitespace()
        .collect();
    if let [text, data, bss, ..] = numbers.as_slice() {
        println!(
            "`size`: text {text}, data {data}, bss {bss} bytes. All tables of players have a fixed size."
        );
    }
}
