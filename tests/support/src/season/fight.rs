//! Who killed, revived and waited in a round: a simulation of its fights on the play clock.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use gametimes_format::{Class, EventKind, ObjectiveAction, Team, TeamWaves, TimelineEvent, Waves};

use super::random::Random;
use super::roster::Member;

/// The frames of the server.
const FRAME_MS: i64 = 50;
/// How long a player lives on average.
const LIFE_MS: f64 = 42_000.0;
const WEAPONS: [&str; 8] = [
    "MOD_MP40",
    "MOD_THOMPSON",
    "MOD_MP40",
    "MOD_THOMPSON",
    "MOD_GRENADE_LAUNCHER",
    "MOD_PANZERFAUST",
    "MOD_FG42",
    "MOD_KNIFE",
];

/// A player leaves, and another takes the place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) t_ms: i64,
    pub(super) out: usize,
    pub(super) joined: usize,
}

/// What is known before a round begins.
pub(super) struct Setup<'a> {
    pub(super) roster: &'a [Member],
    /// The players of the Axis and of the Allies, as places in the roster.
    pub(super) sides: [&'a [usize]; 2],
    pub(super) waves: &'a Waves,
    pub(super) duration_ms: i64,
    pub(super) change: Option<Change>,
    pub(super) attackers: Team,
    /// Whether the attackers complete the map at the end.
    pub(super) completed: bool,
    /// What they blow up.
    pub(super) objective: &'a str,
}

/// What a player did in a round.
#[derive(Debug, Clone)]
pub(super) struct Fighter {
    /// The place in the roster.
    pub(super) player: usize,
    pub(super) team: Team,
    pub(super) spawns: u32,
    pub(super) revived: u32,
    pub(super) revives_given: u32,
    pub(super) deaths: u32,
    pub(super) kills: u32,
    pub(super) team_kills: u32,
    pub(super) self_kills: u32,
    pub(super) dead_ms: i64,
    pub(super) max_dead_ms: i64,
    pub(super) denied_ms: i64,
    pub(super) alive_ms: i64,
    pub(super) played_ms: i64,
    pub(super) wave_wait_ms: i64,
    state: State,
    since_ms: i64,
    joined_ms: i64,
    /// The enemy who killed the player last.
    killer: Option<usize>,
    /// Counts the player's lives, so that what was planned for an earlier one is dropped.
    life: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Gone,
    Waiting,
    Alive,
    Dead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Fight,
    Change,
    Limbo(usize, u32),
    Spawn(usize, u32),
    Revive(usize, usize, u32),
    Repair,
    Plant,
}

/// Plays a round: the players, and the timeline.
pub(super) fn fight(setup: &Setup<'_>, random: &mut Random) -> (Vec<Fighter>, Vec<TimelineEvent>) {
    let mut round = Round {
        setup,
        random,
        fighters: Vec::new(),
        events: Vec::new(),
        queue: BinaryHeap::new(),
        now_ms: 0,
    };
    round.play();
    (round.fighters, round.events)
}

struct Round<'a, 'r> {
    setup: &'a Setup<'a>,
    random: &'r mut Random,
    fighters: Vec<Fighter>,
    events: Vec<TimelineEvent>,
    queue: BinaryHeap<Reverse<(i64, Next)>>,
    now_ms: i64,
}

impl Round<'_, '_> {
    fn play(&mut self) {
        for team in Team::ALL {
            for &player in self.setup.sides[usize::from(team.number()) - 1] {
                let at = self.join(player, team);
                self.spawn(at);
            }
        }
        self.plan_fight();
        let repair_ms = self.random.between(20_000, 90_000);
        self.plan(repair_ms, Next::Repair);
        self.plan(self.setup.duration_ms - 32_000, Next::Plant);
        if let Some(change) = self.setup.change {
            self.plan(change.t_ms, Next::Change);
        }
        while let Some(Reverse((t_ms, next))) = self.queue.pop() {
            if t_ms >= self.setup.duration_ms {
                break;
            }
            self.now_ms = t_ms;
            self.step(next);
        }
        self.now_ms = self.setup.duration_ms;
        if self.setup.completed {
            let text = self.setup.objective;
            self.objective(None, ObjectiveAction::Destroyed, text);
        }
        for at in 0..self.fighters.len() {
            self.leave(at);
        }
    }

    fn step(&mut self, next: Next) {
        let current = |round: &Self, at: usize, life| {
            let fighter = &round.fighters[at];
            fighter.life == life && fighter.state != State::Gone
        };
        match next {
            Next::Fight => {
                self.one_fight();
                self.plan_fight();
            }
            Next::Change => {
                if let Some(change) = self.setup.change
                    && let Some(out) = self.fighters.iter().position(|f| f.player == change.out)
                {
                    self.leave(out);
                    self.event(EventKind::Leave, out);
                    let at = self.join(change.joined, self.fighters[out].team);
                    self.fighters[at].state = State::Waiting;
                    self.plan_spawn(at);
                }
            }
            Next::Limbo(at, life) if current(self, at, life) => {
                self.event(EventKind::Limbo, at);
                self.plan_spawn(at);
            }
            Next::Spawn(at, life) if current(self, at, life) => self.spawn(at),
            Next::Revive(at, medic, life) if current(self, at, life) => {
                if self.fighters[medic].state == State::Alive {
                    self.change_state(at, State::Alive);
                    self.fighters[at].spawns += 1;
                    self.fighters[at].revived += 1;
                    self.fighters[medic].revives_given += 1;
                    let by = self.guid(medic);
                    let event = self.event(EventKind::Revive, at);
                    event.by = Some(by);
                } else {
                    self.plan(500, Next::Limbo(at, life));
                }
            }
            Next::Repair => {
                let engineer =
                    self.alive(|f, m| f.team == self.setup.attackers && m.class == Class::Engineer);
                if let Some(&at) = engineer.first() {
                    self.objective(Some(at), ObjectiveAction::Repaired, "the Command Post");
                }
                let next_ms = self.random.between(120_000, 300_000);
                self.plan(next_ms, Next::Repair);
            }
            Next::Plant if self.setup.completed => {
                let attackers = self.alive(|f, _| f.team == self.setup.attackers);
                if let Some(&at) = attackers.first() {
                    let text = self.setup.objective;
                    self.objective(Some(at), ObjectiveAction::Planted, text);
                }
            }
            _ => {}
        }
    }

    fn one_fight(&mut self) {
        let all: Vec<usize> = self.alive(|_, _| true);
        if all.is_empty() {
            return;
        }
        let skill = |at: &usize| self.setup.roster[self.fighters[*at].player].skill;
        let roll = self.random.share();
        if roll < 0.06 {
            let at = *self.random.one_of(&all);
            self.fighters[at].self_kills += 1;
            self.die(at, Some(at), "MOD_SUICIDE");
            return;
        }
        let skills: Vec<f64> = all.iter().map(|at| skill(at).powi(2)).collect();
        let Some(killer) = self.random.weighted(&skills).map(|i| all[i]) else {
            return;
        };
        let hits_own_team = roll < 0.08;
        let team = self.fighters[killer].team;
        let victims = self.alive(|f, _| (f.team == team) == hits_own_team);
        let weak: Vec<f64> = victims
            .iter()
            .map(|at| if *at == killer { 0.0 } else { 1.0 / skill(at) })
            .collect();
        let Some(victim) = self.random.weighted(&weak).map(|i| victims[i]) else {
            return;
        };
        if hits_own_team {
            self.fighters[killer].team_kills += 1;
        } else {
            self.fighters[killer].kills += 1;
        }
        let weapon = *self.random.one_of(&WEAPONS);
        self.die(victim, Some(killer), weapon);
        if self.random.chance(0.35) {
            let medics = self.alive(|f, m| f.team != team && m.class == Class::Medic);
            if let Some(&medic) = medics.first() {
                let life = self.fighters[victim].life;
                let in_ms = self.random.between(1_200, 6_000);
                self.plan(in_ms, Next::Revive(victim, medic, life));
                return;
            }
        }
        self.give_up(victim);
    }

    fn die(&mut self, at: usize, killer: Option<usize>, weapon: &str) {
        let team = self.fighters[at].team;
        let wave_in_ms = self.next_wave(team);
        let killer_wave_in_ms = killer.and_then(|k| self.next_wave(self.fighters[k].team));
        self.change_state(at, State::Dead);
        let by = killer.map(|k| self.guid(k));
        let killers_team = killer.map(|k| self.fighters[k].team);
        let fighter = &mut self.fighters[at];
        fighter.deaths += 1;
        fighter.wave_wait_ms += wave_in_ms.unwrap_or_default();
        fighter.killer = killer.filter(|_| killers_team != Some(team));
        let class = self.setup.roster[fighter.player].class;
        let event = self.event(EventKind::Death, at);
        (event.by, event.means_of_death, event.class) = (by, Some(weapon.to_owned()), Some(class));
        (event.wave_in_ms, event.killer_wave_in_ms) = (wave_in_ms, killer_wave_in_ms);
        if killer == Some(at) {
            self.give_up(at);
        }
    }

    /// Good players leave for limbo just before their wave, others when they have had enough.
    fn give_up(&mut self, at: usize) {
        let life = self.fighters[at].life;
        let wave_ms = self.next_wave(self.fighters[at].team).unwrap_or(5_000);
        let patience_ms = self.random.between(500, 12_000);
        self.plan(
            patience_ms.min(wave_ms - FRAME_MS).max(0),
            Next::Limbo(at, life),
        );
    }

    fn plan_spawn(&mut self, at: usize) {
        let (team, life) = (self.fighters[at].team, self.fighters[at].life);
        let wave_ms = self.next_wave(team).unwrap_or(5_000);
        self.plan(wave_ms, Next::Spawn(at, life));
    }

    fn plan_fight(&mut self) {
        let present = self
            .fighters
            .iter()
            .filter(|f| f.state != State::Gone)
            .count();
        let wait_ms = self.random.wait_ms(LIFE_MS / present.max(1) as f64);
        self.plan(wait_ms.max(FRAME_MS), Next::Fight);
    }

    fn plan(&mut self, in_ms: i64, next: Next) {
        let t_ms = (self.now_ms + in_ms) / FRAME_MS * FRAME_MS;
        if t_ms >= self.now_ms {
            self.queue.push(Reverse((t_ms, next)));
        }
    }

    fn join(&mut self, player: usize, team: Team) -> usize {
        self.fighters.push(Fighter {
            player,
            team,
            spawns: 0,
            revived: 0,
            revives_given: 0,
            deaths: 0,
            kills: 0,
            team_kills: 0,
            self_kills: 0,
            dead_ms: 0,
            max_dead_ms: 0,
            denied_ms: 0,
            alive_ms: 0,
            played_ms: 0,
            wave_wait_ms: 0,
            state: State::Waiting,
            since_ms: self.now_ms,
            joined_ms: self.now_ms,
            killer: None,
            life: 0,
        });
        let at = self.fighters.len() - 1;
        self.event(EventKind::Join, at).team = Some(team.into());
        at
    }

    fn spawn(&mut self, at: usize) {
        self.change_state(at, State::Alive);
        self.fighters[at].spawns += 1;
        let class = self.setup.roster[self.fighters[at].player].class;
        self.event(EventKind::Spawn, at).class = Some(class);
    }

    fn leave(&mut self, at: usize) {
        if self.fighters[at].state == State::Gone {
            return;
        }
        self.change_state(at, State::Gone);
        let fighter = &mut self.fighters[at];
        fighter.played_ms = self.now_ms - fighter.joined_ms;
    }

    fn change_state(&mut self, at: usize, state: State) {
        let fighter = &mut self.fighters[at];
        let ms = self.now_ms - fighter.since_ms;
        let mut denied_by = None;
        match fighter.state {
            State::Alive => fighter.alive_ms += ms,
            State::Dead => {
                fighter.dead_ms += ms;
                fighter.max_dead_ms = fighter.max_dead_ms.max(ms);
                denied_by = fighter.killer.take();
            }
            State::Waiting | State::Gone => {}
        }
        (fighter.state, fighter.since_ms) = (state, self.now_ms);
        fighter.life += 1;
        if let Some(killer) = denied_by {
            self.fighters[killer].denied_ms += ms;
        }
    }

    fn alive(&self, is_wanted: impl Fn(&Fighter, &Member) -> bool) -> Vec<usize> {
        let fighters = self.fighters.iter().enumerate();
        fighters
            .filter(|(_, f)| f.state == State::Alive && is_wanted(f, &self.setup.roster[f.player]))
            .map(|(at, _)| at)
            .collect()
    }

    fn next_wave(&self, team: Team) -> Option<i64> {
        self.setup
            .waves
            .of(team)
            .and_then(|waves: &TeamWaves| waves.next_in_ms(self.now_ms))
    }

    fn guid(&self, at: usize) -> String {
        self.setup.roster[self.fighters[at].player].guid.clone()
    }

    fn event(&mut self, kind: EventKind, at: usize) -> &mut TimelineEvent {
        let event = TimelineEvent {
            t_ms: self.now_ms,
            kind,
            guid: self.guid(at),
            ..TimelineEvent::default()
        };
        self.events.push(event);
        self.events.last_mut().expect("it was added just now")
    }

    fn objective(&mut self, at: Option<usize>, action: ObjectiveAction, text: &str) {
        let guid = at.map_or_else(String::new, |at| self.guid(at));
        self.events.push(TimelineEvent {
            t_ms: self.now_ms,
            kind: EventKind::Objective,
            guid,
            team: Some(self.setup.attackers.into()),
            action: Some(action),
            text: Some(text.to_owned()),
            ..TimelineEvent::default()
        });
    }
}
