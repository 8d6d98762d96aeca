//! Reading files and folders once, by hand.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gametimes_format::{check, file};
use indicatif::{ProgressBar, ProgressStyle};

use crate::db::{Content, Db, IngestItem, IngestReport};

/// How many files are stored in one transaction.
const BATCH: usize = 256;
/// So many new files at once change what a database should know of its tables.
const MANY: usize = 1000;

/// What an ingest did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ingested {
    /// Files that were read.
    pub files: usize,
    /// Of them new.
    pub new: usize,
    /// Of them known already.
    pub known: usize,
    /// Of them refused, with the reason.
    pub refused: Vec<String>,
    /// Rounds that changed.
    pub rounds: usize,
    /// How long it took.
    pub elapsed: Duration,
}

impl fmt::Display for Ingested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64().max(0.001);
        write!(
            f,
            "{} files: {} new, {} known, {} refused; {} rounds in {seconds:.1} s ({:.0} rounds/s)",
            self.files,
            self.new,
            self.known,
            self.refused.len(),
            self.rounds,
            self.rounds as f64 / seconds
        )?;
        for reason in &self.refused {
            write!(f, "\n  refused: {reason}")?;
        }
        Ok(())
    }
}

/// Reads all gametimes files and stats files under `paths` and stores them, oldest first.
///
/// # Errors
/// When a path cannot be read or the database fails; what was stored until then stays, and a second run takes the rest.
pub async fn ingest(
    store: &Db,
    paths: &[PathBuf],
    server: &str,
    progress: bool,
) -> Result<Ingested, String> {
    let started = Instant::now();
    let mut files = Vec::new();
    for path in paths {
        find(path, &mut files).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    // By the time in the name, so that a batch holds rounds that lie side by side.
    files.sort_by_cached_key(|path| sort_key(path));
    let bar = if progress {
        ProgressBar::new(files.len() as u64)
    } else {
        ProgressBar::hidden()
    };
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} files, {per_sec}, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut done = Ingested {
        files: files.len(),
        ..Ingested::default()
    };
    let mut rounds = BTreeSet::new();
    for batch in files.chunks(BATCH) {
        let batch = batch.to_vec();
        let server = server.to_owned();
        let read = move || {
            batch
                .iter()
                .map(|path| read(path, &server))
                .collect::<Vec<_>>()
        };
        let arrivals: Vec<IngestItem> = tokio::task::spawn_blocking(read)
            .await
            .map_err(|e| e.to_string())?;
        let applied: IngestReport = store
            .ingest_or_reject(&arrivals)
            .await
            .map_err(|e| e.to_string())?;
        done.new += applied.new_facts;
        done.known += applied.repeated;
        rounds.extend(applied.rounds);
        done.refused.extend(applied.refused);
        done.refused.extend(
            arrivals
                .iter()
                .filter_map(|arrival| match &arrival.content {
                    Content::Rejected { reason, .. } => {
                        Some(format!("{}: {reason}", arrival.origin))
                    }
                    _ => None,
                }),
        );
        bar.inc(arrivals.len() as u64);
    }
    bar.finish_and_clear();
    if done.new >= MANY
        && let Err(error) = store.analyze().await
    {
        tracing::warn!("counting the tables: {error}");
    }
    done.rounds = rounds.len();
    done.elapsed = started.elapsed();
    Ok(done)
}

/// Whether a name is that of a file that the bot reads.
pub fn is_wanted(name: &str) -> bool {
    file::is_file_name(name) || check::is_stats_file_name(name)
}

/// A path given by name is taken whatever its name; in folders only files that look like ours are.
fn find(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        // Tells a missing file now, not in the middle.
        std::fs::metadata(path)?;
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            find(&entry.path(), files)?;
        } else if kind.is_file() && entry.file_name().to_str().is_some_and(is_wanted) {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Unix time of gametimes files, date of stats files: in UTC near enough.
fn sort_key(path: &Path) -> (i64, String) {
    let name = name_of(path);
    let gametimes = || {
        name.strip_suffix(".json")?
            .rsplit_once('-')?
            .1
            .parse::<i64>()
            .ok()
    };
    let stats = || gametimes_rounds::reconcile::unix_of(&name, &jiff::tz::TimeZone::UTC);
    (gametimes().or_else(stats).unwrap_or(i64::MAX), name)
}

fn read(path: &Path, server: &str) -> IngestItem {
    let name = name_of(path);
    match std::fs::read(path) {
        Ok(bytes) => IngestItem::from_file("ingest", &name, server, bytes),
        Err(error) => IngestItem {
            source: "ingest",
            origin: name,
            server: server.to_owned(),
            content: Content::Rejected {
                reason: format!("cannot be read: {error}"),
                excerpt: String::new(),
            },
            checkpoints: Vec::new(),
        },
    }
}
