//! What only the recorder knows: the rows of `lua_round_teams` and `lua_spawn_stats`.

use std::collections::BTreeMap;

use gametimes_format::digest::{hex, sha256};
use gametimes_format::text::cut;
use gametimes_format::{EndReason, Meta, Pause, PlayerRef, SpawnStats, Team, TeamNumber};

use super::int4;
use crate::report::{Completeness, Report};

/// A row of `lua_round_teams`: the fields are its columns.
#[derive(Debug, Clone, PartialEq)]
#[allow(
    missing_docs,
    reason = "the columns of the table, named as other programs know them"
)]
pub struct TeamsRow {
    pub match_id: String,
    pub round_number: u8,
    pub axis_players: Vec<PlayerRef>,
    pub allies_players: Vec<PlayerRef>,
    pub round_start_unix: i64,
    pub round_end_unix: i64,
    pub actual_duration_seconds: i64,
    pub total_pause_seconds: i64,
    pub pause_count: i64,
    pub end_reason: EndReason,
    pub winner_team: TeamNumber,
    pub defender_team: TeamNumber,
    pub map_name: String,
    pub time_limit_minutes: i64,
    pub lua_version: String,
    pub lua_warmup_seconds: i64,
    pub lua_warmup_start_unix: i64,
    pub lua_pause_events: Vec<Pause>,
    pub surrender_team: TeamNumber,
    pub surrender_caller_guid: Option<String>,
    pub surrender_caller_name: Option<String>,
    pub axis_score: i64,
    pub allies_score: i64,
}

impl TeamsRow {
    pub(super) fn new(report: &Report, match_id: &str) -> Self {
        let meta = &report.meta;
        let surrendered =
            meta.end_reason == EndReason::Surrender || meta.surrender.team != TeamNumber::NONE;
        let caller = |text: &str, most| surrendered.then(|| cut(text, most));
        Self {
            match_id: match_id.to_owned(),
            round_number: meta.round,
            axis_players: meta.teams.axis.clone(),
            allies_players: meta.teams.allies.clone(),
            round_start_unix: meta.round_start_unix,
            round_end_unix: meta.round_end_unix,
            actual_duration_seconds: meta.actual_duration_seconds,
            total_pause_seconds: meta.pause_seconds,
            pause_count: meta.pause_count,
            end_reason: meta.end_reason,
            winner_team: meta.winner,
            defender_team: meta.defender,
            map_name: cut(&meta.map, 64),
            time_limit_minutes: int4(meta.timelimit_minutes.round() as i64),
            lua_version: cut(&report.version, 16),
            lua_warmup_seconds: int4(meta.warmup_seconds),
            lua_warmup_start_unix: report.warmup_start_unix,
            lua_pause_events: meta.pauses.clone(),
            surrender_team: meta.surrender.team,
            surrender_caller_guid: caller(&meta.surrender.caller_guid, 32),
            surrender_caller_name: caller(&meta.surrender.caller_name, 64),
            axis_score: int4(meta.score.axis.into()),
            allies_score: int4(meta.score.allies.into()),
        }
    }
}

/// A row of `lua_spawn_stats`: the fields are its columns. `None` where the recorder is an old script that does not count it.
#[derive(Debug, Clone, PartialEq)]
#[allow(
    missing_docs,
    reason = "the columns of the table, named as other programs know them"
)]
pub struct SpawnRow {
    pub match_id: String,
    pub round_number: u8,
    pub map_name: String,
    pub round_end_unix: i64,
    pub player_guid: String,
    pub player_name: String,
    pub spawn_count: u32,
    pub death_count: u32,
    pub dead_seconds: i64,
    pub avg_respawn_seconds: i64,
    pub max_respawn_seconds: i64,
    pub team: Option<Team>,
    pub revive_count: Option<i64>,
    pub kill_count: Option<i64>,
    pub denied_seconds: Option<i64>,
    pub dead_ms: Option<i64>,
    pub max_dead_ms: Option<i64>,
    pub denied_ms: Option<i64>,
    pub alive_ms: Option<i64>,
    pub played_ms: Option<i64>,
}

impl SpawnRow {
    pub(super) fn of_report(report: &Report, match_id: &str) -> Vec<Self> {
        let mut players: BTreeMap<String, &SpawnStats> = BTreeMap::new();
        // If a player has two entries (the checks report that), the longer one is kept.
        for player in &report.meta.spawn_stats {
            let entry = players
                .entry(player_key(&player.guid, &player.name))
                .or_insert(player);
            if (player.played_ms, player.dead_seconds) > (entry.played_ms, entry.dead_seconds) {
                *entry = player;
            }
        }
        players
            .into_iter()
            .map(|(key, player)| Self::new(report, match_id, key, player))
            .collect()
    }

    fn new(report: &Report, match_id: &str, player_guid: String, p: &SpawnStats) -> Self {
        let meta = &report.meta;
        let is_exact = report.completeness == Completeness::File;
        let exact = |n: i64| is_exact.then_some(n);
        Self {
            match_id: match_id.to_owned(),
            round_number: meta.round,
            map_name: cut(&meta.map, 64),
            round_end_unix: meta.round_end_unix,
            player_guid,
            player_name: cut(&p.name, 64),
            spawn_count: p.spawns,
            death_count: p.deaths,
            dead_seconds: int4(p.dead_seconds),
            avg_respawn_seconds: int4(p.avg_respawn),
            max_respawn_seconds: int4(p.max_respawn),
            team: team_of(p, meta),
            revive_count: exact(p.revives.into()),
            kill_count: exact(p.kills.into()),
            denied_seconds: exact(p.denied_seconds),
            dead_ms: exact(p.dead_ms),
            max_dead_ms: exact(p.max_dead_ms),
            denied_ms: exact(p.denied_ms),
            alive_ms: exact(p.alive_ms),
            played_ms: exact(p.played_ms),
        }
    }
}

/// The key of a player in the tables: the guid, or for a client without one `name:` and 27 hex digits of the SHA-256 of the
/// name.
pub fn player_key(guid: &str, name: &str) -> String {
    if !guid.is_empty() {
        return guid.to_owned();
    }
    format!("name:{}", &hex(&sha256([name.as_bytes()]))[..27])
}

/// The player's team. Old scripts list it only in the teams at the end of the round.
fn team_of(player: &SpawnStats, meta: &Meta) -> Option<Team> {
    let is = |other: &PlayerRef| {
        other.guid == player.guid && (!player.guid.is_empty() || other.name == player.name)
    };
    let listed = || match () {
        () if meta.teams.axis.iter().any(is) => Some(Team::Axis),
        () if meta.teams.allies.iter().any(is) => Some(Team::Allies),
        () => None,
    };
    player.team.team().or_else(listed)
}
