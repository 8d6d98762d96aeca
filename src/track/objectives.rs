//! What happens to the objectives of the map.

use gametimes_format::file::{EventKind, TimelineEvent};
use gametimes_format::{ObjectiveAction, TeamNumber, limits};

use super::objective_halves::Half;
use super::running::RunningRound;
use crate::event::Stamp;

/// Further repairs of a player within this time are not listed: the game prints one for each part of a construction.
const REPAIR_EVERY_MS: i64 = 5000;

impl RunningRound {
    /// Something happened to an objective. The game prints some actions twice in one call, once with the player and once with the
    /// team: both are one entry.
    pub(super) fn objective(
        &mut self,
        at: Stamp,
        action: ObjectiveAction,
        slot: Option<u8>,
        team: TeamNumber,
        text: &str,
    ) {
        let now = self.clock.played_ms(at.level_ms);
        let player = slot.and_then(|slot| self.slots.get(slot).player);
        if slot.is_some() && player.is_none() {
            return;
        }
        if let Some(player) = player.filter(|_| action == ObjectiveAction::Repaired) {
            let last = &mut self.round.players[player].repaired_ms;
            if last.is_some_and(|last| now - last < REPAIR_EVERY_MS) {
                return;
            }
            *last = Some(now);
        }
        let text = Some(text.to_owned()).filter(|text| !text.is_empty());
        let entry = TimelineEvent {
            t_ms: now,
            kind: EventKind::Objective,
            team: team.team().map(TeamNumber::from),
            action: Some(action),
            text,
            ..TimelineEvent::default()
        };
        if self.complete(at, slot, &entry) {
            return;
        }
        if self.objectives.listed >= limits::OBJECTIVES {
            self.round.timeline_dropped += 1;
            return;
        }
        let index = self.round.timeline.len();
        match slot {
            Some(slot) => self.note_entry(slot, None, entry),
            None => self.push_entry(entry, (None, None)),
        }
        if self.round.timeline.len() > index {
            self.objectives.listed += 1;
            self.objectives.halves.push(Half {
                level_ms: at.level_ms,
                index,
                has_player: slot.is_some(),
            });
        }
    }

    /// Completes an entry of this moment with its other half. Returns whether there was one.
    fn complete(&mut self, at: Stamp, slot: Option<u8>, half: &TimelineEvent) -> bool {
        let has_player = slot.is_some();
        // Of what is taken, both lines are entries, but only one has the name.
        let other_action = match half.action {
            Some(ObjectiveAction::Stolen) => Some(ObjectiveAction::PickedUp),
            action => action,
        };
        let timeline = &mut self.round.timeline;
        let halves = &mut self.objectives.halves;
        halves.retain(|other| other.level_ms == at.level_ms);
        let fits = |other: &Half| {
            let entry = &timeline[other.index];
            other.has_player != has_player
                && entry.action == other_action
                && (entry.team == half.team || entry.team.is_none() || half.team.is_none())
        };
        let Some(found) = halves.iter().position(fits) else {
            return false;
        };
        let Half { index, .. } = halves.remove(found);
        let entry = &mut timeline[index];
        entry.text = entry.text.take().or_else(|| half.text.clone());
        entry.team = entry.team.or(half.team);
        if let Some(slot) = slot {
            let s = self.slots.get(slot);
            entry.guid.clone_from(&s.guid);
            entry.name = s.guid.is_empty().then(|| s.name.clone());
            self.timeline_players[index].0 = s.player;
        }
        entry.action == half.action
    }
}
