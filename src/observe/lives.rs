//! Who spawned, died, joined and left.
//!
//! Three rules make lives exact:
//! * While a limbo or follow bit is set, the record is a copy of the record of the player who is followed, and shows nothing
//!   about its owner. Leaving limbo is a spawn.
//! * Without those bits, a raised spawn counter is a spawn, and a revive if the revive counter is raised too.
//! * A record is read after every call that can have changed it: calls that printed its slot, and while the player is not alive,
//!   every call of the client and every frame. Between frames the game's clock stands still, so all times are exact.

use gametimes_format::{Class, TeamNumber};

use super::{Observer, Record, Records, Sink, parse};
use crate::engine::layout::flags;
use crate::event::{Text, What};

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slot {
    pub(super) connected: bool,
    /// Whether CLIENT_BEGIN is done. Before it, the record is blank.
    pub(super) begun: bool,
    pub(super) team: TeamNumber,
    pub(super) name: Text<64>,
    pub(super) guid_known: bool,
    pub(super) referee: bool,
    pub(super) alive: bool,
    /// Whether the record was blank or another player's when it was last read.
    pub(super) hidden: bool,
    pub(super) spawn_count: i32,
    pub(super) revive_count: i32,
    pub(super) deaths: i32,
}

impl<S: Sink> Observer<S> {
    /// `CLIENT_CONNECT` was granted. `userinfo` comes from the engine.
    pub fn connect(&mut self, slot: isize, userinfo: &[u8]) {
        let Some(n) = self.slot(slot) else { return };
        self.leave(n);
        let guid = guid(userinfo);
        let s = &mut self.slots[n];
        s.connected = true;
        s.hidden = true;
        s.guid_known = !guid.as_bytes().is_empty();
        self.touched |= 1 << n;
        self.send(What::Connect {
            slot: n as u8,
            guid,
            is_local: parse::info_value(userinfo, b"ip") == Some(b"localhost"),
        });
        self.send_player(n);
    }

    /// Whether a client's guid is still missing: some clients send it late.
    pub fn lacks_guid(&mut self, slot: isize) -> bool {
        self.slot(slot)
            .is_some_and(|n| self.slots[n].connected && !self.slots[n].guid_known)
    }

    /// Takes the guid from the userinfo of a client that [`Observer::lacks_guid`].
    pub fn late_guid(&mut self, slot: isize, userinfo: &[u8]) {
        let Some(n) = self.slot(slot) else { return };
        let guid = guid(userinfo);
        if !guid.as_bytes().is_empty() {
            self.slots[n].guid_known = true;
            self.send(What::Guid {
                slot: n as u8,
                guid,
            });
        }
    }

    /// `CLIENT_BEGIN` is done, or the game has printed that a client entered the world.
    pub fn begin(&mut self, slot: isize) {
        if let Some(n) = self.slot(slot) {
            self.slots[n].begun = true;
            self.touch(slot);
        }
    }

    /// `CLIENT_DISCONNECT`, before the game sees it.
    pub fn disconnect(&mut self, slot: isize, records: &impl Records) {
        if let Some(n) = self.slot(slot) {
            self.settle_before_leave(n, records);
            self.leave(n);
            self.slots[n] = Slot::default();
        }
    }

    fn leave(&mut self, n: usize) {
        self.waiting &= !(1 << n);
        self.touched &= !(1 << n);
        self.claims.arrived &= !(1 << n);
        self.claims.begun &= !(1 << n);
        if self.slots[n].connected {
            self.slots[n].connected = false;
            self.slots[n].begun = false;
            self.slots[n].alive = false;
            self.send(What::Leave { slot: n as u8 });
        }
    }

    pub(super) fn player(&mut self, n: usize, info: &[u8], records: &impl Records) {
        if info.is_empty() {
            // The game gives up the slot. It does so without CLIENT_DISCONNECT if another client takes the slot.
            return self.disconnect(n as isize, records);
        }
        self.named(n);
        let team = parse::info_value(info, b"t").map_or(0, parse::leading_number);
        let team = u8::try_from(team).ok().filter(|t| *t <= 3).unwrap_or(0);
        let team = TeamNumber::from(team);
        let name = Text::new(parse::info_value(info, b"n").unwrap_or(b""));
        let s = &mut self.slots[n];
        s.referee = parse::info_value(info, b"ref").is_some_and(|r| parse::leading_number(r) != 0);
        if s.team == team && s.name == name {
            return;
        }
        let was_on_team = on_team(s.team);
        s.team = team;
        s.name = name;
        if !on_team(team) {
            s.alive = false;
        }
        if !was_on_team || !on_team(team) {
            s.hidden = true; // a new life follows, even if no counter changes
        }
        if on_team(team) && s.connected && !s.alive {
            self.waiting |= 1 << n;
        } else {
            self.waiting &= !(1 << n);
        }
        self.touched |= 1 << n;
        if self.slots[n].connected {
            self.send_player(n);
        }
    }

    fn send_player(&mut self, n: usize) {
        let Slot {
            team, name, alive, ..
        } = self.slots[n];
        if on_team(team) && !alive {
            self.waiting |= 1 << n;
        }
        self.send(What::Player {
            slot: n as u8,
            team,
            name,
        });
    }

    pub(super) fn look_at(&mut self, mut slots: u64, records: &impl Records) {
        while slots != 0 {
            let n = slots.trailing_zeros() as usize;
            slots &= slots - 1;
            let still_hidden = || records.get(n).is_some_and(|record| is_hidden(&record));
            if self.slots[n].hidden && still_hidden() {
                continue; // who waits for a wave, in nearly every frame
            }
            self.look(n, records);
        }
    }

    pub(super) fn plays(&self, n: usize) -> bool {
        self.slots[n].begun && on_team(self.slots[n].team)
    }

    /// Reads one record by the rules above.
    pub(super) fn look(&mut self, n: usize, records: &impl Records) {
        if !self.plays(n) {
            return;
        }
        let s = &mut self.slots[n];
        let Some(record) = records.get(n) else { return };
        if is_hidden(&record) {
            if !s.hidden {
                s.hidden = true;
                s.alive = false;
                self.waiting |= 1 << n;
                if self.playing {
                    self.send(What::Limbo { slot: n as u8 });
                }
            }
            return;
        }
        // Between connecting and spawning, the record is blank or still that of a spectator.
        if record.team != i32::from(s.team.number()) {
            return;
        }
        self.records_agree = true;
        self.records_judged = true;
        if s.hidden || record.spawn_count != s.spawn_count {
            let revived = !s.hidden && record.revive_count != s.revive_count;
            s.hidden = false;
            s.alive = true;
            s.spawn_count = record.spawn_count;
            s.revive_count = record.revive_count;
            s.deaths = record.deaths;
            self.waiting &= !(1 << n);
            let by = if revived { self.medic_of(n) } else { None };
            if self.playing {
                self.send(What::Spawn {
                    slot: n as u8,
                    revived,
                    by,
                    class: Class::from_number(record.class),
                });
            }
        }
    }
}

/// Whether the record is a copy of the record of another player.
pub(super) fn is_hidden(record: &Record) -> bool {
    record.pm_flags & (flags::LIMBO | flags::FOLLOW) != 0
}

pub(super) fn on_team(team: TeamNumber) -> bool {
    team.team().is_some()
}

/// `cl_guid`; empty if it is one of the placeholders that clients without a guid send, or not printable.
fn guid(userinfo: &[u8]) -> Text<32> {
    const PLACEHOLDERS: [&[u8]; 2] = [b"unknown", b"NO_GUID"];
    let guid = parse::info_value(userinfo, b"cl_guid").unwrap_or(b"");
    if guid.iter().all(u8::is_ascii_graphic)
        && !PLACEHOLDERS.iter().any(|n| n.eq_ignore_ascii_case(guid))
    {
        Text::new(guid)
    } else {
        Text::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_of_clients_without_a_guid_are_ignored() {
        for userinfo in [
            &b"\\name\\x"[..],
            b"\\cl_guid\\",
            b"\\cl_guid\\unknown\\name\\x",
            b"\\cl_guid\\NO_GUID",
            b"\\cl_guid\\no_guid",
            b"\\cl_guid\\A B",
        ] {
            assert_eq!(guid(userinfo), Text::default(), "{userinfo:?}");
        }
        assert_eq!(guid(b"\\cl_guid\\UNKNOWN1"), Text::new(b"UNKNOWN1"));
    }
}
