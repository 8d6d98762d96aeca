//! The rows that the spawn audit compares.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gametimes_format::Pause;
use gametimes_rounds::audit::{
    AuditRound, AuditRow, AuditStats, FlaggedRow, Params, RecordedRound, Sample, SpawnAudit,
    compare, explain, most_telling,
};
use serde_json::Value as Json;

use super::value::{Row, Value, non_empty};
use super::{Db, DbError};
use crate::args;

impl Db {
    /// Compares the latest `limit` rows of `lua_spawn_stats` with the stats files, and explains differences of more than
    /// `diff_seconds`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn spawn_audit(&self, limit: i64, diff_seconds: i64) -> Result<SpawnAudit, DbError> {
        let rows = self.audit_rows(limit).await?;
        let (summary, mut flagged) = compare(rows, diff_seconds);
        let rounds = self.audit_rounds(&flagged).await?;
        for row in &mut flagged {
            let round = row.sample.round_id.and_then(|id| rounds.get(&id));
            row.round = round.cloned().unwrap_or_default();
        }
        let chosen = most_telling(flagged);
        Ok(SpawnAudit {
            status: "ok".into(),
            summary,
            samples: self.explain(chosen).await?,
            params: Params {
                limit,
                diff_seconds,
            },
        })
    }

    /// SQL for the latest rows of `lua_spawn_stats`, at most `$1`, each with its player of the stats file.
    pub fn spawn_audit_sql(&self) -> String {
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
        let stats = [
            "time_dead_minutes",
            "time_played_seconds",
            "gametimes_flags",
        ];
        format!(
            "SELECT {}, p.id AS stats_id, {} FROM (SELECT * FROM lua_spawn_stats ORDER BY id DESC LIMIT $1) s \
             LEFT JOIN player_comprehensive_stats p ON p.round_id = s.round_id \
             AND UPPER(SUBSTR(p.player_guid, 1, 8)) = UPPER(SUBSTR(s.player_guid, 1, 8)) ORDER BY s.id DESC, p.id",
            self.select("lua_spawn_stats", "s", &spawns),
            self.select("player_comprehensive_stats", "p", &stats),
        )
    }

    async fn audit_rows(&self, limit: i64) -> Result<Vec<AuditRow>, DbError> {
        let mut rows = self
            .database
            .rows(&self.spawn_audit_sql(), args![limit])
            .await?;
        // Two players of a stats file can share the first 8 digits of the guid: the first of them counts.
        rows.dedup_by_key(|row| row.get::<i64>("id"));
        Ok(rows.iter().map(audit_row).collect())
    }

    /// The rounds of flagged rows, asked for afterwards: in a join with a thousand rows, PostgreSQL reads all rounds.
    async fn audit_rounds(
        &self,
        flagged: &[FlaggedRow],
    ) -> Result<HashMap<i64, AuditRound>, DbError> {
        let columns = [
            "id",
            "end_reason",
            "stats_duration_seconds",
            "actual_duration_seconds",
            "duration_ms",
            "stats_file",
            "round_start_unix",
            "recorder",
        ];
        let sql = format!(
            "SELECT {} FROM rounds r WHERE r.id",
            self.select("rounds", "r", &columns)
        );
        let ids: Vec<Value> = round_ids(flagged).into_iter().map(Value::from).collect();
        let rows = self.database.rows_in(&sql, &ids).await?;
        Ok(rows
            .iter()
            .map(|row| (row.get("id"), audit_round(row)))
            .collect())
    }

    /// Finds the reasons of all rows, round by round: together, the timelines could take a lot of memory.
    async fn explain(&self, rows: Vec<FlaggedRow>) -> Result<Vec<Sample>, DbError> {
        let pauses = self.pauses(round_ids(&rows)).await?;
        let mut by_round: BTreeMap<Option<i64>, Vec<(usize, FlaggedRow)>> = BTreeMap::new();
        for (at, row) in rows.into_iter().enumerate() {
            let rows = by_round.entry(row.sample.round_id).or_default();
            rows.push((at, row));
        }
        let mut samples = BTreeMap::new();
        for (id, rows) in by_round {
            let mut recorded = RecordedRound::default();
            if let Some(id) = id {
                let timeline = self.timeline(id).await?.unwrap_or_default();
                recorded.timeline = serde_json::from_slice(&timeline).unwrap_or_default();
                recorded.pauses = pauses.get(&id).cloned().unwrap_or_default();
            }
            samples.extend(
                rows.into_iter()
                    .map(|(at, row)| (at, explain(row, &recorded))),
            );
        }
        Ok(samples.into_values().collect())
    }

    /// The pauses of rounds.
    async fn pauses(&self, round_ids: BTreeSet<i64>) -> Result<HashMap<i64, Vec<Pause>>, DbError> {
        let mut recorded = HashMap::new();
        if self.has("lua_round_teams") {
            let ids: Vec<Value> = round_ids.iter().map(|id| (*id).into()).collect();
            let sql = format!(
                "SELECT {} FROM lua_round_teams t WHERE t.round_id",
                self.select("lua_round_teams", "t", &["round_id", "lua_pause_events"])
            );
            for row in self.database.rows_in(&sql, &ids).await? {
                let pauses: Json = row.get("lua_pause_events");
                let pauses = serde_json::from_value(pauses).unwrap_or_default();
                recorded.insert(row.get("round_id"), pauses);
            }
        }
        Ok(recorded)
    }
}

fn round_ids(rows: &[FlaggedRow]) -> BTreeSet<i64> {
    rows.iter().filter_map(|row| row.sample.round_id).collect()
}

fn audit_row(row: &Row) -> AuditRow {
    let minutes_dead: f64 = row.get("time_dead_minutes");
    let flags: String = row.get("gametimes_flags");
    AuditRow {
        round_id: row.get("round_id"),
        match_id: row.get("match_id"),
        round_number: row.get("round_number"),
        map_name: row.get("map_name"),
        player_guid: row.get("player_guid"),
        player_name: row.get("player_name"),
        spawn_count: row.get("spawn_count"),
        death_count: row.get("death_count"),
        dead_seconds: row.get("dead_seconds"),
        avg_respawn_seconds: row.get("avg_respawn_seconds"),
        max_respawn_seconds: row.get("max_respawn_seconds"),
        stats: row.get::<Option<i64>>("stats_id").map(|_| AuditStats {
            dead_seconds: (minutes_dead * 60.0).round() as i64,
            played_seconds: row.get("time_played_seconds"),
            counter_reset: flags.contains("counter_reset"),
        }),
    }
}

fn audit_round(row: &Row) -> AuditRound {
    let end_reason: String = row.get("end_reason");
    let recorder: String = row.get("recorder");
    AuditRound {
        has_stats_file: non_empty(row, "stats_file").is_some(),
        ended_early: matches!(end_reason.as_str(), "surrender" | "time_expired"),
        stats_duration_seconds: row.get("stats_duration_seconds"),
        duration_seconds: row.get("actual_duration_seconds"),
        duration_ms: row.get("duration_ms"),
        start_unix: row.get("round_start_unix"),
        old_script: recorder == "old script",
    }
}
