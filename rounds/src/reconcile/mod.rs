//! Decides which messages, gametimes files and stats files belong to the same round.
//!
//! [`reconcile`] is a pure function of the facts: the same facts give the same rounds, in whatever order and however often they
//! arrived. The database calls it with all facts around the time of a new one. It follows three rules:
//!
//! 1. **Reports of one round are merged** (`report_sets.rs`). Two reports are of the same round if they have the same `event_id`, or
//!    the same server, map and round number; in both cases their ends are at most [`SAME_END_SECONDS`] apart. A report that does
//!    not name its server (a message without a file) joins the only round that fits; if rounds of two servers fit, it stays alone.
//!    Reports of two webhooks are never merged (`webhooks.rs`): the holder of one must not change the rounds of the other.
//! 2. **A round gets its stats file** (`links.rs`): the file that its report names. If the report names none, it is the file of the
//!    same map and round number that was written closest to the round's end, at most [`WINDOW_SECONDS`] from it, if no other
//!    round is as close to that file. If several files or several rounds fit equally well, the round is ambiguous: nothing is
//!    linked, and the rows are flagged.
//! 3. **A round 2 continues from its round 1**: its stats file contains totals over both. The round 1 is the latest file
//!    before it of the same server and map that has a player in common, at most [`ROUND_2_WINDOW_SECONDS`] earlier. If that file is
//!    another round 2, the round 1 is missing: the round 2 is an orphan.
//!
//! Names of stats files contain local time. In the night in which the clock is set back, a round 2 may seem to end before its round 1
//! (`clock.rs`): a report's unix time decides; without one, both times that a name allows are tried, and a round 1 whose time
//! is the limit of the round 2 is preferred.
//!
//! Servers are compared by address and by name, as far as a fact contains them: many servers have the address 0.0.0.0:27960.

mod clock;
mod first_rounds;
mod links;
mod report_sets;
mod server;
mod webhooks;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use gametimes_format::rules::ROUND_2_WINDOW_SECONDS;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use self::clock::Written;
pub use self::clock::possible_times;
pub(crate) use self::first_rounds::number;
pub use self::report_sets::same_known_round;
use self::server::Server;
pub(crate) use self::webhooks::arrival;
use crate::report::Report;
use crate::stats_file::{MATCH_ID_FORMAT, StatsFile, minutes_seconds};

/// By how much the ends in two reports of one round may differ: two recorders see the end in different frames.
pub const SAME_END_SECONDS: i64 = 2;
/// How far a stats file may be from the end of its round. On real servers it is written 0 to 3 seconds after it.
pub const WINDOW_SECONDS: i64 = 30;
/// A fact further away in time than this cannot affect a round. A round 2 depends on a round 1 up to [`ROUND_2_WINDOW_SECONDS`]
/// earlier; and at both ends, which stats file belongs to which round depends on candidates up to two windows away.
pub const REACH_SECONDS: i64 = ROUND_2_WINDOW_SECONDS + 4 * WINDOW_SECONDS;

/// Something that was received and stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// The number in the database, in the order of arrival. It affects the result only where reports of several webhooks compete.
    pub id: i64,
    /// The hash over the content. It decides the order of facts of the same time.
    pub identity: String,
    /// `ip:port`, or the name that an admin gave to the source; empty if unknown.
    pub server: String,
    /// The Discord webhook that the fact came through; `None` for a file that the bot read itself.
    pub webhook: Option<u64>,
    /// The round's end, or the time in the name of the stats file, as a unix time.
    pub at_unix: i64,
    /// The content.
    pub document: Document,
    /// The row of `rounds` that another bot computed from the same stats file.
    pub foreign: Option<Box<ForeignRound>>,
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

/// The content of a [`Fact`].
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// A message or a gametimes file.
    Report(Box<Report>),
    /// A stats file.
    Stats(Box<StatsFile>),
    /// A round that another bot stored in the same database.
    Foreign(Box<ForeignRound>),
}

/// A row of `rounds` that was not computed from our facts.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignRound {
    /// `rounds.id`.
    pub round_id: i64,
    /// The name of its stats file, derived from the columns of the row.
    pub name: String,
    /// `YYYY-MM-DD-HHMMSS`; a round 2 may have that of its round 1.
    pub match_id: String,
    /// The map.
    pub map: String,
    /// 1 or 2.
    pub round: u8,
}

/// One round. The numbers are indices into the facts that were given to [`reconcile`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconciledRound {
    /// The report that is shown: the most complete one.
    pub report: Option<usize>,
    /// Every report of the round, the shown one included.
    pub reports: Vec<usize>,
    /// The stats file, or the foreign round.
    pub stats: Option<usize>,
    /// Older versions of the stats file, read before the server had written all of it.
    pub stale: Vec<usize>,
    /// The stats file whose totals are included in those of `stats`.
    pub base: Option<usize>,
    /// Whether `stats` is a round 2 whose round 1 is missing.
    pub orphan: bool,
    /// The round 1 of a round 2, as an index into the rounds: both have one `match_id`. `None` for an orphan.
    pub first: Option<usize>,
    /// Whether several stats files fit the report equally well, or several reports the stats file. They are not linked then.
    pub ambiguous: bool,
    /// When the round ended: by its report, else by the name of its stats file. If that allows two times, by those of the match's
    /// other round.
    pub end_unix: i64,
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

/// Decides which facts make up which round. The order of the rounds depends on the content of the facts, not on their order.
/// `zone` is the time zone of the servers.
pub fn reconcile(facts: &[Fact], zone: &TimeZone) -> Vec<ReconciledRound> {
    let mut order: Vec<usize> = (0..facts.len()).collect();
    order.sort_by(|&a, &b| {
        let key = |i: usize| (facts[i].at_unix, &facts[i].identity);
        key(a).cmp(&key(b))
    });
    let sets = report_sets::merge(facts, &order);
    let (files, mut stale) = newest_versions(facts, &order);
    let mut written: BTreeMap<usize, Written> = files
        .iter()
        .map(|&f| (f, Written::of(&facts[f], zone)))
        .collect();
    let links = links::link(facts, &sets, &files, &written);
    let mut rounds = Vec::new();
    for (i, reports) in sets.into_iter().enumerate() {
        let stats = links.file_of.get(&i).copied();
        rounds.push(ReconciledRound {
            report: reports.first().copied(),
            reports,
            stats,
            stale: stats.and_then(|s| stale.remove(&s)).unwrap_or_default(),
            base: None,
            orphan: false,
            first: None,
            ambiguous: links.ambiguous_sets.contains(&i),
            end_unix: 0,
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
            first: None,
            ambiguous: links.ambiguous_files.contains(&file),
            end_unix: 0,
        });
    }
    // A stats file that does not name its server is of the server whose report it belongs to.
    let mut servers: BTreeMap<usize, Server<'_>> =
        files.iter().map(|&f| (f, Server::of(&facts[f]))).collect();
    for round in &rounds {
        let Some(file) = round.stats else {
            continue;
        };
        if let Some(server) = servers.get_mut(&file) {
            *server = server.or(server::of_reports(facts, &round.reports));
        }
        let report = round.report.and_then(|r| facts[r].report());
        if let (Some(written), Some(report)) = (written.get_mut(&file), report) {
            written.set_end(report.meta.round_end_unix);
        }
    }
    for round in &mut rounds {
        if let Some(file) = round.stats {
            (round.base, round.orphan) = base(facts, &servers, &written, file);
        }
    }
    let pairs: Vec<_> = rounds
        .iter()
        .filter_map(|r| Some((r.base?, r.stats?)))
        .collect();
    for (one, two) in pairs {
        let (one_at, two_at) = written[&two].closest_after(&written[&one]);
        for (file, at) in [(one, one_at), (two, two_at)] {
            if let Some(written) = written.get_mut(&file) {
                written.choose(at);
            }
        }
    }
    for round in &mut rounds {
        let report = round.report.and_then(|r| facts[r].report());
        let file = round.stats.map(|file| written[&file].end_unix());
        round.end_unix = report
            .map(|report| report.meta.round_end_unix)
            .or(file)
            .unwrap_or_default();
    }
    first_rounds::assign(facts, &mut rounds);
    rounds
}

/// Finds the newest version of each stats file: of the files with the same name and server, the one with the most players. Returns
/// also the older versions of each.
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

/// Finds the stats file whose totals are included in those of `file`. Returns also whether there should be one but it is missing.
/// `servers` and `written` contain all stats files.
fn base(
    facts: &[Fact],
    servers: &BTreeMap<usize, Server<'_>>,
    written: &BTreeMap<usize, Written>,
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
        let age = written[&file].seconds_after(&written[&f])?;
        let Document::Stats(other) = &facts[f].document else {
            return None;
        };
        (age <= ROUND_2_WINDOW_SECONDS
            && other.header.map.eq_ignore_ascii_case(&this.header.map)
            && server.may_be(servers[&file])
            // A file that was saved at a shutdown continues from the last file, even from that of a round 2.
            && (this.is_cut_off() || !other.is_cut_off())
            && share_a_player(this, other))
        .then_some((f, other, age))
    });
    let mut before: Vec<_> = before.collect();
    let is_ambiguous = before
        .iter()
        .any(|(f, ..)| written[&file].is_ambiguous(&written[f]));
    if is_ambiguous && !this.is_cut_off() && before.iter().any(|(_, o, _)| sets_limit_of(o, this)) {
        before.retain(|(_, other, _)| sets_limit_of(other, this));
    }
    let base = before
        .into_iter()
        .max_by_key(|(f, _, age)| (Reverse(*age), &facts[*f].identity))
        // After another round 2, this one belongs to a later match, whose round 1 is missing.
        .filter(|(_, other, _)| this.is_cut_off() || other.header.round == 1)
        .map(|(f, ..)| f);
    (base, needs_base && base.is_none())
}

/// Whether `one` is a round 1 whose time is the time limit of the round 2 `two`.
fn sets_limit_of(one: &StatsFile, two: &StatsFile) -> bool {
    let limit = minutes_seconds(&two.header.timelimit);
    one.header.round == 1 && limit.is_some() && one.header.next_limit_seconds() == limit
}

/// Whether two rounds may be of one server. Each is given by the address and the name of its server, empty if unknown.
pub(crate) fn may_be_same_server(a: (&str, &str), b: (&str, &str)) -> bool {
    let server = |(address, name)| Server { address, name };
    server(a).may_be(server(b))
}

/// Two files without a common player are hardly of the same match: two servers may have the same name and address.
fn share_a_player(a: &StatsFile, b: &StatsFile) -> bool {
    let is_in_b = |guid: &str| b.players.iter().any(|p| p.guid.eq_ignore_ascii_case(guid));
    a.players.iter().any(|p| is_in_b(&p.guid))
}

/// The unix time of a match id or of the name of a stats file: both begin with the server's local time.
pub fn unix_of(match_id: &str, zone: &TimeZone) -> Option<i64> {
    let civil = DateTime::strptime(MATCH_ID_FORMAT, match_id.get(..17)?).ok()?;
    Some(unix_of_civil(civil, zone))
}

/// The unix time of a local time. If the time occurs twice because the clock is set back, it is the first of the two.
pub fn unix_of_civil(civil: DateTime, zone: &TimeZone) -> i64 {
    zone.to_ambiguous_timestamp(civil)
        .compatible()
        .map_or(0, Timestamp::as_second)
}
