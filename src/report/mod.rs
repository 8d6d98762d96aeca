//! Makes the gametimes file and the Discord message of a round.

mod matches;
pub mod message;

use gametimes_format::check::bounds;
use gametimes_format::digest::round_canonical_id;
use gametimes_format::file::{self, Meta, Pause, SpawnStats};
use gametimes_format::text::cut;
use gametimes_format::{GametimesFile, Team};
use uuid::Uuid;

use crate::VERSION;
use crate::track::{PlayerStats, Round};

/// The parts of a file that do not come from the round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// A UUIDv7, created when the round's map began and kept after a crash.
    pub event_id: Uuid,
    /// Local time minus UTC at the end of the round.
    pub utc_offset_seconds: i32,
}

/// The gametimes file of a round.
pub fn gametimes_file(round: &Round, identity: &Identity) -> GametimesFile {
    let meta = meta(round, identity);
    let warmup_start_unix = seconds(round.warmup_start_unix_ms.unwrap_or(round.start.unix_ms));
    let payload = message::compose(&meta, warmup_start_unix);
    GametimesFile { meta, payload }
}

fn meta(round: &Round, identity: &Identity) -> Meta {
    let lineups = matches::lineups(round);
    let start_unix = seconds(round.start.unix_ms);
    let end_unix = seconds(round.end.unix_ms);
    Meta {
        map: round.map.clone(),
        round: round.number,
        round_start_unix: start_unix,
        round_end_unix: end_unix,
        actual_duration_seconds: seconds(round.played_ms),
        warmup_seconds: seconds(round.warmup_ms()),
        pause_seconds: seconds(round.pause_ms()),
        pause_count: round.pauses.len() as i64,
        server_ip: round.server_ip.clone(),
        server_port: round.server_port.clone(),
        match_id: end_unix.to_string(),
        spawn_stats: round
            .players
            .iter()
            .map(|p| spawn_stats(p, round))
            .collect(),
        schema: file::SCHEMA,
        source: "native".to_owned(),
        module_version: VERSION.to_owned(),
        engine_version: round.engine_version.clone(),
        event_id: identity.event_id.to_string(),
        round_canonical_id: round_canonical_id(start_unix, &round.map, round.number),
        gametype: round.gametype,
        timelimit_minutes: round.timelimit_minutes,
        winner: round.winner.into(),
        defender: round.defender.into(),
        end_reason: round.end_reason,
        exit_text: round.exit_text.clone(),
        surrender: round.surrender.clone(),
        score: round.score,
        teams: round.teams.clone(),
        pauses: pauses(round),
        duration_ms: round.played_ms,
        warmup_ms: round.warmup_ms(),
        utc_offset_seconds: identity.utc_offset_seconds,
        server_hostname: round.server_hostname.clone(),
        stats_file: round.stats_file.clone(),
        events: round.timeline.clone(),
        events_dropped: round.timeline_dropped,
        match_uid: matches::match_uid(round, identity).to_string(),
        round_1_event_id: round.first_round.as_ref().map(|r| r.event_id.to_string()),
        sides: matches::sides(round),
        stopwatch: matches::stopwatch(round),
        map_result: matches::map_result(round),
        config: cut(&round.config, bounds::TEXT),
        mod_version: cut(&round.mod_version, bounds::TEXT),
        teams_start: lineups.start,
        substitutions: lineups.substitutions,
        bots: round.players.iter().filter(|p| p.is_bot).count() as u32,
        waves: round.waves.clone(),
    }
}

fn spawn_stats(player: &PlayerStats, round: &Round) -> SpawnStats {
    let dead_seconds = seconds(player.dead_ms);
    SpawnStats {
        guid: player.guid.clone(),
        name: player.name.clone(),
        spawns: player.spawns,
        deaths: player.deaths,
        dead_seconds,
        avg_respawn: dead_seconds
            .checked_div(i64::from(player.deaths))
            .unwrap_or(0),
        max_respawn: seconds(player.max_dead_ms),
        team: player.team.into(),
        revives: player.revives,
        kills: player.kills,
        denied_seconds: seconds(player.denied_ms),
        dead_ms: player.dead_ms,
        max_dead_ms: player.max_dead_ms,
        denied_ms: player.denied_ms,
        alive_ms: player.alive_ms,
        played_ms: player.played_ms,
        is_bot: player.is_bot,
        wave_wait_ms: round.waves.as_ref().map(|_| player.wave_wait_ms),
    }
}

fn pauses(round: &Round) -> Vec<Pause> {
    (1..)
        .zip(&round.pauses)
        .map(|(n, pause)| Pause {
            n,
            at_play_ms: Some(pause.at_play_ms),
            start: seconds(pause.start.unix_ms),
            end: seconds(pause.end.unix_ms),
            sec: seconds(pause.end.level_ms - pause.start.level_ms),
            start_ms: pause.start.level_ms,
            end_ms: pause.end.level_ms,
            by: pause.by.clone(),
        })
        .collect()
}

/// Whole seconds, rounded down.
fn seconds(ms: i64) -> i64 {
    ms / 1000
}

/// The log lines at the end of a round.
pub fn summary(file: &GametimesFile) -> Vec<String> {
    let m = &file.meta;
    let names = |team: &[gametimes_format::PlayerRef]| {
        let names: Vec<&str> = team.iter().map(|p| p.name.as_str()).collect();
        if names.is_empty() {
            "-".to_owned()
        } else {
            names.join(", ")
        }
    };
    let total = |f: fn(&SpawnStats) -> i64| m.spawn_stats.iter().map(f).sum::<i64>();
    vec![
        format!(
            "round end: {} R{} {} after {}, winner {}, score Axis {} Allies {}, pauses {} ({} sec)",
            m.map,
            m.round,
            m.end_reason.as_str(),
            minutes(m.duration_ms),
            m.winner.team().map_or("none", Team::name),
            m.score.axis,
            m.score.allies,
            m.pause_count,
            m.pause_seconds
        ),
        format!(
            "teams: Axis {} | Allies {}",
            names(&m.teams.axis),
            names(&m.teams.allies)
        ),
        format!(
            "summary: players {} spawns {} (revives {}) deaths {} dead {} sec, longest {} sec",
            m.spawn_stats.len(),
            total(|s| i64::from(s.spawns)),
            total(|s| i64::from(s.revives)),
            total(|s| i64::from(s.deaths)),
            total(|s| s.dead_ms) / 1000,
            m.spawn_stats
                .iter()
                .map(|s| s.max_respawn)
                .max()
                .unwrap_or(0)
        ),
    ]
}

/// A time as `8:32.150`.
pub fn minutes(ms: i64) -> String {
    format!("{}:{:02}.{:03}", ms / 60_000, ms / 1000 % 60, ms % 1000)
}
