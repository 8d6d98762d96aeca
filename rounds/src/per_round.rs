//! From the totals in a stats file to the numbers of one round.
//!
//! In a round 2 the weapons and the fields 0..7 and 20..22 are totals over both rounds; the other fields belong to the round
//! alone. So round 1 is subtracted. If a counter fell, the game reset it: the player's line is then taken as it is, and
//! flagged. The swings of the knife are no counter: the engine takes some of them back.

use std::collections::BTreeMap;

use gametimes_format::rules::STATS_ROUNDING_SECONDS;

use crate::stats_file::{StatsFile, StatsPlayer, field};

/// Fields that are totals over both rounds of a match.
const CUMULATIVE: [usize; 11] = [
    field::DAMAGE_GIVEN,
    field::DAMAGE_RECEIVED,
    field::TEAM_DAMAGE_GIVEN,
    field::TEAM_DAMAGE_RECEIVED,
    field::GIBS,
    field::SELF_KILLS,
    field::TEAM_KILLS,
    field::TEAM_GIBS,
    field::BULLETS_FIRED,
    field::DPM,
    field::MINUTES_PLAYED,
];

/// The weapon number of the knife.
const KNIFE: u8 = 0;
/// Where a weapon's five numbers contain its shots.
const SHOTS: usize = 1;

/// By how many seconds a time played may exceed the round before its counters must be those of an earlier map too.
const EXCESS_SECONDS: i64 = 30;

/// A warning about a player's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flag {
    /// A counter fell since the round before: the game reset it.
    CounterReset,
    /// The stats file of round 1 is missing: the numbers are totals over both rounds.
    Cumulative,
    /// The file has more time dead than time played.
    DeadGtPlayed,
    /// The file has more time played than the round lasted: the game did not reset the counters of the last map.
    ExceedsRound,
}

impl Flag {
    /// The word in the column `gametimes_flags`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CounterReset => "counter_reset",
            Self::Cumulative => "cumulative",
            Self::DeadGtPlayed => "dead_gt_played",
            Self::ExceedsRound => "counters_exceed_round",
        }
    }
}

/// A player's numbers in one round.
#[derive(Debug, Clone, PartialEq)]
pub struct PlayerRound {
    /// Guid, names and team as in the file; weapons and fields of this round alone.
    pub player: StatsPlayer,
    /// Time played in this round, from the minutes of the file.
    pub played_seconds: i64,
    /// Warnings about the numbers.
    pub flags: Vec<Flag>,
}

/// The players' numbers of one round. `base` is the stats file whose totals are included in this one; `orphan` means that
/// there should be one but it is missing.
pub fn per_round(file: &StatsFile, base: Option<&StatsFile>, orphan: bool) -> Vec<PlayerRound> {
    let before: BTreeMap<String, &StatsPlayer> = base
        .iter()
        .flat_map(|b| &b.players)
        .map(|p| (p.guid.to_ascii_uppercase(), p))
        .collect();
    let mut rounds: Vec<PlayerRound> = file
        .players
        .iter()
        .map(|player| {
            let mut flags = Vec::new();
            let mut round = player.clone();
            match before.get(&player.guid.to_ascii_uppercase()) {
                Some(before) if fell(player, before) => flags.push(Flag::CounterReset),
                Some(before) => subtract(&mut round, before),
                None if orphan => flags.push(Flag::Cumulative),
                None => {}
            }
            remove_negatives(&mut round);
            PlayerRound {
                played_seconds: (round.fields[field::MINUTES_PLAYED] * 60.0).round() as i64,
                player: round,
                flags,
            }
        })
        .collect();
    // Old scripts do not write the minutes played: then every player in the file gets the whole round.
    if rounds
        .iter()
        .all(|r| r.player.fields[field::MINUTES_PLAYED] <= 0.0)
        && base.is_none()
    {
        for round in &mut rounds {
            round.played_seconds = file.played_seconds().unwrap_or_default();
        }
    }
    let longest = file.longest_seconds();
    for round in &mut rounds {
        // A total over both rounds, or one that was reset, is flagged already.
        if round.flags.is_empty()
            && longest.is_some_and(|longest| round.played_seconds > longest + EXCESS_SECONDS)
        {
            round.flags.push(Flag::ExceedsRound);
        }
        let dead_seconds = round.player.fields[field::MINUTES_DEAD] * 60.0;
        if dead_seconds > (round.played_seconds + STATS_ROUNDING_SECONDS) as f64 {
            round.flags.push(Flag::DeadGtPlayed);
        }
    }
    rounds
}

/// The numbers of both rounds of a match together.
pub fn sum(first: &[PlayerRound], second: &[PlayerRound]) -> Vec<PlayerRound> {
    let mut players: BTreeMap<String, PlayerRound> = BTreeMap::new();
    for round in first.iter().chain(second) {
        let guid = round.player.guid.to_ascii_uppercase();
        match players.get_mut(&guid) {
            Some(before) => add(before, round),
            None => {
                players.insert(guid, round.clone());
            }
        }
    }
    for played in players.values_mut() {
        // Part of both rounds, and so of one that the player missed.
        played.player.fields[field::PERCENT_PLAYED] /= 2.0;
    }
    players.into_values().collect()
}

/// Adds the numbers of a later round; the player has the name and the team of that round.
fn add(sum: &mut PlayerRound, later: &PlayerRound) {
    let (before, now) = (&mut sum.player, &later.player);
    (before.name, before.clean_name) = (now.name.clone(), now.clean_name.clone());
    before.team = now.team;
    for (weapon, numbers) in &now.weapons {
        let totals = before.weapons.entry(*weapon).or_insert([0; 5]);
        for (total, n) in totals.iter_mut().zip(numbers) {
            *total = total.saturating_add(*n);
        }
    }
    for (i, (total, n)) in before.fields.iter_mut().zip(&now.fields).enumerate() {
        *total = match i {
            field::KILLING_SPREE | field::DEATH_SPREE => total.max(*n),
            // Written with at most two decimals.
            _ => ((*total + n) * 100.0).round() / 100.0,
        };
    }
    sum.played_seconds = sum.played_seconds.saturating_add(later.played_seconds);
    sum.flags.extend(&later.flags);
    sum.flags.sort_unstable();
    sum.flags.dedup();
}

/// Whether any counter is lower than it was before.
fn fell(now: &StatsPlayer, before: &StatsPlayer) -> bool {
    let weapons = before.weapons.iter().any(|(weapon, old)| {
        let new = now.weapons.get(weapon).unwrap_or(&[0; 5]);
        (0..5).any(|i| new[i] < old[i] && (*weapon, i) != (KNIFE, SHOTS))
    });
    weapons
        || CUMULATIVE
            .iter()
            .filter(|i| **i != field::DPM)
            .any(|&i| now.fields[i] < before.fields[i])
}

fn subtract(now: &mut StatsPlayer, before: &StatsPlayer) {
    for (weapon, old) in &before.weapons {
        if let Some(new) = now.weapons.get_mut(weapon) {
            for (n, o) in new.iter_mut().zip(old) {
                *n -= o;
            }
        }
    }
    for i in CUMULATIVE {
        // Written with one decimal, and so is a difference of two.
        now.fields[i] = ((now.fields[i] - before.fields[i]) * 10.0).round() / 10.0;
    }
}

/// Damage per minute is no counter and the swings of the knife may fall, so their differences may be negative, which no
/// number of a round is. XP is left alone: a player can lose it.
fn remove_negatives(round: &mut StatsPlayer) {
    for n in round.weapons.values_mut().flatten() {
        *n = (*n).max(0);
    }
    for (i, n) in round.fields.iter_mut().enumerate() {
        if i != field::XP {
            *n = n.max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(name: &str) -> StatsFile {
        let path = format!(
            "{}/../tests/data/samples/gamestats/{name}",
            env!("CARGO_MANIFEST_DIR")
        );
        StatsFile::parse(name, &std::fs::read(path).unwrap()).unwrap()
    }

    fn find<'a>(rounds: &'a [PlayerRound], guid: &str) -> &'a PlayerRound {
        rounds.iter().find(|r| r.player.guid == guid).unwrap()
    }

    #[test]
    fn round_1_is_subtracted_from_round_2() {
        let one = sample("2026-11-20-123344-room2-round-1.txt");
        let two = sample("2026-11-20-123531-room2-round-2.txt");
        let rounds = per_round(&two, Some(&one), false);
        let p = find(&rounds, "A0000003");
        assert_eq!(p.player.weapons[&5], [6, 43, 1, 0, 1]);
        assert_eq!(p.player.weapons[&27], [2, 3, 0, 0, 0]);
        assert_eq!(
            (p.player.fields[0], p.player.fields[22], p.player.fields[25]),
            (114.0, 0.7, 0.2)
        );
        assert_eq!(p.flags, []);
        // This player's team damage and gibs fell, so nothing is subtracted.
        let reset = find(&rounds, "A0000004");
        assert_eq!(reset.flags, [Flag::CounterReset]);
        assert_eq!(
            (reset.player.fields[0], reset.player.weapon_sum(1)),
            (119.0, 74)
        );
    }

    #[test]
    fn knife_swings_that_the_engine_took_back_leave_no_negative_number() {
        let one = sample("2026-11-20-123344-room2-round-1.txt");
        let mut two = sample("2026-11-20-123531-room2-round-2.txt");
        let player = |file: &StatsFile| {
            let at = file.players.iter().position(|p| p.guid == "A0000003");
            at.unwrap()
        };
        let at = player(&two);
        let mut before = one.clone();
        let at_before = player(&one);
        before.players[at_before].weapons.insert(0, [0, 9, 0, 0, 0]);
        two.players[at].weapons.insert(0, [0, 7, 0, 0, 0]);
        let rounds = per_round(&two, Some(&before), false);
        let p = find(&rounds, "A0000003");
        assert_eq!((p.player.weapons[&0], &*p.flags), ([0; 5], &[][..]));
        // Even the file itself may contain fewer than none.
        two.players[at].weapons.insert(0, [0, -2, 0, 0, 0]);
        let rounds = per_round(&two, None, true);
        assert_eq!(find(&rounds, "A0000003").player.weapons[&0], [0; 5]);
        // Hits with the knife are a counter.
        before.players[at_before].weapons.insert(0, [1, 9, 0, 0, 0]);
        let rounds = per_round(&two, Some(&before), false);
        assert_eq!(find(&rounds, "A0000003").flags, [Flag::CounterReset]);
    }

    #[test]
    fn orphan_round_2_is_flagged_as_cumulative() {
        let two = sample("2026-11-20-123531-room2-round-2.txt");
        assert!(
            per_round(&two, None, true)
                .iter()
                .all(|r| r.flags.contains(&Flag::Cumulative))
        );
        let one = sample("2026-11-20-123344-room2-round-1.txt");
        let rounds = per_round(&one, None, false);
        assert!(rounds.iter().all(|r| r.flags.is_empty()));
        assert_eq!(find(&rounds, "A0000005").played_seconds, 54);
    }
}
