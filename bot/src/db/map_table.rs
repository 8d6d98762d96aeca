//! Questions about maps. They are answered from the sums that [`Db::refresh_players`] computes.

use serde::Serialize;

use super::Db;
use super::error::DbError;
use super::value::Row;
use crate::args;

/// What was played on a map, in the rounds that count: without rounds that were cut off, those with bots, and a round 2 without its
/// round 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct MapFigures {
    /// Name of the map.
    pub map_name: String,
    /// Number of rounds.
    pub rounds: i64,
    /// Number of matches.
    pub matches: i64,
    /// How often the attackers completed the map in stopwatch.
    pub times_set: i64,
    /// How often the defenders held it.
    pub held: i64,
    /// Rounds that were held, in percent of these two; null if there are none.
    pub held_share: Option<f64>,
    /// The fastest time in ms.
    pub fastest_ms: Option<i64>,
    /// `rounds.id` of the round with the fastest time.
    pub fastest_round_id: Option<i64>,
    /// The team that set it.
    pub fastest_by: Option<String>,
    /// The last day on which it was played, `YYYY-MM-DD` in the server's local time.
    pub last_day: String,
}

/// The fastest time of a day on a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapRecord {
    /// `YYYY-MM-DD` in the server's local time.
    pub day: String,
    /// The time in ms.
    pub ms: i64,
    /// `rounds.id`.
    pub round_id: i64,
    /// The team that set it.
    pub by: String,
}

impl MapFigures {
    fn from_row(row: &Row) -> Self {
        let (times_set, held): (i64, i64) = (row.get("times_set"), row.get("held"));
        let all = times_set + held;
        Self {
            map_name: row.get("map_name"),
            rounds: row.get("rounds"),
            matches: row.get("matches"),
            times_set,
            held,
            held_share: (all > 0).then(|| (held as f64 * 1000.0 / all as f64).round() / 10.0),
            fastest_ms: row.get("fastest_ms"),
            fastest_round_id: row.get("fastest_round_id"),
            fastest_by: row.get("fastest_by"),
            last_day: row.get("last_day"),
        }
    }
}

impl Db {
    /// The maps, those with the most rounds first. `since` is the first day that counts, `YYYY-MM-DD`; `map` the whole name of the
    /// only map, empty for all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn maps(&self, since: Option<&str>, map: &str) -> Result<Vec<MapFigures>, DbError> {
        let sums = ["rounds", "matches", "times_set", "held"]
            .map(|sum| format!("CAST(SUM({sum}) AS BIGINT) AS {sum}"));
        let fastest = ["fastest_round_id", "fastest_by"].map(|column| {
            format!(
                "(SELECT f.{column} FROM gametimes_map_days f WHERE f.map_name = s.map_name \
                 AND f.fastest_ms = s.fastest_ms AND f.day >= $1 ORDER BY f.day LIMIT 1) AS {column}"
            )
        });
        let sql = format!(
            "SELECT s.*, {} FROM (SELECT map_name, {}, MIN(fastest_ms) AS fastest_ms, MAX(day) AS last_day \
             FROM gametimes_map_days WHERE day >= $1 AND ($2 = '' OR LOWER(map_name) = LOWER($2)) GROUP BY map_name) AS s \
             ORDER BY rounds DESC, map_name",
            fastest.join(", "),
            sums.join(", "),
        );
        let values = args![since.unwrap_or_default(), map];
        let rows = self.database.rows(&sql, values).await?;
        Ok(rows.iter().map(MapFigures::from_row).collect())
    }

    /// The fastest times on a map, at most one of each day.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn map_records(&self, map: &str, limit: i64) -> Result<Vec<MapRecord>, DbError> {
        let sql = "SELECT day, fastest_ms, fastest_round_id, fastest_by FROM gametimes_map_days \
                   WHERE map_name = $1 AND fastest_ms IS NOT NULL ORDER BY fastest_ms, day LIMIT $2";
        let rows = self.database.rows(sql, args![map, limit]).await?;
        let record = |row: &Row| MapRecord {
            day: row.get("day"),
            ms: row.get("fastest_ms"),
            round_id: row.get("fastest_round_id"),
            by: row.get("fastest_by"),
        };
        Ok(rows.iter().map(record).collect())
    }
}
