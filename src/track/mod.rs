//! What a round is: a pure state machine that turns events into rounds. No I/O, no clock, no unsafe code, and every list
//! is bounded.
//!
//! A round begins with a `GAME_INIT` whose gamestate is 0. It ends at the game's `Exit:`, or at the shutdown that interrupts it.
//! All times of players are on the play clock, which stands still during pauses.

mod clock;
mod live;
mod objective_halves;
mod objectives;
mod round;
mod running;
mod slots;
mod snapshot;
#[cfg(test)]
mod tests;
mod wave_times;
mod waves;

pub use clock::PlayClock;
pub use live::Live;
pub use round::{Pause, PlayerStats, Round};

use gametimes_format::Team;
use gametimes_format::file::{EndReason, Score, Surrender};
use gametimes_format::live::State;
use gametimes_format::rules::GAMETYPE_STOPWATCH;
use gametimes_format::text::strip_colors;
use uuid::Uuid;

use crate::engine::numbers::{
    GAMESTATE_INITIALIZE, GAMESTATE_PLAYING, GAMESTATE_RESET, GAMESTATE_WARMUP,
};
use crate::event::{Event, Level, Rules, ShutdownCause, Stamp, What};
use crate::first_round::FirstRound;
use running::RunningRound;
use slots::PlayerSlot;
use snapshot::Stage;

/// What an event led to.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Play has begun.
    Started {
        map: String,
        /// The round's number, 1 or 2.
        number: u8,
        timelimit_minutes: f64,
    },
    /// The match is paused.
    Paused {
        /// 1 for the round's first pause.
        number: usize,
        /// Time played so far.
        played_ms: i64,
    },
    /// The match continues.
    Resumed {
        /// 1 for the round's first pause.
        number: usize,
        /// Length of the pause.
        paused_ms: i64,
    },
    /// The round is over and complete, except for its stats file.
    Ended(Box<Round>),
    /// The game wrote a stats file of this name.
    StatsFile(String),
    /// No more events of this map follow.
    Closed,
}

/// Follows the rounds of one map after the other.
#[derive(Debug, Default)]
pub struct Tracker {
    level: Level,
    rules: Rules,
    stage: Stage,
    score: Score,
    /// The next round of a stopwatch match: 2 when round 1 has finished.
    next_round: u8,
    warmup_start_unix_ms: Option<i64>,
    winner: Option<Team>,
    defender: Option<Team>,
    round: Option<RunningRound>,
    /// Whether a `map_restart` has interrupted the last round.
    restarted: bool,
    /// Round 1 of the running stopwatch match, once it has finished.
    first_round: Option<FirstRound>,
}

impl Tracker {
    /// The state that a map inherits from the one before, as a journal stores it: the score and the start of the warmup.
    pub fn carried(&self) -> (Score, Option<i64>) {
        (self.score, self.warmup_start_unix_ms)
    }

    /// A tracker that continues with the state from [`Tracker::carried`].
    pub fn resume(score: Score, warmup_start_unix_ms: Option<i64>) -> Self {
        Self {
            score,
            warmup_start_unix_ms,
            ..Self::default()
        }
    }

    /// Round 1 of the running stopwatch match, for the next map.
    pub fn first_round(&self) -> Option<&FirstRound> {
        self.first_round.as_ref()
    }

    /// Remembers a finished round 1 by its id, until its round 2 has finished. An interrupted round 2 is played again.
    pub fn remember(&mut self, round: &Round, event_id: Uuid) {
        if round.gametype == GAMETYPE_STOPWATCH && round.end_reason.is_finished() {
            self.first_round = (round.number == 1).then(|| FirstRound {
                event_id,
                attackers: round.defender.map(|team| team.opponent().into()),
                held: round.held(),
                played_ms: round.played_ms,
                map: round.map.clone(),
            });
        }
    }

    /// Applies an event.
    pub fn apply(&mut self, event: &Event) -> Option<Outcome> {
        let at = event.at;
        match &event.what {
            What::Level(level) => self.level(at, level),
            What::Rules(rules) => return self.rules(rules),
            What::Gamestate(gamestate) => self.stage.set_gamestate(*gamestate),
            What::Winner(team) => self.winner = team.team(),
            What::Defender(team) => self.defender = team.team(),
            What::Pause(paused) => return self.pause(at, *paused),
            What::PausedBy { kind, slot } => {
                if let Some(round) = &mut self.round {
                    round.paused_by(*kind, *slot);
                }
            }
            What::Exit(text) => self.exit(at, &text.decode()),
            What::RoundOver {
                timelimit_minutes,
                next_limit_minutes,
            } => {
                if self.round.as_ref().is_some_and(RunningRound::is_over) {
                    return self.finish(Some((*timelimit_minutes, *next_limit_minutes)));
                }
            }
            What::Shutdown(cause) => return self.shutdown(at, *cause),
            What::NotRecorded => {
                self.round = None;
                self.stage = Stage::default();
            }
            What::Closed => return Some(Outcome::Closed),
            What::StatsFile(name) => return Some(Outcome::StatsFile(name.decode())),
            player => self.player(at, player),
        }
        None
    }

    /// Whether no map is loaded, or one that is not recorded.
    pub fn is_idle(&self) -> bool {
        self.stage.state == State::Idle
    }

    /// The running round, for `gametimes status`.
    pub fn live(&self) -> Option<Live> {
        let round = self.round.as_ref()?;
        Some(Live::new(&self.level.map, round))
    }

    fn level(&mut self, at: Stamp, level: &Level) {
        // A round that was never ended, as in a truncated journal, does not continue on another map.
        self.round = None;
        // Only the engine's `map` command sets this gamestate. A map_restart that changes sv_maxclients loads the map again,
        // too, but does not start another match.
        if level.gamestate == GAMESTATE_INITIALIZE {
            self.score = Score::default();
            self.warmup_start_unix_ms = None;
        }
        if level.gamestate != GAMESTATE_PLAYING {
            self.warmup_start_unix_ms.get_or_insert(at.unix_ms);
        }
        self.level = level.clone();
        self.rules = Rules::default();
        self.stage = Stage::begin(level.gamestate);
        self.winner = None;
        self.defender = None;
        // A round 2 on another map belongs to no round 1.
        let first_round = level.first_round.as_ref();
        self.first_round = first_round.filter(|first| first.map == level.map).cloned();
        if level.gamestate == GAMESTATE_PLAYING {
            self.round = Some(RunningRound::begin(at, self.warmup_start_unix_ms.take()));
        }
    }

    fn rules(&mut self, rules: &Rules) -> Option<Outcome> {
        if self.match_was_reset(rules) {
            self.score = Score::default();
        }
        self.restarted = false;
        self.rules = rules.clone();
        self.next_round = rules.round;
        if rules.round == 1 || rules.gametype != GAMETYPE_STOPWATCH {
            self.first_round = None;
        }
        let running = self.round.as_mut()?;
        running.set_rules(rules);
        running.round.first_round.clone_from(&self.first_round);
        Some(Outcome::Started {
            map: self.level.map.clone(),
            number: rules.round,
            timelimit_minutes: rules.timelimit_minutes,
        })
    }

    /// Whether the match starts again: by `reset_match`, a vote or a referee's command to that effect, teams that were swapped or
    /// shuffled in mid-match, or because a team was empty.
    fn match_was_reset(&self, rules: &Rules) -> bool {
        // Round 1 instead of round 2.
        if rules.round < self.next_round {
            return true;
        }
        // Before and after a round, a reset shows in gamestate; during a round, it ends the round and goes back to warmup. In
        // round 2 of stopwatch the game keeps the round's number, if it was only restarted.
        let resets = match self.level.gamestate {
            GAMESTATE_RESET => true,
            GAMESTATE_WARMUP => self.restarted,
            _ => false,
        };
        rules.round == 1 && resets
    }

    fn pause(&mut self, at: Stamp, paused: bool) -> Option<Outcome> {
        let round = self.round.as_mut()?;
        if paused {
            round.pause(at)
        } else {
            round.resume(at)
        }
    }

    fn exit(&mut self, at: Stamp, text: &str) {
        let last = self.snapshot(at.level_ms);
        if let Some(round) = self.round.as_mut().filter(|round| !round.is_over()) {
            round.exit(at, text);
            self.stage.finish(last);
        }
    }

    fn shutdown(&mut self, at: Stamp, cause: ShutdownCause) -> Option<Outcome> {
        self.stage = Stage::default();
        let round = self.round.as_mut()?;
        self.restarted = !round.is_over() && cause == ShutdownCause::MapRestart;
        if !round.is_over() {
            let reason = match cause {
                ShutdownCause::MapRestart => EndReason::MapRestart,
                ShutdownCause::MapChange => EndReason::MapChange,
                ShutdownCause::Quit => EndReason::ServerQuit,
                ShutdownCause::Crash => EndReason::ServerCrash,
            };
            round.end(at, reason);
        }
        self.finish(None)
    }

    /// `limits_minutes` are the time limits of this round and of the next one, when the game itself has ended the round.
    fn finish(&mut self, limits_minutes: Option<(f64, f64)>) -> Option<Outcome> {
        let mut round = self.round.take()?.into_round();
        if round.gametype == GAMETYPE_STOPWATCH && round.end_reason.is_finished() {
            self.next_round = 3 - round.number;
        }
        // An interrupted round, or one that a vote ended, has no winner, although the map may have a default one.
        if round.end_reason.is_finished() && round.end_reason != EndReason::Vote {
            round.winner = self.winner;
        }
        match round.winner {
            Some(Team::Axis) => self.score.axis += 1,
            Some(Team::Allies) => self.score.allies += 1,
            None => {}
        }
        round.score = self.score;
        round.defender = self.defender;
        if let Some((this, next)) = limits_minutes {
            round.timelimit_minutes = this;
            round.next_limit_minutes = Some(next).filter(|&minutes| minutes > 0.0);
        }
        round.map = self.level.map.clone();
        round.server_ip = self.level.server_ip.clone();
        round.server_port = self.level.server_port.clone();
        round.server_hostname = strip_colors(&self.level.server_hostname);
        round.engine_version = self.level.engine_version.clone();
        Some(Outcome::Ended(Box::new(round)))
    }

    fn player(&mut self, at: Stamp, what: &What) {
        let Some(round) = self.round.as_mut().filter(|round| !round.is_over()) else {
            self.client(what);
            return;
        };
        match *what {
            What::Connect {
                slot,
                guid,
                is_local,
            } => round.connect(slot, guid.decode(), is_local),
            What::Guid { slot, guid } => round.late_guid(slot, guid.decode()),
            What::Player { slot, team, name } => {
                round.player(at, slot, team, &strip_colors(&name.decode()));
            }
            What::Leave { slot } => round.leave(at, slot),
            What::Spawn {
                slot,
                revived,
                by,
                class,
            } => round.spawn(at, slot, revived, by, class),
            What::Limbo { slot } => round.limbo(at, slot),
            What::Death { slot, by, means } => round.death(at, slot, by, &means.decode()),
            What::Objective {
                action,
                slot,
                team,
                text,
            } => round.objective(at, action, slot, team, &strip_colors(&text.decode())),
            What::WaveOffsets { axis_ms, allies_ms } => {
                round.waves.set_offsets(axis_ms, allies_ms);
            }
            What::WaveInterval { team, interval_ms } => {
                round.wave_interval(at, team, interval_ms);
            }
            What::VoteCalled { slot, surrender } => round.vote_called(slot, surrender),
            What::VoteFailed => round.vote_failed(),
            _ => {}
        }
    }

    /// A client comes, goes or changes the team while no round is played.
    fn client(&mut self, what: &What) {
        let (What::Connect { slot, .. }
        | What::Guid { slot, .. }
        | What::Player { slot, .. }
        | What::Leave { slot }) = *what
        else {
            return;
        };
        let Some(client) = self.stage.client(slot) else {
            return;
        };
        match what {
            What::Connect { guid, is_local, .. } => client.connect(guid.decode(), *is_local),
            What::Guid { guid, .. } => client.set_guid(guid.decode()),
            What::Player { team, name, .. } => {
                client.team = *team;
                client.name = strip_colors(&name.decode());
            }
            _ => *client = PlayerSlot::default(),
        }
    }
}

/// The reason for the end of a round, from the text after `Exit: `.
pub(crate) fn end_reason(exit_text: &str) -> EndReason {
    match exit_text {
        "Wolf EndRound." => EndReason::Objective,
        "Timelimit hit." => EndReason::TimeExpired,
        "Nextmap vote passed" => EndReason::Vote,
        "Axis Surrender" | "Allies Surrender" => EndReason::Surrender,
        t if t.ends_with(" team eliminated.") => EndReason::Eliminated,
        // Last man standing: the time is up, and first blood or the number of survivors decides.
        t if t.ends_with(" First Blood.") || t.ends_with(" most survivors.") => {
            EndReason::TimeExpired
        }
        _ => EndReason::Unknown,
    }
}

/// Who surrendered, from the text after `Exit: ` and the last vote to surrender that did not fail.
pub(crate) fn surrender(exit_text: &str, caller: Option<(String, String)>) -> Surrender {
    let team = match exit_text {
        "Axis Surrender" => Team::Axis,
        "Allies Surrender" => Team::Allies,
        _ => return Surrender::default(),
    };
    let (caller_guid, caller_name) = caller.unwrap_or_default();
    Surrender {
        team: team.into(),
        caller_guid,
        caller_name,
    }
}
