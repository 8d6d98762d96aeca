//! The memory that the module needs beside the bare game.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use gametimes_standin::GAME;

use crate::server::{fight, timed_frames};

/// What the benchmark calls itself with, to measure in a process of its own.
pub const FLAG: &str = "--memory-of";

/// Prints the table. Each line is a process of its own that plays a fight and its end.
pub fn print(module: &Path) {
    let base = figures(Path::new(GAME));
    let with = figures(module);
    println!("## Memory after a round of 64 players, in KiB");
    println!();
    println!(
        "One webhook over TLS is set and never answers, so the thread and the TLS settings of it are there."
    );
    println!();
    println!("| | resident | of it heap and stacks | of it mapped files | threads |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    let row = |f: [i64; 4]| f.map(|n| n.to_string()).join(" | ");
    println!("| without the module | {} |", row(base));
    println!("| with the module | {} |", row(with));
    let added: [i64; 4] = std::array::from_fn(|n| with[n] - base[n]);
    println!("| **added** | {} |", row(added));
    println!();
    size(module);
}

/// The figures of a process that does [`measure`].
fn figures(module: &Path) -> [i64; 4] {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .arg(FLAG)
        .arg(module)
        .output()
        .expect("this program runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<i64> = text
        .split_whitespace()
        .map(|n| n.parse().expect("a number"))
        .collect();
    numbers.try_into().expect("four numbers")
}

/// Plays a fight with its end and prints the process's memory: resident, anonymous, file (KiB), threads.
pub fn measure(module: &Path) {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let url = format!(
        "https://{}/api/webhooks/1/x",
        silent.local_addr().expect("its address")
    );
    let home = tempfile::tempdir().expect("a temporary folder");
    let cvars = [("gametimes_webhook_url", url.as_str())];
    let mut server = fight(module, home.path(), 64, 2000, &cvars);
    timed_frames(&mut server, 1, 2100);
    // The worker writes the round, and the webhook's thread begins to send it.
    std::thread::sleep(std::time::Duration::from_secs(7));
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let figure = |key: &str| {
        let line = status.lines().find(|l| l.starts_with(key));
        line.and_then(|l| l.split_whitespace().nth(1))
            .unwrap_or("0")
            .to_owned()
    };
    println!(
        "{} {} {} {}",
        figure("VmRSS:"),
        figure("RssAnon:"),
        figure("RssFile:"),
        figure("Threads:")
    );
}

/// What `size` says of the module, in bytes.
fn size(module: &Path) {
    let Ok(output) = Command::new("size").arg(module).output() else {
        println!("`size` (Debian's binutils) is not installed.");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some([text, data, bss, ..]) = text
        .lines()
        .nth(1)
        .map(|l| l.split_whitespace().collect::<Vec<_>>())
        .as_deref()
    {
        println!(
            "`size`: text {text}, data {data}, bss {bss} bytes. All tables of players are of fixed size."
        );
    }
}
