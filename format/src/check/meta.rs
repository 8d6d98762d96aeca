//! Checks `meta`, the part of a file that readers store.

use std::collections::HashSet;
use std::fmt::Display;

use super::checker::Checker;
use super::names::{is_path_safe, is_stats_file_name, is_uuid_v7};
use super::{Problem, bounds};
use crate::digest::{round_canonical_id, round_id_of_map_as_written};
use crate::file::{self, EndReason, Meta, SpawnStats};
use crate::rules::GAMETYPE_STOPWATCH;
use crate::team::TeamNumber;

/// All problems of `meta`.
pub fn check_meta(meta: &Meta) -> Vec<Problem> {
    let mut c = Checker::default();
    let ours = meta.schema >= 2;
    c.reject_unless(
        (1..=file::SCHEMA).contains(&meta.schema),
        "meta.schema",
        || {
            format!(
                "{}, but this version reads 1 to {}",
                meta.schema,
                file::SCHEMA
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
        c.reject_unless(n.number() <= 2, path, || {
            format!("{n}, but a team is 1 (Axis), 2 (Allies) or 0 (unknown)")
        });
    }
    if meta.end_reason == EndReason::Surrender && ours {
        c.doubt_unless(
            meta.surrender.team.team().is_some() && meta.winner != meta.surrender.team,
            "meta.surrender.team",
            || format!("{} gave up and {} won", meta.surrender.team, meta.winner),
        );
    }
    c.doubt_unless(
        meta.end_reason.is_finished() || meta.winner == TeamNumber::NONE,
        "meta.winner",
        || {
            format!(
                "{}, but an interrupted round ({}) has no winner",
                meta.winner,
                meta.end_reason.as_str()
            )
        },
    );
    c.pauses(meta, ours);
    c.list("meta.spawn_stats", meta.spawn_stats.len(), bounds::PLAYERS);
    let mut seen = HashSet::new();
    for (i, player) in meta.spawn_stats.iter().enumerate().take(bounds::PLAYERS) {
        let path = format_args!("meta.spawn_stats[{i}]");
        c.player(path, player, meta, ours);
        let key = if player.guid.is_empty() {
            ("name", player.name.to_lowercase())
        } else {
            ("guid", player.guid.to_lowercase())
        };
        c.doubt_unless(seen.insert(key), path, || {
            "the same player is listed twice".into()
        });
    }
    for (path, team) in [
        ("meta.teams.axis", &meta.teams.axis),
        ("meta.teams.allies", &meta.teams.allies),
    ] {
        c.players(path, team);
    }
    c.waves(meta);
    c.events(meta);
    c.matches(meta);
    if ours {
        c.ours(meta);
    }
    c.problems
}

impl Checker {
    fn times(&mut self, meta: &Meta, ours: bool) {
        let (start, end) = (meta.round_start_unix, meta.round_end_unix);
        self.range(
            "meta.round_end_unix",
            end,
            bounds::UNIX_MIN,
            bounds::UNIX_MAX,
        );
        // The old scripts write 0 if they did not see the start.
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
                && (0.0..=bounds::TIMELIMIT_MINUTES as f64).contains(&meta.timelimit_minutes),
            "meta.timelimit_minutes",
            || {
                format!(
                    "{} is out of range 0 to {}",
                    meta.timelimit_minutes,
                    bounds::TIMELIMIT_MINUTES
                )
            },
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
                format!("{name:?} is not a safe file name")
            });
            self.doubt_unless(is_stats_file_name(name), "meta.stats_file", || {
                format!("{name:?} does not match YYYY-MM-DD-HHMMSS-<map>-round-<N>.txt")
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
            let path = format_args!("meta.pauses[{i}]");
            let ms = pause.end_ms.saturating_sub(pause.start_ms);
            self.reject_unless(
                (0..=bounds::ROUND_SECONDS * 1000).contains(&ms) && pause.end >= pause.start,
                path,
                || "ends before it begins, or lasts too long".into(),
            );
            self.doubt_unless(pause.n as usize == i + 1, path, || {
                format!("n is {}, expected {}", pause.n, i + 1)
            });
            self.doubt_unless((pause.start, pause.start_ms) >= last_end, path, || {
                "begins before the previous pause ended".into()
            });
            self.rounded_down(format_args!("{path}.sec"), pause.sec, ms);
            let at = pause.at_play_ms.unwrap_or(last_at_ms);
            self.doubt_unless(
                (last_at_ms..=meta.duration_ms).contains(&at),
                format_args!("{path}.at_play_ms"),
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
        self.rounded_down("meta.pause_seconds", meta.pause_seconds, sum_ms);
    }

    fn player(&mut self, path: impl Display + Copy, p: &SpawnStats, meta: &Meta, ours: bool) {
        self.identity(path, &p.guid, &p.name);
        for (key, n) in [
            ("spawns", p.spawns),
            ("deaths", p.deaths),
            ("revives", p.revives),
            ("kills", p.kills),
        ] {
            self.range(
                format_args!("{path}.{key}"),
                n.into(),
                0,
                bounds::COUNT.into(),
            );
        }
        // Denied time is a sum over several victims, so it can exceed the length of the round many times.
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
            self.range(format_args!("{path}.{key}"), seconds, 0, most);
        }
        self.team(format_args!("{path}.team"), p.team);
        if !ours {
            return;
        }
        self.rounded_down(
            format_args!("{path}.dead_seconds"),
            p.dead_seconds,
            p.dead_ms,
        );
        self.rounded_down(
            format_args!("{path}.max_respawn"),
            p.max_respawn,
            p.max_dead_ms,
        );
        self.rounded_down(
            format_args!("{path}.denied_seconds"),
            p.denied_seconds,
            p.denied_ms,
        );
        let average = p
            .dead_seconds
            .checked_div(p.deaths.into())
            .unwrap_or_default();
        self.doubt_unless(
            p.avg_respawn == average,
            format_args!("{path}.avg_respawn"),
            || {
                format!(
                    "{}, but {} s over {} deaths are {average}",
                    p.avg_respawn, p.dead_seconds, p.deaths
                )
            },
        );
        self.doubt_unless(
            p.revives <= p.spawns,
            format_args!("{path}.revives"),
            || format!("{} of {} spawns", p.revives, p.spawns),
        );
        self.doubt_unless(
            p.max_dead_ms <= p.dead_ms,
            format_args!("{path}.max_dead_ms"),
            || {
                format!(
                    "{} ms at once, but only {} ms in total",
                    p.max_dead_ms, p.dead_ms
                )
            },
        );
        self.doubt_unless(
            p.dead_ms.saturating_add(p.alive_ms) <= p.played_ms,
            format_args!("{path}.played_ms"),
            || {
                format!(
                    "dead {} ms and alive {} ms, but played only {} ms",
                    p.dead_ms, p.alive_ms, p.played_ms
                )
            },
        );
        self.doubt_unless(
            p.played_ms <= meta.duration_ms,
            format_args!("{path}.played_ms"),
            || format!("{} ms of a round of {} ms", p.played_ms, meta.duration_ms),
        );
    }

    fn events(&mut self, meta: &Meta) {
        self.list("meta.events", meta.events.len(), bounds::EVENTS);
        let mut last_ms = 0;
        for (i, event) in meta.events.iter().enumerate().take(bounds::EVENTS) {
            let path = format_args!("meta.events[{i}]");
            self.doubt_unless(
                (last_ms..=meta.duration_ms).contains(&event.t_ms),
                path,
                || {
                    format!(
                        "at {} ms, expected {last_ms} to {}",
                        event.t_ms, meta.duration_ms
                    )
                },
            );
            last_ms = last_ms.max(event.t_ms);
            self.text(format_args!("{path}.guid"), &event.guid, 0, bounds::GUID);
            for (key, text, most) in [
                ("name", &event.name, bounds::NAME),
                ("by", &event.by, bounds::NAME),
                ("mod", &event.means_of_death, bounds::NAME),
            ] {
                if let Some(text) = text {
                    self.text(format_args!("{path}.{key}"), text, 0, most);
                }
            }
            let team = event.team.map(TeamNumber::number);
            self.reject_unless(team.is_none_or(|t| t <= 3), path, || {
                format!("{team:?} is not a team")
            });
            self.objective(path, event);
            self.waves_at(path, event, meta);
        }
    }

    /// Checks that apply to files of schema 2 only.
    fn ours(&mut self, meta: &Meta) {
        self.rounded_down(
            "meta.actual_duration_seconds",
            meta.actual_duration_seconds,
            meta.duration_ms,
        );
        self.rounded_down("meta.warmup_seconds", meta.warmup_seconds, meta.warmup_ms);
        self.doubt_unless(
            matches!(meta.source.as_str(), "native" | "lua"),
            "meta.source",
            || format!("{:?}, expected native or lua", meta.source),
        );
        self.doubt_unless(is_uuid_v7(&meta.event_id), "meta.event_id", || {
            format!("{:?} is not a UUIDv7", meta.event_id)
        });
        let id = round_canonical_id(meta.round_start_unix, &meta.map, meta.round);
        let before = round_id_of_map_as_written(meta.round_start_unix, &meta.map, meta.round);
        self.doubt_unless(
            [&id, &before].contains(&&meta.round_canonical_id),
            "meta.round_canonical_id",
            || format!("{:?}, expected {id:?}", meta.round_canonical_id),
        );
        self.doubt_unless(
            meta.match_id == meta.round_end_unix.to_string(),
            "meta.match_id",
            || format!("{:?}, expected {}", meta.match_id, meta.round_end_unix),
        );
        self.doubt_unless(
            meta.round == 1 || meta.gametype == GAMETYPE_STOPWATCH,
            "meta.round",
            || format!("round 2 in game type {}", meta.gametype),
        );
    }
}
