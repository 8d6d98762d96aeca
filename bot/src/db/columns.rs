//! Maps from row structs to columns and values, one line for each column.

use gametimes_rounds::rows::website::WeaponRow;
use gametimes_rounds::rows::{PlayerRow, RecordedTimes, RoundRow, SpawnRow, TeamsRow};
use serde_json::json;

use super::facts::NewFact;
pub use super::value::Columns;

/// The columns of `gametimes_facts`.
pub(super) fn fact(fact: &NewFact) -> Columns {
    vec![
        ("kind", fact.kind.into()),
        ("identity", fact.identity.as_str().into()),
        ("server", fact.server.as_str().into()),
        ("at_unix", fact.at_unix.into()),
        ("stats_name", fact.stats_name.as_str().into()),
        ("event_id", fact.event_id.as_str().into()),
        ("source", fact.source.into()),
        ("origin", fact.origin.as_str().into()),
        ("body", fact.body.clone().into()),
        ("timeline", fact.timeline.clone().into()),
        ("received_unix", fact.received_unix.into()),
    ]
}

/// The columns of `rounds` that the recorder knows best. Without `winner_team` if the recorder does not know the winner.
pub fn times(row: &RecordedTimes) -> Columns {
    let mut columns: Columns = vec![
        ("round_start_unix", row.round_start_unix.into()),
        ("round_end_unix", row.round_end_unix.into()),
        (
            "actual_duration_seconds",
            row.actual_duration_seconds.into(),
        ),
        ("total_pause_seconds", row.total_pause_seconds.into()),
        ("pause_count", row.pause_count.into()),
        (
            "end_reason",
            row.end_reason.map(|r| r.as_str().to_owned()).into(),
        ),
        ("duration_ms", row.duration_ms.into()),
        ("gametimes_order", row.gametimes_order.as_str().into()),
    ];
    if let Some(winner) = row.winner_team {
        columns.push(("winner_team", winner.into()));
    }
    columns
}

/// The columns of `rounds`.
pub fn round(row: &RoundRow) -> Columns {
    let mut columns: Columns = vec![
        ("match_id", row.match_id.as_str().into()),
        ("round_number", row.round_number.into()),
        ("round_date", row.round_date.as_str().into()),
        ("round_time", row.round_time.as_str().into()),
        ("map_name", row.map_name.as_str().into()),
        ("time_limit", row.time_limit.clone().into()),
        ("actual_time", row.actual_time.clone().into()),
        ("defender_team", row.defender_team.into()),
        ("round_status", row.round_status.into()),
        ("round_outcome", row.outcome.round_outcome.into()),
        (
            "round_stopwatch_state",
            row.outcome.round_stopwatch_state.map(str::to_owned).into(),
        ),
        (
            "time_to_beat_seconds",
            row.outcome.time_to_beat_seconds.into(),
        ),
        (
            "next_timelimit_minutes",
            row.outcome.next_timelimit_minutes.into(),
        ),
        (
            "score_confidence",
            row.outcome.score_confidence.map(str::to_owned).into(),
        ),
        ("is_valid", row.is_valid.into()),
        ("round_canonical_id", row.round_canonical_id.clone().into()),
        ("is_bot_round", row.is_bot_round.into()),
        ("bot_player_count", row.bot_player_count.into()),
        ("human_player_count", row.human_player_count.into()),
        ("server_address", row.server_address.as_str().into()),
        ("server_name", row.server_name.clone().into()),
        ("stats_file", row.stats_file.clone().into()),
        ("stats_duration_seconds", row.stats_duration_seconds.into()),
        ("stats_playtime_ms", row.stats_playtime_ms.into()),
        (
            "stats_winner_team",
            row.stats_winner_team.map(i64::from).into(),
        ),
        (
            "stats_defender_team",
            row.stats_defender_team.map(i64::from).into(),
        ),
        ("gametype", row.gametype.map(i64::from).into()),
        ("recorder", row.recorder.clone().into()),
        ("recorder_version", row.recorder_version.clone().into()),
        ("engine_version", row.engine_version.clone().into()),
        ("event_id", row.event_id.clone().into()),
        ("exit_text", row.exit_text.clone().into()),
        ("gametimes_flags", row.gametimes_flags.as_str().into()),
    ];
    columns.extend(times(&row.times));
    columns
}

/// The columns of `rounds` for both rounds of a match together.
pub fn both_rounds(row: &RoundRow) -> Columns {
    let of_both = [
        "match_id",
        "round_number",
        "round_date",
        "round_time",
        "map_name",
        "time_limit",
        "actual_time",
        "defender_team",
        "winner_team",
        "round_status",
        "round_outcome",
        "round_stopwatch_state",
        "score_confidence",
        "is_valid",
        "is_bot_round",
        "bot_player_count",
        "human_player_count",
    ];
    let mut columns = round(row);
    columns.retain(|(name, _)| of_both.contains(name));
    columns
}

/// The columns of `weapon_comprehensive_stats`.
pub fn weapon(row: &WeaponRow) -> Columns {
    vec![
        ("round_date", row.round_date.as_str().into()),
        ("map_name", row.map_name.as_str().into()),
        ("round_number", row.round_number.into()),
        ("player_guid", row.player_guid.as_str().into()),
        ("player_name", row.player_name.as_str().into()),
        ("weapon_name", row.weapon_name.into()),
        ("kills", row.kills.into()),
        ("deaths", row.deaths.into()),
        ("headshots", row.headshots.into()),
        ("shots", row.shots.into()),
        ("hits", row.hits.into()),
        ("accuracy", row.accuracy.into()),
    ]
}

/// The columns of `lua_round_teams` that come from the report.
pub fn teams(row: &TeamsRow) -> Columns {
    vec![
        ("match_id", row.match_id.as_str().into()),
        ("round_number", row.round_number.into()),
        ("axis_players", json!(row.axis_players).into()),
        ("allies_players", json!(row.allies_players).into()),
        ("round_start_unix", row.round_start_unix.into()),
        ("round_end_unix", row.round_end_unix.into()),
        (
            "actual_duration_seconds",
            row.actual_duration_seconds.into(),
        ),
        ("total_pause_seconds", row.total_pause_seconds.into()),
        ("pause_count", row.pause_count.into()),
        ("end_reason", row.end_reason.as_str().into()),
        ("winner_team", row.winner_team.into()),
        ("defender_team", row.defender_team.into()),
        ("map_name", row.map_name.as_str().into()),
        ("time_limit_minutes", row.time_limit_minutes.into()),
        ("lua_version", row.lua_version.as_str().into()),
        ("lua_warmup_seconds", row.lua_warmup_seconds.into()),
        ("lua_warmup_start_unix", row.lua_warmup_start_unix.into()),
        ("lua_pause_events", json!(row.lua_pause_events).into()),
        ("surrender_team", row.surrender_team.into()),
        (
            "surrender_caller_guid",
            row.surrender_caller_guid.clone().into(),
        ),
        (
            "surrender_caller_name",
            row.surrender_caller_name.clone().into(),
        ),
        ("axis_score", row.axis_score.into()),
        ("allies_score", row.allies_score.into()),
        ("gametimes_match", json!(row.gametimes_match).into()),
    ]
}

/// The columns of `lua_spawn_stats` that come from the report.
pub fn spawn(row: &SpawnRow) -> Columns {
    vec![
        ("match_id", row.match_id.as_str().into()),
        ("round_number", row.round_number.into()),
        ("map_name", row.map_name.as_str().into()),
        ("round_end_unix", row.round_end_unix.into()),
        ("player_guid", row.player_guid.as_str().into()),
        ("player_name", row.player_name.as_str().into()),
        ("spawn_count", row.spawn_count.into()),
        ("death_count", row.death_count.into()),
        ("dead_seconds", row.dead_seconds.into()),
        ("avg_respawn_seconds", row.avg_respawn_seconds.into()),
        ("max_respawn_seconds", row.max_respawn_seconds.into()),
        ("team", row.team.map(|t| i64::from(t.number())).into()),
        ("revive_count", row.revive_count.into()),
        ("kill_count", row.kill_count.into()),
        ("denied_seconds", row.denied_seconds.into()),
        ("dead_ms", row.dead_ms.into()),
        ("max_dead_ms", row.max_dead_ms.into()),
        ("denied_ms", row.denied_ms.into()),
        ("alive_ms", row.alive_ms.into()),
        ("played_ms", row.played_ms.into()),
        ("wave_wait_ms", row.wave_wait_ms.into()),
    ]
}

/// The columns of `player_comprehensive_stats` that come from the stats file.
pub fn player(row: &PlayerRow) -> Columns {
    vec![
        ("round_date", row.round_date.as_str().into()),
        ("map_name", row.map_name.as_str().into()),
        ("round_number", row.round_number.into()),
        ("player_guid", row.player_guid.as_str().into()),
        ("player_name", row.player_name.as_str().into()),
        ("clean_name", row.clean_name.as_str().into()),
        ("team", row.team.into()),
        ("kills", row.kills.into()),
        ("deaths", row.deaths.into()),
        ("damage_given", row.damage_given.into()),
        ("damage_received", row.damage_received.into()),
        ("team_damage_given", row.team_damage_given.into()),
        ("team_damage_received", row.team_damage_received.into()),
        ("gibs", row.gibs.into()),
        ("self_kills", row.self_kills.into()),
        ("team_kills", row.team_kills.into()),
        ("team_gibs", row.team_gibs.into()),
        ("headshot_kills", row.headshot_kills.into()),
        ("headshots", row.headshots.into()),
        ("time_played_seconds", row.time_played_seconds.into()),
        ("time_played_minutes", row.time_played_minutes.into()),
        ("time_dead_minutes", row.time_dead_minutes.into()),
        ("time_dead_ratio", row.time_dead_ratio.into()),
        ("xp", row.xp.into()),
        ("kd_ratio", row.kd_ratio.into()),
        ("dpm", row.dpm.into()),
        ("efficiency", row.efficiency.into()),
        ("bullets_fired", row.bullets_fired.into()),
        ("accuracy", row.accuracy.into()),
        ("kill_assists", row.kill_assists.into()),
        ("kill_steals", row.kill_steals.into()),
        ("objectives_stolen", row.objectives_stolen.into()),
        ("objectives_returned", row.objectives_returned.into()),
        ("dynamites_planted", row.dynamites_planted.into()),
        ("dynamites_defused", row.dynamites_defused.into()),
        ("times_revived", row.times_revived.into()),
        ("tank_meatshield", row.tank_meatshield.into()),
        ("most_useful_kills", row.most_useful_kills.into()),
        ("denied_playtime", row.denied_playtime.into()),
        ("double_kills", row.double_kills.into()),
        ("triple_kills", row.triple_kills.into()),
        ("quad_kills", row.quad_kills.into()),
        ("multi_kills", row.multi_kills.into()),
        ("mega_kills", row.mega_kills.into()),
        ("useless_kills", row.useless_kills.into()),
        ("full_selfkills", row.full_selfkills.into()),
        ("constructions", row.constructions.into()),
        ("revives_given", row.revives_given.into()),
        ("killing_spree_best", row.killing_spree_best.into()),
        ("death_spree_worst", row.death_spree_worst.into()),
        ("time_played_percent", row.time_played_percent.into()),
        ("gametimes_flags", row.gametimes_flags.as_str().into()),
    ]
}
