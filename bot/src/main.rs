//! The program `gametimes-bot`; its commands are in [`gametimes_bot::cli`].

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use gametimes_bot::cli::Cli;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let filter =
        EnvFilter::try_from_env("GAMETIMES_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let cli = Cli::parse();
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(cli.execute()),
        Err(error) => {
            eprintln!("cannot start threads: {error}");
            ExitCode::FAILURE
        }
    }
}
