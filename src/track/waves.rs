//! The spawn waves of a round.

use gametimes_format::check::bounds;
use gametimes_format::live::{LiveWave, LiveWaves};
use gametimes_format::{Team, TeamWaves, WaveInterval, Waves};

use crate::engine::numbers::GAMETYPE_LAST_MAN_STANDING;

/// What is known of the waves so far.
#[derive(Debug, Default)]
pub(super) struct WaveClock {
    /// Whether the shifts of the two teams are known.
    shifted: bool,
    axis: TeamWaves,
    allies: TeamWaves,
    /// For each death, its index in the timeline, and the teams of victim and killer.
    pub(super) deaths: Vec<(usize, Option<Team>, Option<Team>)>,
}

impl WaveClock {
    pub(super) fn set_offsets(&mut self, axis_ms: u32, allies_ms: u32) {
        self.shifted = true;
        self.axis.offset_ms = axis_ms.into();
        self.allies.offset_ms = allies_ms.into();
    }

    fn team_mut(&mut self, team: Team) -> &mut TeamWaves {
        match team {
            Team::Axis => &mut self.axis,
            Team::Allies => &mut self.allies,
        }
    }

    /// From this time on, waves of a team come at this interval.
    pub(super) fn set_interval(&mut self, team: Team, from_ms: i64, interval_ms: u32) {
        let intervals = &mut self.team_mut(team).intervals;
        let interval_ms = interval_ms.into();
        intervals.pop_if(|last| last.from_ms == from_ms);
        let same = intervals
            .last()
            .is_some_and(|i| i.interval_ms == interval_ms);
        if !same && intervals.len() < bounds::INTERVALS {
            intervals.push(WaveInterval {
                from_ms,
                interval_ms,
            });
        }
    }

    fn are_known(&self, gametype: i32) -> bool {
        self.shifted && gametype != GAMETYPE_LAST_MAN_STANDING
    }

    /// The waves of both teams at this time on the play clock.
    pub(super) fn at(&self, gametype: i32, now_ms: i64) -> LiveWaves {
        let known = self.are_known(gametype);
        let of = |waves: &TeamWaves| {
            let next_in_ms = waves.next_in_ms(now_ms).filter(|_| known)?;
            let interval_ms = waves.interval_ms(now_ms)?;
            Some(LiveWave {
                interval_ms,
                next_in_ms,
            })
        };
        LiveWaves {
            axis: of(&self.axis),
            allies: of(&self.allies),
        }
    }

    /// The waves as the file contains them.
    pub(super) fn into_waves(self, gametype: i32) -> Option<Waves> {
        let known = self.are_known(gametype);
        let of = |waves: TeamWaves| Some(waves).filter(|w| known && !w.intervals.is_empty());
        let waves = Waves {
            axis: of(self.axis),
            allies: of(self.allies),
        };
        (waves != Waves::default()).then_some(waves)
    }
}
