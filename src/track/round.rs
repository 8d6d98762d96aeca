//! One round as it was played: what the tracker gives when the round is over.

use gametimes_format::file::{EndReason, PlayerRef, Score, Surrender, Teams, TimelineEvent};

use crate::event::Stamp;

/// One pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// When the play clock stopped.
    pub start: Stamp,
    /// When it went on, or the round ended.
    pub end: Stamp,
    /// What the play clock shows all the while.
    pub at_play_ms: i64,
}

/// One player: one guid, whatever slot and name; without a guid, one name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Person {
    /// `cl_guid`, may be empty.
    pub guid: String,
    /// The last name, colours out.
    pub name: String,
    /// The team they were last on, 1 or 2.
    pub team: u8,
    /// How often they came alive, revives included.
    pub spawns: u32,
    /// How often a medic brought them back.
    pub revives: u32,
    /// How often they died.
    pub deaths: u32,
    /// Enemies killed who were alive.
    pub kills: u32,
    /// Time dead.
    pub dead_ms: i64,
    /// The longest time dead in one piece.
    pub max_dead_ms: i64,
    /// Time dead of those they killed.
    pub denied_ms: i64,
    /// Time alive.
    pub alive_ms: i64,
    /// Time on a team.
    pub played_ms: i64,
}

impl Person {
    /// How others call them: by guid, else by name.
    pub fn key(&self) -> &str {
        if self.guid.is_empty() {
            &self.name
        } else {
            &self.guid
        }
    }

    /// As others know them.
    pub fn reference(&self) -> PlayerRef {
        PlayerRef {
            guid: self.guid.clone(),
            name: self.name.clone(),
        }
    }

    /// Whether they took part at all.
    pub fn took_part(&self) -> bool {
        self.played_ms > 0 || self.spawns > 0 || self.deaths > 0 || self.kills > 0
    }
}

/// One round, complete.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Round {
    /// Cvar `mapname`.
    pub map: String,
    /// 1 or 2, latched at the start.
    pub number: u8,
    /// `g_gametype`.
    pub gametype: i32,
    /// `timelimit` at the end, minutes.
    pub timelimit_minutes: f64,
    /// When play began.
    pub start: Stamp,
    /// When the game said `Exit:`, or the shutdown that cut the round off.
    pub end: Stamp,
    /// Time played.
    pub played_ms: i64,
    /// When the warmup before it began, unix milliseconds; none when play was restarted without one.
    pub warmup_start_unix_ms: Option<i64>,
    /// Every pause.
    pub pauses: Vec<Pause>,
    /// 1 Axis, 2 Allies, 0 nobody.
    pub winner: u8,
    /// 1 Axis, 2 Allies, 0 unknown.
    pub defender: u8,
    /// Why it ended.
    pub end_reason: EndReason,
    /// The game's text after `Exit: `.
    pub exit_text: String,
    /// Who gave up.
    pub surrender: Surrender,
    /// Rounds won on this map, this one included.
    pub score: Score,
    /// Who was on which team at the end, by slot.
    pub teams: Teams,
    /// Everybody who took part, in the order in which they appeared.
    pub people: Vec<Person>,
    /// What happened, in order.
    pub timeline: Vec<TimelineEvent>,
    /// Events the timeline had no room for.
    pub timeline_dropped: u64,
    /// The stats file that was closed after the end.
    pub stats_file: Option<String>,
    /// Cvar `net_ip`.
    pub server_ip: String,
    /// Cvar `net_port`.
    pub server_port: String,
    /// Cvar `sv_hostname`, colours out.
    pub server_hostname: String,
    /// `2.83.1`.
    pub engine_version: String,
}

impl Round {
    /// Length of the warmup, wall time.
    pub fn warmup_ms(&self) -> i64 {
        self.warmup_start_unix_ms
            .map_or(0, |start| (self.start.unix_ms - start).max(0))
    }

    /// Sum of all pauses on the game's clock.
    pub fn pause_ms(&self) -> i64 {
        self.pauses
            .iter()
            .map(|p| p.end.level_ms - p.start.level_ms)
            .sum()
    }

    /// When the wall clock was set during the round, makes its times follow the game's clock from the start on, and gives by
    /// how many seconds it was set.
    pub fn mend_clock(&mut self) -> Option<i64> {
        /// The two clocks drift by a second or two in a long round, and by more when the server is short of breath.
        const DRIFT_LIMIT_MS: i64 = 60_000;
        let start = self.start;
        let by_level = |at: Stamp| start.unix_ms + (at.level_ms - start.level_ms);
        let drift = |at: Stamp| at.unix_ms - by_level(at);
        let drift_ms = drift(self.end);
        if drift_ms.abs() <= DRIFT_LIMIT_MS {
            return None;
        }
        let pauses = self
            .pauses
            .iter_mut()
            .flat_map(|p| [&mut p.start, &mut p.end]);
        for at in pauses.chain([&mut self.end]) {
            at.unix_ms = by_level(*at);
        }
        Some(drift_ms / 1000)
    }
}
