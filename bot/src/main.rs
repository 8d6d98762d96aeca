//! The program `gametimes-bot`; its commands are in [`gametimes_bot::cli`].

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use gametimes_bot::cli::Cli;

fn main() -> ExitCode {
    gametimes_bot::log::init();
    let cli = Cli::parse();
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let code = runtime.block_on(cli.execute());
            // Everything is stored. A download that is still running must not delay the exit.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            eprintln!("cannot start threads: {error}");
            ExitCode::FAILURE
        }
    }
}
