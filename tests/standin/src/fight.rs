//! A fight: what happens in which call of a round that is played for measurements. `c/fight.c` carries it out.

use std::ffi::{CStr, CString, c_char};

/// The caller of what happens in `RUN_FRAME`, after the `CLIENT_THINK` of all slots.
const IN_FRAME: i32 = 64;
/// A player dies this often, in frames: about every 13 seconds.
const LIFE: i32 = 264;
/// Frames from a death to the revive or to limbo, and from the death to the next life.
const ON_THE_GROUND: i32 = 60;
const DOWN: i32 = 150;
/// Each player is revived after one in this many deaths.
const REVIVED: i32 = 3;
/// Fewer players have nobody left to revive them.
const WITH_MEDICS: i32 = 8;
/// How often something happens to an objective, and how often the interval of the waves changes, in frames.
const OBJECTIVE_EVERY: i32 = 100;
const WAVES_EVERY: i32 = 500;
const MEDIC: i32 = 1;
const ENGINEER: i32 = 2;

/// What happens. The numbers are those of `c/fight.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Kind {
    /// A player dies.
    Kill = 0,
    /// A dead player gives up and waits for the wave.
    Limbo = 1,
    /// A medic revives a player.
    Revive = 2,
    /// A wave brings a player back.
    Spawn = 3,
    /// The game prints a line, and nothing else happens.
    Say = 4,
    /// The map's script changes the interval of the waves.
    Waves = 5,
    /// The round ends.
    End = 6,
}

/// Something that happens in a call.
#[derive(Debug)]
#[repr(C)]
pub struct Event {
    /// The frame, counted from 0.
    pub frame: i32,
    caller: i32,
    /// What happens.
    pub kind: Kind,
    /// The slot to which it happens.
    pub slot: i32,
    /// The slot of the attacker or of the medic; the class of who spawns.
    pub by: i32,
    text: *const c_char,
}

/// A fight, as [`crate::Server::fight`] takes it.
#[derive(Debug)]
pub struct Fight {
    /// How many players fight.
    pub players: usize,
    /// Whether the game prints that players repair something. Some of them cannot do that: the module refuses these lines.
    pub with_repairs: bool,
    /// The frame in which the round ends, counted from 1; `None` for a round that does not end.
    pub last_frame: Option<usize>,
    /// Memory that the game reads in every call, so that the caches are as cold as a real game leaves them.
    pub memory: Memory,
}

/// How much memory a game reads in a call, in lines of the cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Memory {
    /// Code that is no longer in the first level of the cache.
    pub code: isize,
    /// Data that are no longer in the first level.
    pub data: isize,
    /// Data that are no longer in the second level.
    pub far_data: isize,
}

impl Memory {
    /// What a real server reads. valgrind's cache simulation (32 KiB on the first level, 1 MiB on the second) counts these misses in a call,
    /// without the module: of code, of data on the first level, on the second level.
    ///
    /// | players | 2.83.1 server | stand-in |
    /// | --- | --- | --- |
    /// | 12 | 694, 776, 28 | 676, 842, 40 |
    /// | 44 | 686, 887, 44 | 675, 842, 40 |
    pub const OF_A_GAME: Self = Self {
        code: 630,
        data: 770,
        far_data: 40,
    };
}

/// A fight whose events are decided, at the address that the game has.
#[derive(Debug)]
#[repr(C)]
pub struct Plan {
    events: *const Event,
    count: isize,
    players: isize,
    memory: Memory,
    owned: Vec<Event>,
    texts: Vec<CString>,
}

impl Fight {
    /// A round of many frames that does not end, with warm caches.
    pub fn new(players: usize) -> Self {
        Self {
            players,
            with_repairs: false,
            last_frame: None,
            memory: Memory::default(),
        }
    }

    /// Decides what happens.
    pub fn plan(&self) -> Box<Plan> {
        /// Longer than any measurement.
        const FRAMES: usize = 12_000;
        let mut plan = Box::new(Plan {
            events: std::ptr::null(),
            count: 0,
            players: self.players as isize,
            memory: self.memory,
            owned: Vec::new(),
            texts: Vec::new(),
        });
        let frames = self.last_frame.unwrap_or(FRAMES) as i32;
        self.lives(frames, &mut plan);
        self.objectives(frames, &mut plan);
        if self.last_frame.is_some() {
            plan.add(
                frames - 1,
                IN_FRAME,
                Kind::End,
                0,
                0,
                "Exit: Wolf EndRound.\n",
            );
        }
        // In the order of the calls.
        plan.owned.sort_by_key(|event| (event.frame, event.caller));
        plan.events = plan.owned.as_ptr();
        plan.count = plan.owned.len() as isize;
        plan
    }

    /// One player after the other dies, by the next one's hand, and comes back.
    fn lives(&self, frames: i32, plan: &mut Plan) {
        let players = self.players as i32;
        let turn = (LIFE / players).max(1);
        for (n, frame) in (0..frames).step_by(turn as usize).enumerate() {
            let n = n as i32;
            let slot = n % players;
            let by = (slot + 1) % players;
            let text = format!("Kill: {by} {slot} 9: ^1one^7 killed ^2another^7 by MOD_THOMPSON\n");
            plan.add(frame, by, Kind::Kill, slot, by, &text);
            // A team mate whose turn is far from now.
            let medic = (slot + players / 4 * 2) % players;
            // Not always the same players, even if their number is a multiple of three.
            let is_revived = (n / players + slot) % REVIVED == 0;
            if is_revived && players >= WITH_MEDICS {
                let text = format!("Medic_Revive: {medic} {slot}\n");
                plan.add(
                    frame + ON_THE_GROUND,
                    medic,
                    Kind::Revive,
                    slot,
                    medic,
                    &text,
                );
            } else {
                plan.add(frame + ON_THE_GROUND, slot, Kind::Limbo, slot, 0, "");
                let class = if n / players % 2 == 0 {
                    ENGINEER
                } else {
                    MEDIC
                };
                plan.add(frame + DOWN, IN_FRAME, Kind::Spawn, slot, class, "");
            }
            // What the killed player dropped.
            let text = format!("Item: {by} weapon_thompson\n");
            plan.add(frame + 1, by, Kind::Say, by, 0, &text);
        }
    }

    fn objectives(&self, frames: i32, plan: &mut Plan) {
        for (n, frame) in (1..frames).step_by(OBJECTIVE_EVERY as usize).enumerate() {
            if self.with_repairs {
                let slot = n % self.players;
                plan.add(
                    frame,
                    IN_FRAME,
                    Kind::Say,
                    slot as i32,
                    0,
                    &format!("Repair: {slot}\n"),
                );
            }
            for text in [
                "legacy popup: ^7axis^7 planted \"the Gun\"\n",
                "legacy announce: \"^7The Gun is gone\"\n",
            ] {
                plan.add(frame, IN_FRAME, Kind::Say, 0, 0, text);
            }
        }
        for (n, frame) in (2..frames).step_by(WAVES_EVERY as usize).enumerate() {
            let interval_ms = ["30000", "20000"][n % 2];
            plan.add(frame, IN_FRAME, Kind::Waves, 0, 0, interval_ms);
        }
    }
}

impl Plan {
    /// Everything that happens, in order.
    pub fn events(&self) -> &[Event] {
        &self.owned
    }

    fn add(&mut self, frame: i32, caller: i32, kind: Kind, slot: i32, by: i32, text: &str) {
        self.texts
            .push(CString::new(text).expect("no zero in a line"));
        self.owned.push(Event {
            frame,
            caller,
            kind,
            slot,
            by,
            text: self.texts[self.texts.len() - 1].as_ptr(),
        });
    }
}

impl Event {
    /// What the game prints.
    pub fn text(&self) -> &[u8] {
        // SAFETY: a string of the plan, which owns this event too.
        unsafe { CStr::from_ptr(self.text) }.to_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{GAME, Server};

    const THINK: i32 = 7;
    const RUN_FRAME: i32 = 8;

    /// Traps of a frame in which nothing else happens, and of all its CLIENT_THINK calls: medians over a turn of deaths.
    fn traps(players: usize) -> (u64, u64) {
        let home = std::env::temp_dir().join(format!("fight-{}-{players}", std::process::id()));
        let mut server = Server::new(Path::new(GAME), &home, &home.join("base")).unwrap();
        server.load().unwrap();
        server.fight(&Fight::new(players));
        let (mut frames, mut thinks) = (Vec::new(), Vec::new());
        for n in 0..LIFE as isize {
            let before = server.traps_made();
            (0..players as isize).for_each(|slot| server.bare_call(THINK, slot));
            let between = server.traps_made();
            server.bare_call(RUN_FRAME, n * 50);
            thinks.push(between - before);
            frames.push(server.traps_made() - between);
        }
        std::fs::remove_dir_all(&home).unwrap();
        frames.sort_unstable();
        thinks.sort_unstable();
        (frames[frames.len() / 2], thinks[thinks.len() / 2])
    }

    #[test]
    fn every_player_is_revived_after_one_of_three_deaths() {
        for players in [8, 12, 44, 64] {
            let plan = Fight::new(players).plan();
            let mut lives = vec![(0, 0); players];
            for event in plan.events() {
                let (deaths, revives) = &mut lives[event.slot as usize];
                match event.kind {
                    Kind::Kill => *deaths += 1,
                    Kind::Revive => *revives += 1,
                    _ => {}
                }
            }
            for (slot, (deaths, revives)) in lives.into_iter().enumerate() {
                let expected = deaths / REVIVED..=deaths / REVIVED + 1;
                let is_right = expected.contains(&revives) && revives > 0;
                assert!(is_right, "slot {slot} of {players}: {revives} of {deaths}");
            }
        }
    }

    #[test]
    fn frame_makes_the_traps_of_a_real_one() {
        assert_eq!(traps(12).0, 231);
        let (frame, thinks) = traps(44);
        assert_eq!(frame, 326);
        assert!((50..=70).contains(&(thinks / 44)), "{thinks}");
    }
}
