//! Which message, gametimes file and stats file tell of the same round.
//!
//! [`reconcile`] is a pure function of the facts: whatever order they came in and however often, the same facts give the
//! same rounds. The store calls it with all facts around the time of a new one.
//!
//! 1. Reports of one round are one: the same `event_id`, or the same server, map and round; in either case with ends at
//!    most [`SAME_END_SECONDS`] apart. A report that does not name its server (a message without file) joins the only
//!    candidate.
//! 2. A stats file belongs to the report that names it; else to the one of its map and round whose end is next to the
//!    time in its name, at most [`WINDOW_SECONDS`] away, if each is the other's only nearest one. A tie stays unlinked.
//! 3. A round 2 counts on from the stats file of its round 1: the latest file of its server and map that has a player in
//!    common, at most [`ROUND_2_WINDOW_SECONDS`] before. If that is another round 2, its round 1 is missing.
//!
//! Servers are told apart by address and by name, as far as a fact tells them: many have the address 0.0.0.0:27960.

mod report_sets;
mod server;

use std::collections::{BTreeMap, BTreeSet};

use gametimes_format::rules::ROUND_2_WINDOW_SECONDS;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use self::server::Server;
use crate::report::Report;
use crate::stats_file::StatsFile;

/// Two reports of one round may differ by this much in its end: two recorders see it in different frames.
pub const SAME_END_SECONDS: i64 = 2;
/// A stats file is written within seconds of the end; measured on real servers: 0 to 3.
pub const WINDOW_SECONDS: i64 = 30;
/// How a match id begins: the server's local time, as a format of `strftime`.
pub const MATCH_ID_FORMAT: &str = "%Y-%m-%d-%H%M%S";
/// Facts further away in time than this have no say in a round.
pub const REACH_SECONDS: i64 = ROUND_2_WINDOW_SECONDS + 4 * WINDOW_SECONDS;

/// Something that was received and stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Number in the database; plays no part in what is assembled.
    pub id: i64,
    /// Hash over the content: the order of equals.
    pub identity: String,
    /// `ip:port`, or the name an admin gave the place it came from; empty when unknown.
    pub server: String,
    /// When, in UTC: the round's end, or the time in the file's name.
    pub at_unix: i64,
    /// What.
    pub document: Document,
}

impl Fact {
    /// The report, if the fact is one.
    pub fn report(&self) -> Option<&Report> {
        match &self.document {
            Document::Report(report) => Some(report),
            _ => None,
        }
    }

    /// The stats file, if the fact is one.
    pub fn stats_file(&self) -> Option<&StatsFile> {
        match &self.document {
            Document::Stats(file) => Some(file),
            _ => None,
        }
    }
}

/// What a [`Fact`] holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// A message or a gametimes file.
    Report(Box<Report>),
    /// A stats file.
    Stats(Box<StatsFile>),
    /// A round that another bot stored in the same database.
    Foreign(Box<ForeignRound>),
}

/// A row of `rounds` that none of our facts made.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignRound {
    /// Its number in `rounds`.
    pub round_id: i64,
    /// The name of its stats file, as far as it can be told.
    pub name: String,
    /// `YYYY-MM-DD-HHMMSS`.
    pub match_id: String,
    /// The map.
    pub map: String,
    /// The round.
    pub round: u8,
}

/// One round, put together from facts (indices into the slice given to [`reconcile`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconciledRound {
    /// The report that is shown: the most complete one.
    pub report: Option<usize>,
    /// Every report of the round, the shown one included.
    pub reports: Vec<usize>,
    /// The stats file, or the foreign round.
    pub stats: Option<usize>,
    /// Older versions of the stats file, which was read before it was complete.
    pub stale: Vec<usize>,
    /// The stats file whose counters `stats` counts on.
    pub base: Option<usize>,
    /// `stats` is a round 2 without its round 1.
    pub orphan: bool,
    /// Several stats files fit the report equally well, or several reports the stats file: it stays unlinked.
    pub tie: bool,
}

impl ReconciledRound {
    /// All facts of the round.
    pub fn members(&self) -> impl Iterator<Item = usize> + '_ {
        self.reports
            .iter()
            .chain(&self.stats)
            .chain(&self.stale)
            .copied()
    }
}

/// Puts rounds together. The result's order follows the facts' content, not their order.
pub fn reconcile(facts: &[Fact]) -> Vec<ReconciledRound> {
    let mut order: Vec<usize> = (0..facts.len()).collect();
    order.sort_by(|&a, &b| {
        let key = |i: usize| (facts[i].at_unix, &facts[i].identity);
        key(a).cmp(&key(b))
    });
    let groups = report_sets::group(facts, &order);
    let (files, mut stale) = newest_versions(facts, &order);
    let links = link(facts, &groups, &files);
    let mut rounds = Vec::new();
    for (i, group) in groups.into_iter().enumerate() {
        let stats = links.file_of.get(&i).copied();
        rounds.push(ReconciledRound {
            report: group.first().copied(),
            reports: group,
            stats,
            stale: stats.and_then(|s| stale.remove(&s)).unwrap_or_default(),
            base: None,
            orphan: false,
            tie: links.tied_groups.contains(&i),
        });
    }
    for &file in &files {
        if links.file_of.values().any(|f| *f == file)
            || matches!(facts[file].document, Document::Foreign(_))
        {
            continue;
        }
        rounds.push(ReconciledRound {
            report: None,
            reports: Vec::new(),
            stats: Some(file),
            stale: stale.remove(&file).unwrap_or_default(),
            base: None,
            orphan: false,
            tie: links.tied_files.contains(&file),
        });
    }
    // A stats file that does not tell its server is of the one whose report it belongs to.
    let mut servers: BTreeMap<usize, Server<'_>> =
        files.iter().map(|&f| (f, Server::of(&facts[f]))).collect();
    for round in &rounds {
        if let Some(server) = round.stats.and_then(|file| servers.get_mut(&file)) {
            *server = server.or(server::of_group(facts, &round.reports));
        }
    }
    for round in &mut rounds {
        if let Some(file) = round.stats {
            (round.base, round.orphan) = base(facts, &servers, file);
        }
    }
    rounds
}

/// Of several versions of one stats file (same name, same server) the one with the most players counts.
fn newest_versions(facts: &[Fact], order: &[usize]) -> (Vec<usize>, BTreeMap<usize, Vec<usize>>) {
    let mut versions: BTreeMap<(&str, &str, &str), Vec<usize>> = BTreeMap::new();
    let mut files = Vec::new();
    for &i in order {
        match &facts[i].document {
            Document::Stats(file) => {
                let Server { address, name } = Server::of(&facts[i]);
                versions
                    .entry((address, name, &file.name.name))
                    .or_default()
                    .push(i);
            }
            Document::Foreign(_) => files.push(i),
            Document::Report(_) => {}
        }
    }
    let mut stale = BTreeMap::new();
    for mut list in versions.into_values() {
        let rank = |i: usize| match &facts[i].document {
            Document::Stats(file) => (
                file.players.len(),
                usize::MAX - file.problems.len(),
                &facts[i].identity,
            ),
            _ => unreachable!("only stats files have versions"),
        };
        list.sort_by(|&a, &b| rank(b).cmp(&rank(a)));
        let newest = list.remove(0);
        files.push(newest);
        stale.insert(newest, list);
    }
    files.sort_by_key(|&i| (facts[i].at_unix, &facts[i].identity));
    (files, stale)
}

/// Which stats file each group of reports has.
#[derive(Default)]
struct Links {
    file_of: BTreeMap<usize, usize>,
    tied_groups: BTreeSet<usize>,
    tied_files: BTreeSet<usize>,
}

fn link(facts: &[Fact], groups: &[Vec<usize>], files: &[usize]) -> Links {
    let mut links = Links::default();
    let mut taken: BTreeSet<usize> = BTreeSet::new();
    // By name: what the recorder saw the server write.
    let mut named: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (g, group) in groups.iter().enumerate() {
        let Some(name) = stats_name(facts, group) else {
            continue;
        };
        let of_name = files.iter().copied().filter(|&f| {
            file_name(facts, f) == Some(name)
                && Server::of(&facts[f]).may_be(server::of_group(facts, group))
        });
        for file in of_name {
            named.entry(file).or_default().push(g);
        }
    }
    let mut files_of_group: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (&file, groups) in &named {
        for &g in groups {
            files_of_group.entry(g).or_default().push(file);
        }
    }
    for (&g, files) in &files_of_group {
        match files.as_slice() {
            [file] if named[file].len() == 1 => {
                links.file_of.insert(g, *file);
            }
            _ => {
                links.tied_groups.insert(g);
                links.tied_files.extend(files);
            }
        }
        taken.extend(files);
    }
    // By time: each the other's only nearest.
    let candidates: Vec<(usize, usize, i64)> = groups
        .iter()
        .enumerate()
        .filter(|(g, group)| !files_of_group.contains_key(g) && stats_name(facts, group).is_none())
        .flat_map(|(g, group)| {
            files
                .iter()
                .filter(|f| !taken.contains(*f))
                .filter_map(move |&f| Some((g, f, distance(facts, group, f)?)))
        })
        .collect();
    let of_group = nearest(candidates.iter().map(|&(g, f, d)| (g, f, d)));
    let of_file = nearest(candidates.iter().map(|&(g, f, d)| (f, g, d)));
    for (&g, nearest) in &of_group {
        match nearest.as_slice() {
            [file] => match of_file[file].as_slice() {
                [back] if *back == g => {
                    links.file_of.insert(g, *file);
                }
                [_] => {}
                _ => {
                    links.tied_groups.insert(g);
                    links.tied_files.insert(*file);
                }
            },
            several => {
                links.tied_groups.insert(g);
                links.tied_files.extend(several);
            }
        }
    }
    links
}

/// For each left item the right items at the least distance.
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

/// How far apart in time a group's end and a stats file are, if they can belong together.
fn distance(facts: &[Fact], group: &[usize], file: usize) -> Option<i64> {
    let Document::Report(report) = &facts[*group.first()?].document else {
        return None;
    };
    let (map, round) = match &facts[file].document {
        Document::Stats(file) => (&file.header.map, file.header.round),
        Document::Foreign(foreign) => (&foreign.map, foreign.round),
        Document::Report(_) => return None,
    };
    let distance = (facts[file].at_unix - report.meta.round_end_unix).abs();
    (map.eq_ignore_ascii_case(&report.meta.map)
        && round == report.meta.round
        && distance <= WINDOW_SECONDS
        && Server::of(&facts[file]).may_be(server::of_group(facts, group)))
    .then_some(distance)
}

/// The stats file that any report of the group names.
fn stats_name<'a>(facts: &'a [Fact], group: &[usize]) -> Option<&'a str> {
    group.iter().find_map(|&i| match &facts[i].document {
        Document::Report(report) => report.meta.stats_file.as_deref(),
        _ => None,
    })
}

fn file_name(facts: &[Fact], file: usize) -> Option<&str> {
    match &facts[file].document {
        Document::Stats(file) => Some(&file.name.name),
        Document::Foreign(foreign) => Some(&foreign.name),
        Document::Report(_) => None,
    }
}

/// The stats file whose counters `file` counts on, and whether it lacks one that should be there. `servers` has all stats
/// files.
fn base(
    facts: &[Fact],
    servers: &BTreeMap<usize, Server<'_>>,
    file: usize,
) -> (Option<usize>, bool) {
    let Document::Stats(this) = &facts[file].document else {
        return (None, false);
    };
    let needs_base = this.header.round == 2;
    if !needs_base && !this.is_cut_off() {
        return (None, false);
    }
    let before = servers.iter().filter_map(|(&f, server)| {
        let age = facts[file].at_unix - facts[f].at_unix;
        let Document::Stats(other) = &facts[f].document else {
            return None;
        };
        ((1..=ROUND_2_WINDOW_SECONDS).contains(&age)
            && other.header.map.eq_ignore_ascii_case(&this.header.map)
            && server.may_be(servers[&file])
            // A save at a shutdown counts on from whatever was written last.
            && (this.is_cut_off() || !other.is_cut_off())
            && share_a_player(this, other))
        .then_some((f, other))
    });
    let base = before
        .max_by_key(|(f, _)| (facts[*f].at_unix, &facts[*f].identity))
        // Behind another round 2 this one belongs to a later match, whose round 1 is missing.
        .filter(|(_, other)| this.is_cut_off() || other.header.round == 1)
        .map(|(f, _)| f);
    (base, needs_base && base.is_none())
}

/// Two files without a player in common are hardly of one match: two servers may have the same name and address.
fn share_a_player(a: &StatsFile, b: &StatsFile) -> bool {
    let is_in_b = |guid: &str| b.players.iter().any(|p| p.guid.eq_ignore_ascii_case(guid));
    a.players.iter().any(|p| is_in_b(&p.guid))
}

/// The unix time of a match id or of the name of a stats file, which begin with the server's local time.
pub fn unix_of(match_id: &str, zone: &TimeZone) -> Option<i64> {
    let civil = DateTime::strptime(MATCH_ID_FORMAT, match_id.get(..17)?).ok()?;
    Some(unix_of_civil(civil, zone))
}

/// The unix time of a local time. A time that occurs twice, when the clock is set back, counts as the first one.
pub fn unix_of_civil(civil: DateTime, zone: &TimeZone) -> i64 {
    zone.to_ambiguous_timestamp(civil)
        .compatible()
        .map_or(0, Timestamp::as_second)
}
