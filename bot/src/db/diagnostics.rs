//! How reports arrive and whether they are linked to rounds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::ToSpan;
use serde::Serialize;

use super::value::Row;
use super::webhooks::{self, ServerConflict};
use super::{Db, DbError};
use crate::args;

/// How many of the latest reports are shown.
const RECENT: usize = 5;

/// What the database knows about the reports of recorders: the answer of `/api/diagnostics/lua-webhook` without
/// `delivery`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct LuaWebhookDiagnostics {
    /// `ok`; `warning` if some of the queries failed; `error` if the first one failed already.
    pub status: String,
    /// Numbers of reports.
    pub counts: Counts,
    /// How many reports are linked to a round.
    pub linkage_health: LinkageHealth,
    /// How many rounds have a report, by round number.
    pub r1_r2_coverage: Vec<Coverage>,
    /// Reports without a round, at most 20.
    pub orphans: Vec<Orphan>,
    /// Servers that were reported through a webhook that they do not belong to; these reports are not shown.
    pub conflicts: Vec<ServerConflict>,
    /// The latest report.
    pub latest: Option<Latest>,
    /// The latest five reports.
    pub recent: Vec<Recent>,
    /// Numbers by day, over the last 14 days.
    pub trends: Trends,
    /// Queries that failed, each with its error.
    pub errors: Vec<String>,
}

/// Numbers of reports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Counts {
    /// All reports.
    pub total: i64,
    /// Reports without a round.
    pub unlinked_total: i64,
    /// Reports of the last 24 hours.
    pub last_24h: i64,
    /// Reports of the last 24 hours without a round.
    pub unlinked_24h: i64,
}

/// How many reports are linked to a round.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct LinkageHealth {
    /// Reports with a round.
    pub linked: i64,
    /// Reports without a round.
    pub orphans: i64,
    /// Percentage of reports with a round, to one decimal.
    pub linkage_pct: f64,
    /// `healthy` from 90 %, `degraded` from 50 %, else `poor`.
    pub status: String,
}

impl LinkageHealth {
    fn new(counts: &Counts) -> Self {
        let linked = counts.total - counts.unlinked_total;
        let linkage_pct = percent(linked, counts.total);
        let status = match linkage_pct {
            p if p >= 90.0 => "healthy",
            p if p >= 50.0 => "degraded",
            _ => "poor",
        };
        Self {
            linked,
            orphans: counts.unlinked_total,
            linkage_pct,
            status: status.into(),
        }
    }
}

/// How many rounds with a number have a report.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Coverage {
    /// 1 or 2.
    pub round_number: i64,
    /// All rounds with this number.
    pub total_rounds: i64,
    /// Rounds with a report.
    pub with_lua: i64,
    /// Rounds without a report.
    pub without_lua: i64,
    /// Percentage of rounds with a report, to one decimal.
    pub coverage_pct: f64,
}

impl Coverage {
    fn new(round_number: i64, total_rounds: i64, with_lua: i64) -> Self {
        Self {
            round_number,
            total_rounds,
            with_lua,
            without_lua: total_rounds - with_lua,
            coverage_pct: percent(with_lua, total_rounds),
        }
    }
}

/// A report without a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Orphan {
    /// `lua_round_teams.id`.
    pub id: i64,
    /// When the round ended, `YYYY-MM-DD-HHMMSS` in the server's local time.
    pub match_id: String,
    /// Name of the map.
    pub map_name: Option<String>,
    /// 1 or 2.
    pub round_number: i64,
    /// When play began; 0 if unknown.
    pub round_start_unix: i64,
    /// When the report arrived.
    pub captured_at: Option<String>,
    /// Why the report has no round.
    pub reason: String,
}

impl Orphan {
    fn from_row(row: &Row) -> Self {
        let record: Option<i64> = row.get("record_id");
        Self {
            id: row.get("id"),
            match_id: row.get("match_id"),
            map_name: row.get("map_name"),
            round_number: row.get("round_number"),
            round_start_unix: row.get("round_start_unix"),
            captured_at: iso(row.get("captured_unix")),
            reason: match (record, row.get::<i64>("tie")) {
                (None, _) => "stored by another bot, which did not link it",
                (Some(_), 1) => "several stats files, or several reports, fit equally well",
                _ => "its round is not there",
            }
            .into(),
        }
    }
}

/// The latest report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Latest {
    /// The same fields as in `recent`.
    #[serde(flatten)]
    pub recent: Recent,
    /// When play began.
    pub round_start_unix: Option<i64>,
    /// Version of the recorder.
    pub lua_version: Option<String>,
}

impl Latest {
    fn from_row(row: &Row) -> Self {
        Self {
            recent: Recent::from_row(row),
            round_start_unix: row.get("round_start_unix"),
            lua_version: row.get("lua_version"),
        }
    }
}

/// One of the latest reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Recent {
    /// `lua_round_teams.id`.
    pub id: i64,
    /// Name of the map.
    pub map_name: Option<String>,
    /// 1 or 2.
    pub round_number: i64,
    /// When the round ended.
    pub round_end_unix: Option<i64>,
    /// Time played without pauses.
    pub actual_duration_seconds: Option<i64>,
    /// Length of all pauses together.
    pub total_pause_seconds: Option<i64>,
    /// Why the round ended.
    pub end_reason: Option<String>,
    /// When the report arrived.
    pub captured_at: Option<String>,
    /// `rounds.id`; null if the report has no round.
    pub round_id: Option<i64>,
}

impl Recent {
    fn from_row(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            map_name: row.get("map_name"),
            round_number: row.get("round_number"),
            round_end_unix: row.get("round_end_unix"),
            actual_duration_seconds: row.get("actual_duration_seconds"),
            total_pause_seconds: row.get("total_pause_seconds"),
            end_reason: row.get("end_reason"),
            captured_at: iso(row.get("captured_unix")),
            round_id: row.get("round_id"),
        }
    }
}

/// Numbers by day, over the last 14 days, latest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Trends {
    /// Reports by the day on which they arrived, in UTC.
    pub lua_rows_by_day: Vec<LuaRows>,
    /// Rounds by the day on which they were played, in the server's local time.
    pub rounds_without_lua_by_day: Vec<RoundsWithout>,
}

/// Reports of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LuaRows {
    /// `YYYY-MM-DD`.
    pub day: String,
    /// All reports.
    pub lua_rows: i64,
    /// Reports without a round.
    pub unlinked_rows: i64,
}

impl LuaRows {
    /// `days` since 1970.
    fn new(days: i64, lua_rows: i64, unlinked_rows: i64) -> Self {
        let day = Timestamp::from_second(days.saturating_mul(86_400)).unwrap_or_default();
        Self {
            day: day.strftime("%Y-%m-%d").to_string(),
            lua_rows,
            unlinked_rows,
        }
    }
}

/// Rounds of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RoundsWithout {
    /// `YYYY-MM-DD`.
    pub day: String,
    /// All rounds.
    pub rounds_total: i64,
    /// Rounds without a report.
    pub rounds_without_lua: i64,
}

impl RoundsWithout {
    fn from_row(row: &Row) -> Self {
        Self {
            day: row.get("round_date"),
            rounds_total: row.get("rounds_total"),
            rounds_without_lua: row.get("rounds_without_lua"),
        }
    }
}

impl Db {
    /// Whether the database answers.
    pub async fn is_reachable(&self) -> bool {
        self.database.row("SELECT 1", &[]).await.is_ok()
    }

    /// Runs all queries about reports. A query that fails is listed in `errors`, and the others are answered.
    pub async fn lua_webhook_diagnostics(&self) -> LuaWebhookDiagnostics {
        let (counts, linked) = match self.report_counts().await {
            Ok(counts) => counts,
            Err(error) => {
                return LuaWebhookDiagnostics {
                    status: "error".into(),
                    errors: vec![format!("count_failed: {error}")],
                    ..LuaWebhookDiagnostics::default()
                };
            }
        };
        let mut errors = Vec::new();
        let r1_r2_coverage = or_error(self.coverage(&linked).await, "r1_r2_coverage", &mut errors);
        let orphans = or_error(self.orphans().await, "orphans", &mut errors);
        let conflicts = webhooks::conflicts(&self.database).await;
        let conflicts = or_error(conflicts, "conflicts", &mut errors);
        let (latest, recent) = or_error(self.recent_reports().await, "recent", &mut errors);
        let trends = or_error(self.trends().await, "trends", &mut errors);
        LuaWebhookDiagnostics {
            status: if errors.is_empty() { "ok" } else { "warning" }.into(),
            linkage_health: LinkageHealth::new(&counts),
            counts,
            r1_r2_coverage,
            orphans,
            conflicts,
            latest,
            recent,
            trends,
            errors,
        }
    }

    /// The counts of all reports, and how many of each number have a round.
    async fn report_counts(&self) -> Result<(Counts, BTreeMap<i64, i64>), DbError> {
        let sql = "SELECT round_number, COUNT(*) AS reports, COUNT(round_id) AS linked FROM lua_round_teams \
                   GROUP BY round_number";
        let rows = self.database.rows(sql, &[]).await?;
        let sum = |column| rows.iter().map(|row| row.get::<i64>(column)).sum::<i64>();
        let sql = format!(
            "SELECT COUNT(*) AS reports, COUNT(round_id) AS linked FROM lua_round_teams WHERE captured_at >= {}",
            self.database.timestamp("$1")
        );
        let day_ago = Timestamp::now().as_second() - 24 * 3600;
        let recent = self.database.row(&sql, args![day_ago]).await?;
        let of_day = |column| recent.as_ref().map_or(0, |row| row.get::<i64>(column));
        let counts = Counts {
            total: sum("reports"),
            unlinked_total: sum("reports") - sum("linked"),
            last_24h: of_day("reports"),
            unlinked_24h: of_day("reports") - of_day("linked"),
        };
        let linked = rows
            .iter()
            .map(|row| (row.get("round_number"), row.get("linked")));
        Ok((counts, linked.collect()))
    }

    /// `linked`: how many reports of each number have a round.
    async fn coverage(&self, linked: &BTreeMap<i64, i64>) -> Result<Vec<Coverage>, DbError> {
        let sql = "SELECT round_number, COUNT(*) AS total_rounds FROM rounds WHERE round_number IN (1, 2) \
                   GROUP BY round_number ORDER BY round_number";
        let rows = self.database.rows(sql, &[]).await?;
        let coverage = rows.iter().map(|row| {
            let number: i64 = row.get("round_number");
            let with_lua = linked.get(&number).copied().unwrap_or(0);
            Coverage::new(number, row.get("total_rounds"), with_lua)
        });
        Ok(coverage.collect())
    }

    async fn orphans(&self) -> Result<Vec<Orphan>, DbError> {
        let sql = format!(
            "SELECT l.id, l.match_id, l.map_name, l.round_number, l.round_start_unix, {} AS captured_unix, \
             g.id AS record_id, g.tie FROM lua_round_teams l \
             LEFT JOIN gametimes_groups g ON g.recorded_match_id = l.match_id AND g.round_number = l.round_number \
             WHERE l.round_id IS NULL ORDER BY l.id LIMIT 20",
            self.database.epoch("l.captured_at")
        );
        let rows = self.database.rows(&sql, &[]).await?;
        Ok(rows.iter().map(Orphan::from_row).collect())
    }

    async fn recent_reports(&self) -> Result<(Option<Latest>, Vec<Recent>), DbError> {
        // An index has the times in this order. Another bot may have stored reports without one: they are the last.
        let mut rows = self.reports("captured_at IS NOT NULL", RECENT).await?;
        let missing = RECENT - rows.len();
        if missing > 0 {
            rows.extend(self.reports("captured_at IS NULL", missing).await?);
        }
        let latest = rows.first().map(Latest::from_row);
        Ok((latest, rows.iter().map(Recent::from_row).collect()))
    }

    /// The latest reports of those that meet a condition.
    async fn reports(&self, condition: &str, limit: usize) -> Result<Vec<Row>, DbError> {
        let sql = format!(
            "SELECT id, map_name, round_number, round_end_unix, actual_duration_seconds, total_pause_seconds, end_reason, \
             {} AS captured_unix, round_id, round_start_unix, lua_version FROM lua_round_teams \
             WHERE {condition} ORDER BY captured_at DESC, id DESC LIMIT {limit}",
            self.database.epoch("captured_at")
        );
        self.database.rows(&sql, &[]).await
    }

    async fn trends(&self) -> Result<Trends, DbError> {
        let now = Timestamp::now();
        let from = now.as_second() - 14 * 24 * 3600;
        // Reports that came together have the same time.
        let sql = format!(
            "SELECT {} AS captured_unix, COUNT(*) AS lua_rows, COUNT(*) - COUNT(round_id) AS unlinked_rows \
             FROM lua_round_teams WHERE captured_at >= {} GROUP BY captured_at",
            self.database.epoch("captured_at"),
            self.database.timestamp("$1")
        );
        let mut by_day: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        for row in self.database.rows(&sql, args![from]).await? {
            let day = by_day.entry(row.get::<i64>("captured_unix").div_euclid(86_400));
            let (rows, unlinked) = day.or_default();
            *rows += row.get::<i64>("lua_rows");
            *unlinked += row.get::<i64>("unlinked_rows");
        }
        let latest_first = by_day.into_iter().rev();
        let lua_rows_by_day = latest_first
            .map(|(days, (lua_rows, unlinked_rows))| LuaRows::new(days, lua_rows, unlinked_rows))
            .collect();
        let today = now.to_zoned(self.zone().clone()).date();
        let back = |days: i32| today.checked_sub(days.days()).unwrap_or(today).to_string();
        // An index has the order, which begins with the day on which a round ended: its own, or the one after it.
        let sql = format!(
            "SELECT r.round_date, COUNT(*) AS rounds_total, COUNT(*) - COUNT(l.id) AS rounds_without_lua \
             FROM rounds r LEFT JOIN lua_round_teams l ON l.round_id = r.id \
             WHERE r.round_number IN (1, 2) AND r.round_date >= $1 AND {} >= $2 GROUP BY r.round_date ORDER BY 1 DESC",
            self.play_order()
        );
        let rows = self.database.rows(&sql, args![back(14), back(15)]).await?;
        Ok(Trends {
            lua_rows_by_day,
            rounds_without_lua_by_day: rows.iter().map(RoundsWithout::from_row).collect(),
        })
    }
}

/// The answer of a query; the default, and an entry in `errors`, if the query failed.
fn or_error<T: Default>(answer: Result<T, DbError>, query: &str, errors: &mut Vec<String>) -> T {
    answer.unwrap_or_else(|error| {
        errors.push(format!("{query}_failed: {error}"));
        T::default()
    })
}

fn percent(part: i64, whole: i64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        (1000.0 * part as f64 / whole as f64).round() / 10.0
    }
}

/// A time as the website writes it.
fn iso(unix: Option<i64>) -> Option<String> {
    let time = Timestamp::from_second(unix?).ok()?;
    Some(time.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string())
}
