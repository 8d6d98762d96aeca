//! One round while it is played.

use gametimes_format::file::{EndReason, EventKind, Teams, TimelineEvent};
use gametimes_format::{Team, TeamNumber};

use super::clock::PlayClock;
use super::round::{Pause, PlayerStats, Round};
use super::slots::Slots;
use super::{Outcome, end_reason, surrender};
use crate::engine::numbers::MAX_CLIENTS;
use crate::event::Stamp;

/// People in one round at the most: a full server four times over. Who comes after that is not recorded; nothing else
/// suffers.
const PLAYERS_LIMIT: usize = 4 * MAX_CLIENTS;
/// Entries in a timeline at the most: two hours of a full server in heavy fight.
const TIMELINE_LIMIT: usize = 20_000;
/// Pauses of a round that are told at the most. The clock stands still in all others, too.
const PAUSES_LIMIT: usize = 200;

/// The life of the player in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum LifeState {
    /// On no team.
    #[default]
    None,
    /// On a team, not alive yet.
    Waiting,
    /// Alive since then, on the play clock.
    Alive { since_ms: i64 },
    /// Dead since then, on the play clock.
    Dead {
        since_ms: i64,
        /// Index of the enemy who did it.
        by: Option<usize>,
    },
}

/// What the round knows of a slot.
#[derive(Debug, Clone, Copy, Default)]
struct PlayerSlot {
    /// Index of the person in it.
    person: Option<usize>,
    /// Whoever sat here is back in another slot, and this connection has not timed out yet: what happens to it happens to
    /// nobody.
    ghost: bool,
    life: LifeState,
    /// On a team since then, on the play clock.
    plays_since_ms: Option<i64>,
}

/// A player of the running round, for the console's `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePlayer {
    /// Slot.
    pub slot: u8,
    /// Name, colours out.
    pub name: String,
    /// The team.
    pub team: Team,
    /// Whether they are alive.
    pub alive: bool,
    /// Time dead so far, this death included.
    pub dead_ms: i64,
}

/// The running round, for the console's `status`.
#[derive(Debug, Clone, Copy)]
pub struct Live<'a> {
    game: &'a RunningRound,
    slots: &'a Slots,
    /// Map.
    pub map: &'a str,
}

impl Live<'_> {
    /// 1 or 2.
    pub fn number(&self) -> u8 {
        self.game.round.number
    }

    /// Time played at this level time.
    pub fn played_ms(&self, level_ms: i64) -> i64 {
        self.game.clock.played_ms(level_ms)
    }

    /// Whether the match is paused.
    pub fn is_paused(&self) -> bool {
        self.game.clock.is_paused()
    }

    /// Everybody on a team, by slot.
    pub fn players(&self, level_ms: i64) -> Vec<LivePlayer> {
        let now = self.played_ms(level_ms);
        let player = |(n, s): (u8, &super::slots::Slot)| {
            let team = s.playing_for()?;
            let seat = self.game.seats[usize::from(n)];
            let person = seat.person.and_then(|p| self.game.round.players.get(p));
            let dead_before = person.map_or(0, |p| p.dead_ms);
            let dead_now = match seat.life {
                LifeState::Dead { since_ms, .. } => now - since_ms,
                _ => 0,
            };
            Some(LivePlayer {
                slot: n,
                name: s.name.clone(),
                team,
                alive: matches!(seat.life, LifeState::Alive { .. }),
                dead_ms: dead_before + dead_now,
            })
        };
        self.slots.iter().filter_map(player).collect()
    }
}

/// The running round.
#[derive(Debug)]
pub(super) struct RunningRound {
    round: Round,
    clock: PlayClock,
    /// Pauses so far, also those that are not told.
    pauses: usize,
    seats: [PlayerSlot; MAX_CLIENTS],
    /// Guid and name of who called the vote to surrender that has not failed.
    surrender_caller: Option<(String, String)>,
    over: bool,
}

impl RunningRound {
    /// Nobody is there yet: everybody connects anew.
    pub(super) fn begin(at: Stamp, warmup_start_unix_ms: Option<i64>) -> Self {
        Self {
            round: Round {
                start: at,
                number: 1,
                warmup_start_unix_ms,
                ..Round::default()
            },
            clock: PlayClock::start(at.level_ms),
            pauses: 0,
            seats: [PlayerSlot::default(); MAX_CLIENTS],
            surrender_caller: None,
            over: false,
        }
    }

    pub(super) fn set_rules(&mut self, gametype: i32, number: u8, timelimit_minutes: f64) {
        self.round.gametype = gametype;
        self.round.number = number;
        self.round.timelimit_minutes = timelimit_minutes;
    }

    pub(super) fn live<'a>(&'a self, slots: &'a Slots, map: &'a str) -> Live<'a> {
        Live {
            game: self,
            slots,
            map,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn into_round(self) -> Round {
        self.round
    }

    pub(super) fn pause(&mut self, at: Stamp) -> Option<Outcome> {
        if self.over || self.clock.is_paused() {
            return None;
        }
        self.clock.pause(at.level_ms);
        self.pauses += 1;
        if self.round.pauses.len() < PAUSES_LIMIT {
            self.round.pauses.push(Pause {
                start: at,
                end: at,
                at_play_ms: self.clock.played_ms(at.level_ms),
            });
        }
        Some(Outcome::Paused {
            number: self.pauses,
            played_ms: self.clock.played_ms(at.level_ms),
        })
    }

    pub(super) fn resume(&mut self, at: Stamp) -> Option<Outcome> {
        if self.over {
            return None;
        }
        let paused_ms = self.clock.resume(at.level_ms)?;
        self.close_pause(at);
        Some(Outcome::Resumed {
            number: self.pauses,
            paused_ms,
        })
    }

    /// The pause that is over now, if it is one of those that are told.
    fn close_pause(&mut self, at: Stamp) {
        if self.pauses <= PAUSES_LIMIT
            && let Some(pause) = self.round.pauses.last_mut()
        {
            pause.end = at;
        }
    }

    pub(super) fn exit(&mut self, at: Stamp, text: &str, slots: &Slots) {
        if self.over {
            return;
        }
        self.round.exit_text = text.to_owned();
        self.round.surrender = surrender(text, self.surrender_caller.take());
        self.end(at, end_reason(text), slots);
    }

    pub(super) fn cut_off(&mut self, at: Stamp, reason: EndReason, slots: &Slots) {
        self.end(at, reason, slots);
    }

    fn end(&mut self, at: Stamp, reason: EndReason, slots: &Slots) {
        let now = self.clock.played_ms(at.level_ms);
        if self.clock.is_paused() {
            self.close_pause(at);
        }
        self.round.end = at;
        self.round.end_reason = reason;
        self.round.played_ms = now;
        let mut teams = Teams::default();
        for (n, slot) in slots.iter() {
            if let (Some(team), Some(person)) =
                (slot.playing_for(), self.seats[usize::from(n)].person)
            {
                let team = match team {
                    Team::Axis => &mut teams.axis,
                    Team::Allies => &mut teams.allies,
                };
                team.push(self.round.players[person].reference());
            }
            self.stand_up(now, n);
        }
        self.round.teams = teams;
        self.round.players.retain(PlayerStats::took_part);
        self.over = true;
    }

    /// Name or team of a client.
    pub(super) fn player(
        &mut self,
        at: Stamp,
        slot: u8,
        team: TeamNumber,
        name: &str,
        slots: &mut Slots,
    ) {
        let now = self.clock.played_ms(at.level_ms);
        let before = slots.get(slot).clone();
        slots.set(slot, team, name);
        if !before.connected {
            return;
        }
        if before.plays() && !slots.get(slot).plays() {
            self.stand_up(now, slot);
            self.note(now, EventKind::Team, slot, None, None, Some(team), slots);
        } else if !before.plays() && slots.get(slot).plays() {
            self.join(now, slot, slots);
        } else if slots.get(slot).plays() && before.team != team {
            self.change_team(now, slot, slots);
        }
        if let Some(person) = self.person_in(slot) {
            name.clone_into(&mut person.name);
        }
    }

    /// A client comes to a team, from outside or from the spectators.
    fn join(&mut self, now: i64, slot: u8, slots: &Slots) {
        let new_here = self
            .seats
            .get(usize::from(slot))
            .is_some_and(|s| s.person.is_none());
        let Some(person) = self.seat(now, slot, slots) else {
            return;
        };
        let team = slots.get(slot).team;
        self.round.players[person].team = team.team();
        let seat = &mut self.seats[usize::from(slot)];
        seat.life = LifeState::Waiting;
        seat.plays_since_ms = Some(now);
        let kind = if new_here {
            EventKind::Join
        } else {
            EventKind::Team
        };
        self.note(now, kind, slot, None, None, Some(team), slots);
    }

    /// From one team to the other: who is dead stays dead until the new team's wave.
    fn change_team(&mut self, now: i64, slot: u8, slots: &Slots) {
        let team = slots.get(slot).team;
        let seat = &mut self.seats[usize::from(slot)];
        if let LifeState::Alive { since_ms } = seat.life {
            seat.life = LifeState::Waiting;
            if let Some(person) = self.person_in(slot) {
                person.alive_ms += now - since_ms;
            }
        }
        if let Some(person) = self.person_in(slot) {
            person.team = team.team();
        }
        self.note(now, EventKind::Team, slot, None, None, Some(team), slots);
    }

    pub(super) fn leave(&mut self, at: Stamp, slot: u8, slots: &Slots) {
        let now = self.clock.played_ms(at.level_ms);
        let Some(seat) = self.seats.get(usize::from(slot)) else {
            return;
        };
        if seat.person.is_some() {
            self.stand_up(now, slot);
            self.note(now, EventKind::Leave, slot, None, None, None, slots);
        }
        self.seats[usize::from(slot)] = PlayerSlot::default();
    }

    pub(super) fn spawn(
        &mut self,
        at: Stamp,
        slot: u8,
        revived: bool,
        by: Option<u8>,
        slots: &Slots,
    ) {
        let now = self.clock.played_ms(at.level_ms);
        let Some(person) = self.player_in(now, slot, slots) else {
            return;
        };
        self.close_life(now, slot);
        self.seats[usize::from(slot)].life = LifeState::Alive { since_ms: now };
        let person = &mut self.round.players[person];
        person.spawns += 1;
        person.revives += u32::from(revived);
        let kind = if revived {
            EventKind::Revive
        } else {
            EventKind::Spawn
        };
        self.note(now, kind, slot, by, None, None, slots);
    }

    pub(super) fn limbo(&mut self, at: Stamp, slot: u8, slots: &Slots) {
        let now = self.clock.played_ms(at.level_ms);
        if let Some(LifeState::Alive { .. }) = self.seats.get(usize::from(slot)).map(|s| s.life) {
            // Out of play without a death.
            self.close_life(now, slot);
            self.seats[usize::from(slot)].life = LifeState::Waiting;
        }
        self.note(now, EventKind::Limbo, slot, None, None, None, slots);
    }

    pub(super) fn death(
        &mut self,
        at: Stamp,
        slot: u8,
        by: Option<u8>,
        means: &str,
        slots: &Slots,
    ) {
        let now = self.clock.played_ms(at.level_ms);
        let Some(victim) = self.player_in(now, slot, slots) else {
            return;
        };
        self.round.players[victim].deaths += 1;
        if !matches!(self.seats[usize::from(slot)].life, LifeState::Dead { .. }) {
            self.close_life(now, slot);
            // Who went to the spectators with a shell in the air counts for the team they were last on.
            let team = slots.get(slot).team.team();
            let killer = by
                .filter(|&k| k != slot)
                .and_then(|k| self.seats.get(usize::from(k))?.person)
                .filter(|&k| self.round.players[k].team != team);
            if let Some(killer) = killer {
                self.round.players[killer].kills += 1;
            }
            self.seats[usize::from(slot)].life = LifeState::Dead {
                since_ms: now,
                by: killer,
            };
        }
        self.note(now, EventKind::Death, slot, by, Some(means), None, slots);
    }

    pub(super) fn vote_called(&mut self, slot: u8, surrender: bool, slots: &Slots) {
        let caller = slots.get(slot);
        self.surrender_caller = surrender.then(|| (caller.guid.clone(), caller.name.clone()));
    }

    pub(super) fn vote_failed(&mut self) {
        self.surrender_caller = None;
    }

    /// The guid of who sits in this slot came late.
    pub(super) fn guid_known(&mut self, slot: u8, slots: &Slots) {
        let guid = &slots.get(slot).guid;
        if self.round.players.iter().any(|p| p.guid == *guid) {
            return; // they have played before; what they did without a guid stays with the name
        }
        if let Some(person) = self.person_in(slot) {
            guid.clone_into(&mut person.guid);
        }
    }

    /// Off the team: closes life and time played.
    fn stand_up(&mut self, now: i64, slot: u8) {
        self.close_life(now, slot);
        let Some(seat) = self.seats.get_mut(usize::from(slot)) else {
            return;
        };
        seat.life = LifeState::None;
        if let Some(since) = seat.plays_since_ms.take()
            && let Some(person) = self.person_in(slot)
        {
            person.played_ms += now - since;
        }
    }

    /// Counts the time of the life, or death, that ends now.
    fn close_life(&mut self, now: i64, slot: u8) {
        let Some(&PlayerSlot {
            person: Some(person),
            life,
            ..
        }) = self.seats.get(usize::from(slot))
        else {
            return;
        };
        match life {
            LifeState::None | LifeState::Waiting => {}
            LifeState::Alive { since_ms } => self.round.players[person].alive_ms += now - since_ms,
            LifeState::Dead { since_ms, by } => {
                let dead = now - since_ms;
                let person = &mut self.round.players[person];
                person.dead_ms += dead;
                person.max_dead_ms = person.max_dead_ms.max(dead);
                if let Some(killer) = by {
                    self.round.players[killer].denied_ms += dead;
                }
            }
        }
    }

    fn person_in(&mut self, slot: u8) -> Option<&mut PlayerStats> {
        let person = self.seats.get(usize::from(slot))?.person?;
        self.round.players.get_mut(person)
    }

    /// The person in a slot who is on a team: nobody else lives or dies, whatever is printed.
    fn player_in(&mut self, now: i64, slot: u8, slots: &Slots) -> Option<usize> {
        slots
            .get(slot)
            .plays()
            .then(|| self.seat(now, slot, slots))?
    }

    /// The person in a slot: who sits there, who was here before under that guid or name, or a new one. Nobody sits in two
    /// slots at a time: the one they sat in before is a ghost's from now on.
    fn seat(&mut self, now: i64, slot: u8, slots: &Slots) -> Option<usize> {
        let s = slots.get(slot);
        let seat = self.seats.get(usize::from(slot))?;
        if seat.person.is_some() || seat.ghost || !s.connected {
            return seat.person;
        }
        let people = &self.round.players;
        let known = if s.guid.is_empty() {
            // Two at the same time are two, though they share a name.
            let sits = |i| self.seats.iter().any(|seat| seat.person == Some(i));
            (0..people.len())
                .find(|&i| people[i].guid.is_empty() && people[i].name == s.name && !sits(i))
        } else {
            people.iter().position(|p| p.guid == s.guid)
        };
        let person = match known {
            Some(person) => person,
            None if people.len() >= PLAYERS_LIMIT => return None,
            None => {
                self.round.players.push(PlayerStats {
                    guid: s.guid.clone(),
                    ..PlayerStats::default()
                });
                self.round.players.len() - 1
            }
        };
        let before = self.seats.iter().position(|s| s.person == Some(person));
        if let Some(before) = before {
            self.stand_up(now, before as u8);
            self.seats[before] = PlayerSlot {
                ghost: true,
                ..PlayerSlot::default()
            };
        }
        s.name.clone_into(&mut self.round.players[person].name);
        self.seats[usize::from(slot)].person = Some(person);
        Some(person)
    }

    #[allow(clippy::too_many_arguments)] // one entry of the timeline, said in one line
    fn note(
        &mut self,
        t_ms: i64,
        kind: EventKind,
        slot: u8,
        by: Option<u8>,
        means: Option<&str>,
        team: Option<TeamNumber>,
        slots: &Slots,
    ) {
        if self.seats.get(usize::from(slot)).is_some_and(|s| s.ghost) {
            return;
        }
        if self.round.timeline.len() >= TIMELINE_LIMIT {
            self.round.timeline_dropped += 1;
            return;
        }
        let who = |n: u8| {
            let s = slots.get(n);
            let key = if s.guid.is_empty() { &s.name } else { &s.guid };
            (!key.is_empty()).then(|| key.clone())
        };
        let s = slots.get(slot);
        self.round.timeline.push(TimelineEvent {
            t_ms,
            kind,
            guid: s.guid.clone(),
            name: s.guid.is_empty().then(|| s.name.clone()),
            by: by.and_then(who),
            means_of_death: means.map(str::to_owned),
            team,
        });
    }
}
