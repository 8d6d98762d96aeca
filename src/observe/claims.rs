//! Lines that the game printed, and whether they are believed.
//!
//! A player's name can look like a line of the game: `Exit: Wolf EndRound.` is a valid name, and the game and Lua scripts print
//! lines that begin with a name. So a line is only a claim. It is believed if the game's state agrees by the end of the same
//! call:
//! * an exit, when the game queues the intermission right after it (configstring or `gamestate`);
//! * a death, when the victim's record shows it at the end of the call;
//! * a revive, when the patient's record shows it (`lives`);
//! * a client that connects, when its slot was free and gets a name; one that begins, when its record has its team;
//! * a vote, when its configstrings change right after the line.
//!
//! An event has the time of its line. While a death waits for the end of the call, the events after it wait behind it, so that
//! their order is kept. Nothing here allocates after the start.

use gametimes_format::matches::PauseKind;

use super::lives::is_hidden;
use super::{Complaint, Observer, Record, Records, Sink, on_team, parse};
use crate::engine::layout::pm_type;
use crate::engine::numbers::GAMESTATE_INTERMISSION;
use crate::event::{Stamp, Text, What};

/// How many events can wait in one call, far more than a call of a real game makes.
const WAITING_LIMIT: usize = 512;
/// How many lines of one kind are remembered in one call. Of more, the last ones count.
const LINES_LIMIT: usize = 8;

/// What was printed in the running call and is not yet decided.
pub(super) struct Claims {
    /// Deaths, and the events behind the first of them.
    waiting: Vec<Waiting>,
    exit: Option<ExitClaim>,
    votes: Lines<VoteClaim>,
    vote_result: Option<VoteResult>,
    /// Whether the configstring that shows a vote was cleared before any line about it.
    vote_cleared: bool,
    revives: Lines<ReviveClaim>,
    /// Slots that the game printed as connected.
    pub(super) arrived: u64,
    /// Those of them that got a name since.
    named: u64,
    /// Slots that the game printed as in the world.
    pub(super) begun: u64,
    /// The client whose call is running, once it has returned.
    pub(super) caller: Option<u8>,
    /// Whether the match was paused in this call.
    pub(super) paused: bool,
    /// Whether a vote passed in this call.
    vote_passed: bool,
    /// Whether anything above except the caller is set.
    pub(super) any: bool,
}

enum Waiting {
    Event(Stamp, What),
    Death(Stamp, DeathClaim),
}

/// `Kill: ...`, with the victim's state at the line.
#[derive(Clone, Copy)]
struct DeathClaim {
    victim: u8,
    killer: Option<u8>,
    means: Text<32>,
    alive: bool,
    hidden: bool,
    deaths: i32,
    /// Whether the record showed the death at the line already. Real games do, recorded matches show it only later.
    shown: bool,
    /// Decided before the end of the call, because the victim's slot was given up.
    decided: Option<bool>,
}

#[derive(Clone, Copy)]
struct ExitClaim {
    at: Stamp,
    text: Text<96>,
}

#[derive(Clone, Copy)]
struct VoteClaim {
    at: Stamp,
    slot: u8,
    vote: Text<96>,
}

#[derive(Clone, Copy)]
enum VoteResult {
    Passed,
    Failed(Stamp),
}

#[derive(Clone, Copy)]
struct ReviveClaim {
    medic: u8,
    patient: u8,
    used: bool,
}

/// The last few lines of one kind.
struct Lines<T> {
    lines: [Option<T>; LINES_LIMIT],
    next: usize,
}

impl<T: Copy> Lines<T> {
    const fn new() -> Self {
        Self {
            lines: [None; LINES_LIMIT],
            next: 0,
        }
    }

    /// Adds a line, and returns the one that it displaces.
    fn add(&mut self, line: T) -> Option<T> {
        let displaced = self.lines[self.next % LINES_LIMIT].replace(line);
        self.next = (self.next + 1) % LINES_LIMIT;
        displaced
    }

    /// The lines, the last one first.
    fn latest_first(&mut self) -> impl Iterator<Item = &mut Option<T>> {
        let (before, after) = self.lines.split_at_mut(self.next);
        before.iter_mut().rev().chain(after.iter_mut().rev())
    }

    fn clear(&mut self) {
        self.lines = [None; LINES_LIMIT];
        self.next = 0;
    }
}

impl Claims {
    pub(super) fn new() -> Self {
        Self {
            waiting: Vec::with_capacity(WAITING_LIMIT),
            exit: None,
            votes: Lines::new(),
            vote_result: None,
            vote_cleared: false,
            revives: Lines::new(),
            arrived: 0,
            named: 0,
            begun: 0,
            caller: None,
            paused: false,
            vote_passed: false,
            any: false,
        }
    }

    /// Forgets everything, for a new map.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.forget_lines();
    }

    fn forget_lines(&mut self) {
        self.exit = None;
        self.votes.clear();
        self.vote_result = None;
        self.vote_cleared = false;
        self.revives.clear();
        self.arrived = 0;
        self.named = 0;
        self.begun = 0;
        self.caller = None;
        self.paused = false;
        self.vote_passed = false;
        self.any = false;
    }

    /// Keeps an event behind a death that is not decided yet. Returns the event if nothing waits.
    pub(super) fn keep(&mut self, at: Stamp, what: What) -> Option<What> {
        if self.waiting.is_empty() || self.waiting.len() == self.waiting.capacity() {
            return Some(what);
        }
        self.waiting.push(Waiting::Event(at, what));
        None
    }
}

impl<S: Sink> Observer<S> {
    /// `Exit: ...`
    pub(super) fn claim_exit(&mut self, text: &[u8]) {
        if !self.playing || self.exited {
            return;
        }
        if self.claims.exit.is_some_and(|claim| {
            parse::is_known_exit(claim.text.as_bytes()) && !parse::is_known_exit(text)
        }) {
            self.complain(Complaint::Claim);
            return;
        }
        let claim = ExitClaim {
            at: self.now(),
            text: Text::new(text),
        };
        self.claims.any = true;
        if self.claims.exit.replace(claim).is_some() {
            self.complain(Complaint::Claim);
        }
    }

    /// The game has queued the intermission: the exit that it printed before is real.
    pub(super) fn intermission(&mut self, records: &impl Records) {
        if let Some(claim) = self.claims.exit.take() {
            // A wave may have spawned in this very frame.
            self.look_at(self.waiting | self.touched, records);
            self.exit(claim.at, claim.text);
        }
    }

    /// Trap CVAR_SET of `gamestate`, to something other than playing.
    pub(super) fn play_ends(&mut self, gamestate: i32, records: &impl Records) {
        if gamestate == GAMESTATE_INTERMISSION {
            self.intermission(records);
        }
        // Without a printed exit, the round ends here for an unknown reason.
        let now = self.now();
        self.exit(now, Text::default());
    }

    fn exit(&mut self, at: Stamp, text: Text<96>) {
        // Only the first one counts.
        if self.playing && !self.exited {
            self.exited = true;
            self.send_at(at, What::Exit(text));
            self.playing = false;
        }
    }

    /// `callvote: ...`
    pub(super) fn claim_vote(&mut self, slot: u8, vote: &[u8]) {
        if !self.playing {
            return;
        }
        let claim = VoteClaim {
            at: self.now(),
            slot,
            vote: Text::new(vote),
        };
        self.claims.any = true;
        if self.claims.votes.add(claim).is_some() {
            self.complain(Complaint::Claim);
        }
    }

    /// The configstring that contains the running vote.
    pub(super) fn vote_string(&mut self, text: &[u8]) {
        let matches = |claim: &VoteClaim| {
            let vote = claim.vote.as_bytes();
            text.strip_prefix(vote).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with(b" (called by ") || vote.len() == 96
            })
        };
        let found = self
            .claims
            .votes
            .latest_first()
            .find(|claim| claim.as_ref().is_some_and(matches))
            .and_then(Option::take);
        if let Some(VoteClaim { at, slot, vote }) = found {
            let surrender = parse::is_surrender(vote.as_bytes());
            self.vote_caller = Some(slot);
            self.send_at(at, What::VoteCalled { slot, surrender });
        }
    }

    /// `Vote Passed: ...`, or a line that says that the vote did not pass.
    pub(super) fn claim_vote_result(&mut self, passed: bool) {
        if !self.playing {
            return;
        }
        self.claims.any = true;
        if passed {
            self.claims.vote_result = Some(VoteResult::Passed);
            self.claims.vote_passed = true;
        } else if std::mem::take(&mut self.claims.vote_cleared) {
            self.send(What::VoteFailed); // a vote that was cancelled is cleared first
        } else {
            self.claims.vote_result = Some(VoteResult::Failed(self.now()));
        }
    }

    /// The configstring that contains the time of the running vote was cleared.
    pub(super) fn vote_ends(&mut self) {
        match self.claims.vote_result.take() {
            Some(VoteResult::Failed(at)) => self.send_at(at, What::VoteFailed),
            Some(VoteResult::Passed) => {}
            None => {
                self.claims.vote_cleared = true;
                self.claims.any = true;
            }
        }
    }

    /// The call has returned: decides who paused the match in it. The game pauses inside the call that asks for it: a client's
    /// command, a vote that passes in a frame, or a console command of the server.
    pub(super) fn settle_pause(&mut self, in_frame: bool) {
        if !std::mem::take(&mut self.claims.paused) {
            return;
        }
        let (kind, slot) = match self.claims.caller {
            Some(n) if self.slots[usize::from(n)].referee => (PauseKind::Referee, Some(n)),
            Some(n) => (PauseKind::Player, Some(n)),
            None if in_frame && self.claims.vote_passed => (PauseKind::Vote, self.vote_caller),
            None => (PauseKind::Server, None),
        };
        self.send(What::PausedBy { kind, slot });
    }

    /// `Medic_Revive: ...`
    pub(super) fn claim_revive(&mut self, medic: u8, patient: u8) {
        let (Some(m), Some(p)) = (self.slot(medic.into()), self.slot(patient.into())) else {
            return;
        };
        self.touched |= 1 << p;
        if m == p || !self.plays(m) || self.slots[m].team != self.slots[p].team {
            self.complain(Complaint::Claim);
            return;
        }
        let claim = ReviveClaim {
            medic,
            patient,
            used: false,
        };
        self.claims.any = true;
        if self.claims.revives.add(claim).is_some_and(|old| !old.used) {
            self.complain(Complaint::Claim);
        }
    }

    /// The medic who revived this player in the running call. A medic revives in their own call.
    pub(super) fn medic_of(&mut self, n: usize) -> Option<u8> {
        let caller = self.claims.caller;
        let mut claims = self.claims.revives.latest_first().flatten();
        let mut found: Option<&mut ReviveClaim> = None;
        while let Some(claim) = claims.find(|claim| usize::from(claim.patient) == n) {
            if found.is_none() || Some(claim.medic) == caller {
                found = Some(claim);
            }
        }
        let claim = found?;
        claim.used = true;
        Some(claim.medic)
    }

    /// `ClientConnect: ...`
    pub(super) fn claim_connect(&mut self, slot: u8) {
        if let Some(n) = self.slot(slot.into()) {
            self.claims.arrived |= 1 << n;
            self.claims.any = true;
        }
    }

    /// The game has set the name of a client.
    pub(super) fn named(&mut self, n: usize) {
        self.claims.named |= self.claims.arrived & (1 << n);
    }

    /// `ClientBegin: ...`
    pub(super) fn claim_begin(&mut self, slot: u8) {
        if let Some(n) = self.slot(slot.into()) {
            self.claims.begun |= 1 << n;
            self.claims.any = true;
        }
    }

    /// Whether [`Observer::take_arrival`] has something to decide.
    pub fn has_arrivals(&self) -> bool {
        self.claims.arrived != 0
    }

    /// The next client that the game connected without a call of the engine, as it does with its bots. Called after each call
    /// until it returns `None`.
    pub fn take_arrival(&mut self) -> Option<isize> {
        while self.claims.arrived != 0 {
            let n = self.claims.arrived.trailing_zeros();
            self.claims.arrived &= self.claims.arrived.wrapping_sub(1);
            // The game connects a client only in a free slot, and names it in the same call.
            if self.claims.named & (1 << n) != 0 && !self.slots[n as usize].connected {
                return Some(n as isize);
            }
            self.complain(Complaint::Claim);
        }
        None
    }

    /// Counts a client that [`Observer::take_arrival`] returned, but that the engine does not know.
    pub fn refuse_arrival(&mut self) {
        self.complain(Complaint::Claim);
    }

    /// `Kill: ...`
    pub(super) fn claim_death(
        &mut self,
        victim: u8,
        killer: Option<u8>,
        means: &[u8],
        records: &impl Records,
    ) {
        let killer_fits = killer.is_none_or(|k| usize::from(k) < self.max_clients);
        let Some(n) = self.slot(victim.into()) else {
            return;
        };
        if !self.playing || self.exited {
            return;
        }
        if !killer_fits || !self.slots[n].connected {
            self.complain(Complaint::Claim);
            return;
        }
        if self.claims.waiting.len() >= WAITING_LIMIT / 2 {
            self.settle_deaths(records);
        }
        let lies_dead = records
            .get(n)
            .is_some_and(|r| r.pm_type == pm_type::DEAD && !is_hidden(&r));
        if lies_dead && !self.slots[n].alive {
            self.look(n, records); // spawned and died in one call
        }
        self.touched |= 1 << n;
        let s = &self.slots[n];
        let shown = lies_dead && s.alive && records.get(n).is_some_and(|r| r.deaths == s.deaths);
        let claim = DeathClaim {
            victim,
            killer,
            means: Text::new(means),
            alive: s.alive,
            hidden: s.hidden,
            deaths: s.deaths,
            shown,
            decided: None,
        };
        let at = self.now();
        self.claims.any = true;
        self.claims.waiting.push(Waiting::Death(at, claim));
    }

    /// Decides about the deaths of a client that leaves its slot, while its record is still there.
    pub(super) fn settle_before_leave(&mut self, n: usize, records: &impl Records) {
        self.decide(Some(n), records);
    }

    /// Decides about the deaths of one victim or of all.
    fn decide(&mut self, victim: Option<usize>, records: &impl Records) {
        for i in 0..self.claims.waiting.len() {
            let Waiting::Death(_, claim) = self.claims.waiting[i] else {
                continue;
            };
            if claim.decided.is_some() || victim.is_some_and(|n| usize::from(claim.victim) != n) {
                continue;
            }
            let believed = self.is_death(i, &claim, records);
            if let Waiting::Death(_, claim) = &mut self.claims.waiting[i] {
                claim.decided = Some(believed);
            }
        }
    }

    /// Whether the state of the game agrees with a death.
    fn is_death(&self, i: usize, claim: &DeathClaim, records: &impl Records) -> bool {
        let n = usize::from(claim.victim);
        let s = &self.slots[n];
        if !s.begun {
            return false;
        }
        let team = i32::from(s.team.number());
        let agree = |record: &Record| self.records_agree || record.team == team;
        let Some(record) = records.get(n).filter(agree) else {
            return true; // the form of the line is all there is
        };
        let mut deaths = 1;
        let died = if !on_team(s.team) {
            claim.alive // killed by moving to the spectators
        } else if is_hidden(&record) {
            claim.alive && !claim.hidden
        } else if record.team != team {
            claim.alive
        } else if claim.hidden {
            record.pm_type == pm_type::DEAD
        } else {
            deaths = record.deaths.wrapping_sub(claim.deaths).max(1);
            record.deaths != claim.deaths || (claim.alive && record.pm_type == pm_type::DEAD)
        };
        if !died {
            return false;
        }
        // A name can claim the death of a player who really died in the same call: then the most plausible line counts.
        let plausible = |claim: &DeathClaim| {
            let own = claim.killer == Some(claim.victim);
            let attacker = claim
                .killer
                .is_some_and(|k| i32::from(k) == record.attacker);
            (
                claim.shown,
                own && self.claims.caller == claim.killer,
                attacker,
            )
        };
        let better = |(j, other): (usize, &Waiting)| match other {
            Waiting::Death(_, other) if other.victim == claim.victim => {
                (plausible(other), j) > (plausible(claim), i)
            }
            _ => false,
        };
        let better = self
            .claims
            .waiting
            .iter()
            .enumerate()
            .filter(|&o| better(o));
        better.count() < deaths as usize
    }

    /// Decides about all deaths, and sends them and the events behind them in order.
    fn settle_deaths(&mut self, records: &impl Records) {
        if self.claims.waiting.is_empty() {
            return;
        }
        self.decide(None, records);
        let mut waiting = std::mem::take(&mut self.claims.waiting);
        for entry in waiting.drain(..) {
            match entry {
                Waiting::Event(at, what) => self.send_at(at, what),
                Waiting::Death(at, claim) if claim.decided == Some(true) => {
                    self.die(at, &claim, records);
                }
                Waiting::Death(..) => self.complain(Complaint::Claim),
            }
        }
        self.claims.waiting = waiting;
    }

    fn die(&mut self, at: Stamp, claim: &DeathClaim, records: &impl Records) {
        let n = usize::from(claim.victim);
        let record = records.get(n);
        if !self.records_judged && self.plays(n) && record.is_some() {
            self.records_judged = true;
            self.complain(Complaint::Records);
        }
        if !claim.alive && record.is_some_and(|r| r.pm_type == pm_type::DEAD) {
            self.look(n, records); // spawned and died in this call
        }
        let s = &mut self.slots[n];
        s.alive = false;
        if let Some(record) = record.filter(|r| !is_hidden(r)) {
            s.deaths = record.deaths;
        }
        if s.connected && on_team(s.team) {
            self.waiting |= 1 << n;
        }
        self.send_at(
            at,
            What::Death {
                slot: claim.victim,
                by: claim.killer,
                means: claim.means,
            },
        );
    }

    /// The call has returned and its state is final: decides about deaths. Clients that connected come next, then
    /// [`Observer::after_call`] or [`Observer::after_frame`].
    pub fn settle(&mut self, records: &impl Records) {
        if self.claims.any {
            self.settle_deaths(records);
        }
    }

    /// Decides about clients that the game printed as in the world. Those of calls have begun already.
    pub(super) fn settle_begins(&mut self, records: &impl Records) {
        while self.claims.begun != 0 {
            let n = self.claims.begun.trailing_zeros() as usize;
            self.claims.begun &= self.claims.begun - 1;
            let s = &self.slots[n];
            let agrees = records
                .get(n)
                .is_none_or(|r| !self.records_agree || r.team == i32::from(s.team.number()));
            if s.connected && (s.begun || agrees) {
                self.begin(n as isize);
            } else {
                self.complain(Complaint::Claim);
            }
        }
    }

    /// Refuses what nothing has confirmed by the end of the call.
    pub(super) fn refuse_rest(&mut self) {
        let revives = self.claims.revives.lines.iter().flatten();
        // A revive is only seen if the records are understood.
        let revives = revives.filter(|claim| self.records_agree && !claim.used);
        let refused = usize::from(self.claims.exit.is_some())
            + self.claims.votes.lines.iter().flatten().count()
            + usize::from(matches!(
                self.claims.vote_result,
                Some(VoteResult::Failed(_))
            ))
            + revives.count();
        for _ in 0..refused {
            self.complain(Complaint::Claim);
        }
        self.claims.forget_lines();
    }
}
