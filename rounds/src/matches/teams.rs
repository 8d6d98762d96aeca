//! The two teams of a match: their players, over the change of sides and substitutes, and their names.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use gametimes_format::Team;
use gametimes_format::text::strip_colors;
use serde::Serialize;

use super::{Paired, PlayedRound, RoundPlayer};

/// A tag is shared by at least so many of a hundred players.
const TAG_PERCENT: usize = 80;
/// A tag that no separator ends has at least so many characters: names of two or three players often begin alike.
const BARE_TAG_CHARACTERS: usize = 3;

/// A team of a match or of a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MatchTeam {
    /// The tag that its players share, else `NAME's team`. The same over all maps of a series.
    pub name: String,
    /// All players of the team, substitutes included.
    pub players: Vec<TeamPlayer>,
}

/// A player of a [`MatchTeam`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TeamPlayer {
    /// The first 8 digits of the guid, or `name:...` for a client without one.
    pub guid: String,
    /// The name without colour codes.
    pub name: String,
}

/// On which side team A plays, by `match_id` and number of the round.
pub(super) struct Sides(BTreeMap<(String, u8), Team>);

impl Sides {
    /// Team A attacks in round 1. Where the files do not contain its side, the defender decides; without one, its players
    /// do, and if they do not either, the teams have changed sides as stopwatch has them do.
    pub(super) fn of(paired: &Paired<'_>) -> Self {
        let attackers = |round: &PlayedRound| round.defender.map(Team::opponent);
        let first = paired
            .first
            .map(|first| first.team_a.or(attackers(first)).unwrap_or(Team::Axis));
        let second = paired.second.map(|second| {
            let by_players = || {
                let (first, side) = paired.first.zip(first)?;
                side_by_players(first, side, second)
            };
            second
                .team_a
                .or(second.defender)
                .or_else(by_players)
                .or(first.map(Team::opponent))
                .unwrap_or(Team::Axis)
        });
        let rounds = [paired.first.zip(first), paired.second.zip(second)];
        let sides = rounds.into_iter().flatten();
        Self(
            sides
                .map(|(round, side)| ((round.match_id.clone(), round.round_number), side))
                .collect(),
        )
    }

    pub(super) fn of_team_a(&self, round: &PlayedRound) -> Team {
        let key = (round.match_id.clone(), round.round_number);
        self.0.get(&key).copied().unwrap_or(Team::Axis)
    }
}

/// The side of a round on which most players of one team of another round are; `None` if as many are on either.
fn side_by_players(first: &PlayedRound, side: Team, second: &PlayedRound) -> Option<Team> {
    let common = |a: Team, b: Team| {
        let keys: BTreeSet<String> = first.players_of(a).map(RoundPlayer::key).collect();
        second
            .players_of(b)
            .filter(|p| keys.contains(&p.key()))
            .count()
    };
    let other = side.opponent();
    let stayed = common(side, side) + common(other, other);
    let changed = common(side, other) + common(other, side);
    match stayed.cmp(&changed) {
        Ordering::Less => Some(other),
        Ordering::Greater => Some(side),
        Ordering::Equal => None,
    }
}

/// A player over several rounds.
#[derive(Debug, Clone, Default)]
struct Member {
    /// The last name.
    name: String,
    /// How many rounds the player played for each team. The first is team A, or the first team of the series.
    rounds: [u32; 2],
    kills: i64,
    /// The team of the last round.
    last: usize,
}

impl Member {
    /// The team for which the player played more rounds; if as many for both, that of the last one.
    fn team(&self) -> usize {
        match self.rounds[0].cmp(&self.rounds[1]) {
            Ordering::Greater => 0,
            Ordering::Less => 1,
            Ordering::Equal => self.last,
        }
    }
}

/// The players of both teams, collected over one or more matches.
#[derive(Debug, Clone, Default)]
pub(super) struct Lineups(BTreeMap<String, Member>);

impl Lineups {
    /// Adds a match. `swapped` if its team A is the second team.
    pub(super) fn add(&mut self, paired: &Paired<'_>, sides: &Sides, swapped: bool) {
        for round in paired.rounds() {
            let team_a = sides.of_team_a(round);
            for player in &round.players {
                let member = self.0.entry(player.key()).or_default();
                let name = strip_colors(&player.name);
                name.trim().clone_into(&mut member.name);
                member.last = usize::from((player.team != team_a) != swapped);
                member.rounds[member.last] += 1;
                member.kills += player.kills;
            }
        }
    }

    /// The keys of the players of a team.
    pub(super) fn keys(&self, team: usize) -> BTreeSet<&str> {
        let members = self.0.iter().filter(move |(_, m)| m.team() == team);
        members.map(|(key, _)| key.as_str()).collect()
    }

    /// Both teams with their names.
    pub(super) fn teams(&self) -> [MatchTeam; 2] {
        let tags = [0, 1].map(|team| {
            let members = self.0.values().filter(|m| m.team() == team);
            tag(&members.map(|m| m.name.as_str()).collect::<Vec<_>>())
        });
        // A tag of both teams does not tell them apart.
        let same = tags[0] == tags[1];
        let [a, b] = tags;
        [(0, a), (1, b)].map(|(team, tag)| MatchTeam {
            name: tag
                .filter(|_| !same)
                .unwrap_or_else(|| self.named_after_a_player(team)),
            players: self.players(team),
        })
    }

    fn players(&self, team: usize) -> Vec<TeamPlayer> {
        let members = self.0.iter().filter(|(_, m)| m.team() == team);
        let mut players: Vec<TeamPlayer> = members
            .map(|(key, member)| TeamPlayer {
                guid: key.clone(),
                name: member.name.clone(),
            })
            .collect();
        players.sort_by(|a, b| (&a.name, &a.guid).cmp(&(&b.name, &b.guid)));
        players
    }

    /// The player with the most rounds, then the most kills, gives the team its name.
    fn named_after_a_player(&self, team: usize) -> String {
        let members = self.0.iter().filter(|(_, m)| m.team() == team);
        let best = members.max_by(|(a_key, a), (b_key, b)| {
            let rank = |m: &Member| (m.rounds[team], m.kills);
            rank(a)
                .cmp(&rank(b))
                .then_with(|| (&b.name, b_key).cmp(&(&a.name, a_key)))
        });
        best.map_or_else(
            || ["Team A", "Team B"][team].to_owned(),
            |(_, member)| format!("{}'s team", member.name),
        )
    }
}

/// The prefix, or else the suffix, that [`TAG_PERCENT`] of the players share.
fn tag(names: &[&str]) -> Option<String> {
    if names.len() < 2 {
        return None;
    }
    let chars: Vec<Vec<char>> = names.iter().map(|name| name.chars().collect()).collect();
    let reversed: Vec<Vec<char>> = chars
        .iter()
        .map(|name| name.iter().rev().copied().collect())
        .collect();
    let suffix = || shared_start(&reversed).map(|tag| tag.into_iter().rev().collect());
    shared_start(&chars)
        .map(|tag| tag.into_iter().collect())
        .or_else(suffix)
}

/// The start that most names share, up to its last separator: without the letters by which names happen to begin alike.
fn shared_start(names: &[Vec<char>]) -> Option<Vec<char>> {
    let needed = (names.len() * TAG_PERCENT).div_ceil(100);
    let longest = names.iter().flat_map(|name| {
        (1..name.len()).rev().find_map(|length| {
            let start = &name[..length];
            let shared = names
                .iter()
                .filter(|n| n.len() > length && n.starts_with(start));
            (shared.count() >= needed).then(|| start.to_vec())
        })
    });
    let mut start = longest.max_by(|a, b| a.len().cmp(&b.len()).then_with(|| b.cmp(a)))?;
    let is_text = |c: &char| c.is_alphanumeric();
    // The last separator after a letter: `[eA] ` of `[eA] Pl`, but not `-` of `-Pl`.
    let end = (1..start.len())
        .rev()
        .find(|&i| !is_text(&start[i]) && start[..i].iter().any(is_text));
    match end {
        Some(end) => start.truncate(end + 1),
        None => {
            while start.last().is_some_and(char::is_ascii_digit) {
                start.pop();
            }
            if start.iter().filter(|c| is_text(c)).count() < BARE_TAG_CHARACTERS {
                return None;
            }
        }
    }
    while start.last().is_some_and(|c| " .|:-_*~/,;>".contains(*c)) {
        start.pop();
    }
    Some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_is_what_four_of_five_names_share() {
        for (names, expected) in [
            (&["eA.kid", "eA.bob", "eA.max"][..], Some("eA")),
            (&["[eA] Paul", "[eA] Peter", "[eA] Pat"], Some("[eA]")),
            (&["kid|eA", "bob|eA", "max|eA"], Some("eA")),
            (&["-=T=-kid", "-=T=-bob"], Some("-=T=")),
            (&["mixkid", "mixbob", "mixzed"], Some("mix")),
            // One of five is a merc, one of three is too many.
            (&["eA.a", "eA.b", "eA.c", "eA.d", "merc"], Some("eA")),
            (&["eA.a", "eA.b", "merc"], None),
            (&["max", "mark", "maria"], None),
            (&["player1", "player2", "player13"], Some("player")),
            (&["eA.kid"], None),
            (&["", ""], None),
            (&[], None),
        ] {
            assert_eq!(tag(names).as_deref(), expected, "{names:?}");
        }
    }
}
