//! The command line: one binary, roles as subcommands.

pub mod table;
mod tables;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use indicatif::ProgressBar;

use crate::chart::{self, Chart, PNG_SCALE, Theme};
use crate::cli::table::say;
use crate::config::Config;
use crate::db::Db;
use crate::db::round_list::RoundFilter;
use crate::{doctor, files, roles};

/// Stores every round of ET:Legacy with its true times.
#[derive(Debug, Parser)]
#[command(name = "gametimes-bot", version)]
pub struct Cli {
    /// Settings file (TOML); the environment wins over it.
    #[arg(long, env = "GAMETIMES_CONFIG", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive rounds and serve them until stopped.
    Run,
    /// Read gametimes files and stats files, or folders of them.
    Ingest {
        /// Files or folders.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// `ip:port` of the server they come from, where the files do not tell.
        #[arg(long, default_value = "")]
        server: String,
    },
    /// Make all rounds anew from what was received, as after the setting `time_zone` was set right.
    Rebuild,
    /// Bring the database up to date, and say what was done.
    Migrate,
    /// Check everything outside of the bot, and say what to do.
    Doctor,
    /// List rounds, latest first.
    Rounds {
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u16,
        /// Only this map.
        #[arg(long)]
        map: Option<String>,
    },
    /// Show one round and its players.
    Round {
        /// The round, as `rounds` lists it.
        id: i64,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Draw a round's timeline.
    Timeline {
        /// The round, as `rounds` lists it.
        id: i64,
        /// Where the picture goes; the ending tells its kind: `.svg` or `.png`.
        #[arg(short, long, value_parser = picture_file)]
        output: PathBuf,
        /// Colours.
        #[arg(long, value_enum, default_value_t)]
        theme: Theme,
    },
    /// Compare the recorders' times dead with those of the stats files.
    Audit {
        /// How many rows, latest first.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
        /// Tell differences over this.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(i64).range(0..=3600))]
        diff_seconds: i64,
        /// As JSON, as the API gives it.
        #[arg(long)]
        json: bool,
    },
    /// Print completions for a shell: `gametimes-bot completions bash > /etc/bash_completion.d/gametimes-bot`.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

impl Cli {
    /// Does what was asked.
    pub async fn execute(self) -> ExitCode {
        if let Command::Completions { shell } = self.command {
            let mut command = Self::command();
            clap_complete::generate(shell, &mut command, "gametimes-bot", &mut std::io::stdout());
            return ExitCode::SUCCESS;
        }
        let config = match Config::load(self.config.as_deref()) {
            Ok(config) => config,
            Err(errors) => {
                eprintln!("{errors}");
                return ExitCode::from(2);
            }
        };
        let result = match self.command {
            Command::Run => roles::run(config, shutdown())
                .await
                .map_err(|e| e.to_string()),
            Command::Doctor => examine(&config).await,
            command => with_store(config, command).await,
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        }
    }
}

async fn with_store(config: Config, command: Command) -> Result<(), String> {
    let open = Db::open(config.database_url.reveal(), config.time_zone.clone());
    let store = open.await.map_err(|e| e.to_string())?;
    let result = match command {
        Command::Run | Command::Doctor | Command::Completions { .. } => Ok(()),
        Command::Ingest { paths, server } => files::ingest::ingest(&store, &paths, &server, true)
            .await
            .map(|done| {
                println!("{done}");
            }),
        Command::Rebuild => rebuild(&store).await,
        Command::Migrate => migrated(&store).await,
        Command::Rounds { json, limit, map } => {
            let filter = RoundFilter {
                map,
                before: None,
                limit: limit.into(),
            };
            let rounds = store.rounds(&filter).await;
            rounds.map_err(|e| e.to_string()).and_then(|rounds| {
                if json {
                    print_json(&rounds)
                } else {
                    tables::rounds(&rounds);
                    Ok(())
                }
            })
        }
        Command::Round { id, json } => round(&store, id, json).await,
        Command::Timeline { id, output, theme } => draw(&store, id, &output, theme).await,
        Command::Audit {
            limit,
            diff_seconds,
            json,
        } => {
            let audit = store.spawn_audit(limit, diff_seconds).await;
            audit.map_err(|e| e.to_string()).and_then(|audit| {
                if json {
                    print_json(&audit)
                } else {
                    tables::audit(&audit);
                    Ok(())
                }
            })
        }
    };
    store.database.close().await;
    result
}

async fn round(store: &Db, id: i64, json: bool) -> Result<(), String> {
    let detail = store.round(id).await.map_err(|e| e.to_string())?;
    let detail = detail.ok_or_else(|| no_round(id))?;
    if json {
        return print_json(&detail);
    }
    tables::round(&detail);
    Ok(())
}

fn picture_file(name: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(name);
    match path.extension().and_then(|e| e.to_str()) {
        Some("svg" | "png") => Ok(path),
        _ => Err("the name must end with .svg or .png".into()),
    }
}

async fn draw(store: &Db, id: i64, output: &Path, theme: Theme) -> Result<(), String> {
    let chart = Chart::load(store, id).await.map_err(|e| e.to_string())?;
    let chart = chart.ok_or_else(|| no_round(id))?;
    let svg = chart.svg(theme);
    let picture = if output.extension().is_some_and(|e| e == "png") {
        chart::png::render(&svg, PNG_SCALE).map_err(|e| e.to_string())?
    } else {
        svg.into_bytes()
    };
    std::fs::write(output, picture).map_err(|e| format!("{}: {e}", output.display()))
}

fn no_round(id: i64) -> String {
    format!("there is no round {id}; `gametimes-bot rounds` lists them")
}

async fn examine(config: &Config) -> Result<(), String> {
    let findings = doctor::examine(config).await;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.iter().filter(|f| !f.good).count() {
        0 => Ok(()),
        count => Err(format!("{count} thing(s) to do")),
    }
}

async fn rebuild(store: &Db) -> Result<(), String> {
    let bar = ProgressBar::no_length();
    let progress = |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    };
    let made = store.rebuild(progress).await;
    bar.finish_and_clear();
    println!("{} rounds made anew", made.map_err(|e| e.to_string())?);
    Ok(())
}

async fn migrated(store: &Db) -> Result<(), String> {
    // Opening has done it already.
    let pending = crate::db::migrations::pending(&store.database, &crate::db::Schema::current())
        .await
        .map_err(|e| e.to_string())?;
    if pending.is_empty() {
        println!("the database is up to date");
        Ok(())
    } else {
        Err(format!(
            "incomplete: {}; the warnings above tell why",
            pending.join(", ")
        ))
    }
}

fn print_json(value: &impl serde::Serialize) -> Result<(), String> {
    let json = serde_json::to_string_pretty(value).map_err(|e| e.to_string())?;
    say(&format!("{json}\n"));
    Ok(())
}

/// Ctrl-C, or the signal with which services are ended.
async fn shutdown() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => drop(interrupt.await),
    }
}
