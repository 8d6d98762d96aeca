//! The spawn waves of a round.

use gametimes_format::check::bounds;
use gametimes_format::file::{EventKind, TimelineEvent};
use gametimes_format::{Team, TeamNumber, TeamWaves, WaveInterval, Waves};

use super::running::RunningRound;
use crate::engine::numbers::GAMETYPE_LAST_MAN_STANDING;
use crate::event::Stamp;

/// What is known of the waves so far.
#[derive(Debug, Default)]
pub(super) struct WaveClock {
    /// Whether the shifts of the two teams are known.
    shifted: bool,
    axis: TeamWaves,
    allies: TeamWaves,
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
    fn set_interval(&mut self, team: Team, from_ms: i64, interval_ms: u32) {
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

    fn next_in_ms(&self, team: Team, t_ms: i64) -> Option<i64> {
        let waves = match team {
            Team::Axis => &self.axis,
            Team::Allies => &self.allies,
        };
        waves.next_in_ms(t_ms).filter(|_| self.shifted)
    }

    /// The waves as the file contains them.
    pub(super) fn into_waves(self, gametype: i32) -> Option<Waves> {
        let known = self.shifted && gametype != GAMETYPE_LAST_MAN_STANDING;
        let of = |waves: TeamWaves| Some(waves).filter(|w| known && !w.intervals.is_empty());
        let waves = Waves {
            axis: of(self.axis),
            allies: of(self.allies),
        };
        (waves != Waves::default()).then_some(waves)
    }
}

impl RunningRound {
    pub(super) fn wave_interval(&mut self, at: Stamp, team: TeamNumber, interval_ms: u32) {
        if let Some(team) = team.team() {
            let now = self.clock.played_ms(at.level_ms);
            self.waves.set_interval(team, now, interval_ms);
        }
    }

    /// Adds a death to the timeline, and the time to the next wave to the victim's sum.
    pub(super) fn note_death(
        &mut self,
        now: i64,
        slot: u8,
        by: Option<u8>,
        victim: usize,
        means: &str,
    ) {
        let has_waves = self.round.gametype != GAMETYPE_LAST_MAN_STANDING;
        let next_wave = |slot: u8| {
            let team = self.slots.get(slot).playing_for().filter(|_| has_waves)?;
            self.waves.next_in_ms(team, now)
        };
        let wave_in_ms = next_wave(slot);
        let entry = TimelineEvent {
            t_ms: now,
            kind: EventKind::Death,
            means_of_death: Some(means.to_owned()),
            class: self.slots.get(slot).class,
            wave_in_ms,
            killer_wave_in_ms: by.and_then(next_wave),
            ..TimelineEvent::default()
        };
        self.round.players[victim].wave_wait_ms += wave_in_ms.unwrap_or(0);
        self.note_entry(slot, by, entry);
    }
}
