//! What a round is: a pure state machine, events in, rounds out. No I/O, no clock, no unsafe code; every table is
//! bounded.
//!
//! A round begins with the `GAME_INIT` whose gamestate is 0 and ends at the game's `Exit:`, or at the shutdown that cuts
//! it off. All times of players are on the play clock, which pauses do not move.

mod clock;
mod round;
mod running;
mod slots;
#[cfg(test)]
mod tests;

pub use clock::PlayClock;
pub use round::{Pause, PlayerStats, Round};
pub use running::Live;

use gametimes_format::Team;
use gametimes_format::file::{EndReason, Score, Surrender};

use crate::engine::numbers::{GAMESTATE_INITIALIZE, GAMESTATE_PLAYING, GAMETYPE_STOPWATCH};
use crate::event::{Event, Level, ShutdownCause, Stamp, What};
use running::RunningRound;
use slots::Slots;

/// What an event meant.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Play has begun.
    Started {
        /// Map.
        map: String,
        /// 1 or 2.
        number: u8,
        /// Minutes.
        timelimit_minutes: f64,
    },
    /// The match is paused.
    Paused {
        /// 1 for the round's first.
        number: usize,
        /// Time played so far.
        played_ms: i64,
    },
    /// The match goes on.
    Resumed {
        /// 1 for the round's first.
        number: usize,
        /// How long the pause was.
        paused_ms: i64,
    },
    /// The round is over and complete but for its stats file.
    Ended(Box<Round>),
    /// A stats file was written.
    StatsFile(String),
    /// Nothing of this map comes any more.
    Closed,
}

/// Follows one map after the other.
#[derive(Debug, Default)]
pub struct Tracker {
    level: Level,
    slots: Slots,
    score: Score,
    /// The round of a stopwatch match that the game has announced: 2 when round 1 has come to its end.
    next_round: u8,
    warmup_start_unix_ms: Option<i64>,
    winner: Option<Team>,
    defender: Option<Team>,
    game: Option<RunningRound>,
}

impl Tracker {
    /// What lives on from map to map: the score and the beginning of the warmup, as a journal keeps them.
    pub fn carried(&self) -> (Score, Option<i64>) {
        (self.score, self.warmup_start_unix_ms)
    }

    /// A tracker that goes on from what [`Tracker::carried`] gave.
    pub fn resume(score: Score, warmup_start_unix_ms: Option<i64>) -> Self {
        Self {
            score,
            warmup_start_unix_ms,
            ..Self::default()
        }
    }

    /// Takes an event and says what it meant.
    pub fn apply(&mut self, event: &Event) -> Option<Outcome> {
        let at = event.at;
        match &event.what {
            What::Level(level) => self.level(at, level),
            What::Rules {
                gametype,
                round,
                timelimit_minutes,
            } => return self.rules(*gametype, *round, *timelimit_minutes),
            What::Winner(team) => self.winner = team.team(),
            What::Defender(team) => self.defender = team.team(),
            What::Pause(paused) => return self.pause(at, *paused),
            What::Exit(text) => {
                if let Some(game) = &mut self.game {
                    game.exit(at, &text.decode(), &self.slots);
                }
            }
            What::RoundOver { timelimit_minutes } => {
                if self.game.as_ref().is_some_and(RunningRound::is_over) {
                    return self.finish(Some(*timelimit_minutes));
                }
            }
            What::Shutdown(cause) => return self.shutdown(at, *cause),
            What::NotRecorded => self.game = None,
            What::Closed => return Some(Outcome::Closed),
            What::StatsFile(name) => return Some(Outcome::StatsFile(name.decode())),
            player => self.player(at, player),
        }
        None
    }

    /// The round that is played now, for the console's `status`.
    pub fn live(&self) -> Option<Live<'_>> {
        let game = self.game.as_ref()?;
        Some(game.live(&self.slots, &self.level.map))
    }

    fn level(&mut self, at: Stamp, level: &Level) {
        // A round of a map that was never shut down (a journal cut short) does not go on here.
        self.game = None;
        // Only the engine's `map` command sets this gamestate: a map_restart that changes sv_maxclients loads the map anew,
        // too, but is none of a new map.
        if level.gamestate == GAMESTATE_INITIALIZE {
            self.score = Score::default();
            self.warmup_start_unix_ms = None;
        }
        if level.gamestate != GAMESTATE_PLAYING {
            self.warmup_start_unix_ms.get_or_insert(at.unix_ms);
        }
        self.level = level.clone();
        self.slots = Slots::default();
        self.winner = None;
        self.defender = None;
        if level.gamestate == GAMESTATE_PLAYING {
            self.game = Some(RunningRound::begin(at, self.warmup_start_unix_ms.take()));
        }
    }

    fn rules(&mut self, gametype: i32, round: u8, timelimit_minutes: f64) -> Option<Outcome> {
        // Round 1 instead of round 2: somebody has reset the match, or a team was empty.
        if round < self.next_round {
            self.score = Score::default();
        }
        self.next_round = round;
        let game = self.game.as_mut()?;
        game.set_rules(gametype, round, timelimit_minutes);
        Some(Outcome::Started {
            map: self.level.map.clone(),
            number: round,
            timelimit_minutes,
        })
    }

    fn pause(&mut self, at: Stamp, paused: bool) -> Option<Outcome> {
        let game = self.game.as_mut()?;
        if paused {
            game.pause(at)
        } else {
            game.resume(at)
        }
    }

    fn shutdown(&mut self, at: Stamp, cause: ShutdownCause) -> Option<Outcome> {
        let game = self.game.as_mut()?;
        if !game.is_over() {
            let reason = match cause {
                ShutdownCause::MapRestart => EndReason::MapRestart,
                ShutdownCause::MapChange => EndReason::MapChange,
                ShutdownCause::Quit => EndReason::ServerQuit,
                ShutdownCause::Crash => EndReason::ServerCrash,
            };
            game.cut_off(at, reason, &self.slots);
        }
        self.finish(None)
    }

    fn finish(&mut self, timelimit_minutes: Option<f64>) -> Option<Outcome> {
        let mut round = self.game.take()?.into_round();
        if round.gametype == GAMETYPE_STOPWATCH && round.end_reason.is_finished() {
            self.next_round = 3 - round.number;
        }
        // A round that was cut off or voted away was won by nobody, whatever the map's default winner is.
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
        round.timelimit_minutes = timelimit_minutes.unwrap_or(round.timelimit_minutes);
        round.map = self.level.map.clone();
        round.server_ip = self.level.server_ip.clone();
        round.server_port = self.level.server_port.clone();
        round.server_hostname = gametimes_format::text::strip_colors(&self.level.server_hostname);
        round.engine_version = self.level.engine_version.clone();
        Some(Outcome::Ended(Box::new(round)))
    }

    fn player(&mut self, at: Stamp, what: &What) {
        let mut game = self.game.as_mut().filter(|game| !game.is_over());
        match *what {
            What::Connect { slot, guid } => self.slots.connect(slot, &guid.decode()),
            What::Guid { slot, guid } => {
                self.slots.connect_late(slot, &guid.decode());
                if let Some(game) = game {
                    game.guid_known(slot, &self.slots);
                }
            }
            What::Player { slot, team, name } => {
                let name = gametimes_format::text::strip_colors(&name.decode());
                if let Some(game) = game.as_mut() {
                    game.player(at, slot, team, &name, &mut self.slots);
                } else {
                    self.slots.set(slot, team, &name);
                }
            }
            What::Leave { slot } => {
                if let Some(game) = game.as_mut() {
                    game.leave(at, slot, &self.slots);
                }
                self.slots.leave(slot);
            }
            _ => {
                let Some(game) = game else { return };
                match *what {
                    What::Spawn { slot, revived, by } => {
                        game.spawn(at, slot, revived, by, &self.slots);
                    }
                    What::Limbo { slot } => game.limbo(at, slot, &self.slots),
                    What::Death { slot, by, means } => {
                        game.death(at, slot, by, &means.decode(), &self.slots);
                    }
                    What::VoteCalled { slot, surrender } => {
                        game.vote_called(slot, surrender, &self.slots);
                    }
                    What::VoteFailed => game.vote_failed(),
                    _ => {}
                }
            }
        }
    }
}

/// Why the game said the round was over, from its text after `Exit: `.
pub(crate) fn end_reason(exit_text: &str) -> EndReason {
    match exit_text {
        "Wolf EndRound." => EndReason::Objective,
        "Timelimit hit." => EndReason::TimeExpired,
        "Nextmap vote passed" => EndReason::Vote,
        "Axis Surrender" | "Allies Surrender" => EndReason::Surrender,
        t if t.ends_with(" team eliminated.") => EndReason::Eliminated,
        // Last man standing: the time is up and first blood or the number of survivors decides.
        t if t.ends_with(" First Blood.") || t.ends_with(" most survivors.") => {
            EndReason::TimeExpired
        }
        _ => EndReason::Unknown,
    }
}

/// Who gave up, from the text after `Exit: ` and the last vote to surrender that did not fail.
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
