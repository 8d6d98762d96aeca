//! The command line of `gametimes-bot`.

mod health;
mod service;
pub mod table;
mod tables;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::{PathBufValueParser, TypedValueParser as _};
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use gametimes_format::text::{counted, one_line};
use indicatif::ProgressBar;

use crate::chart::{self, Chart, PNG_SCALE, Theme};
use crate::cli::service::Service;
use crate::cli::table::print;
use crate::config::{CONFIG_VARIABLE, Config};
use crate::db::backup::backup;
use crate::db::round_list::RoundFilter;
use crate::db::{Db, Schema, files as db_files};
use crate::files::ingest::IngestSummary;
use crate::init::prompt::{NoInput, Terminal};
use crate::log::LINE_CHARS_MAX;
use crate::roles::{self, Role};
use crate::{doctor, files, init};

/// Receives, stores and shows the rounds of ET:Legacy servers with their true times.
#[derive(Debug, Parser)]
#[command(name = "gametimes-bot", version)]
pub struct Cli {
    /// Settings file (TOML). Environment variables override it.
    #[arg(long, env = CONFIG_VARIABLE, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set up the bot: ask for the settings, check each answer, and write the settings file.
    Init(Box<init::Options>),
    /// Receive and serve until stopped.
    Run,
    /// Only receive: read Discord, folders and SFTP, write the database, post to the stats channel.
    Receive,
    /// Only serve the API and the pages. Reading the database is enough; any number of processes may serve.
    Serve,
    /// Read gametimes files and stats files, or folders of them.
    Ingest {
        /// Files or folders.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// `ip:port` of the game server, for files that do not contain it.
        #[arg(long, default_value = "")]
        server: String,
    },
    /// Assign a game server to a webhook, after the server has moved to it: its reports that were held back become rounds.
    AssignServer {
        /// `ip:port` of the game server, as `doctor` lists it.
        server: String,
        /// The webhook's id: the first number in its URL.
        webhook_id: u64,
    },
    /// Recompute all rounds from the received data, for example after you corrected `time_zone`.
    Rebuild,
    /// Bring the database schema up to date.
    Migrate,
    /// Copy the database to a file, also while the bot runs: an SQLite database, or a dump for `pg_restore`.
    Backup {
        /// The file to write. An existing one is not replaced.
        file: PathBuf,
    },
    /// Install the bot as a systemd service, or remove it.
    #[command(subcommand)]
    Service(Service),
    /// Check database, Discord, webhooks, SSH, folders and clocks, and explain how to fix what is wrong.
    Doctor,
    /// Ask the running bot whether it can store what arrives; exit code 0 if so. For health checks.
    Health,
    /// List rounds, latest first.
    Rounds {
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
        /// Maximum number of rounds.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
        /// Only rounds on this map.
        #[arg(long)]
        map: Option<String>,
    },
    /// Show one round and its players.
    Round {
        /// The id of the round, as `rounds` lists it.
        id: i64,
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Draw a round's timeline.
    Timeline {
        /// The id of the round, as `rounds` lists it.
        id: i64,
        /// The file to write; its name must end with `.svg` or `.png`.
        #[arg(short, long, value_parser = PathBufValueParser::new().try_map(picture_file))]
        output: PathBuf,
        /// The colours.
        #[arg(long, value_enum, default_value_t)]
        theme: Theme,
    },
    /// Compare the recorders' times dead with those of the stats files, and give a reason for each difference.
    Audit {
        /// Maximum number of rows to compare, latest first.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
        /// Report differences of more than this many seconds.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(i64).range(0..=3600))]
        diff_seconds: i64,
        /// Print JSON, like the API, instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Print completions for a shell, for example: `gametimes-bot completions bash > /etc/bash_completion.d/gametimes-bot`.
    Completions {
        /// The shell to complete commands for.
        shell: Shell,
    },
}

impl Command {
    /// Whether the command changes the database. The others read it beside any writer, and run no migrations.
    fn writes(&self) -> bool {
        matches!(
            self,
            Self::Ingest { .. } | Self::AssignServer { .. } | Self::Rebuild | Self::Migrate
        )
    }
}

impl Cli {
    /// Runs the command. Exit code 2 means wrong settings, 1 any other failure.
    pub async fn execute(self) -> ExitCode {
        if let Command::Completions { shell } = self.command {
            let mut command = Self::command();
            clap_complete::generate(shell, &mut command, "gametimes-bot", &mut std::io::stdout());
            return ExitCode::SUCCESS;
        }
        if let Command::Init(options) = &self.command {
            return exit_code(initialize(options).await);
        }
        if let Command::Service(service) = &self.command {
            return exit_code(service::execute(service, self.config.as_deref()));
        }
        let config = match Config::load(self.config.as_deref()) {
            Ok(config) => config,
            Err(errors) => {
                eprintln!("{errors}");
                return ExitCode::from(2);
            }
        };
        let result = match self.command {
            Command::Run => run(config, Role::Run).await,
            Command::Receive => run(config, Role::Receive).await,
            Command::Serve => run(config, Role::Serve).await,
            Command::Doctor => examine(&config).await,
            Command::Health => health::check(config.listen),
            Command::Backup { file } => back_up(&config, &file).await,
            command => with_database(config, command).await,
        };
        exit_code(result)
    }
}

fn exit_code(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Servers write parts of the text.
            eprintln!("{}", one_line(&error, LINE_CHARS_MAX));
            ExitCode::FAILURE
        }
    }
}

async fn initialize(options: &init::Options) -> Result<(), String> {
    let has_user = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if options.no_input || !has_user {
        init::run(options, &mut NoInput).await
    } else {
        init::run(options, &mut Terminal::default()).await
    }
}

async fn run(config: Config, role: Role) -> Result<(), String> {
    let result = roles::run(config, role, shutdown()).await;
    result.map_err(|e| e.to_string())
}

async fn with_database(config: Config, command: Command) -> Result<(), String> {
    let (url, zone) = (config.database_url.reveal(), config.time_zone.clone());
    let db = if command.writes() {
        if let Some(mode) = config.database_file_mode {
            db_files::set_modes(url, mode);
        }
        let db = Db::open_as(url, zone, config.database_mode).await;
        db.map(Db::waiting_for_lock)
    } else {
        Db::open_read_only_as(url, zone, config.database_mode).await
    };
    let db = db.map_err(|e| e.to_string())?;
    let result = match command {
        // These were handled before the database was opened.
        Command::Init(_)
        | Command::Service(_)
        | Command::Backup { .. }
        | Command::Run
        | Command::Receive
        | Command::Serve
        | Command::Doctor
        | Command::Health
        | Command::Completions { .. } => Ok(()),
        Command::Ingest { paths, server } => files::ingest::ingest(&db, &paths, &server, true)
            .await
            .and_then(report_ingest),
        Command::AssignServer { server, webhook_id } => {
            let assigned = db.assign_server(&server, webhook_id).await;
            assigned.map_err(|e| e.to_string()).map(|rounds| {
                let rounds = counted(rounds, "round");
                println!("{server} belongs to webhook {webhook_id}; {rounds} changed");
            })
        }
        Command::Rebuild => rebuild(&db).await,
        Command::Migrate => report_migrations(&db).await,
        Command::Rounds { json, limit, map } => {
            let filter = RoundFilter {
                map: map.clone(),
                limit: limit.into(),
                ..RoundFilter::default()
            };
            let rounds = db.rounds(&filter).await;
            rounds.map_err(|e| e.to_string()).and_then(|rounds| {
                if json {
                    print_json(&rounds)
                } else {
                    tables::rounds(&rounds, map.as_deref());
                    Ok(())
                }
            })
        }
        Command::Round { id, json } => round(&db, id, json).await,
        Command::Timeline { id, output, theme } => draw(&db, id, &output, theme).await,
        Command::Audit {
            limit,
            diff_seconds,
            json,
        } => {
            let audit = db.spawn_audit(limit, diff_seconds).await;
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
    db.database.close().await;
    result
}

/// Prints what was read. If every file was rejected, the command has failed.
fn report_ingest(summary: IngestSummary) -> Result<(), String> {
    print(&format!("{summary}\n"));
    match summary.rejected.len() {
        0 => Ok(()),
        rejected if rejected < summary.files => Ok(()),
        rejected => Err(format!(
            "nothing was stored: {} rejected, for the reasons above",
            counted(rejected, "file")
        )),
    }
}

async fn round(db: &Db, id: i64, json: bool) -> Result<(), String> {
    let detail = db.round(id).await.map_err(|e| e.to_string())?;
    let detail = detail.ok_or_else(|| no_round(id))?;
    if json {
        return print_json(&detail);
    }
    tables::round(&detail);
    Ok(())
}

fn picture_file(path: PathBuf) -> Result<PathBuf, String> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("svg" | "png") => Ok(path),
        _ => Err("the file name must end with .svg or .png".into()),
    }
}

async fn draw(db: &Db, id: i64, output: &Path, theme: Theme) -> Result<(), String> {
    let chart = Chart::load(db, id).await.map_err(|e| e.to_string())?;
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
    format!("there is no round {id}; `gametimes-bot rounds` lists all rounds")
}

async fn examine(config: &Config) -> Result<(), String> {
    let findings = doctor::examine(config).await;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.iter().filter(|f| !f.good).count() {
        0 => Ok(()),
        problems => Err(format!("{} found", counted(problems, "problem"))),
    }
}

async fn back_up(config: &Config, file: &Path) -> Result<(), String> {
    let bar = ProgressBar::new_spinner().with_message("copying the database");
    bar.enable_steady_tick(Duration::from_millis(100));
    let copied = backup(config.database_url.reveal(), file).await;
    bar.finish_and_clear();
    copied.map_err(|e| e.to_string())?;
    println!("written: {}", file.display());
    Ok(())
}

async fn rebuild(db: &Db) -> Result<(), String> {
    let bar = ProgressBar::no_length();
    let progress = |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    };
    let rebuilt = db.rebuild(progress).await;
    bar.finish_and_clear();
    let rounds = rebuilt.map_err(|e| e.to_string())?;
    println!("{} rebuilt", counted(rounds, "round"));
    Ok(())
}

/// Opening the database has run the migrations already.
async fn report_migrations(db: &Db) -> Result<(), String> {
    let pending = crate::db::migrations::pending(&db.database, &Schema::current())
        .await
        .map_err(|e| e.to_string())?;
    if pending.is_empty() {
        println!("the database is up to date");
        Ok(())
    } else {
        Err(format!(
            "incomplete: {}; see the warnings above for the reason",
            pending.join(", ")
        ))
    }
}

fn print_json(value: &impl serde::Serialize) -> Result<(), String> {
    let json = serde_json::to_string_pretty(value).map_err(|e| e.to_string())?;
    print(&format!("{json}\n"));
    Ok(())
}

/// Completes at Ctrl-C, or at the signal that stops services.
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
