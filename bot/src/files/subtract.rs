//! From cumulative stats files to the numbers of one round.
//!
//! In a round 2 the weapons and the fields 0..7 and 20..22 count both rounds, the other fields the round alone. So round 1
//! is subtracted. A counter that fell tells of a reset: the player's line is then taken as it is, and marked.

use std::collections::BTreeMap;

use super::stats::{StatsFile, StatsPlayer};

/// Fields that count on from round to round.
const CUMULATIVE: [usize; 11] = [0, 1, 2, 3, 4, 5, 6, 7, 20, 21, 22];
const DPM: usize = 21;
const MINUTES_PLAYED: usize = 22;
const MINUTES_DEAD: usize = 25;

/// What is odd about a player's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flag {
    /// A counter fell since the round before: the game or the player's client reset it.
    CounterReset,
    /// The file of the round before is missing: the numbers count both rounds.
    Cumulative,
    /// The file says more time dead than played.
    DeadGtPlayed,
}

impl Flag {
    /// As it stands in the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CounterReset => "counter_reset",
            Self::Cumulative => "cumulative",
            Self::DeadGtPlayed => "dead_gt_played",
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
    /// What is odd.
    pub flags: Vec<Flag>,
}

/// The players' numbers of one round. `base` is the file whose counters this one counts on; `orphan` tells that there
/// should be one.
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
            PlayerRound {
                played_seconds: (round.fields[MINUTES_PLAYED] * 60.0).round() as i64,
                player: round,
                flags,
            }
        })
        .collect();
    // Old scripts do not write the minutes played: then all who are in the file played the round.
    if rounds
        .iter()
        .all(|r| r.player.fields[MINUTES_PLAYED] <= 0.0)
        && base.is_none()
    {
        for round in &mut rounds {
            round.played_seconds = file.played_seconds().unwrap_or_default();
        }
    }
    for round in &mut rounds {
        let dead_seconds = round.player.fields[MINUTES_DEAD] * 60.0;
        // Both are rounded to a tenth of a minute, so 6 s more tell nothing.
        if dead_seconds > round.played_seconds as f64 + 6.0 {
            round.flags.push(Flag::DeadGtPlayed);
        }
    }
    rounds
}

/// Whether any counter is lower than it was before.
fn fell(now: &StatsPlayer, before: &StatsPlayer) -> bool {
    let weapons = before.weapons.iter().any(|(weapon, old)| {
        let new = now.weapons.get(weapon).unwrap_or(&[0; 5]);
        new.iter().zip(old).any(|(n, o)| n < o)
    });
    weapons
        || CUMULATIVE
            .iter()
            .filter(|i| **i != DPM)
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
        // Written with one decimal; a difference of two such numbers has one too.
        now.fields[i] = ((now.fields[i] - before.fields[i]) * 10.0).round() / 10.0;
    }
    now.fields[DPM] = now.fields[DPM].max(0.0);
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
    fn round_2_is_what_round_1_did_not_count() {
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
        // Team damage and gibs: his counters fell, so nothing is subtracted.
        let reset = find(&rounds, "A0000004");
        assert_eq!(reset.flags, [Flag::CounterReset]);
        assert_eq!(
            (reset.player.fields[0], reset.player.weapon_sum(1)),
            (119.0, 74)
        );
    }

    #[test]
    fn an_orphan_is_marked_and_a_round_1_is_not() {
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
