//! Builds the test programs of the workspace and runs several at a time. `cargo test` runs them one by one, and most of them wait for
//! servers, browsers and clocks more than they compute.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::run::{cargo, output, root, run, side_by_side};

/// What is tested.
const WORKSPACE: [&str; 3] = ["--workspace", "--features", "xtask/web"];

/// These take longest, so they begin first, and none of them runs alone in the end.
const LONGEST: [&str; 4] = [
    "bot/tests/arrival_order.rs",
    "tests/install/tests/interrupted.rs",
    "tests/install/tests/public_setups.rs",
    "bot/tests/live_end_to_end.rs",
];

/// A program that contains tests.
struct Program {
    path: PathBuf,
    /// The folder of its package, in which it runs.
    folder: PathBuf,
    /// The source file, as seen from the root of the repository.
    source: String,
}

/// Builds and runs all test programs, and the examples in doc comments. All of them run, even if one fails.
pub fn run_all() -> Result<(), String> {
    let programs = build()?;
    let count = programs.len();
    let at_a_time = 2 * std::thread::available_parallelism().map_or(1, usize::from);
    println!("{count} test programs, {at_a_time} at a time");
    let results = side_by_side(at_a_time, programs, |program| {
        let result = program.run();
        if let Err(why) = &result {
            println!("{why}");
        }
        result.is_err().then_some(program.source)
    });
    let failed: Vec<String> = results.into_iter().flatten().collect();
    let examples = run(cargo(&["test", "--doc"]).args(WORKSPACE));
    match failed.is_empty() {
        true => examples,
        false => Err(format!("tests failed in {}", failed.join(", "))),
    }
}

/// Builds the programs. After the longest, those of the bot, which compute most, alternate with the others, which wait most.
fn build() -> Result<Vec<Program>, String> {
    let mut command = cargo(&["test", "--no-run"]);
    command.args(WORKSPACE);
    command.arg("--message-format=json-render-diagnostics");
    let messages = output(&mut command)?;
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let programs = messages.filter_map(|m| Program::of(&m));
    let (mut mixed, rest): (Vec<_>, Vec<_>) =
        programs.partition(|program| LONGEST.contains(&program.source.as_str()));
    let (bot, others): (Vec<_>, Vec<_>) = rest
        .into_iter()
        .partition(|program| program.source.starts_with("bot/"));
    let mut others = others.into_iter();
    for program in bot {
        mixed.push(program);
        mixed.extend(others.next());
    }
    mixed.extend(others);
    Ok(mixed)
}

impl Program {
    /// The program that a message of cargo is about, if it contains tests.
    fn of(message: &Value) -> Option<Self> {
        let is_test = message["profile"]["test"] == true;
        let path = message["executable"].as_str().filter(|_| is_test)?;
        let source = Path::new(message["target"]["src_path"].as_str()?);
        Some(Self {
            path: path.into(),
            folder: Path::new(message["manifest_path"].as_str()?)
                .parent()?
                .to_owned(),
            source: source
                .strip_prefix(root())
                .unwrap_or(source)
                .display()
                .to_string(),
        })
    }

    /// Runs the tests. Prints a line if they pass; otherwise returns all output.
    fn run(&self) -> Result<(), String> {
        let began = Instant::now();
        let output = Command::new(&self.path)
            .current_dir(&self.folder)
            .env("CARGO_MANIFEST_DIR", &self.folder)
            .output()
            .map_err(|e| format!("{}: {e}", self.source))?;
        let seconds = began.elapsed().as_secs();
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!(
                "== {}: {}\n{text}{errors}",
                self.source, output.status
            ));
        }
        let counts = text
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("test result: "));
        let counts = counts.and_then(|line| line.split("; 0 measured").next());
        println!(
            "{}: {} in {seconds} s",
            self.source,
            counts.unwrap_or("no tests")
        );
        Ok(())
    }
}
