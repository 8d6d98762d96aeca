//! A made-up season: the files that the servers of a community write over hundreds of evenings.
//!
//! It has clans and mixed teams, substitutes, side swaps, draws, surrenders, held maps, rounds that were cut off, pauses, several
//! servers at a time, and evenings over midnight and over the change of the clocks. The same [`Season`] always gives the same files.
//!
//! [`evening`] decides who plays what, [`fight`] plays a round, [`files`] and [`stats`] write it.

mod evening;
mod fight;
mod files;
mod random;
mod roster;
mod stats;

use std::path::Path;

use gametimes_format::GametimesFile;

/// The time zone of the servers, which the names of stats files need.
pub const TIME_ZONE: &str = "Europe/Berlin";

/// How large a season is.
#[derive(Debug, Clone, Copy)]
pub struct Season {
    /// The number of evenings, six a week. The last one is on 2026-11-22.
    pub evenings: usize,
    /// The number of players, at least 12.
    pub players: usize,
    /// The number of rounds.
    pub rounds: usize,
    /// How many of the evenings have timelines: the latest ones. Timelines take most of the space of the files.
    pub evenings_with_timelines: usize,
    /// Another number gives another season.
    pub seed: u64,
}

impl Default for Season {
    fn default() -> Self {
        Self {
            evenings: 300,
            players: 40,
            rounds: 3000,
            evenings_with_timelines: usize::MAX,
            seed: 1,
        }
    }
}

/// The files of one round.
#[derive(Debug, Clone)]
pub struct RoundFiles {
    /// The recorder's file; `None` if no recorder was running.
    pub gametimes: Option<GametimesFile>,
    /// Name and content of the stats file; `None` if the server wrote none.
    pub stats: Option<(String, String)>,
}

impl RoundFiles {
    /// Names and contents of the files.
    pub fn contents(&self) -> impl Iterator<Item = (String, Vec<u8>)> {
        let gametimes = self.gametimes.as_ref().map(|file| {
            let json = serde_json::to_vec(file).expect("the file can be written as JSON");
            (file.file_name(), json)
        });
        let stats = self.stats.as_ref();
        let stats = stats.map(|(name, text)| (name.clone(), text.clone().into_bytes()));
        gametimes.into_iter().chain(stats)
    }
}

impl Season {
    /// The rounds of each evening, from the first evening.
    pub fn evenings(&self) -> impl Iterator<Item = Vec<RoundFiles>> {
        let season = *self;
        let roster = roster::roster(self.players.max(12), self.seed);
        (0..self.evenings).map(move |n| evening::play(&season, &roster, n))
    }

    /// Writes the files into folders as servers have them: `gametimes` and `gamestats`. Returns how many files there are.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path) -> std::io::Result<usize> {
        for name in ["gametimes", "gamestats"] {
            std::fs::create_dir_all(folder.join(name))?;
        }
        let mut count = 0;
        for rounds in self.evenings() {
            for (name, bytes) in rounds.iter().flat_map(RoundFiles::contents) {
                let kind = if name.ends_with(".json") {
                    "gametimes"
                } else {
                    "gamestats"
                };
                std::fs::write(folder.join(kind).join(name), bytes)?;
                count += 1;
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
