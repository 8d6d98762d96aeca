//! Spawn waves: when the players of a team who are dead come back.

use serde::{Deserialize, Serialize};

use crate::team::Team;

/// The waves of both teams. A team whose waves are unknown is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Waves {
    /// The waves of the Axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub axis: Option<TeamWaves>,
    /// The waves of the Allies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allies: Option<TeamWaves>,
}

impl Waves {
    /// The waves of a team.
    pub fn of(&self, team: Team) -> Option<&TeamWaves> {
        match team {
            Team::Axis => self.axis.as_ref(),
            Team::Allies => self.allies.as_ref(),
        }
    }
}

/// The waves of one team. A wave comes in the first frame in which `(offset_ms + play clock) mod interval_ms` is less than in the
/// frame before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TeamWaves {
    /// How far the waves are shifted.
    pub offset_ms: i64,
    /// The intervals, in order; more than one if the map's script changed it.
    pub intervals: Vec<WaveInterval>,
}

/// The time between two waves, from some time on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WaveInterval {
    /// When it begins, on the play clock.
    pub from_ms: i64,
    /// The time between two waves.
    pub interval_ms: i64,
}

impl TeamWaves {
    /// The time between two waves at this time on the play clock; `None` if it is unknown.
    pub fn interval_ms(&self, t_ms: i64) -> Option<i64> {
        let mut latest_first = self.intervals.iter().rev();
        let interval = latest_first.find(|i| i.from_ms <= t_ms)?;
        Some(interval.interval_ms)
    }

    /// Time until the next wave after this time on the play clock; a wave that comes at this very time does not count. `None` if
    /// no interval is known for it.
    ///
    /// ```
    /// use gametimes_format::waves::{TeamWaves, WaveInterval};
    /// let intervals = vec![
    ///     WaveInterval { from_ms: 0, interval_ms: 10_000 },
    ///     WaveInterval { from_ms: 60_000, interval_ms: 7000 },
    /// ];
    /// let waves = TeamWaves { offset_ms: 3000, intervals };
    /// assert_eq!(waves.next_in_ms(0), Some(7000));
    /// assert_eq!(waves.next_in_ms(7000), Some(10_000));
    /// assert_eq!(waves.next_in_ms(60_000), Some(7000));
    /// ```
    pub fn next_in_ms(&self, t_ms: i64) -> Option<i64> {
        let interval_ms = self.interval_ms(t_ms)?;
        (interval_ms > 0)
            .then(|| interval_ms - self.offset_ms.saturating_add(t_ms).rem_euclid(interval_ms))
    }
}
