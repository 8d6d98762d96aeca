//! A round while it is played.

use std::collections::HashSet;

use gametimes_format::check::bounds;
use gametimes_format::file::{EndReason, EventKind, Teams, TimelineEvent};
use gametimes_format::matches::{PauseBy, PauseKind};
use gametimes_format::{Class, Team, TeamNumber, limits};

use super::clock::PlayClock;
use super::objective_halves::Objectives;
use super::round::{Pause, PlayerStats, Round};
use super::slots::{LifeState, Slots};
use super::waves::WaveClock;
use super::{Outcome, end_reason, surrender};
use crate::engine::numbers::MAX_CLIENTS;
use crate::event::{Rules, Stamp};

/// The running round. It owns the slots: all clients connect again when a round begins.
#[derive(Debug)]
pub(super) struct RunningRound {
    pub(super) round: Round,
    pub(super) clock: PlayClock,
    /// The number of pauses so far, including those that are not listed.
    pub(super) pauses: usize,
    pub(super) slots: Slots,
    pub(super) waves: WaveClock,
    /// For each entry of the timeline, the indices of the player and of the other player. Their guids and names are those at the
    /// end of the round.
    pub(super) timeline_players: Vec<(Option<usize>, Option<usize>)>,
    pub(super) objectives: Objectives,
    /// Guid and name of the player who called the vote to surrender, unless it has failed.
    surrender_caller: Option<(String, String)>,
    over: bool,
}

impl RunningRound {
    /// A round without any client.
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
            slots: Slots::default(),
            waves: WaveClock::default(),
            timeline_players: Vec::new(),
            objectives: Objectives::default(),
            surrender_caller: None,
            over: false,
        }
    }

    pub(super) fn set_rules(&mut self, rules: &Rules) {
        self.round.gametype = rules.gametype;
        self.round.number = rules.round;
        self.round.timelimit_minutes = rules.timelimit_minutes;
        self.round.config.clone_from(&rules.config);
        self.round.mod_version.clone_from(&rules.mod_version);
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
        if self.round.pauses.len() < limits::PAUSES {
            self.round.pauses.push(Pause {
                start: at,
                end: at,
                at_play_ms: self.clock.played_ms(at.level_ms),
                by: None,
            });
        }
        Some(Outcome::Paused {
            number: self.pauses,
            played_ms: self.clock.played_ms(at.level_ms),
        })
    }

    /// Sets who called the current pause, if it is listed.
    pub(super) fn paused_by(&mut self, kind: PauseKind, slot: Option<u8>) {
        if self.over || !self.clock.is_paused() || self.pauses > limits::PAUSES {
            return;
        }
        let caller = slot.map(|slot| self.slots.get(slot));
        let stats = caller.and_then(|s| self.round.players.get(s.player?));
        let by = PauseBy {
            kind,
            guid: caller.map_or_else(String::new, |s| s.guid.clone()),
            name: stats
                .map(|stats| stats.name.clone())
                .or_else(|| Some(caller?.name.clone()))
                .unwrap_or_default(),
            team: caller.map_or(TeamNumber::NONE, |s| s.team),
        };
        if let Some(pause) = self.round.pauses.last_mut() {
            pause.by = Some(by);
        }
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

    /// Sets the end of the current pause, if it is listed.
    fn close_pause(&mut self, at: Stamp) {
        if self.pauses <= limits::PAUSES
            && let Some(pause) = self.round.pauses.last_mut()
        {
            pause.end = at;
        }
    }

    pub(super) fn exit(&mut self, at: Stamp, text: &str) {
        if self.over {
            return;
        }
        self.round.exit_text = text.to_owned();
        self.round.surrender = surrender(text, self.surrender_caller.take());
        self.end(at, end_reason(text));
    }

    pub(super) fn end(&mut self, at: Stamp, reason: EndReason) {
        let now = self.clock.played_ms(at.level_ms);
        if self.clock.is_paused() {
            self.close_pause(at);
        }
        self.round.end = at;
        self.round.end_reason = reason;
        self.round.played_ms = now;
        let mut teams = Teams::default();
        for slot in 0..MAX_CLIENTS as u8 {
            let s = self.slots.get(slot);
            if let (Some(team), Some(player)) = (s.playing_for(), s.player) {
                let team = match team {
                    Team::Axis => &mut teams.axis,
                    Team::Allies => &mut teams.allies,
                };
                team.push(self.round.players[player].reference());
            }
            self.leave_team(now, slot);
        }
        self.round.teams = teams;
        self.name_timeline();
        self.add_waves();
        self.round.players.retain(PlayerStats::took_part);
        self.over = true;
    }

    pub(super) fn connect(&mut self, slot: u8, guid: String, is_local: bool) {
        if let Some(s) = self.slots.get_mut(slot) {
            s.connect(guid, is_local);
        }
    }

    /// The guid of a connected client arrived late.
    pub(super) fn late_guid(&mut self, slot: u8, guid: String) {
        // If they have played with this guid before, what they did without it stays with the name.
        let known = self.round.players.iter().any(|p| same_guid(p, &guid));
        if let Some(stats) = self.stats_of(slot).filter(|_| !known) {
            stats.guid.clone_from(&guid);
            stats.name = stats.own_name.clone();
        }
        if let Some(s) = self.slots.get_mut(slot) {
            s.set_guid(guid);
        }
    }

    /// The game set the name or the team of a client.
    pub(super) fn player(&mut self, at: Stamp, slot: u8, team: TeamNumber, name: &str) {
        let now = self.clock.played_ms(at.level_ms);
        let Some(s) = self.slots.get_mut(slot) else {
            return;
        };
        let before = s.playing_for();
        s.team = team;
        name.clone_into(&mut s.name);
        if !s.connected {
            return;
        }
        match (before, s.playing_for()) {
            (Some(_), None) => {
                self.leave_team(now, slot);
                self.note(now, EventKind::Team, slot, Some(team));
            }
            (None, Some(team)) => self.join(now, slot, team),
            (Some(before), Some(team)) if before != team => self.change_team(now, slot, team),
            _ => {}
        }
        if let Some(player) = self.slots.get(slot).player {
            self.set_name(player, name);
        }
    }

    /// Sets the name of a player; without a guid, with a suffix if another player without one has it.
    fn set_name(&mut self, player: usize, name: &str) {
        let stats = &self.round.players[player];
        if stats.own_name == name && !stats.name.is_empty() {
            return;
        }
        let shown = if stats.guid.is_empty() {
            self.free_name(player, name)
        } else {
            name.to_owned()
        };
        let stats = &mut self.round.players[player];
        name.clone_into(&mut stats.own_name);
        stats.name = shown;
    }

    /// The name, or the first of `name#2`, `name#3`... that no other player without a guid has. Readers ignore case.
    fn free_name(&self, player: usize, name: &str) -> String {
        let players = self.round.players.iter().enumerate();
        let others = players.filter(|(i, p)| *i != player && p.guid.is_empty());
        let taken: HashSet<String> = others.map(|(_, p)| p.name.to_lowercase()).collect();
        let with_suffix = (2..).map(|n| {
            let suffix = format!("#{n}");
            let room = bounds::NAME - suffix.len();
            name.chars().take(room).chain(suffix.chars()).collect()
        });
        std::iter::once(name.to_owned())
            .chain(with_suffix)
            .find(|name: &String| !taken.contains(&name.to_lowercase()))
            .unwrap_or_default()
    }

    /// Gives the entries of the timeline the guids and names that the players have at the end of the round.
    fn name_timeline(&mut self) {
        let entries = self.round.timeline.iter_mut().zip(&self.timeline_players);
        for (entry, players) in entries {
            name_entry(entry, *players, &self.round.players);
        }
    }

    /// A client joins a team, from outside or from the spectators.
    fn join(&mut self, now: i64, slot: u8, team: Team) {
        let is_new = self.slots.get(slot).player.is_none();
        let Some(player) = self.player_in(now, slot) else {
            return;
        };
        self.round.players[player].team = Some(team);
        if let Some(s) = self.slots.get_mut(slot) {
            s.life = LifeState::Waiting { since_ms: now };
            s.plays_since_ms = Some(now);
        }
        let kind = if is_new {
            EventKind::Join
        } else {
            EventKind::Team
        };
        self.note(now, kind, slot, Some(team.into()));
    }

    /// A player changes from one team to the other. A dead one stays dead until the new team's wave.
    fn change_team(&mut self, now: i64, slot: u8, team: Team) {
        if let LifeState::Alive { .. } = self.slots.get(slot).life {
            self.close_life(now, slot);
            self.set_life(slot, LifeState::Waiting { since_ms: now });
        }
        if let Some(stats) = self.stats_of(slot) {
            stats.team = Some(team);
        }
        self.note(now, EventKind::Team, slot, Some(team.into()));
    }

    pub(super) fn leave(&mut self, at: Stamp, slot: u8) {
        let now = self.clock.played_ms(at.level_ms);
        if self.slots.get(slot).player.is_some() {
            self.leave_team(now, slot);
            self.note(now, EventKind::Leave, slot, None);
        }
        if let Some(s) = self.slots.get_mut(slot) {
            *s = Default::default();
        }
    }

    pub(super) fn spawn(
        &mut self,
        at: Stamp,
        slot: u8,
        revived: bool,
        by: Option<u8>,
        class: Option<Class>,
    ) {
        let now = self.clock.played_ms(at.level_ms);
        let Some(player) = self.playing_in(now, slot) else {
            return;
        };
        self.close_life(now, slot);
        self.set_life(slot, LifeState::Alive { since_ms: now });
        if let Some(s) = self.slots.get_mut(slot) {
            s.class = class;
        }
        let stats = &mut self.round.players[player];
        stats.spawns += 1;
        stats.revives += u32::from(revived);
        let kind = if revived {
            EventKind::Revive
        } else {
            EventKind::Spawn
        };
        let entry = TimelineEvent {
            t_ms: now,
            kind,
            class: class.filter(|_| !revived),
            ..TimelineEvent::default()
        };
        self.note_entry(slot, by, entry);
    }

    pub(super) fn limbo(&mut self, at: Stamp, slot: u8) {
        let now = self.clock.played_ms(at.level_ms);
        match self.slots.get(slot).life {
            LifeState::Alive { .. } => {
                // Out of play without a death.
                self.close_life(now, slot);
                self.set_life(slot, LifeState::Waiting { since_ms: now });
            }
            LifeState::Dead {
                since_ms,
                by,
                limbo_since_ms: None,
            } => {
                let limbo_since_ms = Some(now);
                self.set_life(
                    slot,
                    LifeState::Dead {
                        since_ms,
                        by,
                        limbo_since_ms,
                    },
                );
            }
            _ => {}
        }
        self.note(now, EventKind::Limbo, slot, None);
    }

    pub(super) fn death(&mut self, at: Stamp, slot: u8, by: Option<u8>, means: &str) {
        let now = self.clock.played_ms(at.level_ms);
        let Some(victim) = self.playing_in(now, slot) else {
            return;
        };
        self.round.players[victim].deaths += 1;
        let s = self.slots.get(slot);
        if !matches!(s.life, LifeState::Dead { .. }) {
            // A killer who has gone to the spectators meanwhile counts for the last team.
            let team = s.team.team();
            let killer = by
                .filter(|&k| k != slot)
                .and_then(|k| self.slots.get(k).player)
                .filter(|&k| self.round.players[k].team != team);
            self.close_life(now, slot);
            if let Some(killer) = killer {
                self.round.players[killer].kills += 1;
            }
            self.set_life(
                slot,
                LifeState::Dead {
                    since_ms: now,
                    by: killer,
                    limbo_since_ms: None,
                },
            );
        }
        self.note_death(now, slot, by, means);
    }

    pub(super) fn vote_called(&mut self, slot: u8, surrender: bool) {
        let caller = self.slots.get(slot);
        let stats = caller.player.map(|p| &self.round.players[p]);
        let name = stats.map_or(&caller.name, |stats| &stats.name);
        self.surrender_caller = surrender.then(|| (caller.guid.clone(), name.clone()));
    }

    pub(super) fn vote_failed(&mut self) {
        self.surrender_caller = None;
    }

    /// Takes a player off the team: ends the life and the time played.
    fn leave_team(&mut self, now: i64, slot: u8) {
        self.close_life(now, slot);
        let Some(s) = self.slots.get_mut(slot) else {
            return;
        };
        s.life = LifeState::None;
        if let Some(since) = s.plays_since_ms.take()
            && let Some(stats) = self.stats_of(slot)
        {
            stats.played_ms += now - since;
        }
    }

    /// Adds the time of the life, or of the death, that ends now.
    fn close_life(&mut self, now: i64, slot: u8) {
        let s = self.slots.get(slot);
        let (Some(player), life) = (s.player, s.life) else {
            return;
        };
        match life {
            LifeState::None | LifeState::Waiting { .. } => {}
            LifeState::Alive { since_ms } => {
                self.round.players[player].alive_ms += now - since_ms;
            }
            LifeState::Dead { since_ms, by, .. } => {
                let dead = now - since_ms;
                let stats = &mut self.round.players[player];
                stats.dead_ms += dead;
                stats.max_dead_ms = stats.max_dead_ms.max(dead);
                if let Some(killer) = by {
                    self.round.players[killer].denied_ms += dead;
                }
            }
        }
    }

    fn set_life(&mut self, slot: u8, life: LifeState) {
        if let Some(s) = self.slots.get_mut(slot) {
            s.life = life;
        }
    }

    fn stats_of(&mut self, slot: u8) -> Option<&mut PlayerStats> {
        let player = self.slots.get(slot).player?;
        self.round.players.get_mut(player)
    }

    /// The player in a slot, if on a team. Others neither spawn nor die, even if the game prints it.
    fn playing_in(&mut self, now: i64, slot: u8) -> Option<usize> {
        self.slots
            .get(slot)
            .plays()
            .then(|| self.player_in(now, slot))?
    }

    /// The player in a slot. A new client is the player who was here before under the same guid, or without one under the same
    /// name, or else a new player. A player who was still in another slot leaves a ghost there.
    fn player_in(&mut self, now: i64, slot: u8) -> Option<usize> {
        let s = self.slots.get(slot);
        if s.player.is_some() || s.ghost || !s.connected {
            return s.player;
        }
        let players = &self.round.players;
        let known = if s.guid.is_empty() {
            // Two clients at the same time are two players, even if they share a name.
            (0..players.len()).find(|&i| {
                players[i].guid.is_empty()
                    && players[i].own_name == s.name
                    && self.slots.of_player(i).is_none()
            })
        } else {
            players.iter().position(|p| same_guid(p, &s.guid))
        };
        let (guid, name, is_bot) = (s.guid.clone(), s.name.clone(), s.is_bot);
        let player = match known {
            Some(player) => player,
            None if players.len() >= limits::PLAYERS => return None,
            None => {
                self.round.players.push(PlayerStats {
                    guid,
                    is_bot,
                    ..PlayerStats::default()
                });
                self.round.players.len() - 1
            }
        };
        if let Some(before) = self.slots.of_player(player) {
            self.leave_team(now, before);
            if let Some(s) = self.slots.get_mut(before) {
                s.player = None;
                s.ghost = true;
            }
        }
        self.set_name(player, &name);
        if let Some(s) = self.slots.get_mut(slot) {
            s.player = Some(player);
        }
        Some(player)
    }

    /// Adds an entry without another player to the timeline, except for a ghost.
    fn note(&mut self, t_ms: i64, kind: EventKind, slot: u8, team: Option<TeamNumber>) {
        let entry = TimelineEvent {
            t_ms,
            kind,
            team,
            ..TimelineEvent::default()
        };
        self.note_entry(slot, None, entry);
    }

    /// Adds an entry about this slot to the timeline, except for a ghost. `by` is the slot of the other player.
    pub(super) fn note_entry(&mut self, slot: u8, by: Option<u8>, mut entry: TimelineEvent) {
        let s = self.slots.get(slot);
        if s.ghost {
            return;
        }
        entry.guid.clone_from(&s.guid);
        entry.name = s.guid.is_empty().then(|| s.name.clone());
        entry.by = by.and_then(|by| self.slots.get(by).key().cloned());
        let other = by.and_then(|by| self.slots.get(by).player);
        self.push_entry(entry, (s.player, other));
    }

    /// Adds an entry to the timeline if there is room. `players` are the indices of the player and of the other player.
    pub(super) fn push_entry(
        &mut self,
        entry: TimelineEvent,
        players: (Option<usize>, Option<usize>),
    ) {
        if self.round.timeline.len() >= limits::EVENTS {
            self.round.timeline_dropped += 1;
            return;
        }
        self.timeline_players.push(players);
        self.round.timeline.push(entry);
    }
}

/// Gives an entry of the timeline the guids and names that its two players have now. `entry_players` are their indices.
pub(super) fn name_entry(
    entry: &mut TimelineEvent,
    entry_players: (Option<usize>, Option<usize>),
    players: &[PlayerStats],
) {
    let (player, by) = entry_players;
    if let Some(player) = player.and_then(|p| players.get(p)) {
        entry.guid.clone_from(&player.guid);
        entry.name = player.guid.is_empty().then(|| player.name.clone());
    }
    if let Some(by) = by.and_then(|p| players.get(p)) {
        entry.by = Some(by.key().to_owned()).filter(|key| !key.is_empty());
    }
}

/// Whether this is the player's guid. Readers ignore case.
fn same_guid(player: &PlayerStats, guid: &str) -> bool {
    player.guid.eq_ignore_ascii_case(guid)
}
