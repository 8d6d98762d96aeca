//! `cargo xtask season`: the files of a made-up season, for the bot.

use std::path::PathBuf;

use gametimes_test_support::season::{Season, TIME_ZONE};

/// Writes gametimes files and stats files of a made-up season into the folders `gametimes` and `gamestats`. The same numbers
/// always give the same files.
#[derive(Debug, clap::Args)]
pub struct WriteSeason {
    /// Folder for the files; must not exist yet.
    #[arg(long)]
    folder: PathBuf,
    /// Number of evenings.
    #[arg(long, default_value_t = Season::default().evenings)]
    evenings: usize,
    /// Number of players, at least 12.
    #[arg(long, default_value_t = Season::default().players)]
    players: usize,
    /// Number of rounds.
    #[arg(long, default_value_t = Season::default().rounds)]
    rounds: usize,
    /// Write timelines only for so many of the latest evenings. They take most of the space.
    #[arg(long)]
    evenings_with_timelines: Option<usize>,
    /// Another number gives another season.
    #[arg(long, default_value_t = Season::default().seed)]
    seed: u64,
}

impl WriteSeason {
    pub fn run(self) -> Result<(), String> {
        let folder = self.folder.display();
        if self.folder.exists() {
            return Err(format!("{folder} exists; choose another --folder"));
        }
        let season = Season {
            evenings: self.evenings,
            players: self.players,
            rounds: self.rounds,
            evenings_with_timelines: self.evenings_with_timelines.unwrap_or(usize::MAX),
            seed: self.seed,
        };
        let count = season
            .write(&self.folder)
            .map_err(|e| format!("{folder}: {e}"))?;
        println!(
            "{count} files are in {folder}. To look at the pages:\n  \
             export GAMETIMES_DATABASE_URL=sqlite:{folder}/season.db GAMETIMES_TIME_ZONE={TIME_ZONE}\n  \
             cargo run --release --package gametimes-bot -- ingest {folder}\n  \
             cargo run --release --package gametimes-bot -- serve"
        );
        Ok(())
    }
}
