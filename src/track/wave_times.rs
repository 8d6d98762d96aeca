//! The times from deaths to the next spawn waves of a running round.

use gametimes_format::file::{EventKind, TimelineEvent};
use gametimes_format::{Team, TeamNumber};

use super::running::RunningRound;
use crate::event::Stamp;

impl RunningRound {
    pub(super) fn wave_interval(&mut self, at: Stamp, team: TeamNumber, interval_ms: u32) {
        if let Some(team) = team.team() {
            let now = self.clock.played_ms(at.level_ms);
            self.waves.set_interval(team, now, interval_ms);
        }
    }

    /// Adds a death to the timeline.
    pub(super) fn note_death(&mut self, now: i64, slot: u8, by: Option<u8>, means: &str) {
        let entry = TimelineEvent {
            t_ms: now,
            kind: EventKind::Death,
            means_of_death: Some(means.to_owned()),
            class: self.slots.get(slot).class,
            ..TimelineEvent::default()
        };
        let index = self.round.timeline.len();
        self.note_entry(slot, by, entry);
        if self.round.timeline.len() > index {
            let team = |slot: u8| self.slots.get(slot).playing_for();
            let victims_team = team(slot);
            let killers_team = by.and_then(team);
            self.waves.deaths.push((index, victims_team, killers_team));
        }
    }

    /// At the end of the round, sets its waves, and for each death the time to the next ones. Computed only now, so that the two
    /// agree even if an interval changed during a pause.
    pub(super) fn add_waves(&mut self) {
        let mut clock = std::mem::take(&mut self.waves);
        let deaths = std::mem::take(&mut clock.deaths);
        self.round.waves = clock.into_waves(self.round.gametype);
        let Some(waves) = &self.round.waves else {
            return;
        };
        for (index, victims_team, killers_team) in deaths {
            let entry = &mut self.round.timeline[index];
            let next = |team: Option<Team>| waves.of(team?)?.next_in_ms(entry.t_ms);
            let (wave_in_ms, killer_wave_in_ms) = (next(victims_team), next(killers_team));
            (entry.wave_in_ms, entry.killer_wave_in_ms) = (wave_in_ms, killer_wave_in_ms);
            let (victim, _) = self.timeline_players[index];
            if let Some(stats) = victim.and_then(|victim| self.round.players.get_mut(victim)) {
                stats.wave_wait_ms += wave_in_ms.unwrap_or(0);
            }
        }
    }
}
