//! What a player did in one round or in several: one number for each figure, whoever recorded it.

use gametimes_rounds::per_round::Flag;

use super::players::{Player, damage_per_minute};

/// A player's figures. What no recorder and no stats file says is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Score {
    /// Enemies killed.
    pub kills: Option<i64>,
    /// Deaths.
    pub deaths: Option<i64>,
    /// Team mates revived.
    pub revives: Option<i64>,
    /// Hits to the head.
    pub headshots: Option<i64>,
    /// Hits per hundred shots; only of one round.
    pub accuracy: Option<f64>,
    /// Damage given.
    pub damage_given: Option<i64>,
    /// Damage received.
    pub damage_received: Option<i64>,
    /// Time dead.
    pub dead_ms: Option<i64>,
    /// Time that the killed enemies were dead.
    pub denied_ms: Option<i64>,
    /// Time on a team.
    pub played_ms: Option<i64>,
}

impl Score {
    /// The figures of one round: those of the recorder, and those that only the stats file contains. A file that counts round 1 too says
    /// nothing about the round.
    pub fn of(player: &Player) -> Self {
        let ms = |seconds: Option<i64>| seconds.map(|s| s.saturating_mul(1000));
        let flags = player.flags.as_deref().unwrap_or_default();
        let is_cumulative = flags.contains(Flag::Cumulative.as_str());
        let in_file = |value: Option<i64>| value.filter(|_| !is_cumulative);
        let played_ms = player.played_ms.filter(|played| *played > 0);
        Self {
            kills: player.kills.or(in_file(player.stats_kills)),
            deaths: player.deaths.or(in_file(player.stats_deaths)),
            revives: in_file(player.revives_given),
            headshots: in_file(player.headshots),
            accuracy: player.accuracy.filter(|_| !is_cumulative),
            damage_given: in_file(player.damage_given),
            damage_received: in_file(player.damage_received),
            dead_ms: player
                .dead_ms()
                .or(in_file(ms(player.stats_time_dead_seconds))),
            denied_ms: player.denied_ms.or(ms(player.denied_seconds)),
            played_ms: played_ms.or(in_file(ms(player.stats_time_played_seconds))),
        }
    }

    /// The figures of several rounds together.
    pub fn sum(rounds: impl IntoIterator<Item = Self>) -> Self {
        rounds.into_iter().reduce(Self::and).unwrap_or_default()
    }

    /// The figures of two rounds together.
    fn and(self, other: Self) -> Self {
        let sum = |a: Option<i64>, b: Option<i64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
        Self {
            kills: sum(self.kills, other.kills),
            deaths: sum(self.deaths, other.deaths),
            revives: sum(self.revives, other.revives),
            headshots: sum(self.headshots, other.headshots),
            accuracy: None,
            damage_given: sum(self.damage_given, other.damage_given),
            damage_received: sum(self.damage_received, other.damage_received),
            dead_ms: sum(self.dead_ms, other.dead_ms),
            denied_ms: sum(self.denied_ms, other.denied_ms),
            played_ms: sum(self.played_ms, other.played_ms),
        }
    }

    /// Damage given per minute played.
    pub fn damage_per_minute(&self) -> Option<i64> {
        damage_per_minute(self.damage_given, self.played_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_file_that_counts_round_1_too_are_not_shown() {
        let player = |flags: &str| Player {
            kills: None,
            stats_kills: Some(42),
            damage_given: Some(9000),
            accuracy: Some(30.0),
            dead_ms: Some(5),
            flags: Some(flags.to_owned()),
            ..Player::default()
        };
        let score = Score::of(&player("cumulative dead_gt_played"));
        let expected = Score {
            dead_ms: Some(5),
            ..Score::default()
        };
        assert_eq!(score, expected);
        assert_eq!(Score::of(&player("dead_gt_played")).kills, Some(42));
    }

    #[test]
    fn a_sum_has_what_any_of_the_rounds_has() {
        let round = |kills, deaths| Score {
            kills,
            deaths,
            accuracy: Some(50.0),
            ..Score::default()
        };
        let sum = Score::sum([round(Some(1), None), round(Some(2), Some(3))]);
        assert_eq!(
            (sum.kills, sum.deaths, sum.accuracy),
            (Some(3), Some(3), None)
        );
        assert_eq!(Score::sum([round(Some(1), None)]).accuracy, Some(50.0));
    }
}
