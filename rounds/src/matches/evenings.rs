//! Which matches make up a series, and which series an evening.

use std::collections::BTreeSet;

use serde::Serialize;

use super::pairs::pair;
use super::result::Outcome;
use super::teams::{Lineups, MatchTeam, Sides};
use super::{Match, Paired, PlayedRound};

/// So long without a round, an evening is over.
pub const EVENING_GAP_SECONDS: i64 = 3600;
/// So long without a round, a series is over.
pub const SERIES_GAP_SECONDS: i64 = 3600;

/// Points of a match for its winner, and for each team of a draw.
const POINTS_WIN: u32 = 2;
const POINTS_DRAW: u32 = 1;

/// Whether a round that began at this time belongs to the evening of the round that ended before it.
pub fn is_same_evening(ended_unix: i64, began_unix: i64) -> bool {
    began_unix.saturating_sub(ended_unix) < EVENING_GAP_SECONDS
}

/// The rounds of all servers up to a gap of one hour without a round.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Evening {
    /// When the first round began.
    pub started_unix: i64,
    /// When the last round ended.
    pub ended_unix: i64,
    /// The series, in the order in which they began.
    pub series: Vec<Series>,
}

/// Maps in a row on one server by the same two teams.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Series {
    /// The server's address, `ip:port`; null if unknown.
    pub server_address: Option<String>,
    /// The server's name; null if unknown.
    pub server_name: Option<String>,
    /// The team that attacks in round 1 of the first match.
    pub team_1: MatchTeam,
    /// The other team.
    pub team_2: MatchTeam,
    /// 2 points for a match that team 1 won, 1 for a draw.
    pub score_1: u32,
    /// 2 points for a match that team 2 won, 1 for a draw.
    pub score_2: u32,
    /// The matches, in the order in which they were played.
    pub matches: Vec<SeriesMatch>,
}

/// A match of a [`Series`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SeriesMatch {
    /// The match.
    #[serde(flatten)]
    pub played: Match,
    /// Which team of the series is team A of the match: 1 or 2.
    pub team_a_is: u8,
}

impl SeriesMatch {
    /// The points that the two teams of the series get for it.
    pub fn points(&self) -> [u32; 2] {
        let mut points = match self.played.result.winner {
            Outcome::TeamA => [POINTS_WIN, 0],
            Outcome::TeamB => [0, POINTS_WIN],
            Outcome::Draw => [POINTS_DRAW; 2],
            Outcome::Undecided => [0, 0],
        };
        if self.team_a_is == 2 {
            points.reverse();
        }
        points
    }
}

/// Puts rounds together to matches, series and evenings, in the order in which they were played.
pub fn evenings(rounds: &[PlayedRound]) -> Vec<Evening> {
    split(rounds).iter().map(|rounds| evening(rounds)).collect()
}

/// The rounds of each evening, in the order in which they were played. Rounds of one match are in one evening.
pub fn split(rounds: &[PlayedRound]) -> Vec<Vec<&PlayedRound>> {
    let mut sorted: Vec<&PlayedRound> = rounds.iter().collect();
    sorted.sort_by(|a, b| a.order().cmp(&b.order()));
    let mut evenings: Vec<Vec<&PlayedRound>> = Vec::new();
    // A long round may begin before the one before it in this order.
    let mut began = vec![i64::MAX; sorted.len() + 1];
    for (i, round) in sorted.iter().enumerate().rev() {
        began[i] = began[i + 1].min(round.began_unix());
    }
    let mut uids: BTreeSet<&str> = BTreeSet::new();
    for (i, round) in sorted.into_iter().enumerate() {
        let uid = round.match_uid.as_deref();
        let current = evenings.last_mut().filter(|rounds| {
            let last = rounds.last().map_or(i64::MIN, |last| last.end_unix);
            is_same_evening(last, began[i]) || uid.is_some_and(|uid| uids.contains(uid))
        });
        match current {
            Some(current) => current.push(round),
            None => {
                uids.clear();
                evenings.push(vec![round]);
            }
        }
        uids.extend(uid);
    }
    evenings
}

/// A series while it is put together.
struct Open<'a> {
    matches: Vec<(Paired<'a>, Sides, bool)>,
    lineups: Lineups,
    /// The players of the last match.
    last: Lineups,
    ended_unix: i64,
}

fn evening(rounds: &[&PlayedRound]) -> Evening {
    let mut matches = pair(rounds);
    matches.sort_by(|a, b| {
        let key = |m: &Paired<'_>| (m.began_unix(), m.main().end_unix);
        let names = |m: &Paired<'_>| (m.main().round_number, m.main().match_id.clone());
        key(a).cmp(&key(b)).then_with(|| names(a).cmp(&names(b)))
    });
    let mut all: Vec<Open<'_>> = Vec::new();
    for paired in matches {
        let sides = Sides::of(&paired);
        let mut lineups = Lineups::default();
        lineups.add(&paired, &sides, false);
        // In a row: only the latest series of the server can continue.
        let on_server = |open: &&mut Open<'_>| {
            let last = open.matches.last();
            last.is_some_and(|(last, ..)| last.main().may_share_server(paired.main()))
        };
        let latest = all.iter_mut().rev().find(on_server);
        let continued = latest.and_then(|open| {
            let gap = paired.began_unix() - open.ended_unix;
            let swapped = same_teams(&open.last, &lineups)?;
            (gap < SERIES_GAP_SECONDS).then_some((open, swapped))
        });
        let ended_unix = paired.ended_unix();
        if let Some((open, swapped)) = continued {
            open.lineups.add(&paired, &sides, swapped);
            open.last = Lineups::default();
            open.last.add(&paired, &sides, swapped);
            open.ended_unix = open.ended_unix.max(ended_unix);
            open.matches.push((paired, sides, swapped));
        } else {
            all.push(Open {
                lineups: lineups.clone(),
                last: lineups,
                ended_unix,
                matches: vec![(paired, sides, false)],
            });
        }
    }
    Evening {
        started_unix: rounds.iter().map(|r| r.began_unix()).min().unwrap_or(0),
        ended_unix: rounds.iter().map(|r| r.end_unix).max().unwrap_or(0),
        series: all.iter().map(Open::close).collect(),
    }
}

/// Whether two matches have the same teams, and if so, whether team A of the second is the second team of the first: more than
/// half of the players of each team, counted on the larger side, are the same.
fn same_teams(before: &Lineups, now: &Lineups) -> Option<bool> {
    let same = |a: usize, b: usize| {
        let (a, b) = (before.keys(a), now.keys(b));
        2 * a.intersection(&b).count() > a.len().max(b.len())
    };
    if same(0, 0) && same(1, 1) {
        return Some(false);
    }
    (same(0, 1) && same(1, 0)).then_some(true)
}

impl Open<'_> {
    fn close(&self) -> Series {
        let teams = self.lineups.teams();
        let mut score = [0, 0];
        let mut matches = Vec::new();
        for (paired, sides, swapped) in &self.matches {
            let mut lineups = Lineups::default();
            lineups.add(paired, sides, false);
            let mut own = lineups.teams();
            let series_team = |team: usize| usize::from((team == 1) != *swapped);
            for (n, team) in own.iter_mut().enumerate() {
                team.name.clone_from(&teams[series_team(n)].name);
            }
            let of_series = SeriesMatch {
                played: paired.build(own, sides),
                team_a_is: if *swapped { 2 } else { 1 },
            };
            let points = of_series.points();
            score = [score[0] + points[0], score[1] + points[1]];
            matches.push(of_series);
        }
        let known = |of: fn(&Match) -> &Option<String>| {
            let mut texts = matches.iter().map(|m| of(&m.played));
            texts.find_map(Clone::clone)
        };
        let [team_1, team_2] = teams;
        Series {
            server_address: known(|m| &m.server_address),
            server_name: known(|m| &m.server_name),
            team_1,
            team_2,
            score_1: score[0],
            score_2: score[1],
            matches,
        }
    }
}
