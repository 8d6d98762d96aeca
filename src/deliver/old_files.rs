//! Removes old gametimes files, if the admin wants it.
//!
//! A wrong clock must not cost an archive. So a pass removes at most a day's worth of files, and none at all if the files, or the
//! time since the last pass, contradict the system clock. Only files of this module and of the script are removed.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use gametimes_format::GametimesFile;
use gametimes_format::check;
use gametimes_format::file::{SCHEMA, is_file_name};

/// How often old files are removed.
const EVERY: Duration = Duration::from_secs(6 * 3600);
const DAY_SECONDS: i64 = 24 * 3600;
/// A clock that gains or loses more than this between two passes was set.
const DRIFT_SECONDS: i64 = 3600;

/// What a pass has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pass {
    /// So many files were removed.
    Removed(usize),
    /// Nothing was removed, because this contradicts the system clock.
    ClockIsWrong(String),
}

/// Decides when the next pass is due, and whether the clock ran evenly since the last one.
#[derive(Debug, Default)]
pub struct Cleaner {
    /// When the last pass was, and what the system clock said then.
    last: Option<(Instant, i64)>,
}

impl Cleaner {
    /// Makes a pass, if one is due and the admin wants it.
    pub fn run(
        &mut self,
        folder: &Path,
        keep_days: u32,
        now: Instant,
        unix: impl FnOnce() -> i64,
    ) -> Option<Pass> {
        if self.last.is_some_and(|(at, _)| now - at < EVERY) {
            return None;
        }
        let now_unix = unix();
        let last = self.last.replace((now, now_unix));
        if keep_days == 0 {
            return None;
        }
        let drift = last.map_or(0, |(at, unix)| {
            now_unix - unix - (now - at).as_secs() as i64
        });
        if drift.abs() > DRIFT_SECONDS {
            let why = format!("it was changed by {drift} sec");
            return Some(Pass::ClockIsWrong(why));
        }
        Some(remove_old(folder, now_unix, keep_days))
    }
}

/// Removes the files of rounds that ended more than `keep_days` ago, at most a day's worth: from the oldest file on.
fn remove_old(folder: &Path, now_unix: i64, keep_days: u32) -> Pass {
    let Ok(entries) = fs::read_dir(folder) else {
        return Pass::Removed(0);
    };
    let mut files: Vec<(i64, String)> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|t| t.is_file()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter_map(|name| Some((end_unix(&name)?, name)))
        .collect();
    files.sort_unstable();
    let Some((newest, name)) = files.last() else {
        return Pass::Removed(0);
    };
    if *newest > now_unix + DAY_SECONDS {
        return Pass::ClockIsWrong(format!("{name} is from the future"));
    }
    let oldest_kept = now_unix - i64::from(keep_days) * DAY_SECONDS;
    if *newest < oldest_kept {
        let days = (now_unix - newest) / DAY_SECONDS;
        return Pass::ClockIsWrong(format!("the newest file, {name}, is {days} days old"));
    }
    let mut day = None;
    let mut removed = 0;
    for (end, name) in files.iter().take_while(|(end, _)| *end < oldest_kept) {
        if day.is_some_and(|first| *end >= first + DAY_SECONDS) {
            break;
        }
        let path = folder.join(name);
        if is_ours(&path, *end) {
            day.get_or_insert(*end);
            removed += usize::from(fs::remove_file(&path).is_ok());
        }
    }
    Pass::Removed(removed)
}

/// The end of the round, in the name of a gametimes file.
fn end_unix(name: &str) -> Option<i64> {
    let stem = name.strip_suffix(".json").filter(|_| is_file_name(name))?;
    stem.rsplit('-').next()?.parse().ok()
}

/// Whether this is a valid file of module or script about a round that ended then. The script that they replace writes files with
/// the same names.
fn is_ours(path: &Path, end_unix: i64) -> bool {
    let Ok(bytes) = fs::read(path) else {
        return false;
    };
    let Ok(file) = serde_json::from_slice::<GametimesFile>(&bytes) else {
        return false;
    };
    let meta = &file.meta;
    meta.schema == SCHEMA
        && matches!(meta.source.as_str(), "native" | "lua")
        && meta.round_end_unix == end_unix
        && check::rejections(&check::check(&file)).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::files::names;

    const NOW: i64 = 1_795_000_000;

    /// A file of a round that ended so many days ago.
    fn write(folder: &Path, days_ago: i64, edit: impl Fn(&mut GametimesFile)) -> String {
        let sample = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/data/native/surrender/gametime-room1-R1-1795179043.json"
        );
        let mut file: GametimesFile = serde_json::from_slice(&fs::read(sample).unwrap()).unwrap();
        let shift = NOW - days_ago * DAY_SECONDS - file.meta.round_end_unix;
        file.meta.round_start_unix += shift;
        file.meta.round_end_unix += shift;
        let name = file.file_name();
        edit(&mut file);
        fs::write(folder.join(&name), serde_json::to_vec(&file).unwrap()).unwrap();
        name
    }

    fn ours(folder: &Path, days_ago: i64) -> String {
        write(folder, days_ago, |_| {})
    }

    #[test]
    fn only_valid_files_of_schema_2_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let old = [91, 91 + 1].map(|days| ours(folder, days));
        let mut kept = vec![ours(folder, 89)];
        // The script that gametimes replaces, another recorder, a file of another kind, a copy under a wrong name.
        kept.push(write(folder, 100, |file| file.meta.schema = 1));
        kept.push(write(folder, 101, |file| file.meta.source = "x".into()));
        kept.push(write(folder, 102, |file| file.meta.round = 7));
        kept.push(write(folder, 103, |file| file.meta.round_end_unix -= 1));
        for name in [
            "gametime-a-R1-5.json",
            "gametime-a-R1-5.json.bak",
            "notes-5.json",
            "5",
        ] {
            fs::write(folder.join(name), "{}").unwrap();
            kept.push(name.to_owned());
        }
        fs::create_dir(folder.join("gametime-a-R1-6.json")).unwrap();
        assert_eq!(remove_old(folder, NOW, 90), Pass::Removed(1));
        assert!(!folder.join(&old[1]).exists(), "the oldest day first");
        assert_eq!(remove_old(folder, NOW, 90), Pass::Removed(1));
        assert_eq!(remove_old(folder, NOW, 90), Pass::Removed(0));
        kept.sort();
        assert_eq!(names(folder), kept);
    }

    #[test]
    fn clock_that_jumps_forward_removes_no_file_or_a_day_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for days_ago in 0..200 {
            ours(folder, days_ago);
        }
        let jumped = NOW + 1000 * DAY_SECONDS;
        let Pass::ClockIsWrong(why) = remove_old(folder, jumped, 90) else {
            panic!("files were removed");
        };
        assert!(why.ends_with("is 1000 days old"), "{why}");
        assert_eq!(names(folder).len(), 200);
        // A round is played while the clock is wrong.
        let late = write(folder, -1000, |_| {});
        assert_eq!(remove_old(folder, jumped, 90), Pass::Removed(1));
        // The clock is right again: now that round is from the future.
        let wrong = Pass::ClockIsWrong(format!("{late} is from the future"));
        assert_eq!(remove_old(folder, NOW, 90), wrong);
        fs::remove_file(folder.join(late)).unwrap();
        assert_eq!(remove_old(folder, NOW, 90), Pass::Removed(1));
        assert_eq!(names(folder).len(), 198);
    }

    #[test]
    fn pass_right_after_a_clock_change_removes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for days_ago in [0, 100, 200, 300] {
            ours(folder.path(), days_ago);
        }
        let mut cleaner = Cleaner::default();
        let began = Instant::now();
        let mut pass = |hours: u64, unix| {
            let now = began + Duration::from_secs(hours * 3600);
            cleaner.run(folder.path(), 90, now, || unix)
        };
        let later = |hours: i64| NOW + hours * 3600;
        assert_eq!(pass(0, NOW), Some(Pass::Removed(1)));
        assert_eq!(pass(5, later(5)), None, "not due");
        assert_eq!(pass(6, later(6)), Some(Pass::Removed(1)));
        let why = format!("it was changed by {} sec", 50 * DAY_SECONDS);
        let jumped = later(12) + 50 * DAY_SECONDS;
        assert_eq!(pass(12, jumped), Some(Pass::ClockIsWrong(why)));
        assert_eq!(names(folder.path()).len(), 2);
        assert_eq!(pass(18, jumped + 6 * 3600), Some(Pass::Removed(1)));
    }

    #[test]
    fn without_keep_days_nothing_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        ours(folder.path(), 1000);
        let pass = Cleaner::default().run(folder.path(), 0, Instant::now(), || NOW);
        assert_eq!(pass, None);
        assert_eq!(names(folder.path()).len(), 1);
    }
}
