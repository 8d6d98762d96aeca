//! `cargo xtask fuzz`: runs the fuzz targets one after the other.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::run::{cargo, root, target};

/// All targets; the crate `fuzz/checks` contains what each one checks.
const TARGETS: [&str; 8] = [
    "prints",
    "settings",
    "outbox",
    "boundary",
    "stats_file",
    "gametimes_file",
    "live_snapshot",
    "message",
];
/// The interval between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(15);

/// Feeds damaged and generated input to everything that parses untrusted bytes, guided by code coverage. Needs cargo-fuzz and a
/// C++ compiler, but not nightly Rust.
#[derive(Debug, clap::Args)]
pub struct Fuzz {
    /// Duration of each target, in seconds.
    #[arg(long, default_value_t = 60, value_name = "N")]
    seconds: u64,
    /// Targets to run; all if none is given.
    #[arg(value_parser = TARGETS)]
    targets: Vec<String>,
}

/// The result of one target.
struct Outcome {
    target: String,
    executions: u64,
    seconds: u64,
    crashed: bool,
}

impl Fuzz {
    pub fn run(self) -> Result<(), String> {
        let installed = cargo(&["fuzz", "--version"]).output();
        if !installed.is_ok_and(|o| o.status.success()) {
            return Err(
                "cargo-fuzz is not installed; run:\n  cargo install --locked cargo-fuzz".to_owned(),
            );
        }
        let targets = match self.targets.is_empty() {
            true => TARGETS.map(str::to_owned).to_vec(),
            false => self.targets,
        };
        let mut outcomes = Vec::new();
        for target in &targets {
            outcomes.push(fuzz(target, self.seconds)?);
        }
        println!("\n| target | executions | seconds | result |\n| --- | ---: | ---: | --- |");
        for o in &outcomes {
            let result = if o.crashed { "CRASHED" } else { "no crash" };
            println!(
                "| {} | {} | {} | {result} |",
                o.target, o.executions, o.seconds
            );
        }
        let crashed = outcomes.iter().filter(|o| o.crashed).count();
        match crashed {
            0 => Ok(()),
            1 => Err("1 target crashed; its input is in fuzz/artifacts/".to_owned()),
            n => Err(format!(
                "{n} targets crashed; their inputs are in fuzz/artifacts/"
            )),
        }
    }
}

fn fuzz(target_name: &str, seconds: u64) -> Result<Outcome, String> {
    eprintln!("fuzz {target_name}: building");
    let corpus = target().join("fuzz/corpus").join(target_name);
    std::fs::create_dir_all(&corpus).map_err(|e| format!("{}: {e}", corpus.display()))?;
    let mut command = cargo(&["fuzz", "run", "--sanitizer", "none", "--target-dir"]);
    command
        .arg(target().join("fuzz"))
        .arg(target_name)
        .arg(&corpus)
        .arg(root().join("fuzz/seeds").join(target_name))
        .args(["--", "-print_final_stats=1", "-timeout=60"])
        .arg(format!("-max_total_time={seconds}"))
        .stderr(Stdio::piped());
    use_memory_for_temporary_files(&mut command);
    let mut child = command.spawn().map_err(|e| e.to_string())?;
    let mut began = None::<Instant>;
    let mut shown = None::<Instant>;
    let mut executions = 0;
    for line in BufReader::new(child.stderr.take().expect("piped")).lines() {
        let Ok(line) = line else { continue };
        if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
            executions = count.trim().parse().unwrap_or(0);
        } else if line.starts_with("stat::") {
        } else if line.starts_with("INFO:") {
            began.get_or_insert_with(Instant::now);
        } else if line.starts_with('#') {
            let seconds = began.map_or(0, |began| began.elapsed().as_secs());
            if shown.is_none_or(|at| at.elapsed() >= PROGRESS_EVERY) {
                shown = Some(Instant::now());
                eprintln!("fuzz {target_name}: {seconds:4} s {}", line.trim());
            }
        } else if began.is_some()
            || line.starts_with("error")
            || line.contains("Compiling gametimes")
        {
            // Show a crash or a failed build completely.
            eprintln!("{line}");
        }
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    let Some(began) = began else {
        return Err(format!(
            "{target_name} could not be built or started: {status}"
        ));
    };
    Ok(Outcome {
        target: target_name.to_owned(),
        executions,
        seconds: began.elapsed().as_secs(),
        crashed: !status.success(),
    })
}

/// Puts temporary folders in memory if possible, because two of the targets write files all the time.
fn use_memory_for_temporary_files(command: &mut Command) {
    if Path::new("/dev/shm").is_dir() {
        command.env("TMPDIR", "/dev/shm");
    }
}
