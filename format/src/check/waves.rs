//! Checks waves and objectives, which files of older versions lack.

use std::collections::HashMap;
use std::fmt::Display;

use super::bounds;
use super::checker::Checker;
use crate::file::{EventKind, Meta, TimelineEvent};
use crate::team::Team;
use crate::waves::Waves;

impl Checker {
    /// The waves, and the sums in `spawn_stats`.
    pub(super) fn waves(&mut self, meta: &Meta) {
        let most = bounds::INTERVAL_SECONDS * 1000;
        for team in Team::ALL {
            let Some(waves) = meta.waves.as_ref().and_then(|waves| waves.of(team)) else {
                continue;
            };
            let path = format_args!("meta.waves.{}", team.name().to_lowercase());
            self.range(format_args!("{path}.offset_ms"), waves.offset_ms, 0, most);
            let path = format_args!("{path}.intervals");
            self.list(path, waves.intervals.len(), bounds::INTERVALS);
            self.doubt_unless(!waves.intervals.is_empty(), path, || "empty".into());
            let mut after_ms = -1;
            for (i, interval) in waves.intervals.iter().enumerate().take(bounds::INTERVALS) {
                let path = format_args!("{path}[{i}]");
                self.range(path, interval.interval_ms, 1, most);
                self.doubt_unless(
                    interval.from_ms > after_ms && interval.from_ms <= meta.duration_ms,
                    path,
                    || format!("begins at {} ms", interval.from_ms),
                );
                after_ms = interval.from_ms;
            }
        }
        self.wave_waits(meta);
    }

    fn wave_waits(&mut self, meta: &Meta) {
        let mut sums = HashMap::new();
        for event in &meta.events {
            let player = (event.guid.as_str(), event.name.as_deref());
            let sum = sums.entry(player).or_insert(0i64);
            *sum = sum.saturating_add(event.wave_in_ms.unwrap_or(0));
        }
        // A sum over the deaths, which take no time if the player is dead already.
        let most = bounds::INTERVAL_SECONDS * 1000 * i64::from(bounds::COUNT);
        for (i, player) in meta.spawn_stats.iter().enumerate().take(bounds::PLAYERS) {
            let Some(wait_ms) = player.wave_wait_ms else {
                continue;
            };
            let path = format_args!("meta.spawn_stats[{i}].wave_wait_ms");
            self.range(path, wait_ms, 0, most);
            let name = player.guid.is_empty().then_some(player.name.as_str());
            let sum = sums.get(&(player.guid.as_str(), name)).copied();
            let sum = sum.unwrap_or(0);
            // Events without room are missing in the sum.
            self.doubt_unless(wait_ms == sum || meta.events_dropped > 0, path, || {
                format!("{wait_ms}, but the deaths make {sum}")
            });
        }
    }

    /// The keys of one death that follow from `meta.waves`. The teams at that time are not in the event.
    pub(super) fn waves_at(
        &mut self,
        path: impl Display + Copy,
        event: &TimelineEvent,
        meta: &Meta,
    ) {
        let next = |waves: &Waves| {
            Team::ALL.map(|team| {
                waves
                    .of(team)
                    .and_then(|waves| waves.next_in_ms(event.t_ms))
            })
        };
        let next = meta.waves.as_ref().map(next).unwrap_or_default();
        for (key, wave) in [
            ("wave_in_ms", event.wave_in_ms),
            ("killer_wave_in_ms", event.killer_wave_in_ms),
        ] {
            let Some(ms) = wave else { continue };
            let path = format_args!("{path}.{key}");
            self.range(path, ms, 1, bounds::INTERVAL_SECONDS * 1000);
            self.doubt_unless(next.contains(&wave), path, || {
                format!("{ms}, but the waves of the teams come in {next:?}")
            });
            self.doubt_unless(event.kind == EventKind::Death, path, || {
                "only deaths have this key".into()
            });
        }
    }

    /// The keys of one objective.
    pub(super) fn objective(&mut self, path: impl Display + Copy, event: &TimelineEvent) {
        if let Some(text) = &event.text {
            self.text(format_args!("{path}.text"), text, 0, bounds::TEXT);
        }
        let is_objective = event.kind == EventKind::Objective;
        self.doubt_unless(event.action.is_some() == is_objective, path, || {
            "only objectives have an action, and all have one".into()
        });
    }
}
