//! What the recorder alone tells: the rows of `lua_round_teams` and `lua_spawn_stats`.

use std::collections::BTreeMap;

use gametimes_format::{EndReason, Meta, PlayerRef, SpawnStats, TeamNumber};
use ring::digest;
use serde_json::json;

use super::{Columns, cut, int4};
use crate::report::{Completeness, Report};
use crate::store::value::Value;

pub(super) fn teams_row(report: &Report, match_id: &str) -> Columns {
    let meta = &report.meta;
    let players = |team: &[PlayerRef]| Value::Json(json!(team));
    let surrendered =
        meta.end_reason == EndReason::Surrender || meta.surrender.team != TeamNumber::NONE;
    vec![
        ("match_id", match_id.into()),
        ("round_number", meta.round.into()),
        ("axis_players", players(&meta.teams.axis)),
        ("allies_players", players(&meta.teams.allies)),
        ("round_start_unix", meta.round_start_unix.into()),
        ("round_end_unix", meta.round_end_unix.into()),
        (
            "actual_duration_seconds",
            meta.actual_duration_seconds.into(),
        ),
        ("total_pause_seconds", meta.pause_seconds.into()),
        ("pause_count", meta.pause_count.into()),
        ("end_reason", meta.end_reason.as_str().into()),
        ("winner_team", meta.winner.number().into()),
        ("defender_team", meta.defender.number().into()),
        ("map_name", cut(&meta.map, 64).into()),
        (
            "time_limit_minutes",
            int4(meta.timelimit_minutes.round() as i64).into(),
        ),
        ("lua_version", cut(&report.version, 16).into()),
        ("lua_warmup_seconds", int4(meta.warmup_seconds).into()),
        ("lua_warmup_start_unix", report.warmup_start_unix.into()),
        ("lua_pause_events", Value::Json(json!(meta.pauses))),
        ("surrender_team", meta.surrender.team.number().into()),
        (
            "surrender_caller_guid",
            surrendered
                .then(|| cut(&meta.surrender.caller_guid, 32))
                .into(),
        ),
        (
            "surrender_caller_name",
            surrendered
                .then(|| cut(&meta.surrender.caller_name, 64))
                .into(),
        ),
        ("axis_score", int4(meta.score.axis.into()).into()),
        ("allies_score", int4(meta.score.allies.into()).into()),
    ]
}

/// What stands for a player in the tables: the guid, or `name:` and 27 hex digits of the SHA-256 of the name where there
/// is none.
pub fn player_key(guid: &str, name: &str) -> String {
    if !guid.is_empty() {
        return guid.to_owned();
    }
    let hash = digest::digest(&digest::SHA256, name.as_bytes());
    let hex: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("name:{}", &hex[..27])
}

pub(super) fn spawn_rows(report: &Report, match_id: &str) -> Vec<Columns> {
    let meta = &report.meta;
    let ours = report.completeness == Completeness::File;
    let mut keys = BTreeMap::new();
    // Twice the same player is a doubt of the check; the longer entry is kept.
    for player in &meta.spawn_stats {
        let entry = keys
            .entry(player_key(&player.guid, &player.name))
            .or_insert(player);
        if (player.played_ms, player.dead_seconds) > (entry.played_ms, entry.dead_seconds) {
            *entry = player;
        }
    }
    let only_ours = |n: i64| Value::Int(ours.then_some(n));
    let row = |(key, p): (String, &SpawnStats)| -> Columns {
        vec![
            ("match_id", match_id.into()),
            ("round_number", meta.round.into()),
            ("map_name", cut(&meta.map, 64).into()),
            ("round_end_unix", meta.round_end_unix.into()),
            ("player_guid", key.into()),
            ("player_name", cut(&p.name, 64).into()),
            ("spawn_count", p.spawns.into()),
            ("death_count", p.deaths.into()),
            ("dead_seconds", int4(p.dead_seconds).into()),
            ("avg_respawn_seconds", int4(p.avg_respawn).into()),
            ("max_respawn_seconds", int4(p.max_respawn).into()),
            ("team", team_of(p, meta).into()),
            ("revive_count", only_ours(p.revives.into())),
            ("kill_count", only_ours(p.kills.into())),
            ("denied_seconds", only_ours(p.denied_seconds)),
            ("dead_ms", only_ours(p.dead_ms)),
            ("max_dead_ms", only_ours(p.max_dead_ms)),
            ("denied_ms", only_ours(p.denied_ms)),
            ("alive_ms", only_ours(p.alive_ms)),
            ("played_ms", only_ours(p.played_ms)),
        ]
    };
    keys.into_iter().map(row).collect()
}

/// The team; old scripts tell it only in the lists of the teams at the end.
fn team_of(player: &SpawnStats, meta: &Meta) -> Option<i64> {
    let is = |other: &PlayerRef| {
        other.guid == player.guid && (!player.guid.is_empty() || other.name == player.name)
    };
    match player.team.number() {
        0 if meta.teams.axis.iter().any(is) => Some(1),
        0 if meta.teams.allies.iter().any(is) => Some(2),
        0 => None,
        team => Some(team.into()),
    }
}
