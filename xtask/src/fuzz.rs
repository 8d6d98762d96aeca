//! `cargo xtask fuzz`: runs the fuzz targets, one after the other or several at the same time.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::run::{cargo, root, run, side_by_side, target};

/// All targets; the crate `fuzz/checks` contains what each one checks.
const TARGETS: [&str; 9] = [
    "prints",
    "settings",
    "outbox",
    "boundary",
    "stats_file",
    "gametimes_file",
    "live_snapshot",
    "message",
    "http_parameters",
];
/// The interval between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(15);

/// Feeds damaged and generated input to everything that parses untrusted bytes, guided by code coverage. Needs cargo-fuzz and a
/// C++ compiler, but not nightly Rust.
#[derive(Debug, clap::Args)]
pub struct Fuzz {
    /// Runs all targets.
    #[arg(long, conflicts_with = "targets", required_unless_present = "targets")]
    all: bool,
    /// Duration of each target, in seconds.
    #[arg(long, default_value_t = 60, value_name = "N")]
    seconds: u64,
    /// How many targets run at the same time.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    jobs: u8,
    /// Targets to run.
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
        let targets = match self.all {
            true => TARGETS.map(str::to_owned).to_vec(),
            false => self.targets,
        };
        // All at once, because cargo builds one thing at a time.
        run(
            cargo(&["fuzz", "build", "--sanitizer", "none", "--target-dir"])
                .arg(target().join("fuzz"))
                .args(targets.iter().filter(|_| targets.len() == 1)),
        )?;
        let folder = folder_in_memory().map_err(|e| e.to_string())?;
        let results = side_by_side(self.jobs.into(), targets, |name| {
            fuzz(&name, self.seconds, folder.path())
        });
        let outcomes = results.into_iter().collect::<Result<Vec<_>, _>>()?;
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

/// Runs one target. What it writes to temporary files goes into `folder`.
fn fuzz(target_name: &str, seconds: u64, folder: &Path) -> Result<Outcome, String> {
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
        .env("TMPDIR", folder)
        .stderr(Stdio::piped());
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

/// A folder for temporary files, in memory if possible, because some of the targets write files all the time.
fn folder_in_memory() -> std::io::Result<TempDir> {
    match Path::new("/dev/shm") {
        memory if memory.is_dir() => tempfile::tempdir_in(memory),
        _ => tempfile::tempdir(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{TARGETS, root};

    #[test]
    fn every_target_has_a_program_seeds_and_a_line_in_the_docs() {
        let targets: BTreeSet<String> = TARGETS.map(str::to_owned).into();
        assert_eq!(targets.len(), TARGETS.len());
        let names = |folder: &str| -> BTreeSet<String> {
            let files = std::fs::read_dir(root().join("fuzz").join(folder)).unwrap();
            let names = files.map(|file| file.unwrap().path());
            let names = names.map(|path| path.file_stem().unwrap().to_owned());
            names.map(|name| name.into_string().unwrap()).collect()
        };
        assert_eq!(names("fuzz_targets"), targets);
        assert_eq!(names("seeds"), targets);
        let read = |file: &str| std::fs::read_to_string(root().join(file)).unwrap();
        let manifest = read("fuzz/Cargo.toml");
        let programs = manifest.split("[[bin]]").skip(1);
        let programs = programs.map(|text| text.split('"').nth(1).unwrap().to_owned());
        assert_eq!(programs.collect::<BTreeSet<_>>(), targets);
        let docs = read("docs/hardness.md");
        for column in ["| input |", "| executions |"] {
            let table = docs.split("\n\n").find(|part| {
                part.starts_with("| target |") && part.lines().next().unwrap().contains(column)
            });
            let lines = table.unwrap().lines().skip(2);
            let first_cells = lines.map(|line| line.split('|').nth(1).unwrap());
            let listed = first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
            let listed: BTreeSet<String> = listed.map(str::to_owned).collect();
            assert_eq!(listed, targets, "the table with {column}");
        }
    }
}
