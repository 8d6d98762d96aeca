//! From what passes the boundary to events: who came alive, died, joined, left; when the match was paused and over.
//!
//! Everything here runs on the game's thread: fixed arrays, no allocation, no lock, no system call but the clock. The
//! cost of a frame grows with the players who are dead: deaths come from what the game prints, lives from the records,
//! and only the records of those who may come alive are looked at.
//!
//! Three rules make lives exact:
//! * While a limbo or follow bit is set, a record is that of the one who is watched; nobody is judged by it. Coming out
//!   of limbo is a spawn.
//! * Without those bits, a raised spawn counter is a spawn, and with a raised revive counter a revive.
//! * A slot is looked at after every call that can have changed it: its own, one that printed its name, every frame
//!   while it is not alive. Between frames the game's clock stands still, so the time of every life is exact.

pub mod parse;

use parse::{Print, STATS_FILE_LIMIT};

use crate::engine::layout::flags;
use crate::engine::numbers::{GAMESTATE_PLAYING, MAX_CLIENTS, configstring};
use crate::event::{Level, ShutdownCause, Text, What};

/// Where events go. The sink stamps them with the wall clock.
pub trait Sink {
    /// Takes an event that happened at this level time.
    fn send(&mut self, level_ms: i64, what: What);
}

/// The fields of a client's record that lives are told by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Record {
    /// `pm_flags`.
    pub pm_flags: i32,
    /// `persistant[PERS_TEAM]`.
    pub team: i32,
    /// `persistant[PERS_SPAWN_COUNT]`.
    pub spawn_count: i32,
    /// `persistant[PERS_REVIVE_COUNT]`.
    pub revive_count: i32,
}

/// The clients' records in the game's memory.
pub trait Records {
    /// The record of a slot; none while the game has not said where they are.
    fn get(&self, slot: usize) -> Option<Record>;
}

/// What was wrong with something foreign. Each kind is said at most once in five seconds, with a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaint {
    /// A slot that the server does not have.
    Slot,
    /// A pointer that points nowhere.
    Null,
    /// A print that begins like one of the game's, but makes no sense.
    Print,
    /// Sizes that are not those of ET:Legacy's records.
    Sizes,
    /// The worker did not keep up: events were lost.
    Lost,
}

impl Complaint {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Slot, Self::Null, Self::Print, Self::Sizes, Self::Lost];

    /// What the log says.
    pub fn text(self) -> &'static str {
        match self {
            Self::Slot => "the game named a slot that this server does not have; ignored",
            Self::Null => "the game passed a null pointer; ignored",
            Self::Print => "the game printed a line that could not be understood; ignored",
            Self::Sizes => {
                "the game's records have sizes that do not fit; deaths are counted, lives are not seen"
            }
            Self::Lost => {
                "events were lost because the disk did not keep up; this round's numbers are too low"
            }
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    connected: bool,
    /// Past CLIENT_BEGIN: before it the record is blank.
    begun: bool,
    team: u8,
    name: Text<64>,
    guid_known: bool,
    alive: bool,
    /// The record was somebody else's, or blank, when it was last looked at.
    hidden: bool,
    spawn_count: i32,
    revive_count: i32,
    /// Who the game said revives this player.
    medic: Option<u8>,
}

#[derive(Debug, Clone, Copy, Default)]
struct OpenFile {
    handle: i32,
    name: Text<STATS_FILE_LIMIT>,
}

/// Watches one map after the other.
pub struct Observer<S> {
    sink: S,
    level_ms: i64,
    /// What to add to the engine's level time after it has jumped back.
    level_offset_ms: i64,
    max_clients: usize,
    slots: [Slot; MAX_CLIENTS],
    /// On a team, but not alive: looked at after every frame.
    waiting: u64,
    /// Looked at after this call.
    touched: u64,
    playing: bool,
    paused: bool,
    /// The game said `Exit:` in the call that is running.
    exited: bool,
    files: [OpenFile; 4],
    complaints: [u32; Complaint::ALL.len()],
}

impl<S: Sink> Observer<S> {
    /// Watches nothing until the first map begins.
    pub fn new(sink: S) -> Self {
        Self {
            sink,
            level_ms: 0,
            level_offset_ms: 0,
            max_clients: 0,
            slots: [Slot::default(); MAX_CLIENTS],
            waiting: 0,
            touched: 0,
            playing: false,
            paused: false,
            exited: false,
            files: [OpenFile::default(); 4],
            complaints: [0; Complaint::ALL.len()],
        }
    }

    /// Where events go.
    pub fn sink(&mut self) -> &mut S {
        &mut self.sink
    }

    /// `GAME_INIT`, before the game sees it.
    pub fn level(&mut self, level_ms: i64, level: Box<Level>) {
        self.level_ms = level_ms;
        self.level_offset_ms = 0;
        self.max_clients = usize::from(level.max_clients).min(MAX_CLIENTS);
        self.slots = [Slot::default(); MAX_CLIENTS];
        self.waiting = 0;
        self.touched = 0;
        self.playing = level.gamestate == GAMESTATE_PLAYING;
        self.paused = false;
        self.exited = false;
        self.files = [OpenFile::default(); 4];
        self.send(What::Level(level));
    }

    /// `GAME_INIT`, after the game has seen it.
    pub fn rules(&mut self, gametype: i32, round: u8, timelimit_minutes: f64) {
        self.send(What::Rules {
            gametype,
            round,
            timelimit_minutes,
        });
    }

    /// `RUN_FRAME`, before the game sees it.
    pub fn frame(&mut self, engine_level_ms: i64) {
        // The engine's clock can start over within a map; ours never goes back.
        let now = engine_level_ms + self.level_offset_ms;
        if now < self.level_ms {
            self.level_offset_ms += self.level_ms - now;
        }
        self.level_ms = engine_level_ms + self.level_offset_ms;
    }

    /// `RUN_FRAME`, after the game has seen it.
    pub fn after_frame(&mut self, records: &impl Records) {
        self.look_at(self.waiting | self.touched, records);
        self.touched = 0;
    }

    /// Any other call, after the game has seen it and when no call is inside the game any more.
    pub fn after_call(&mut self, records: &impl Records) {
        if self.touched != 0 {
            self.look_at(self.touched, records);
            self.touched = 0;
        }
    }

    /// A call of one client has been made: its record may have changed.
    pub fn touch(&mut self, slot: isize) {
        if let Some(n) = self.slot(slot) {
            self.touched |= 1 << n;
        }
    }

    /// `CLIENT_CONNECT` was granted. `userinfo` is the engine's.
    pub fn connect(&mut self, slot: isize, userinfo: &[u8]) {
        let Some(n) = self.slot(slot) else { return };
        self.leave(n);
        let guid = guid(userinfo);
        let s = &mut self.slots[n];
        s.connected = true;
        s.hidden = true;
        s.guid_known = !guid.as_bytes().is_empty();
        self.send(What::Connect {
            slot: n as u8,
            guid,
        });
        self.send_player(n);
    }

    /// Whether a client's guid is still to come: some clients' comes late.
    pub fn lacks_guid(&mut self, slot: isize) -> bool {
        self.slot(slot)
            .is_some_and(|n| self.slots[n].connected && !self.slots[n].guid_known)
    }

    /// The engine's userinfo of a client that [`Observer::lacks_guid`].
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

    /// `CLIENT_BEGIN` is done.
    pub fn begin(&mut self, slot: isize) {
        if let Some(n) = self.slot(slot) {
            self.slots[n].begun = true;
            self.touch(slot);
        }
    }

    /// `CLIENT_DISCONNECT`, before the game sees it.
    pub fn disconnect(&mut self, slot: isize) {
        if let Some(n) = self.slot(slot) {
            self.leave(n);
            self.slots[n] = Slot::default();
        }
    }

    fn leave(&mut self, n: usize) {
        self.waiting &= !(1 << n);
        self.touched &= !(1 << n);
        if self.slots[n].connected {
            self.slots[n].connected = false;
            self.slots[n].begun = false;
            self.slots[n].alive = false;
            self.send(What::Leave { slot: n as u8 });
        }
    }

    /// Trap PRINT.
    pub fn print(&mut self, text: &[u8], records: &impl Records) {
        match parse::print(text) {
            None => {}
            Some(Err(())) => self.complain(Complaint::Print),
            Some(Ok(Print::Exit(text))) => self.exit(text),
            Some(Ok(Print::Kill {
                victim,
                killer,
                means,
            })) => self.kill(victim, killer, means, records),
            Some(Ok(Print::Revive { medic, patient })) => {
                if let Some(n) = self.slot(isize::from(patient)) {
                    self.slots[n].medic = Some(medic);
                    self.touched |= 1 << n;
                }
            }
            Some(Ok(Print::VoteCalled { slot, surrender })) if self.playing => {
                self.send(What::VoteCalled { slot, surrender });
            }
            Some(Ok(Print::VoteFailed)) if self.playing => self.send(What::VoteFailed),
            Some(Ok(_)) => {}
        }
    }

    fn kill(&mut self, victim: u8, killer: Option<u8>, means: &[u8], records: &impl Records) {
        let Some(n) = self.slot(isize::from(victim)) else {
            return;
        };
        if !self.slots[n].alive {
            self.look(n, records); // spawned and died in one call
        }
        self.slots[n].alive = false;
        self.waiting |= 1 << n;
        self.touched |= 1 << n;
        if self.playing {
            self.send(What::Death {
                slot: victim,
                by: killer,
                means: Text::new(means),
            });
        }
    }

    fn exit(&mut self, text: &[u8]) {
        // Once a round: a second one reads "(already triggered)".
        if self.playing && !self.exited {
            self.exited = true;
            self.send(What::Exit(Text::new(text)));
            self.playing = false;
        }
    }

    /// Trap CVAR_SET of `gamestate`.
    pub fn gamestate(&mut self, value: &[u8]) {
        let playing = parse::leading_number(value) == GAMESTATE_PLAYING;
        if playing && !self.playing && !self.exited {
            self.playing = true;
            self.send(What::PlayBegins);
        } else if !playing && self.playing {
            // Play is over and no Exit was printed: end the round here, for a reason unknown.
            self.exit(b"");
        }
    }

    /// Whether a round ended in this call; asked once after the call.
    pub fn take_exit(&mut self) -> bool {
        std::mem::take(&mut self.exited)
    }

    /// The round that ended in this call is complete.
    pub fn round_over(&mut self, timelimit_minutes: f64) {
        self.send(What::RoundOver { timelimit_minutes });
    }

    /// Trap SET_CONFIGSTRING; the text is only read for the few that count.
    pub fn configstring<'a>(&mut self, index: i32, text: impl FnOnce() -> &'a [u8]) {
        /// The configstrings count sides from 0 (Axis); everybody else from 1.
        fn side(info: &[u8], key: &[u8]) -> u8 {
            match parse::info_value(info, key).map(|v| v.trim_ascii()) {
                Some(b"0") => 1,
                Some(b"1") => 2,
                _ => 0,
            }
        }
        match index {
            configstring::MAP_WINNER => {
                let winner = side(text(), b"w");
                self.send(What::Winner(winner));
            }
            configstring::MULTI_INFO => {
                let defender = side(text(), b"d");
                self.send(What::Defender(defender));
            }
            configstring::SERVER_TOGGLES => {
                let paused = parse::leading_number(text()) & configstring::PAUSED != 0;
                if paused != self.paused {
                    self.paused = paused;
                    self.send(What::Pause(paused));
                }
            }
            _ => {
                let slot = index.wrapping_sub(configstring::PLAYERS);
                if let Ok(n) = usize::try_from(slot)
                    && n < self.max_clients
                {
                    self.player(n, text());
                }
            }
        }
    }

    fn player(&mut self, n: usize, info: &[u8]) {
        let team = parse::info_value(info, b"t").map_or(0, parse::leading_number);
        let team = u8::try_from(team).ok().filter(|t| *t <= 3).unwrap_or(0);
        let name = Text::new(parse::info_value(info, b"n").unwrap_or(b""));
        let s = &mut self.slots[n];
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
            s.hidden = true; // what comes next is a new life, whatever the counters say
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

    /// This map is not recorded after all.
    pub fn stand_down(&mut self) {
        self.playing = false;
        self.send(What::StoodDown);
    }

    /// `GAME_SHUTDOWN`, before the game sees it.
    pub fn shutdown(&mut self, cause: ShutdownCause) {
        self.send(What::Shutdown(cause));
        self.playing = false;
    }

    /// `GAME_SHUTDOWN`, after the game has seen it.
    pub fn closed(&mut self) {
        self.send(What::Closed);
    }

    /// Counts something foreign that was wrong.
    pub fn complain(&mut self, complaint: Complaint) {
        let count = &mut self.complaints[complaint as usize];
        *count = count.saturating_add(1);
    }

    /// The complaints since they were last taken.
    pub fn take_complaints(&mut self) -> Option<[u32; Complaint::ALL.len()]> {
        if self.complaints.iter().all(|&n| n == 0) {
            return None;
        }
        Some(std::mem::take(&mut self.complaints))
    }

    fn look_at(&mut self, mut slots: u64, records: &impl Records) {
        while slots != 0 {
            let n = slots.trailing_zeros() as usize;
            slots &= slots - 1;
            self.look(n, records);
        }
    }

    /// Looks at one record, see the rules above.
    fn look(&mut self, n: usize, records: &impl Records) {
        let s = &mut self.slots[n];
        if !s.begun || !on_team(s.team) {
            return;
        }
        let Some(record) = records.get(n) else { return };
        if record.pm_flags & (flags::LIMBO | flags::FOLLOW) != 0 {
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
        // Between connecting and spawning the record is blank, or still that of a spectator.
        if record.team != i32::from(s.team) {
            return;
        }
        if s.hidden || record.spawn_count != s.spawn_count {
            let revived = !s.hidden && record.revive_count != s.revive_count;
            let by = s.medic.take().filter(|_| revived);
            s.hidden = false;
            s.alive = true;
            s.spawn_count = record.spawn_count;
            s.revive_count = record.revive_count;
            self.waiting &= !(1 << n);
            if self.playing {
                self.send(What::Spawn {
                    slot: n as u8,
                    revived,
                    by,
                });
            }
        }
    }

    fn slot(&mut self, slot: isize) -> Option<usize> {
        let n = usize::try_from(slot).ok().filter(|&n| n < self.max_clients);
        if n.is_none() {
            self.complain(Complaint::Slot);
        }
        n
    }

    fn send(&mut self, what: What) {
        self.sink.send(self.level_ms, what);
    }
}

fn on_team(team: u8) -> bool {
    team == 1 || team == 2
}

/// `cl_guid`, as far as it can be one: printable characters.
fn guid(userinfo: &[u8]) -> Text<32> {
    let guid = parse::info_value(userinfo, b"cl_guid").unwrap_or(b"");
    if guid.iter().all(u8::is_ascii_graphic) {
        Text::new(guid)
    } else {
        Text::default()
    }
}
