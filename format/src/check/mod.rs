//! Finds what is wrong with a gametimes file. The tests of the recorders use it, and the bot, to refuse bad input.
//!
//! There are two severities. A [`Severity::Reject`] makes the file unusable: the bot stores nothing of it. A
//! [`Severity::Doubt`] is a contradiction: the file is stored, and the contradiction is shown. A file that today's recorders write
//! has neither.
//!
//! Files of the older Lua scripts (schema 1) lack most keys. Only the keys that they have are checked.

mod checker;
mod matches;
mod message;
mod meta;
mod names;
mod waves;

use std::fmt;

use crate::file::{GametimesFile, Meta, file_name};

pub use message::{FIELDS, check_message};
pub use meta::check_meta;
pub use names::{STATS_FILE_NAME, is_path_safe, is_stats_file_name};

/// The limits of accepted values: wide enough for any server, and narrow enough for the columns of the database.
pub mod bounds {
    /// Characters of a map name.
    pub const MAP: usize = 64;
    /// Characters of a guid.
    pub const GUID: usize = 32;
    /// Characters of a player's name.
    pub const NAME: usize = 64;
    /// Characters of any other text.
    pub const TEXT: usize = 256;
    /// Players in one round: more than there are slots, because players come and go.
    pub const PLAYERS: usize = 512;
    /// Pauses in one round.
    pub const PAUSES: usize = 256;
    /// Intervals of one team's waves.
    pub const INTERVALS: usize = 256;
    /// The longest time between two waves, in seconds, and the longest shift.
    pub const INTERVAL_SECONDS: i64 = 24 * 3600;
    /// Entries of the timeline.
    pub const EVENTS: usize = 65_536;
    /// Seconds of one round: a week, for servers without a time limit.
    pub const ROUND_SECONDS: i64 = 7 * 24 * 3600;
    /// The longest time limit, in minutes: ten weeks. The recorders take a longer one for none.
    pub const TIMELIMIT_MINUTES: i64 = 100_000;
    /// Spawns, deaths, kills of one player.
    pub const COUNT: u32 = 1_000_000;
    /// 2000-01-01, the earliest accepted unix time.
    pub const UNIX_MIN: i64 = 946_684_800;
    /// 2100-01-01, the latest accepted unix time.
    pub const UNIX_MAX: i64 = 4_102_444_800;
}

/// How bad a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file contradicts itself, but is usable.
    Doubt,
    /// The file is unusable.
    Reject,
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether the file is unusable.
    pub severity: Severity,
    /// The key, such as `meta.spawn_stats[3].dead_seconds`.
    pub path: String,
    /// What was found, and what was expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// All problems of a file.
pub fn check(file: &GametimesFile) -> Vec<Problem> {
    let mut problems = check_meta(&file.meta);
    problems.extend(check_message(&file.payload, "payload"));
    if let Some(embed) = file.payload.embeds.first() {
        let meta = &file.meta;
        for (field, expected) in [
            ("Map", meta.map.clone()),
            ("Round", meta.round.to_string()),
            ("Lua_RoundEnd", meta.round_end_unix.to_string()),
        ] {
            if let Some(value) = embed.field(field).filter(|v| *v != expected) {
                problems.push(Problem {
                    severity: Severity::Doubt,
                    path: format!("payload.embeds[0].{field}"),
                    message: format!("{value:?}, but meta contains {expected:?}"),
                });
            }
        }
    }
    problems
}

/// The problems that make a file unusable.
pub fn rejections(problems: &[Problem]) -> Vec<&Problem> {
    problems
        .iter()
        .filter(|p| p.severity == Severity::Reject)
        .collect()
}

/// Checks that the name of a file matches its content.
pub fn check_file_name(name: &str, meta: &Meta) -> Option<Problem> {
    let expected = file_name(&meta.map, meta.round, meta.round_end_unix);
    (name != expected).then(|| Problem {
        severity: Severity::Doubt,
        path: "file name".into(),
        message: format!("{name:?}, but the content requires {expected:?}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::round_canonical_id;
    use crate::file::{EndReason, EventKind, Pause, TimelineEvent};
    use crate::matches::{MapResult, Sides, Stopwatch};
    use crate::team::Team;
    use crate::{Class, ObjectiveAction, TeamWaves, WaveInterval, Waves};

    fn axis(meta: &mut Meta) -> &mut TeamWaves {
        meta.waves.as_mut().unwrap().axis.as_mut().unwrap()
    }

    fn sample(name: &str) -> GametimesFile {
        let path = format!(
            "{}/../tests/data/samples/gametimes/{name}",
            env!("CARGO_MANIFEST_DIR")
        );
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn files_of_the_old_scripts_pass() {
        for name in [
            "gametime-room1-R1-1795179043.json",
            "gametime-room2-R1-1795178021.json",
            "gametime-room2-R2-1795178128.json",
        ] {
            let file = sample(name);
            assert_eq!(check(&file), [], "{name}");
            assert_eq!(check_file_name(name, &file.meta), None);
        }
    }

    /// It had no waves, classes and objectives.
    #[test]
    fn files_of_version_0_1_pass() {
        for name in ["room1-R1-1795179043", "room1-R2-1795179083"] {
            let path = format!(
                "{}/../fuzz/seeds/gametimes_file/native-gametime-{name}.json",
                env!("CARGO_MANIFEST_DIR")
            );
            let file: GametimesFile =
                serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            assert_eq!(check(&file), [], "{name}");
            assert_eq!(file.meta.waves, None);
            let text = serde_json::to_string(&file).unwrap();
            assert!(!text.contains("wave") && !text.contains("class"), "{name}");
        }
    }

    fn ours() -> GametimesFile {
        let mut file = sample("gametime-room2-R1-1795178021.json");
        let meta = &mut file.meta;
        meta.schema = 2;
        meta.source = "native".into();
        meta.event_id = "01890a5d-ac96-774b-bcce-b302099a8057".into();
        meta.round_canonical_id = round_canonical_id(meta.round_start_unix, &meta.map, meta.round);
        meta.gametype = 3;
        meta.end_reason = EndReason::Objective;
        meta.duration_ms = 55_000;
        meta.actual_duration_seconds = 55;
        meta.pauses = vec![Pause {
            n: 1,
            start: 10,
            end: 25,
            sec: 15,
            start_ms: 43_050,
            end_ms: 58_100,
            at_play_ms: Some(12_000),
            by: None,
        }];
        meta.pause_count = 1;
        meta.pause_seconds = 15;
        for p in &mut meta.spawn_stats {
            p.dead_ms = p.dead_seconds * 1000 + 999;
            p.max_dead_ms = p.max_respawn * 1000;
            p.played_ms = 55_000;
            p.wave_wait_ms = Some(0);
        }
        let every = |interval_ms| TeamWaves {
            offset_ms: 3000,
            intervals: vec![WaveInterval {
                from_ms: 0,
                interval_ms,
            }],
        };
        meta.waves = Some(Waves {
            axis: Some(every(10_000)),
            allies: Some(every(7000)),
        });
        meta.spawn_stats[0].wave_wait_ms = Some(6000);
        meta.events = vec![
            TimelineEvent {
                t_ms: 1000,
                kind: EventKind::Death,
                guid: meta.spawn_stats[0].guid.clone(),
                class: Some(Class::FieldOps),
                wave_in_ms: Some(6000),
                killer_wave_in_ms: Some(3000),
                ..TimelineEvent::default()
            },
            TimelineEvent {
                t_ms: 2000,
                kind: EventKind::Objective,
                action: Some(ObjectiveAction::Announce),
                text: Some("Objective taken".into()),
                ..TimelineEvent::default()
            },
        ];
        file
    }

    #[test]
    fn a_file_of_the_module_passes_and_every_contradiction_is_found() {
        assert_eq!(check(&ours()), []);
        type Lie = fn(&mut Meta);
        let lies: [(&str, Severity, Lie); 30] = [
            ("meta.map", Severity::Reject, |m| m.map = "x".repeat(65)),
            ("meta.map", Severity::Reject, |m| m.map.clear()),
            ("meta.round", Severity::Reject, |m| m.round = 3),
            ("meta.round_end_unix", Severity::Reject, |m| {
                m.round_end_unix = m.round_start_unix - 1;
            }),
            ("meta.stats_file", Severity::Reject, |m| {
                m.stats_file = Some("../../etc/passwd".into());
            }),
            ("meta.stats_file", Severity::Doubt, |m| {
                m.stats_file = Some("notes.txt".into());
            }),
            ("meta.schema", Severity::Reject, |m| m.schema = 3),
            ("meta.winner", Severity::Reject, |m| {
                m.winner = 3.into();
            }),
            ("meta.timelimit_minutes", Severity::Reject, |m| {
                m.timelimit_minutes = f64::NAN;
            }),
            ("meta.pauses[0]", Severity::Reject, |m| {
                m.pauses[0].end_ms = i64::MIN;
            }),
            ("meta.pause_seconds", Severity::Doubt, |m| {
                m.pause_seconds = 16;
            }),
            ("meta.pauses[0].at_play_ms", Severity::Doubt, |m| {
                m.pauses[0].at_play_ms = Some(55_001);
            }),
            ("meta.actual_duration_seconds", Severity::Doubt, |m| {
                m.actual_duration_seconds = 56;
            }),
            ("meta.spawn_stats[0].dead_seconds", Severity::Reject, |m| {
                m.spawn_stats[0].dead_seconds = -1;
            }),
            ("meta.spawn_stats[1]", Severity::Doubt, |m| {
                m.spawn_stats[1] = m.spawn_stats[0].clone();
            }),
            ("meta.spawn_stats[0].avg_respawn", Severity::Doubt, |m| {
                m.spawn_stats[0].avg_respawn += 1;
            }),
            ("meta.event_id", Severity::Doubt, |m| {
                m.event_id = "x".into();
            }),
            ("meta.match_uid", Severity::Doubt, |m| {
                m.match_uid = "x".into();
            }),
            ("meta.round_1_event_id", Severity::Doubt, |m| {
                m.round_1_event_id = Some(m.event_id.clone());
            }),
            ("meta.sides", Severity::Reject, |m| {
                let axis = Team::Axis.into();
                m.sides = Some(Sides {
                    team_a: axis,
                    team_b: axis,
                });
            }),
            ("meta.map_result", Severity::Doubt, |m| {
                m.map_result = Some(MapResult::default());
            }),
            ("meta.stopwatch", Severity::Reject, |m| {
                m.stopwatch = Some(Stopwatch {
                    limit_ms: -1,
                    ..Stopwatch::default()
                });
            }),
            ("meta.bots", Severity::Doubt, |m| m.bots = 3),
            ("meta.waves.axis.intervals[0]", Severity::Reject, |m| {
                axis(m).intervals[0].interval_ms = 0;
            }),
            ("meta.waves.axis.offset_ms", Severity::Reject, |m| {
                axis(m).offset_ms = -1;
            }),
            ("meta.waves.axis.intervals", Severity::Doubt, |m| {
                axis(m).intervals.clear();
            }),
            ("meta.events[0].wave_in_ms", Severity::Doubt, |m| {
                m.events[0].wave_in_ms = Some(5999);
            }),
            ("meta.events[0].killer_wave_in_ms", Severity::Reject, |m| {
                m.events[0].killer_wave_in_ms = Some(0);
            }),
            ("meta.spawn_stats[0].wave_wait_ms", Severity::Doubt, |m| {
                m.spawn_stats[0].wave_wait_ms = Some(1);
            }),
            ("meta.events[1]", Severity::Doubt, |m| {
                m.events[1].action = None;
            }),
        ];
        for (path, severity, lie) in lies {
            let mut file = ours();
            lie(&mut file.meta);
            let problems = check(&file);
            assert!(
                problems
                    .iter()
                    .any(|p| p.path == path && p.severity == severity),
                "{path}: {problems:?}"
            );
        }
    }
}
