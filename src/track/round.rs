//! A finished round, as the tracker returns it.

use gametimes_format::file::{EndReason, PlayerRef, Score, Surrender, Teams, TimelineEvent};
use gametimes_format::{Team, Waves};

use gametimes_format::matches::PauseBy;

use crate::event::Stamp;
use crate::first_round::FirstRound;

/// A longer warmup is discarded, because the system clock must have been changed in it. Readers refuse more than a week.
const WARMUP_LIMIT_MS: i64 = 7 * 86_400_000;

/// One pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// When the play clock stopped.
    pub start: Stamp,
    /// When it continued, or the round ended.
    pub end: Stamp,
    /// The play clock during the pause.
    pub at_play_ms: i64,
    /// Who paused the match, as known at that moment.
    pub by: Option<PauseBy>,
}

/// The statistics of one player. A player is one guid in any slot and under any name; without a guid, one name. Of several such
/// players with one name at the same time, the later ones get a suffix: `name#2`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlayerStats {
    /// `cl_guid`; may be empty.
    pub guid: String,
    /// The last name, without colours, with the suffix that tells the player apart.
    pub name: String,
    /// The name without the suffix.
    pub(super) own_name: String,
    /// The last team.
    pub team: Option<Team>,
    /// How often the player spawned, revives included.
    pub spawns: u32,
    /// How often a medic revived the player.
    pub revives: u32,
    /// How often the player died.
    pub deaths: u32,
    /// Enemies killed, unless they were dead already.
    pub kills: u32,
    /// Time dead.
    pub dead_ms: i64,
    /// The longest single time dead.
    pub max_dead_ms: i64,
    /// Time dead of the enemies that the player killed.
    pub denied_ms: i64,
    /// Time alive.
    pub alive_ms: i64,
    /// Time on a team.
    pub played_ms: i64,
    /// Whether the player is a bot.
    pub is_bot: bool,
    /// Time from each death to the next wave, in total.
    pub wave_wait_ms: i64,
    /// When the last repair was noted, on the play clock.
    pub(super) repaired_ms: Option<i64>,
}

impl PlayerStats {
    /// The guid, or the name of a player without one.
    pub fn key(&self) -> &str {
        if self.guid.is_empty() {
            &self.name
        } else {
            &self.guid
        }
    }

    /// Guid and name.
    pub fn reference(&self) -> PlayerRef {
        PlayerRef {
            guid: self.guid.clone(),
            name: self.name.clone(),
        }
    }

    /// Whether the player took part at all.
    pub fn took_part(&self) -> bool {
        self.played_ms > 0 || self.spawns > 0 || self.deaths > 0 || self.kills > 0
    }
}

/// A finished round.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Round {
    /// Cvar `mapname`.
    pub map: String,
    /// 1 or 2, as at the start.
    pub number: u8,
    /// Cvar `g_gametype`.
    pub gametype: i32,
    /// Cvar `timelimit` at the end, in minutes.
    pub timelimit_minutes: f64,
    /// When play began.
    pub start: Stamp,
    /// When the game printed `Exit:`, or the shutdown interrupted the round.
    pub end: Stamp,
    /// Time played.
    pub played_ms: i64,
    /// When the warmup before the round began, in unix milliseconds; `None` if play was restarted without one.
    pub warmup_start_unix_ms: Option<i64>,
    /// The pauses, in order.
    pub pauses: Vec<Pause>,
    /// The team that won.
    pub winner: Option<Team>,
    /// The team that defended.
    pub defender: Option<Team>,
    /// Why the round ended.
    pub end_reason: EndReason,
    /// The game's text after `Exit: `.
    pub exit_text: String,
    /// Which team surrendered.
    pub surrender: Surrender,
    /// Rounds won on this map, this one included.
    pub score: Score,
    /// The players of each team at the end, by slot.
    pub teams: Teams,
    /// The players who took part, in the order in which they appeared.
    pub players: Vec<PlayerStats>,
    /// The timeline, in order.
    pub timeline: Vec<TimelineEvent>,
    /// How many events the timeline had no room for.
    pub timeline_dropped: u64,
    /// The spawn waves; `None` if they are unknown, or if players spawn without waves.
    pub waves: Option<Waves>,
    /// The name of the stats file that the game wrote after the end.
    pub stats_file: Option<String>,
    /// Cvar `net_ip`.
    pub server_ip: String,
    /// Cvar `net_port`.
    pub server_port: String,
    /// Cvar `sv_hostname`, without colours.
    pub server_hostname: String,
    /// The version of ET:Legacy, such as `2.83.1`.
    pub engine_version: String,
    /// Cvar `g_customConfig`.
    pub config: String,
    /// Cvar `mod_version`.
    pub mod_version: String,
    /// Cvar `g_nextTimeLimit` at the end, in minutes; `None` if the round was interrupted.
    pub next_limit_minutes: Option<f64>,
    /// In a round 2 of stopwatch, its round 1, if that was recorded.
    pub first_round: Option<FirstRound>,
}

impl Round {
    /// Whether the defenders won; `None` if neither team did or the defender is unknown.
    pub fn held(&self) -> Option<bool> {
        Some(self.winner? == self.defender?)
    }

    /// Length of the warmup on the wall clock.
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

    /// If the wall clock was changed during the round, makes the round's unix times follow the game clock from the start, and
    /// returns by how many seconds the wall clock was off at most. Discards a warmup that began before such a change.
    pub fn correct_clock(&mut self) -> Option<i64> {
        /// The two clocks drift by a second or two in a long round, and by more on an overloaded server.
        const DRIFT_LIMIT_MS: i64 = 60_000;
        let start = self.start;
        if self.warmup_ms() > WARMUP_LIMIT_MS {
            self.warmup_start_unix_ms = None;
        }
        let by_level = |at: Stamp| start.unix_ms + (at.level_ms - start.level_ms);
        let drift = |at: &Stamp| at.unix_ms - by_level(*at);
        let pauses = self.pauses.iter().flat_map(|p| [p.start, p.end]);
        let stamps: Vec<Stamp> = [start]
            .into_iter()
            .chain(pauses)
            .chain([self.end])
            .collect();
        let worst_ms = stamps.iter().map(drift).max_by_key(|ms| ms.abs())?;
        // A smaller change can still reverse the order of two times.
        if worst_ms.abs() <= DRIFT_LIMIT_MS && stamps.is_sorted_by_key(|at| at.unix_ms) {
            return None;
        }
        let pauses = self
            .pauses
            .iter_mut()
            .flat_map(|p| [&mut p.start, &mut p.end]);
        for at in pauses.chain([&mut self.end]) {
            at.unix_ms = by_level(*at);
        }
        Some(worst_ms / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A round of 100 seconds with a pause from 40 to 60. Its wall clock is off by these milliseconds at the start, at both
    /// ends of the pause, and at the end.
    fn round(off_ms: [i64; 4]) -> Round {
        let at = |level_ms: i64, off_ms: i64| Stamp {
            level_ms,
            unix_ms: 1_795_000_000_000 + level_ms + off_ms,
        };
        Round {
            start: at(0, off_ms[0]),
            pauses: vec![Pause {
                start: at(40_000, off_ms[1]),
                end: at(60_000, off_ms[2]),
                at_play_ms: 40_000,
                by: None,
            }],
            end: at(100_000, off_ms[3]),
            ..Round::default()
        }
    }

    #[test]
    fn times_follow_the_game_clock_after_a_change_of_the_system_clock() {
        let hour = 3_600_000;
        for off_ms in [
            [0, 0, 0, -hour],
            [0, 0, 0, hour],
            [0, hour, 0, 0],          // changed in a pause, and changed back
            [0, 0, -30_000, 0],       // a small change, but the pause would end before it began
            [0, 0, -10_000, -55_000], // a small change, but the round would end before the pause
            [hour, 0, 0, 0],
        ] {
            let mut round = round(off_ms);
            assert!(round.correct_clock().is_some(), "{off_ms:?}");
            let since_start = |at: Stamp| at.unix_ms - round.start.unix_ms;
            assert_eq!(since_start(round.end), 100_000, "{off_ms:?}");
            assert_eq!(since_start(round.pauses[0].start), 40_000, "{off_ms:?}");
            assert_eq!(since_start(round.pauses[0].end), 60_000, "{off_ms:?}");
        }
        for off_ms in [[0; 4], [0, 1000, 2000, 3000], [0, -1000, -2000, -3000]] {
            let mut sound = round(off_ms);
            assert_eq!(sound.correct_clock(), None);
            assert_eq!(sound, round(off_ms));
        }
    }

    #[test]
    fn a_warmup_with_a_clock_change_is_discarded() {
        let mut sound = round([0; 4]);
        sound.warmup_start_unix_ms = Some(sound.start.unix_ms - 90_000);
        sound.correct_clock();
        assert_eq!(sound.warmup_ms(), 90_000);
        let mut year_2000 = round([0; 4]);
        year_2000.warmup_start_unix_ms = Some(946_684_800_000);
        year_2000.correct_clock();
        assert_eq!(year_2000.warmup_ms(), 0);
    }
}
