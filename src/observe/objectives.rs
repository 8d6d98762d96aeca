//! Lines that the game prints about objectives of the map, and whether they are believed.
//!
//! The game's state does not show what these lines say. So a line that names a player is refused if no honest game could print it:
//! if the player is not there, is dead, or has a class that cannot do this. Lines without a player contain quotes, which no name can
//! contain.

use gametimes_format::{Class, ObjectiveAction};

use super::lives::{is_hidden, on_team};
use super::objective_lines::Line;
use super::{Complaint, Observer, Records, Sink};
use crate::engine::layout::pm_type;
use crate::event::{Text, What};

impl<S: Sink> Observer<S> {
    /// A line about an objective.
    pub(super) fn objective(&mut self, line: &Line<'_>, records: &impl Records) {
        if !self.playing || self.exited {
            return;
        }
        let (mut action, mut team) = (line.action, line.team);
        if let Some(slot) = line.slot {
            let Some(n) = self.slot(slot.into()) else {
                return;
            };
            if !self.can_do(n, action, records) {
                self.complain(Complaint::Claim);
                return;
            }
            // Players bring back what their own team has lost by touching it.
            if action == ObjectiveAction::PickedUp && team == self.slots[n].team {
                action = ObjectiveAction::Returned;
            }
            team = self.slots[n].team;
        }
        self.send(What::Objective {
            action,
            slot: line.slot,
            team,
            text: Text::new(line.text),
        });
    }

    /// Whether the player in this slot can do this now. Dynamite explodes half a minute after it was armed: by then the player
    /// can be dead or have another class.
    fn can_do(&self, n: usize, action: ObjectiveAction, records: &impl Records) -> bool {
        use ObjectiveAction::{Defused, Destroyed, Planted, Repaired};
        let s = &self.slots[n];
        if !s.begun || !on_team(s.team) {
            return false;
        }
        let team = i32::from(s.team.number());
        let understood = records.get(n).filter(|_| self.records_agree);
        let Some(record) = understood.filter(|_| action != Destroyed) else {
            return true; // the form of the line is all there is
        };
        let is_alive =
            !is_hidden(&record) && record.team == team && record.pm_type != pm_type::DEAD;
        let is_engineer = Class::from_number(record.class) == Some(Class::Engineer);
        is_alive && (is_engineer || !matches!(action, Planted | Defused | Repaired))
    }
}
