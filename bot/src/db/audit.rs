//! The rows that the spawn audit compares.

use std::collections::{BTreeSet, HashMap};

use gametimes_rounds::audit::{
    AuditRound, AuditRow, AuditStats, FlaggedRow, Params, RecordedRound, SpawnAudit, compare,
    explain, most_telling,
};

use super::connection::placeholders;
use super::value::Value;
use super::{Db, DbError};
use crate::args;

/// Compares the latest rows of `lua_spawn_stats` with the stats files.
///
/// # Errors
/// When the database fails.
pub async fn spawn_audit(db: &Db, limit: i64, diff_seconds: i64) -> Result<SpawnAudit, DbError> {
    let (summary, mut flagged) = compare(audit_rows(db, limit).await?, diff_seconds);
    add_rounds(db, &mut flagged).await?;
    let chosen = most_telling(flagged);
    let ids: BTreeSet<i64> = chosen
        .iter()
        .filter_map(|row| row.sample.round_id)
        .collect();
    let recorded = recorded_rounds(db, ids).await?;
    let nothing = RecordedRound::default();
    let samples = chosen.into_iter().map(|row| {
        let round = row.sample.round_id.and_then(|id| recorded.get(&id));
        explain(row, round.unwrap_or(&nothing))
    });
    Ok(SpawnAudit {
        status: "ok".into(),
        summary,
        samples: samples.collect(),
        params: Params {
            limit,
            diff_seconds,
        },
    })
}

async fn audit_rows(db: &Db, limit: i64) -> Result<Vec<AuditRow>, DbError> {
    let mut rows = Vec::new();
    let mut last = None;
    for row in db
        .database
        .rows(&players_of_spawns(db), args![limit])
        .await?
    {
        // Two players of a stats file can share the first 8 digits: the first of them counts.
        if std::mem::replace(&mut last, row.int(0)) == row.int(0) {
            continue;
        }
        let minutes_dead = row.real(13).unwrap_or_default();
        rows.push(AuditRow {
            round_id: row.int(1),
            match_id: row.string(2),
            round_number: row.int(3).unwrap_or_default(),
            map_name: row.text(4).map(str::to_owned),
            player_guid: row.text(5).map(str::to_owned),
            player_name: row.text(6).map(str::to_owned),
            spawn_count: row.int(7),
            death_count: row.int(8),
            dead_seconds: row.int(9).unwrap_or_default(),
            avg_respawn_seconds: row.int(10),
            max_respawn_seconds: row.int(11),
            stats: row.int(12).map(|_| AuditStats {
                dead_seconds: (minutes_dead * 60.0).round() as i64,
                played_seconds: row.int(14).unwrap_or_default(),
                counter_reset: row
                    .text(15)
                    .is_some_and(|flags| flags.contains("counter_reset")),
            }),
        });
    }
    Ok(rows)
}

/// SQL for the latest rows of `lua_spawn_stats`, `$1` at most, each with its player of the stats file.
pub fn players_of_spawns(db: &Db) -> String {
    let spawns = [
        "id",
        "round_id",
        "match_id",
        "round_number",
        "map_name",
        "player_guid",
        "player_name",
        "spawn_count",
        "death_count",
        "dead_seconds",
        "avg_respawn_seconds",
        "max_respawn_seconds",
    ];
    let players = [
        "id",
        "time_dead_minutes",
        "time_played_seconds",
        "gametimes_flags",
    ];
    format!(
        "SELECT {}, {} FROM (SELECT * FROM lua_spawn_stats ORDER BY id DESC LIMIT $1) s \
         LEFT JOIN player_comprehensive_stats p ON p.round_id = s.round_id \
         AND UPPER(SUBSTR(p.player_guid, 1, 8)) = UPPER(SUBSTR(s.player_guid, 1, 8)) ORDER BY s.id DESC, p.id",
        db.select("lua_spawn_stats", "s", &spawns),
        db.select("player_comprehensive_stats", "p", &players),
    )
}

/// Looks up the rounds of flagged rows. Joined to a thousand rows, PostgreSQL would read all rounds.
async fn add_rounds(db: &Db, flagged: &mut [FlaggedRow]) -> Result<(), DbError> {
    let columns = [
        "end_reason",
        "stats_duration_seconds",
        "actual_duration_seconds",
        "duration_ms",
        "stats_file",
        "round_start_unix",
        "recorder",
    ];
    let ids: BTreeSet<i64> = flagged
        .iter()
        .filter_map(|row| row.sample.round_id)
        .collect();
    if ids.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "SELECT r.id, {} FROM rounds r WHERE r.id IN ({})",
        db.select("rounds", "r", &columns),
        db.database.placeholders(ids.len())
    );
    let ids: Vec<Value> = ids.into_iter().map(Value::from).collect();
    let rows = db.database.rows(&sql, &ids).await?;
    let rounds: HashMap<Option<i64>, AuditRound> = rows
        .iter()
        .map(|row| {
            let round = AuditRound {
                ended_early: matches!(row.text(1), Some("surrender" | "time_expired")),
                stats_duration_seconds: row.int(2),
                duration_seconds: row.int(3),
                duration_ms: row.int(4).unwrap_or_default(),
                has_stats_file: row.text(5).is_some_and(|name| !name.is_empty()),
                start_unix: row.int(6).unwrap_or_default(),
                old_script: row.text(7) == Some("old script"),
            };
            (row.int(0), round)
        })
        .collect();
    for row in flagged {
        if let Some(round) = rounds.get(&row.sample.round_id) {
            row.round = round.clone();
        }
    }
    Ok(())
}

/// What the recorder reported about rounds.
async fn recorded_rounds(
    db: &Db,
    round_ids: BTreeSet<i64>,
) -> Result<HashMap<i64, RecordedRound>, DbError> {
    let mut recorded: HashMap<i64, RecordedRound> = HashMap::new();
    if round_ids.is_empty() {
        return Ok(recorded);
    }
    if db.has("lua_round_teams") {
        let ids: Vec<Value> = round_ids.iter().map(|id| (*id).into()).collect();
        let sql = format!(
            "SELECT t.round_id, {} FROM lua_round_teams t WHERE t.round_id IN ({})",
            db.select("lua_round_teams", "t", &["lua_pause_events"]),
            placeholders(ids.len())
        );
        for row in db.database.rows(&sql, &ids).await? {
            recorded
                .entry(row.int(0).unwrap_or_default())
                .or_default()
                .pauses = serde_json::from_value(row.json(1)).unwrap_or_default();
        }
    }
    for (id, timeline) in db.timelines(&round_ids).await? {
        recorded.entry(id).or_default().timeline =
            serde_json::from_slice(&timeline).unwrap_or_default();
    }
    Ok(recorded)
}
