//! The project's tasks; `cargo xtask help` lists them.

#![forbid(unsafe_code)]

mod bench;
mod demo;
mod dist;
mod fuzz;
mod packages;
mod pictures;
mod play;
mod run;
mod sanitize;
mod soak;
mod supply;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's tasks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// A recorded match through the module, a local stand-in for Discord, the bot, and a page to look at.
    Demo(demo::Demo),
    /// The release: built against an old glibc, packed, reproducible.
    Dist(dist::Dist),
    /// Plays a recorded match through the module.
    Play(play::Play),
    /// The pictures of the documentation, from recorded matches.
    Pictures(pictures::Pictures),
    /// What the module costs on the game's thread, beside the fallback script.
    Bench(bench::Bench),
    /// Licences, sources, duplicates and known flaws of all dependencies.
    Supply(supply::Supply),
    /// All tests; installs what they need where that is possible.
    Test(test::Test),
    /// Damaged and made-up input for everything that reads foreign bytes.
    Fuzz(fuzz::Fuzz),
    /// All recorded matches under valgrind and ThreadSanitizer.
    Sanitize(sanitize::Sanitize),
    /// A day of matches with a hostile webhook: nothing may grow.
    Soak(soak::Soak),
    /// The server of a soak; started by it.
    #[command(hide = true)]
    SoakServer(soak::SoakServer),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Demo(demo) => demo.run(),
        Task::Dist(dist) => dist.run(),
        Task::Play(play) => play.run(),
        Task::Pictures(pictures) => pictures.run(),
        Task::Bench(bench) => bench.run(),
        Task::Supply(supply) => supply.run(),
        Task::Test(test) => test.run(),
        Task::Fuzz(fuzz) => fuzz.run(),
        Task::Sanitize(sanitize) => sanitize.run(),
        Task::Soak(soak) => soak.run(),
        Task::SoakServer(server) => server.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
