//! The development commands of the project; `cargo xtask help` lists them.

#![forbid(unsafe_code)]

mod bench;
mod demo;
mod dist;
mod fuzz;
mod instructions;
mod openapi;
mod packages;
mod pictures;
mod play;
mod quickstart;
mod run;
mod sanitize;
mod season;
mod soak;
mod supply;
mod test;
mod test_programs;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The development commands of the project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Shows everything at work: a recorded match, the module, a local Discord stand-in, the bot, and a web page.
    Demo(demo::Demo),
    /// Builds the release, reproducibly and against an old glibc.
    Dist(dist::Dist),
    /// Writes the files of a made-up season, to look at the bot's pages with.
    Season(season::WriteSeason),
    /// Plays docs/quickstart.md in an empty Debian, with the archives of `dist`.
    Quickstart(quickstart::Quickstart),
    /// Plays a recorded match through the module.
    Play(play::Play),
    /// Draws the pictures of the documentation from recorded matches.
    Pictures(pictures::Pictures),
    /// Measures what the module costs on the game's thread, compared with the fallback script.
    Bench(bench::Bench),
    /// Counts the instructions that the module adds to a server frame, and compares them with docs/benchmarks.md.
    Instructions(instructions::Instructions),
    /// The program that `instructions` runs under callgrind.
    #[command(hide = true)]
    CountedFight(instructions::CountedFight),
    /// Checks all dependencies for licences, sources, duplicates and known vulnerabilities.
    Supply(supply::Supply),
    /// Has two validators check the description of the bot's API.
    Openapi(openapi::Openapi),
    /// Runs all tests; installs the packages they need if it can.
    Test(test::Test),
    /// Fuzzes everything that parses untrusted input.
    Fuzz(fuzz::Fuzz),
    /// Plays all recorded matches under valgrind and ThreadSanitizer.
    Sanitize(sanitize::Sanitize),
    /// Plays a day of matches against a hostile webhook, or with several servers and bots; nothing may leak.
    Soak(soak::Soak),
    /// The server process of `soak`, which starts it.
    #[command(hide = true)]
    SoakServer(soak::SoakServer),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Demo(demo) => demo.run(),
        Task::Dist(dist) => dist.run(),
        Task::Season(season) => season.run(),
        Task::Quickstart(quickstart) => quickstart.run(),
        Task::Play(play) => play.run(),
        Task::Pictures(pictures) => pictures.run(),
        Task::Bench(bench) => bench.run(),
        Task::Instructions(instructions) => instructions.run(),
        Task::CountedFight(fight) => fight.run(),
        Task::Supply(supply) => supply.run(),
        Task::Openapi(openapi) => openapi.run(),
        Task::Test(test) => test.run(),
        Task::Fuzz(fuzz) => fuzz.run(),
        Task::Sanitize(sanitize) => sanitize.run(),
        Task::Soak(soak) => soak.run(),
        Task::SoakServer(server) => server.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workflow is first tried when a release depends on it.
    #[test]
    fn commands_of_the_workflows_exist() {
        let workflow = include_str!("../../.github/workflows/release.yml");
        let ci = include_str!("../../.ci/run");
        // A command may continue on lines that are indented further.
        let text = workflow.replace("\n          ", " ") + ci;
        let commands: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split_once("cargo xtask ").map(|(_, rest)| rest))
            .collect();
        assert!(commands.len() >= 5, "{commands:?}");
        for command in commands {
            let words = std::iter::once("cargo xtask").chain(command.split_whitespace());
            if let Err(error) = Arguments::try_parse_from(words) {
                panic!("cargo xtask {command}: {error}");
            }
        }
    }
}
