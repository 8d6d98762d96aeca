//! Turns what passes the boundary into events: who spawned, died, joined and left, and when the match was paused and ended.
//!
//! Everything here runs on the game's thread: fixed arrays, no allocation, no lock, no system call except to read the clock. The
//! cost of a frame grows with the number of dead players: deaths come from the game's prints, spawns from the records, and only
//! the records of players who may spawn are read.
//!
//! [`lives`] decides who is alive, [`parse`] parses prints and configstrings, [`claims`] decides which prints are believed,
//! [`objective_lines`] and [`objectives`] do the same for lines about objectives, and `waves` follows the spawn waves.

mod claims;
mod complaint;
mod lives;
pub mod objective_lines;
mod objectives;
pub mod parse;
mod waves;
mod words;

use claims::Claims;
pub use complaint::Complaint;
use lives::{Slot, on_team};
use parse::Print;
use waves::WaveChanges;

use gametimes_format::check::STATS_FILE_NAME;
use gametimes_format::{Team, TeamNumber};

use crate::engine::numbers::{GAMESTATE_PLAYING, MAX_CLIENTS, configstring};
use crate::event::{Level, Rules, ShutdownCause, Stamp, Text, What};

/// The receiver of events, and the wall clock.
pub trait Sink {
    /// The wall clock in milliseconds since 1970.
    fn unix_ms(&self) -> i64;

    /// Receives an event.
    fn send(&mut self, at: Stamp, what: What);
}

/// The fields of a client's record that decide whether the player is alive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Record {
    /// `pm_type`.
    pub pm_type: i32,
    /// `pm_flags`.
    pub pm_flags: i32,
    /// `stats[STAT_PLAYER_CLASS]`, which stays the owner's own while the rest shows another player.
    pub class: i32,
    /// `persistant[PERS_TEAM]`.
    pub team: i32,
    /// `persistant[PERS_SPAWN_COUNT]`.
    pub spawn_count: i32,
    /// `persistant[PERS_ATTACKER]`: the slot of the last player who hurt this one.
    pub attacker: i32,
    /// `persistant[PERS_KILLED]`: how often the player died.
    pub deaths: i32,
    /// `persistant[PERS_REVIVE_COUNT]`.
    pub revive_count: i32,
}

/// The clients' records in the game's memory.
pub trait Records {
    /// The record of a slot; `None` until the game has passed where the records are.
    fn get(&self, slot: usize) -> Option<Record>;
}

#[derive(Debug, Clone, Copy, Default)]
struct OpenFile {
    handle: i32,
    name: Text<STATS_FILE_NAME>,
}

/// Observes one map after the other.
pub struct Observer<S> {
    sink: S,
    level_ms: i64,
    /// Added to the engine's level time once that has jumped back.
    level_offset_ms: i64,
    max_clients: usize,
    slots: [Slot; MAX_CLIENTS],
    /// Slots on a team, but not alive: their records are read after every frame.
    waiting: u64,
    /// Slots whose records are read after this call.
    touched: u64,
    /// The game's prints in this call.
    claims: Claims,
    /// The client who called the last vote.
    vote_caller: Option<u8>,
    /// Whether a record on this map has agreed with the game about a player's team.
    records_agree: bool,
    /// Whether that is so, or the complaint was made that none does.
    records_judged: bool,
    playing: bool,
    /// Cvar `gamestate`, as last sent.
    gamestate: i32,
    paused: bool,
    /// Whether the game printed `Exit:` during this call.
    exited: bool,
    wave_changes: WaveChanges,
    files: [OpenFile; 4],
    complaints: [u32; Complaint::ALL.len()],
}

impl<S: Sink> Observer<S> {
    /// An observer before its first map.
    pub fn new(sink: S) -> Self {
        Self {
            sink,
            level_ms: 0,
            level_offset_ms: 0,
            max_clients: 0,
            slots: [Slot::default(); MAX_CLIENTS],
            waiting: 0,
            touched: 0,
            claims: Claims::new(),
            vote_caller: None,
            records_agree: false,
            records_judged: false,
            playing: false,
            gamestate: GAMESTATE_PLAYING,
            paused: false,
            exited: false,
            wave_changes: WaveChanges::default(),
            files: [OpenFile::default(); 4],
            complaints: [0; Complaint::ALL.len()],
        }
    }

    /// `GAME_INIT`, before the game sees it.
    pub fn level(&mut self, level_ms: i64, level: Box<Level>) {
        self.level_ms = level_ms;
        self.level_offset_ms = 0;
        self.max_clients = usize::from(level.max_clients).min(MAX_CLIENTS);
        self.slots = [Slot::default(); MAX_CLIENTS];
        self.waiting = 0;
        self.touched = 0;
        self.claims.clear();
        self.vote_caller = None;
        self.records_agree = false;
        self.records_judged = false;
        self.playing = level.gamestate == GAMESTATE_PLAYING;
        self.gamestate = level.gamestate;
        self.paused = false;
        self.exited = false;
        self.wave_changes = WaveChanges::default();
        self.files = [OpenFile::default(); 4];
        self.send(What::Level(level));
    }

    /// `GAME_INIT`, after the game has seen it.
    pub fn rules(&mut self, rules: Rules) {
        self.send(What::Rules(Box::new(rules)));
    }

    /// `RUN_FRAME`, before the game sees it. Returns the level time of the events that follow.
    pub fn frame(&mut self, engine_level_ms: i64, records: &impl Records) -> i64 {
        // What a call printed that the module does not see the end of.
        if self.claims.any || self.touched != 0 {
            self.after_call(records);
        }
        // The engine's clock can restart within a map. The level time of events never goes back.
        let now = engine_level_ms + self.level_offset_ms;
        if now < self.level_ms {
            self.level_offset_ms += self.level_ms - now;
        }
        self.level_ms = engine_level_ms + self.level_offset_ms;
        self.apply_wave_changes();
        self.level_ms
    }

    /// `RUN_FRAME`, after the game has seen it.
    pub fn after_frame(&mut self, records: &impl Records) {
        self.touched |= self.waiting;
        if self.claims.any || self.touched != 0 {
            self.settle_pause(true);
            self.after_call(records);
        }
    }

    /// Any other call, after the game has seen it, when no other call is inside the game.
    pub fn after_call(&mut self, records: &impl Records) {
        let printed = self.claims.any; // nothing, nearly always
        if printed {
            self.settle(records);
            self.settle_pause(false);
            self.settle_begins(records);
        }
        self.look_at(self.touched, records);
        self.touched = 0;
        if printed {
            self.refuse_rest();
        }
        self.claims.caller = None;
    }

    /// `CLIENT_THINK` or `CLIENT_COMMAND`, after the game has seen it: the client's record may have changed.
    pub fn touch(&mut self, slot: isize) {
        if let Some(n) = self.slot(slot) {
            self.touched |= 1 << n;
            self.claims.caller = Some(n as u8);
        }
    }

    /// The slots, one bit for each, of players who are not alive: every call of such a client can change that. The others die and
    /// leave by what passes the boundary.
    pub fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Trap PRINT. See [`claims`] for when a line is believed.
    pub fn print(&mut self, text: &[u8], records: &impl Records) {
        match parse::print(text) {
            None => {}
            Some(Err(())) => self.complain(Complaint::Print),
            Some(Ok(Print::Exit(text))) => self.claim_exit(text),
            Some(Ok(Print::Kill {
                victim,
                killer,
                means,
            })) => self.claim_death(victim, killer, means, records),
            Some(Ok(Print::Objective(line))) => self.objective(&line, records),
            Some(Ok(Print::Revive { medic, patient })) => self.claim_revive(medic, patient),
            Some(Ok(Print::Connect(slot))) => self.claim_connect(slot),
            Some(Ok(Print::Begin(slot))) => self.claim_begin(slot),
            Some(Ok(Print::VoteCalled { slot, vote })) => self.claim_vote(slot, vote),
            Some(Ok(Print::VotePassed)) => self.claim_vote_result(true),
            Some(Ok(Print::VoteFailed)) => self.claim_vote_result(false),
        }
    }

    /// Trap CVAR_SET.
    pub fn cvar_set(&mut self, name: &[u8], value: &[u8], records: &impl Records) {
        if name.eq_ignore_ascii_case(b"gamestate") {
            let gamestate = parse::leading_number(value);
            if gamestate != GAMESTATE_PLAYING {
                self.play_ends(gamestate, records);
            }
            if gamestate != self.gamestate {
                self.gamestate = gamestate;
                self.send(What::Gamestate(gamestate));
            }
        } else {
            self.set_wave_interval(name, value);
        }
    }

    /// Whether a round ended in this call. Called once after each call.
    pub fn take_exit(&mut self) -> bool {
        std::mem::take(&mut self.exited)
    }

    /// Completes the round that ended in this call.
    pub fn round_over(&mut self, timelimit_minutes: f64, next_limit_minutes: f64) {
        self.send(What::RoundOver {
            timelimit_minutes,
            next_limit_minutes,
        });
    }

    /// Trap SET_CONFIGSTRING. The text is only read for the few strings that matter.
    pub fn configstring<'a>(
        &mut self,
        index: i32,
        text: impl FnOnce() -> &'a [u8],
        records: &impl Records,
    ) {
        /// These two configstrings count teams from 0 (Axis), everything else counts from 1.
        fn team(info: &[u8], key: &[u8]) -> TeamNumber {
            match parse::info_value(info, key).map(<[u8]>::trim_ascii) {
                Some(b"0") => Team::Axis.into(),
                Some(b"1") => Team::Allies.into(),
                _ => TeamNumber::NONE,
            }
        }
        match index {
            configstring::VOTE_TIME => {
                if text().is_empty() {
                    self.vote_ends();
                }
            }
            configstring::VOTE_STRING => self.vote_string(text()),
            configstring::INTERMISSION => {
                if parse::leading_number(text()) != 0 {
                    self.intermission(records);
                }
            }
            configstring::MAP_WINNER => {
                let winner = team(text(), b"w");
                self.send(What::Winner(winner));
            }
            configstring::MULTI_INFO => {
                let defender = team(text(), b"d");
                self.send(What::Defender(defender));
            }
            configstring::WAVE_SEEDS => self.wave_seeds(text()),
            configstring::SERVER_TOGGLES => {
                let paused = parse::leading_number(text()) & configstring::PAUSED != 0;
                if paused != self.paused {
                    self.paused = paused;
                    self.claims.paused = paused;
                    self.claims.any |= paused;
                    self.send(What::Pause(paused));
                }
            }
            _ => {
                let slot = index.wrapping_sub(configstring::PLAYERS);
                if let Ok(n) = usize::try_from(slot)
                    && n < self.max_clients
                {
                    self.player(n, text(), records);
                }
            }
        }
    }

    /// Trap FS_FOPEN, after the engine has opened a file for writing.
    pub fn file_opened(&mut self, path: &[u8], handle: i32) {
        if let Some(name) = parse::stats_file(path)
            && handle != 0
        {
            let free = self
                .files
                .iter()
                .position(|f| f.handle == 0 || f.handle == handle)
                .unwrap_or(0);
            self.files[free] = OpenFile {
                handle,
                name: Text::new(name),
            };
        }
    }

    /// Trap FS_FCLOSE, after the engine has closed a file.
    pub fn file_closed(&mut self, handle: i32) {
        if handle == 0 {
            return;
        }
        if let Some(file) = self.files.iter_mut().find(|f| f.handle == handle) {
            let name = std::mem::take(file).name;
            self.send(What::StatsFile(name));
        }
    }

    /// Discards the events of this map: it is not recorded after all.
    pub fn discard_map(&mut self) {
        self.claims.clear();
        self.playing = false;
        self.send(What::NotRecorded);
    }

    /// `GAME_SHUTDOWN`, before the game sees it.
    pub fn shutdown(&mut self, cause: ShutdownCause, records: &impl Records) {
        // From inside a call, if the server ends there.
        self.settle(records);
        self.claims.clear();
        self.send(What::Shutdown(cause));
        self.playing = false;
    }

    /// The module records nothing more on this map: the round ends here.
    pub fn panicked(&mut self) {
        self.claims.clear();
        self.send(What::Shutdown(ShutdownCause::Crash));
        self.playing = false;
    }

    /// `GAME_SHUTDOWN`, after the game has seen it.
    pub fn closed(&mut self) {
        self.send(What::Closed);
    }

    /// Counts a complaint about the game.
    pub fn complain(&mut self, complaint: Complaint) {
        let count = &mut self.complaints[complaint as usize];
        *count = count.saturating_add(1);
    }

    /// The complaints since the last call.
    pub fn take_complaints(&mut self) -> Option<[u32; Complaint::ALL.len()]> {
        if self.complaints.iter().all(|&n| n == 0) {
            return None;
        }
        Some(std::mem::take(&mut self.complaints))
    }

    fn slot(&mut self, slot: isize) -> Option<usize> {
        let n = usize::try_from(slot).ok().filter(|&n| n < self.max_clients);
        if n.is_none() {
            self.complain(Complaint::Slot);
        }
        n
    }

    fn now(&self) -> Stamp {
        Stamp {
            level_ms: self.level_ms,
            unix_ms: self.sink.unix_ms(),
        }
    }

    fn send(&mut self, what: What) {
        self.send_at(self.now(), what);
    }

    fn send_at(&mut self, at: Stamp, what: What) {
        if let Some(what) = self.claims.keep(at, what) {
            self.sink.send(at, what);
        }
    }
}
