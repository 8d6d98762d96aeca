//! Which stats file belongs to which reports.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::Offset;

use super::clock::{Written, local_time};
use super::server::{self, Server};
use super::{Document, Fact, WINDOW_SECONDS, webhooks};
use crate::report::{Completeness, Report};

/// Which stats file each set of reports has. Sets are numbered as in the slice given to [`link`].
#[derive(Default)]
pub(super) struct Links {
    pub(super) file_of: BTreeMap<usize, usize>,
    /// The sets that several files fit equally well, or whose file fits several sets.
    pub(super) ambiguous_sets: BTreeSet<usize>,
    /// The files that fit ambiguous sets.
    pub(super) ambiguous_files: BTreeSet<usize>,
}

impl Links {
    fn add_ambiguous(&mut self, set: usize, files: &[usize]) {
        self.ambiguous_sets.insert(set);
        self.ambiguous_files.extend(files);
    }
}

/// Links sets of reports and stats files, for the reports of each webhook on their own: none can make the links of another one
/// ambiguous. If sets of several webhooks fit a file, it belongs to the one that [`webhooks::arrival`] puts first.
pub(super) fn link(
    facts: &[Fact],
    sets: &[Vec<usize>],
    files: &[usize],
    written: &BTreeMap<usize, Written>,
) -> Links {
    let mut by_webhook: BTreeMap<Option<u64>, Vec<usize>> = BTreeMap::new();
    for (set, reports) in sets.iter().enumerate() {
        let webhook = webhooks::of_set(facts, reports);
        by_webhook.entry(webhook).or_default().push(set);
    }
    let mut links = Links::default();
    let mut wanted: Vec<(usize, usize)> = Vec::new();
    for own in by_webhook.values() {
        let found = link_own(facts, sets, own, files, written);
        wanted.extend(found.file_of);
        links.ambiguous_sets.extend(found.ambiguous_sets);
        links.ambiguous_files.extend(found.ambiguous_files);
    }
    wanted.sort_by_key(|(set, _)| (webhooks::arrival(facts, &sets[*set]), *set));
    let mut taken = BTreeSet::new();
    for (set, file) in wanted {
        if taken.insert(file) {
            links.file_of.insert(set, file);
        }
    }
    links.ambiguous_files.retain(|file| !taken.contains(file));
    links
}

/// Links sets of one webhook: first by the names in the reports, then by time.
fn link_own(
    facts: &[Fact],
    all_sets: &[Vec<usize>],
    own: &[usize],
    files: &[usize],
    written: &BTreeMap<usize, Written>,
) -> Links {
    let sets: Vec<(usize, &[usize])> = own.iter().map(|&s| (s, all_sets[s].as_slice())).collect();
    let sets = sets.as_slice();
    let mut links = Links::default();
    let taken = link_by_name(facts, sets, files, &mut links);
    let free: Vec<(usize, &Written)> = written
        .iter()
        .filter(|(file, _)| !taken.contains(file))
        .map(|(&file, written)| (file, written))
        .collect();
    link_by_time(facts, sets, &free, &mut links);
    links
}

/// Links each set to the file that it names: the recorder saw the server write that file. Returns the files that were named.
fn link_by_name(
    facts: &[Fact],
    sets: &[(usize, &[usize])],
    files: &[usize],
    links: &mut Links,
) -> BTreeSet<usize> {
    let mut sets_of_file: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut files_of_set: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &(set, reports) in sets {
        let Some(name) = named_file(facts, reports) else {
            continue;
        };
        let named = files.iter().copied().filter(|&f| {
            file_name(facts, f) == Some(name)
                && Server::of(&facts[f]).may_be(server::of_reports(facts, reports))
        });
        for file in named {
            sets_of_file.entry(file).or_default().push(set);
            files_of_set.entry(set).or_default().push(file);
        }
    }
    for (&set, files) in &files_of_set {
        match files.as_slice() {
            [file] if sets_of_file[file].len() == 1 => {
                links.file_of.insert(set, *file);
            }
            several => links.add_ambiguous(set, several),
        }
    }
    sets_of_file.into_keys().collect()
}

/// Links the sets that name no file to the nearest of the other files, if each is the only nearest one of the other.
fn link_by_time(
    facts: &[Fact],
    sets: &[(usize, &[usize])],
    files: &[(usize, &Written)],
    links: &mut Links,
) {
    let mut candidates: Vec<(usize, usize, i64)> = Vec::new();
    for &(set, reports) in sets {
        if named_file(facts, reports).is_some() {
            continue;
        }
        for &(file, written) in files {
            let distance = distance(facts, reports, file, written);
            candidates.extend(distance.map(|distance| (set, file, distance)));
        }
    }
    let of_set = nearest(candidates.iter().copied());
    let of_file = nearest(candidates.iter().map(|&(set, file, d)| (file, set, d)));
    for (&set, files) in &of_set {
        match files.as_slice() {
            [file] => match of_file[file].as_slice() {
                [back] if *back == set => {
                    links.file_of.insert(set, *file);
                }
                // Another set is nearer to the file.
                [_] => {}
                _ => links.add_ambiguous(set, files),
            },
            several => links.add_ambiguous(set, several),
        }
    }
}

/// For each left item, the right items at the smallest distance from it.
fn nearest(pairs: impl Iterator<Item = (usize, usize, i64)>) -> BTreeMap<usize, Vec<usize>> {
    let mut best: BTreeMap<usize, (i64, Vec<usize>)> = BTreeMap::new();
    for (left, right, distance) in pairs {
        let entry = best.entry(left).or_insert((distance, Vec::new()));
        if distance < entry.0 {
            *entry = (distance, Vec::new());
        }
        if distance == entry.0 {
            entry.1.push(right);
        }
    }
    best.into_iter()
        .map(|(left, (_, rights))| (left, rights))
        .collect()
}

/// The seconds between the end of a round and its stats file; `None` if they cannot belong together.
fn distance(facts: &[Fact], reports: &[usize], file: usize, written: &Written) -> Option<i64> {
    let report = facts[*reports.first()?].report()?;
    let (map, round) = match &facts[file].document {
        Document::Stats(file) => (&file.header.map, file.header.round),
        Document::Foreign(foreign) => (&foreign.map, foreign.round),
        Document::Report(_) => return None,
    };
    let by_offset = time_by_offset(&facts[file], report);
    let times = written.times().iter().copied().chain(by_offset);
    let distance = times
        .map(|time| {
            time.saturating_sub(report.meta.round_end_unix)
                .saturating_abs()
        })
        .min()?;
    (map.eq_ignore_ascii_case(&report.meta.map)
        && round == report.meta.round
        && distance <= WINDOW_SECONDS
        && Server::of(&facts[file]).may_be(server::of_reports(facts, reports)))
    .then_some(distance)
}

/// When a stats file was written, if its server's clock has the offset that a report of this version contains.
fn time_by_offset(file: &Fact, report: &Report) -> Option<i64> {
    if report.completeness != Completeness::File {
        return None;
    }
    let offset = Offset::from_seconds(report.meta.utc_offset_seconds).ok()?;
    let time = offset.to_timestamp(local_time(file)?).ok()?;
    Some(time.as_second())
}

/// The stats file that any of these reports names.
fn named_file<'a>(facts: &'a [Fact], reports: &[usize]) -> Option<&'a str> {
    reports
        .iter()
        .find_map(|&i| facts[i].report()?.meta.stats_file.as_deref())
}

fn file_name(facts: &[Fact], file: usize) -> Option<&str> {
    match &facts[file].document {
        Document::Stats(file) => Some(&file.name.name),
        Document::Foreign(foreign) => Some(&foreign.name),
        Document::Report(_) => None,
    }
}
