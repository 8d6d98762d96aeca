//! What a gametimes file must hold to be believed: the schema check of the recorders' tests, and the bot's guard against
//! foreign input.
//!
//! Two severities: a [`Severity::Reject`] makes the file unusable (the bot stores nothing of it); a [`Severity::Doubt`]
//! contradicts itself somewhere, is stored all the same and is shown. A recorder's own file has neither.
//!
//! Files of the older Lua scripts (schema 1) lack most keys; only what they write is checked.

use std::collections::HashSet;
use std::fmt;

use crate::digest::round_canonical_id;
use crate::file::{EndReason, GametimesFile, Meta, PlayerRef, SpawnStats, file_name};
use crate::message::{self, Message, limits};

/// Bounds of what is believed. Wide enough for any server, narrow enough that no column and no list overflows.
pub mod bounds {
    /// Characters of a map's name (the column of the tables).
    pub const MAP: usize = 64;
    /// Characters of a guid.
    pub const GUID: usize = 32;
    /// Characters of a player's name.
    pub const NAME: usize = 64;
    /// Characters of any other text.
    pub const TEXT: usize = 256;
    /// Players in one round; more than slots, because players come and go.
    pub const PLAYERS: usize = 512;
    /// Pauses in one round.
    pub const PAUSES: usize = 256;
    /// Entries of the timeline.
    pub const EVENTS: usize = 65_536;
    /// Seconds of one round: a week, for servers without a time limit.
    pub const ROUND_SECONDS: i64 = 7 * 24 * 3600;
    /// Spawns, deaths, kills of one player.
    pub const COUNT: u32 = 1_000_000;
    /// 2000-01-01, the earliest unix time that is believed.
    pub const UNIX_MIN: i64 = 946_684_800;
    /// 2100-01-01, the latest unix time that is believed.
    pub const UNIX_MAX: i64 = 4_102_444_800;
}

/// How bad a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file contradicts itself; usable, but to be shown.
    Doubt,
    /// Out of every range: nothing of the file is usable.
    Reject,
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where: `meta.spawn_stats[3].dead_seconds`.
    pub path: String,
    /// What: found and expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Everything that is wrong with a file; empty for a file of today's recorders.
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
                    message: format!("{value:?}, but meta says {expected:?}"),
                });
            }
        }
    }
    problems
}

/// The problems that make a file unusable, of all that [`check`] finds.
pub fn rejections(problems: &[Problem]) -> Vec<&Problem> {
    problems
        .iter()
        .filter(|p| p.severity == Severity::Reject)
        .collect()
}

/// Whether a file lies under the name that its content asks for.
pub fn check_file_name(name: &str, meta: &Meta) -> Option<Problem> {
    let expected = file_name(&meta.map, meta.round, meta.round_end_unix);
    (name != expected).then(|| Problem {
        severity: Severity::Doubt,
        path: "file name".into(),
        message: format!("{name:?}, but the content asks for {expected:?}"),
    })
}

/// Whether a name can be used as a file's name inside a folder: one component, no separators, no control characters, not
/// hidden, of bounded length.
pub fn is_path_safe(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && !name.contains("..")
        && !name
            .chars()
            .any(|c| c.is_control() || matches!(c, '/' | '\\' | ':' | '\0'))
}

/// Whether a name has the pattern of the stats scripts: `YYYY-MM-DD-HHMMSS-<map>-round-<N>.txt`.
pub fn is_stats_file_name(name: &str) -> bool {
    let shape = b"dddd-dd-dd-dddddd-";
    let bytes = name.as_bytes();
    bytes.len() > shape.len()
        && is_path_safe(name)
        && shape.iter().zip(bytes).all(|(s, b)| match s {
            b'd' => b.is_ascii_digit(),
            _ => s == b,
        })
        && name[shape.len()..]
            .strip_suffix(".txt")
            .and_then(|rest| rest.rsplit_once("-round-"))
            .is_some_and(|(map, round)| {
                !map.is_empty()
                    && (1..=2).contains(&round.len())
                    && round.bytes().all(|b| b.is_ascii_digit())
            })
}

/// Everything that is wrong with the part that readers store.
pub fn check_meta(meta: &Meta) -> Vec<Problem> {
    let mut c = Checker {
        problems: Vec::new(),
    };
    let ours = meta.schema >= 2;
    c.reject_unless(
        (1..=crate::file::SCHEMA).contains(&meta.schema),
        "meta.schema",
        || {
            format!(
                "{}, but this version reads 1 to {}",
                meta.schema,
                crate::file::SCHEMA
            )
        },
    );
    c.text("meta.map", &meta.map, 1, bounds::MAP);
    c.reject_unless(matches!(meta.round, 1 | 2), "meta.round", || {
        format!("{}, but a round is 1 or 2", meta.round)
    });
    c.times(meta, ours);
    c.texts(meta);
    for (path, n) in [
        ("meta.winner", meta.winner),
        ("meta.defender", meta.defender),
        ("meta.surrender.team", meta.surrender.team),
    ] {
        c.reject_unless(n <= 2, path, || {
            format!("{n}, but a team is 1 (Axis), 2 (Allies) or 0 (unknown)")
        });
    }
    if meta.end_reason == EndReason::Surrender && ours {
        c.doubt_unless(
            matches!(meta.surrender.team, 1 | 2) && meta.winner != meta.surrender.team,
            "meta.surrender.team",
            || format!("{} gave up and {} won", meta.surrender.team, meta.winner),
        );
    }
    c.doubt_unless(
        meta.end_reason.is_finished() || meta.winner == 0,
        "meta.winner",
        || {
            format!(
                "{}, but a round cut off ({}) has no winner",
                meta.winner,
                meta.end_reason.as_str()
            )
        },
    );
    c.pauses(meta, ours);
    c.list("meta.spawn_stats", meta.spawn_stats.len(), bounds::PLAYERS);
    let mut seen = HashSet::new();
    for (i, player) in meta.spawn_stats.iter().enumerate().take(bounds::PLAYERS) {
        let path = format!("meta.spawn_stats[{i}]");
        c.player(&path, player, meta, ours);
        let key = if player.guid.is_empty() {
            ("name", player.name.to_lowercase())
        } else {
            ("guid", player.guid.to_lowercase())
        };
        c.doubt_unless(seen.insert(key), &path, || {
            "the same player stands in the list twice".into()
        });
    }
    for (path, team) in [
        ("meta.teams.axis", &meta.teams.axis),
        ("meta.teams.allies", &meta.teams.allies),
    ] {
        c.list(path, team.len(), bounds::PLAYERS);
        for (i, PlayerRef { guid, name }) in team.iter().enumerate().take(bounds::PLAYERS) {
            c.identity(&format!("{path}[{i}]"), guid, name);
        }
    }
    c.events(meta);
    if ours {
        c.ours(meta);
    }
    c.problems
}

/// Everything that is wrong with a message; `path` is what its problems' paths begin with.
pub fn check_message(message: &Message, path: &str) -> Vec<Problem> {
    let mut c = Checker {
        problems: Vec::new(),
    };
    c.doubt_unless(
        message.username == message::USERNAME,
        &format!("{path}.username"),
        || {
            format!(
                "{:?}, but readers expect {:?}",
                message.username,
                message::USERNAME
            )
        },
    );
    c.doubt_unless(
        message.content == message::CONTENT,
        &format!("{path}.content"),
        || {
            format!(
                "{:?}, but readers expect {:?}",
                message.content,
                message::CONTENT
            )
        },
    );
    let [embed] = message.embeds.as_slice() else {
        c.doubt_unless(false, &format!("{path}.embeds"), || {
            format!("{} embeds instead of one", message.embeds.len())
        });
        return c.problems;
    };
    let path = format!("{path}.embeds[0]");
    c.doubt_unless(embed.fields.len() <= limits::FIELDS, &path, || {
        format!(
            "{} fields, but Discord takes {}",
            embed.fields.len(),
            limits::FIELDS
        )
    });
    c.doubt_unless(embed.characters() <= limits::EMBED, &path, || {
        format!(
            "{} characters, but Discord takes {}",
            embed.characters(),
            limits::EMBED
        )
    });
    for field in &embed.fields {
        let count = field.value.chars().count();
        c.doubt_unless(
            (1..=limits::FIELD_VALUE).contains(&count) || field.value.is_empty(),
            &format!("{path}.{}", field.name),
            || {
                format!(
                    "{count} characters, but Discord takes {}",
                    limits::FIELD_VALUE
                )
            },
        );
        if field.name.to_ascii_lowercase().ends_with("_json") {
            c.doubt_unless(
                serde_json::from_str::<serde_json::Value>(&field.value).is_ok_and(|v| v.is_array()),
                &format!("{path}.{}", field.name),
                || "no JSON list".into(),
            );
        }
    }
    for (i, name) in FIELDS.iter().enumerate() {
        let found = embed.fields.get(i).map(|f| f.name.as_str());
        c.doubt_unless(found == Some(name), &format!("{path}.fields[{i}]"), || {
            format!("{found:?}, but readers expect {name:?} here")
        });
    }
    c.problems
}

/// The fields of the message in the order in which readers know them; ours follow.
pub const FIELDS: [&str; 21] = [
    "Map",
    "Round",
    "Winner",
    "Defender",
    "Lua_Playtime",
    "Lua_Timelimit",
    "Lua_Pauses",
    "Lua_EndReason",
    "Lua_Warmup",
    "Lua_WarmupStart",
    "Lua_RoundStart",
    "Lua_RoundEnd",
    "Lua_SurrenderTeam",
    "Lua_SurrenderCaller",
    "Lua_SurrenderCallerName",
    "Lua_AxisScore",
    "Lua_AlliesScore",
    "Axis_JSON",
    "Allies_JSON",
    "Lua_Pauses_JSON",
    "Lua_SpawnSummary",
];

struct Checker {
    problems: Vec<Problem>,
}

impl Checker {
    fn add(&mut self, severity: Severity, path: &str, message: String) {
        self.problems.push(Problem {
            severity,
            path: path.to_owned(),
            message,
        });
    }

    fn reject_unless(&mut self, good: bool, path: &str, message: impl FnOnce() -> String) {
        if !good {
            self.add(Severity::Reject, path, message());
        }
    }

    fn doubt_unless(&mut self, good: bool, path: &str, message: impl FnOnce() -> String) {
        if !good {
            self.add(Severity::Doubt, path, message());
        }
    }

    fn range(&mut self, path: &str, n: i64, from: i64, to: i64) {
        self.reject_unless((from..=to).contains(&n), path, || {
            format!("{n} is out of range {from} to {to}")
        });
    }

    fn list(&mut self, path: &str, len: usize, most: usize) {
        self.reject_unless(len <= most, path, || {
            format!("{len} entries, more than {most}")
        });
    }

    fn text(&mut self, path: &str, text: &str, least: usize, most: usize) {
        let count = text.chars().count();
        self.reject_unless((least..=most).contains(&count), path, || {
            format!("{count} characters, allowed are {least} to {most}")
        });
        self.doubt_unless(!text.chars().any(char::is_control), path, || {
            "holds control characters".into()
        });
    }

    fn cut(&mut self, path: &str, seconds: i64, ms: i64) {
        self.doubt_unless(seconds == ms / 1000, path, || {
            format!("{seconds} s, but {ms} ms cut to seconds are {}", ms / 1000)
        });
    }

    fn identity(&mut self, path: &str, guid: &str, name: &str) {
        self.text(&format!("{path}.guid"), guid, 0, bounds::GUID);
        self.text(&format!("{path}.name"), name, 0, bounds::NAME);
        self.doubt_unless(!guid.is_empty() || !name.is_empty(), path, || {
            "neither guid nor name".into()
        });
    }

    fn times(&mut self, meta: &Meta, ours: bool) {
        let (start, end) = (meta.round_start_unix, meta.round_end_unix);
        self.range(
            "meta.round_end_unix",
            end,
            bounds::UNIX_MIN,
            bounds::UNIX_MAX,
        );
        // The old scripts write 0 where they did not see the start.
        if ours || start != 0 {
            self.range(
                "meta.round_start_unix",
                start,
                bounds::UNIX_MIN,
                bounds::UNIX_MAX,
            );
            self.reject_unless(end >= start, "meta.round_end_unix", || {
                format!("{end} is before the start {start}")
            });
        }
        for (path, n) in [
            ("meta.actual_duration_seconds", meta.actual_duration_seconds),
            ("meta.warmup_seconds", meta.warmup_seconds),
            ("meta.pause_seconds", meta.pause_seconds),
            ("meta.duration_ms", meta.duration_ms / 1000),
            ("meta.warmup_ms", meta.warmup_ms / 1000),
        ] {
            self.range(path, n, 0, bounds::ROUND_SECONDS);
        }
        self.reject_unless(
            meta.timelimit_minutes.is_finite()
                && (0.0..=100_000.0).contains(&meta.timelimit_minutes),
            "meta.timelimit_minutes",
            || format!("{} is out of range 0 to 100000", meta.timelimit_minutes),
        );
        self.range(
            "meta.utc_offset_seconds",
            meta.utc_offset_seconds.into(),
            -14 * 3600,
            14 * 3600,
        );
        self.range("meta.gametype", meta.gametype.into(), 0, 64);
    }

    fn texts(&mut self, meta: &Meta) {
        for (path, text) in [
            ("meta.server_ip", &meta.server_ip),
            ("meta.server_port", &meta.server_port),
            ("meta.match_id", &meta.match_id),
            ("meta.source", &meta.source),
            ("meta.module_version", &meta.module_version),
            ("meta.engine_version", &meta.engine_version),
            ("meta.event_id", &meta.event_id),
            ("meta.round_canonical_id", &meta.round_canonical_id),
        ] {
            self.text(path, text, 0, 64);
        }
        self.text("meta.exit_text", &meta.exit_text, 0, bounds::TEXT);
        self.text(
            "meta.server_hostname",
            &meta.server_hostname,
            0,
            bounds::TEXT,
        );
        self.text(
            "meta.surrender.caller_guid",
            &meta.surrender.caller_guid,
            0,
            bounds::GUID,
        );
        self.text(
            "meta.surrender.caller_name",
            &meta.surrender.caller_name,
            0,
            bounds::NAME,
        );
        if let Some(name) = &meta.stats_file {
            self.reject_unless(is_path_safe(name), "meta.stats_file", || {
                format!("{name:?} is no plain file name")
            });
            self.doubt_unless(is_stats_file_name(name), "meta.stats_file", || {
                format!("{name:?} is not like YYYY-MM-DD-HHMMSS-<map>-round-<N>.txt")
            });
        }
    }

    fn pauses(&mut self, meta: &Meta, ours: bool) {
        self.list("meta.pauses", meta.pauses.len(), bounds::PAUSES);
        self.range(
            "meta.pause_count",
            meta.pause_count,
            0,
            bounds::PAUSES as i64,
        );
        if !ours {
            return;
        }
        self.doubt_unless(
            meta.pause_count == meta.pauses.len() as i64,
            "meta.pause_count",
            || {
                format!(
                    "{}, but the list has {}",
                    meta.pause_count,
                    meta.pauses.len()
                )
            },
        );
        let mut sum_ms = 0;
        let mut last_end = (0, i64::MIN);
        let mut last_at_ms = 0;
        for (i, pause) in meta.pauses.iter().enumerate().take(bounds::PAUSES) {
            let path = format!("meta.pauses[{i}]");
            let ms = pause.end_ms.saturating_sub(pause.start_ms);
            self.reject_unless(
                (0..=bounds::ROUND_SECONDS * 1000).contains(&ms) && pause.end >= pause.start,
                &path,
                || "ends before it begins, or lasts too long".into(),
            );
            self.doubt_unless(pause.n as usize == i + 1, &path, || {
                format!("n is {}, expected {}", pause.n, i + 1)
            });
            self.doubt_unless((pause.start, pause.start_ms) >= last_end, &path, || {
                "begins before the one before it ended".into()
            });
            self.cut(&format!("{path}.sec"), pause.sec, ms);
            let at = pause.at_play_ms.unwrap_or(last_at_ms);
            self.doubt_unless(
                (last_at_ms..=meta.duration_ms).contains(&at),
                &format!("{path}.at_play_ms"),
                || {
                    format!(
                        "{at} is before the last pause or after the end at {}",
                        meta.duration_ms
                    )
                },
            );
            last_at_ms = at.max(last_at_ms);
            sum_ms += ms.clamp(0, bounds::ROUND_SECONDS * 1000);
            last_end = (pause.end, pause.end_ms);
        }
        self.cut("meta.pause_seconds", meta.pause_seconds, sum_ms);
    }

    fn player(&mut self, path: &str, p: &SpawnStats, meta: &Meta, ours: bool) {
        self.identity(path, &p.guid, &p.name);
        for (key, n) in [
            ("spawns", p.spawns),
            ("deaths", p.deaths),
            ("revives", p.revives),
            ("kills", p.kills),
        ] {
            self.range(&format!("{path}.{key}"), n.into(), 0, bounds::COUNT.into());
        }
        // Time denied adds up over several victims, so it may exceed the round many times.
        let denied_most = bounds::ROUND_SECONDS * bounds::PLAYERS as i64;
        for (key, seconds, most) in [
            ("dead_seconds", p.dead_seconds, bounds::ROUND_SECONDS),
            ("avg_respawn", p.avg_respawn, bounds::ROUND_SECONDS),
            ("max_respawn", p.max_respawn, bounds::ROUND_SECONDS),
            ("denied_seconds", p.denied_seconds, denied_most),
            ("dead_ms", p.dead_ms, bounds::ROUND_SECONDS * 1000),
            ("max_dead_ms", p.max_dead_ms, bounds::ROUND_SECONDS * 1000),
            ("denied_ms", p.denied_ms, denied_most * 1000),
            ("alive_ms", p.alive_ms, bounds::ROUND_SECONDS * 1000),
            ("played_ms", p.played_ms, bounds::ROUND_SECONDS * 1000),
        ] {
            self.range(&format!("{path}.{key}"), seconds, 0, most);
        }
        self.reject_unless(p.team <= 3, &format!("{path}.team"), || {
            format!("{} is no team", p.team)
        });
        if !ours {
            return;
        }
        self.cut(&format!("{path}.dead_seconds"), p.dead_seconds, p.dead_ms);
        self.cut(&format!("{path}.max_respawn"), p.max_respawn, p.max_dead_ms);
        self.cut(
            &format!("{path}.denied_seconds"),
            p.denied_seconds,
            p.denied_ms,
        );
        let average = p
            .dead_seconds
            .checked_div(p.deaths.into())
            .unwrap_or_default();
        self.doubt_unless(
            p.avg_respawn == average,
            &format!("{path}.avg_respawn"),
            || {
                format!(
                    "{}, but {} s over {} deaths are {average}",
                    p.avg_respawn, p.dead_seconds, p.deaths
                )
            },
        );
        self.doubt_unless(p.revives <= p.spawns, &format!("{path}.revives"), || {
            format!("{} of {} spawns", p.revives, p.spawns)
        });
        self.doubt_unless(
            p.max_dead_ms <= p.dead_ms,
            &format!("{path}.max_dead_ms"),
            || {
                format!(
                    "{} ms in one piece, but {} ms in all",
                    p.max_dead_ms, p.dead_ms
                )
            },
        );
        self.doubt_unless(
            p.dead_ms.saturating_add(p.alive_ms) <= p.played_ms,
            &format!("{path}.played_ms"),
            || {
                format!(
                    "dead {} ms and alive {} ms, but played only {} ms",
                    p.dead_ms, p.alive_ms, p.played_ms
                )
            },
        );
        self.doubt_unless(
            p.played_ms <= meta.duration_ms,
            &format!("{path}.played_ms"),
            || format!("{} ms of a round of {} ms", p.played_ms, meta.duration_ms),
        );
    }

    fn events(&mut self, meta: &Meta) {
        self.list("meta.events", meta.events.len(), bounds::EVENTS);
        let mut last_ms = 0;
        for (i, event) in meta.events.iter().enumerate().take(bounds::EVENTS) {
            let path = format!("meta.events[{i}]");
            self.doubt_unless(
                (last_ms..=meta.duration_ms).contains(&event.t_ms),
                &path,
                || {
                    format!(
                        "at {} ms, expected {last_ms} to {}",
                        event.t_ms, meta.duration_ms
                    )
                },
            );
            last_ms = last_ms.max(event.t_ms);
            self.text(&format!("{path}.guid"), &event.guid, 0, bounds::GUID);
            for (key, text, most) in [
                ("name", &event.name, bounds::NAME),
                ("by", &event.by, bounds::NAME),
                ("mod", &event.means_of_death, bounds::NAME),
            ] {
                if let Some(text) = text {
                    self.text(&format!("{path}.{key}"), text, 0, most);
                }
            }
            self.reject_unless(event.team.is_none_or(|t| t <= 3), &path, || {
                format!("{:?} is no team", event.team)
            });
        }
    }

    /// What only files of schema 2 promise.
    fn ours(&mut self, meta: &Meta) {
        self.cut(
            "meta.actual_duration_seconds",
            meta.actual_duration_seconds,
            meta.duration_ms,
        );
        self.cut("meta.warmup_seconds", meta.warmup_seconds, meta.warmup_ms);
        self.doubt_unless(
            matches!(meta.source.as_str(), "native" | "lua"),
            "meta.source",
            || format!("{:?}, expected native or lua", meta.source),
        );
        self.doubt_unless(is_uuid_v7(&meta.event_id), "meta.event_id", || {
            format!("{:?} is no UUIDv7", meta.event_id)
        });
        let id = round_canonical_id(meta.round_start_unix, &meta.map, meta.round);
        self.doubt_unless(
            meta.round_canonical_id == id,
            "meta.round_canonical_id",
            || format!("{:?}, expected {id:?}", meta.round_canonical_id),
        );
        self.doubt_unless(
            meta.match_id == meta.round_end_unix.to_string(),
            "meta.match_id",
            || format!("{:?}, expected {}", meta.match_id, meta.round_end_unix),
        );
        self.doubt_unless(meta.round == 1 || meta.gametype == 3, "meta.round", || {
            format!("round 2 in game type {}", meta.gametype)
        });
    }
}

fn is_uuid_v7(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            14 => *b == b'7',
            19 => matches!(b, b'8' | b'9' | b'a' | b'b' | b'A' | b'B'),
            _ => b.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::Pause;

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
        }];
        meta.pause_count = 1;
        meta.pause_seconds = 15;
        for p in &mut meta.spawn_stats {
            p.dead_ms = p.dead_seconds * 1000 + 999;
            p.max_dead_ms = p.max_respawn * 1000;
            p.played_ms = 55_000;
        }
        file
    }

    #[test]
    fn a_file_of_ours_passes_and_every_lie_is_found() {
        assert_eq!(check(&ours()), []);
        type Lie = fn(&mut Meta);
        let lies: [(&str, Severity, Lie); 17] = [
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
            ("meta.winner", Severity::Reject, |m| m.winner = 3),
            ("meta.timelimit_minutes", Severity::Reject, |m| {
                m.timelimit_minutes = f64::NAN;
            }),
            ("meta.pauses[0]", Severity::Reject, |m| {
                m.pauses[0].end_ms = i64::MIN;
            }),
            ("meta.pause_seconds", Severity::Doubt, |m| {
                m.pause_seconds = 16
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
                m.event_id = "x".into()
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

    #[test]
    fn names_of_stats_files_are_told_from_others() {
        for good in [
            "2026-11-20-123344-room2-round-1.txt",
            "2026-11-20-123344-te-round-2_b4-round-2.txt",
        ] {
            assert!(is_stats_file_name(good), "{good}");
        }
        for bad in [
            "2026-11-20-123344-room2-round-1.txt.tmp",
            "2026-11-20-12334-room2-round-1.txt",
            "2026-11-20-123344-a/b-round-1.txt",
            "2026-11-20-123344--round-1.txt",
            "",
            "é026-11-20-123344-room2-round-1.txt",
        ] {
            assert!(!is_stats_file_name(bad), "{bad}");
        }
    }
}
