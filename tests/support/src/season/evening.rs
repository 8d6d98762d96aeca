//! Who plays what on an evening.

use std::collections::BTreeSet;

use gametimes_format::matches::Half;
use gametimes_format::{EndReason, Score, Team, TeamWaves, WaveInterval, Waves};
use jiff::ToSpan;
use jiff::civil::{Date, date};

use super::fight::{Change, Setup, fight};
use super::files::{Ending, Played, Server, zone};
use super::random::Random;
use super::roster::Member;
use super::{RoundFiles, Season, stats};

/// The last evening is a Sunday, so Mondays are free.
const LAST_DAY: Date = date(2026, 11, 22);
/// Maps with their time limit in minutes, the team that attacks, and what it blows up.
const MAPS: [(&str, i64, Team, &str); 10] = [
    ("supply", 15, Team::Allies, "the Crane Controls"),
    ("goldrush", 20, Team::Allies, "the Bank Doors"),
    ("te_escape2", 15, Team::Allies, "the Unholy Grail"),
    ("radar", 15, Team::Allies, "the West Radar"),
    ("adlernest", 10, Team::Allies, "the Documents Vault"),
    ("braundorf_b4", 12, Team::Allies, "the Bunker"),
    ("frostbite", 10, Team::Allies, "the Supply Documents"),
    ("sw_oasis_b3", 15, Team::Allies, "the North Gun"),
    ("et_ice", 10, Team::Axis, "the Main Gate"),
    ("bremen_b3", 12, Team::Allies, "the Truck Barrier"),
];
/// What a server's players need: two teams, and some who watch and come in.
const PER_SERVER: usize = 14;
/// How many rounds a server has on a usual evening.
const ROUNDS_PER_SERVER: usize = 14;

/// The rounds of the evening with this number.
pub(super) fn play(season: &Season, roster: &[Member], n: usize) -> Vec<RoundFiles> {
    let mut random = Random::new(season.seed, n as u64);
    let rounds = quota(season, n + 1).saturating_sub(quota(season, n));
    let wanted = rounds.div_ceil(ROUNDS_PER_SERVER) + usize::from(random.chance(0.15));
    let servers = wanted.min(roster.len() / 12).max(1);
    let mut order: Vec<usize> = (0..roster.len()).collect();
    random.shuffle(&mut order);
    let start_unix = start(season, n, &mut random);
    let mut played = Vec::new();
    for server in 0..servers {
        let from = (server * PER_SERVER).min(order.len());
        let to = ((server + 1) * PER_SERVER).min(order.len());
        let mut present = order[from..to].to_vec();
        if server == 0 && random.chance(0.6) {
            present = clan_match(roster, &order, &mut random).unwrap_or(present);
        }
        let rounds = rounds * (server + 1) / servers - rounds * server / servers;
        let mut table = Table {
            roster,
            server: name_server(server),
            random: Random::new(season.seed, (n * 64 + server) as u64 ^ 0x5EED << 32),
            has_timelines: season.evenings - n <= season.evenings_with_timelines,
            now_unix: start_unix + random.between(0, 900),
            teams: [Vec::new(), Vec::new()],
            bench: Vec::new(),
            left: rounds,
            files: Vec::new(),
        };
        table.evening(&present);
        played.append(&mut table.files);
        // Nobody plays on two servers.
        let taken: BTreeSet<usize> = present.into_iter().collect();
        order.retain(|p| !taken.contains(p));
    }
    played
}

/// How many rounds there are before the evening `n`. Some evenings are longer than others.
fn quota(season: &Season, n: usize) -> usize {
    let even = season.rounds * n / season.evenings.max(1);
    if n == 0 || n >= season.evenings {
        return even;
    }
    let swing = (season.rounds / season.evenings.max(1) / 3) as i64;
    let mut random = Random::new(season.seed, n as u64 ^ 0x0AC0 << 40);
    even + random.between(0, swing) as usize
}

/// When the evening begins. Those before a change of the clocks begin an hour before it, and every ninth one late.
fn start(season: &Season, n: usize, random: &mut Random) -> i64 {
    let back = (season.evenings - 1 - n) as i64;
    let day = LAST_DAY.saturating_sub((back + back / 6).days());
    let at = |hour: i8| {
        day.at(hour, 0, 0, 0)
            .to_zoned(zone())
            .expect("a day of this century")
            .timestamp()
    };
    if let Some(change) = zone().following(at(12)).next()
        && change.timestamp() < at(12) + 24.hours()
    {
        return change.timestamp().as_second() - 3600;
    }
    let late = if n % 9 == 4 { 3 * 3600 } else { 0 };
    at(19).as_second() + late + random.between(0, 5400)
}

fn name_server(n: usize) -> Server {
    let names = [
        "^1Stopwatch ^7Tavern #1",
        "^3Stopwatch ^7Tavern #2",
        "^4Nordic ^7Scrim",
    ];
    Server {
        name: names
            .get(n)
            .map_or_else(|| format!("^7Gather {n}"), |name| (*name).to_owned()),
        ip: "203.0.113.7".to_owned(),
        port: (27960 + n).to_string(),
        config: "legacy6",
    }
}

/// The players of two clans, six of each if they are there, and two who watch.
fn clan_match(roster: &[Member], order: &[usize], random: &mut Random) -> Option<Vec<usize>> {
    let clans: BTreeSet<usize> = roster.iter().filter_map(|m| m.clan).collect();
    let mut clans: Vec<usize> = clans.into_iter().collect();
    random.shuffle(&mut clans);
    let [one, two, ..] = clans[..] else {
        return None;
    };
    let of = |clan| {
        let members = order
            .iter()
            .copied()
            .filter(move |p| roster[*p].clan == Some(clan));
        members.take(6).collect::<Vec<usize>>()
    };
    let (one, two) = (of(one), of(two));
    let size = one.len().min(two.len());
    let others = order.iter().copied().filter(|p| roster[*p].clan.is_none());
    (size >= 5).then(|| {
        one[..size]
            .iter()
            .chain(&two[..size])
            .copied()
            .chain(others.take(2))
            .collect()
    })
}

/// A server over an evening.
struct Table<'a> {
    roster: &'a [Member],
    server: Server,
    random: Random,
    has_timelines: bool,
    now_unix: i64,
    /// The two teams of the series.
    teams: [Vec<usize>; 2],
    /// Players without a place.
    bench: Vec<usize>,
    /// How many rounds are still to be played.
    left: usize,
    files: Vec<RoundFiles>,
}

impl Table<'_> {
    fn evening(&mut self, present: &[usize]) {
        let size = ((present.len() - 1) / 2).min(6);
        self.teams = [present[..size].to_vec(), present[size..2 * size].to_vec()];
        self.bench = present[2 * size..].to_vec();
        let is_clan_match = self.teams.iter().all(|team| {
            let clan = self.roster[team[0]].clan;
            clan.is_some() && team.iter().all(|p| self.roster[*p].clan == clan)
        });
        let mut maps: Vec<usize> = (0..MAPS.len()).collect();
        self.random.shuffle(&mut maps);
        for (played, map) in maps.into_iter().cycle().enumerate() {
            if self.left == 0 {
                return;
            }
            if played > 0 && played % 3 == 0 && !is_clan_match {
                self.deal();
            } else if played > 0 && self.random.chance(0.2) {
                self.substitute();
            }
            self.play_map(map);
            self.now_unix += self.random.between(60, 400);
        }
    }

    /// Makes new teams of the same players.
    fn deal(&mut self) {
        let size = self.teams[0].len();
        let mut all: Vec<usize> = self.teams.concat();
        all.append(&mut self.bench);
        self.random.shuffle(&mut all);
        self.bench = all.split_off(2 * size);
        self.teams = [all[..size].to_vec(), all[size..].to_vec()];
    }

    /// Replaces a player by one who watched, for the rest of the evening.
    fn substitute(&mut self) -> Option<(usize, usize)> {
        let joined = self.bench.pop()?;
        let team = self.random.between(0, 1) as usize;
        let at = self.random.between(0, self.teams[team].len() as i64 - 1) as usize;
        let out = std::mem::replace(&mut self.teams[team][at], joined);
        self.bench.insert(0, out);
        Some((out, joined))
    }

    /// Both rounds of a map. A round 1 that is cut off is played again; after a round 2 that is cut off, the match is over.
    fn play_map(&mut self, map: usize) {
        self.random.shuffle(&mut self.teams);
        let mut totals = stats::Match::new();
        let Some(first) = self.play_round(map, None, &mut totals) else {
            return;
        };
        if first.half.held.is_none() || self.left == 0 {
            return;
        }
        self.now_unix += self.random.between(20, 60);
        self.play_round(map, Some(first), &mut totals);
    }

    fn play_round(
        &mut self,
        map: usize,
        first: Option<First>,
        totals: &mut stats::Match,
    ) -> Option<First> {
        self.left = self.left.checked_sub(1)?;
        let (name, minutes, attackers, objective) = MAPS[map];
        let full_limit_ms = minutes * 60_000;
        let limit_ms = first
            .as_ref()
            .map_or(full_limit_ms, |first| first.next_limit_ms);
        // Team A attacks in round 1, team B in round 2.
        let attacking = usize::from(first.is_some());
        let defending = 1 - attacking;
        let mut sides = [&self.teams[defending], &self.teams[attacking]].map(Vec::clone);
        if attackers == Team::Axis {
            sides.reverse();
        }
        let (ending, duration_ms) = self.ending(attackers, limit_ms, &sides);
        let change = self.change(duration_ms);
        let waves = self.waves();
        let setup = Setup {
            roster: self.roster,
            sides: [&sides[0], &sides[1]],
            waves: &waves,
            duration_ms,
            change,
            attackers,
            completed: ending == Ending::Completed,
            objective,
        };
        let (fighters, events) = fight(&setup, &mut self.random);
        let warmup_ms = self.random.between(30_000, 150_000);
        let pause_ms = self.random.chance(0.06).then(|| {
            let at_ms = self.random.between(duration_ms / 10, duration_ms * 9 / 10);
            (at_ms, self.random.between(15, 240) * 1000)
        });
        let start_unix = self.now_unix + warmup_ms / 1000;
        let mut played = Played {
            roster: self.roster,
            server: &self.server,
            map: name,
            number: 1 + attacking as u8,
            start_unix,
            duration_ms,
            pause_ms,
            warmup_ms,
            ending,
            attackers,
            limit_ms,
            team_a: if first.is_some() {
                attackers.opponent()
            } else {
                attackers
            },
            start: sides,
            change,
            fighters,
            events: if self.has_timelines {
                events
            } else {
                Vec::new()
            },
            waves,
            event_id: uuid(start_unix, &mut self.random),
            score: first
                .as_ref()
                .map_or_else(Score::default, |first| first.score),
            first: first.map(|first| (first.event_id, first.half)),
            stats_file: None,
        };
        match played.winner() {
            Some(Team::Axis) => played.score.axis += 1,
            Some(Team::Allies) => played.score.allies += 1,
            None => {}
        }
        let end_unix = played.end_unix();
        let is_cut_off = matches!(ending, Ending::CutOff(_));
        let stats = stats::text(&played, totals, &mut self.random);
        // Some servers write no stats file at a shutdown.
        if !self.random.chance(if is_cut_off { 0.5 } else { 0.02 }) {
            let written_unix = end_unix + self.random.between(1, 3);
            played.stats_file = Some(stats::name(name, played.number, written_unix));
        }
        let next = First {
            event_id: played.event_id.clone(),
            half: played.half(),
            next_limit_ms: played.next_limit_ms().unwrap_or(full_limit_ms),
            score: played.score,
        };
        let stats = played.stats_file.clone().map(|name| (name, stats));
        // Now and then the recorder is missing.
        let is_recorded = stats.is_none() || !self.random.chance(0.015);
        let gametimes = is_recorded.then(|| played.file());
        self.now_unix = end_unix;
        self.files.push(RoundFiles { gametimes, stats });
        if let Some(change) = change {
            for team in &mut self.teams {
                for player in team.iter_mut().filter(|p| **p == change.out) {
                    *player = change.joined;
                }
            }
            self.bench.retain(|p| *p != change.joined);
            self.bench.insert(0, change.out);
        }
        Some(next)
    }

    /// How a round ends and how long it lasts.
    fn ending(&mut self, attackers: Team, limit_ms: i64, sides: &[Vec<usize>; 2]) -> (Ending, i64) {
        let frames = |ms: i64| ms / 50 * 50;
        let part = |random: &mut Random, from: f64, to: f64| {
            frames((limit_ms as f64 * (from + random.share() * (to - from))) as i64)
                .max(20_000)
                .min(limit_ms)
        };
        let roll = self.random.share();
        if roll < 0.02 {
            let reason = *self.random.one_of(&[
                EndReason::MapRestart,
                EndReason::MapChange,
                EndReason::ServerCrash,
            ]);
            return (Ending::CutOff(reason), part(&mut self.random, 0.1, 0.8));
        }
        if roll < 0.045 {
            let team = if self.random.chance(0.7) {
                attackers
            } else {
                attackers.opponent()
            };
            return (Ending::Surrender(team), part(&mut self.random, 0.3, 0.9));
        }
        let skill = |side: &Vec<usize>| side.iter().map(|p| self.roster[*p].skill).sum::<f64>();
        let sums = sides.each_ref().map(skill);
        let at = usize::from(attackers == Team::Allies);
        let strength = sums[at] / (sums[0] + sums[1]);
        if self.random.chance(0.58 + (strength - 0.5) * 3.0) {
            (Ending::Completed, part(&mut self.random, 0.3, 0.98))
        } else {
            (Ending::Held, limit_ms)
        }
    }

    /// A substitution within a round.
    fn change(&mut self, duration_ms: i64) -> Option<Change> {
        if duration_ms < 120_000 || !self.random.chance(0.05) {
            return None;
        }
        let joined = *self.bench.last()?;
        let team = self.random.between(0, 1) as usize;
        Some(Change {
            t_ms: self.random.between(600, duration_ms / 50 - 1200) * 50,
            out: *self.random.one_of(&self.teams[team]),
            joined,
        })
    }

    fn waves(&mut self) -> Waves {
        let mut team = |interval_ms| {
            Some(TeamWaves {
                offset_ms: self.random.between(0, 100) * 100,
                intervals: vec![WaveInterval {
                    from_ms: 0,
                    interval_ms,
                }],
            })
        };
        Waves {
            axis: team(30_000),
            allies: team(20_000),
        }
    }
}

/// What a round 2 takes over from its round 1.
struct First {
    event_id: String,
    half: Half,
    next_limit_ms: i64,
    score: Score,
}

/// A UUIDv7 of this time.
fn uuid(unix: i64, random: &mut Random) -> String {
    let (a, b) = (random.next(), random.next());
    let ms = unix * 1000;
    format!(
        "{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}",
        ms >> 16,
        ms & 0xFFFF,
        a & 0xFFF,
        0x8000 | (a >> 16 & 0x3FFF),
        b & 0xFFFF_FFFF_FFFF
    )
}
