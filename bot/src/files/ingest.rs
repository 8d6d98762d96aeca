//! Reading files and folders once, for the command `ingest`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gametimes_format::text::{counted, one_line};
use indicatif::{ProgressBar, ProgressStyle};

use super::is_round_file;
use crate::db::{Content, Db, IngestItem, IngestReport, Prepared};
use crate::log::LINE_CHARS_MAX;
use crate::parallel;

/// Files per transaction at most. Around each transaction, some rounds that were stored before are looked at again.
const FILES_PER_BATCH: usize = 1024;
/// How many bytes the files of a transaction have together at most, beside the last of them: they are all in memory.
const BYTES_PER_BATCH: u64 = 64 << 20;
/// After this many new files the database's statistics about its tables are out of date.
const ANALYZE_FROM: usize = 1000;

/// The result of an ingest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IngestSummary {
    /// Files that were found.
    pub files: usize,
    /// Files that were stored for the first time.
    pub new: usize,
    /// Files that were stored already.
    pub known: usize,
    /// Files that were rejected: the name and the reason.
    pub rejected: Vec<String>,
    /// How many rounds changed.
    pub rounds: usize,
    /// How long it took to store the files.
    pub elapsed: Duration,
    /// How long it took then to compute the figures of players and maps over many rounds.
    pub figures: Duration,
}

impl fmt::Display for IngestSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64().max(0.001);
        write!(
            f,
            "{}: {} new, {} known, {} rejected; {} in {seconds:.1} s ({:.0} rounds/s), figures of players and maps in {:.1} s",
            counted(self.files, "file"),
            self.new,
            self.known,
            self.rejected.len(),
            counted(self.rounds, "round"),
            self.rounds as f64 / seconds,
            self.figures.as_secs_f64()
        )?;
        for reason in &self.rejected {
            write!(f, "\n  rejected: {}", one_line(reason, LINE_CHARS_MAX))?;
        }
        Ok(())
    }
}

/// Reads all gametimes files and stats files under `paths` and stores them, oldest first.
///
/// # Errors
/// If a path cannot be read or the database fails. What was stored until then is kept; a second run stores the rest.
pub async fn ingest(
    db: &Db,
    paths: &[PathBuf],
    server: &str,
    progress: bool,
) -> Result<IngestSummary, String> {
    let started = Instant::now();
    let mut files = Vec::new();
    for path in paths {
        find(path, &mut files).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    // Sorted by the time in the name, so that a batch holds rounds that belong together.
    files.sort_by_cached_key(|path| sort_key(path));
    let bar = if progress {
        ProgressBar::new(files.len() as u64)
    } else {
        ProgressBar::hidden()
    };
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} files, {per_sec}, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut done = IngestSummary {
        files: files.len(),
        ..IngestSummary::default()
    };
    let mut rounds = BTreeSet::new();
    let mut batches = batches(&files).into_iter().map(|batch| {
        let (batch, server) = (batch.to_vec(), server.to_owned());
        tokio::task::spawn_blocking(move || {
            parallel::map(&batch, |path| {
                Prepared::new(Cow::Owned(read(path, &server)))
            })
        })
    });
    // The next batch is read and prepared while one is stored.
    let mut next = batches.next();
    while let Some(batch) = next {
        let items: Vec<Prepared<'_>> = batch.await.map_err(|e| e.to_string())?;
        next = batches.next();
        let report: IngestReport = db
            .ingest_or_reject(&items)
            .await
            .map_err(|e| e.to_string())?;
        done.new += report.new_facts;
        done.known += report.repeated;
        rounds.extend(report.rounds);
        done.rejected.extend(report.refused);
        done.rejected
            .extend(items.iter().filter_map(Prepared::rejection));
        bar.inc(items.len() as u64);
        // Freeing it takes a twentieth of the time that storing it took.
        drop(tokio::task::spawn_blocking(move || drop(items)));
    }
    bar.finish_and_clear();
    done.elapsed = started.elapsed();
    if done.new >= ANALYZE_FROM
        && let Err(error) = db.analyze().await
    {
        tracing::warn!("updating the database's statistics about its tables: {error}");
    }
    let stored = Instant::now();
    db.refresh_players().await.map_err(|e| e.to_string())?;
    done.figures = stored.elapsed();
    done.rounds = rounds.len();
    Ok(done)
}

/// The files of each transaction.
fn batches(files: &[PathBuf]) -> Vec<&[PathBuf]> {
    let mut batches = Vec::new();
    let (mut begin, mut bytes) = (0, 0);
    for (at, file) in files.iter().enumerate() {
        bytes += std::fs::metadata(file).map_or(0, |metadata| metadata.len());
        let count = at + 1 - begin;
        if count == FILES_PER_BATCH || bytes > BYTES_PER_BATCH || at + 1 == files.len() {
            batches.push(&files[begin..=at]);
            (begin, bytes) = (at + 1, 0);
        }
    }
    batches
}

/// Collects the files to read. A file given on the command line is read under any name; in folders only round files are.
fn find(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        // Reports a missing file now, not halfway through.
        std::fs::metadata(path)?;
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            find(&entry.path(), files)?;
        } else if kind.is_file() && entry.file_name().to_str().is_some_and(is_round_file) {
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

/// The time in a file's name: unix time in gametimes files, local time in stats files, here read as UTC.
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
            webhook: None,
            content: Content::Rejected {
                reason: format!("cannot be read: {error}"),
                excerpt: String::new(),
            },
            checkpoints: Vec::new(),
        },
    }
}
