//! How messages arrive and whether they find their rounds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::ToSpan;
use serde::Serialize;

use crate::args;
use crate::db::value::Row;
use crate::db::{Db, DbError};
use crate::status::{Delivery, Status};

/// The answer of `/api/diagnostics/lua-webhook`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct LuaWebhook {
    /// `ok`; `warning` when a part could not be told; `error` when nothing could.
    pub status: String,
    /// How many messages there are.
    pub counts: Counts,
    /// How many of them found their round.
    pub linkage_health: LinkageHealth,
    /// How many rounds have a message, by round number.
    pub r1_r2_coverage: Vec<Coverage>,
    /// Messages without a round, 20 at most.
    pub orphans: Vec<Orphan>,
    /// The latest message.
    pub latest: Option<Latest>,
    /// The latest five.
    pub recent: Vec<Recent>,
    /// Over the last 14 days.
    pub trends: Trends,
    /// What could not be told, and why.
    pub errors: Vec<String>,
    /// Each source since the bot started.
    pub delivery: BTreeMap<String, Delivery>,
}

/// Numbers of messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Counts {
    /// All.
    pub total: i64,
    /// Without a round.
    pub unlinked_total: i64,
    /// In the last 24 hours.
    pub last_24h: i64,
    /// In the last 24 hours without a round.
    pub unlinked_24h: i64,
}

/// How well messages find their rounds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct LinkageHealth {
    /// With a round.
    pub linked: i64,
    /// Without.
    pub orphans: i64,
    /// Of a hundred, with one decimal.
    pub linkage_pct: f64,
    /// `healthy` from 90, `degraded` from 50, else `poor`.
    pub status: String,
}

/// How many rounds have a message.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Coverage {
    /// 1 or 2.
    pub round_number: i64,
    /// All rounds.
    pub total_rounds: i64,
    /// With a message.
    pub with_lua: i64,
    /// Without.
    pub without_lua: i64,
    /// Of a hundred, with one decimal.
    pub coverage_pct: f64,
}

/// A message without a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Orphan {
    /// `lua_round_teams.id`.
    pub id: i64,
    /// `YYYY-MM-DD-HHMMSS`.
    pub match_id: String,
    /// The map.
    pub map_name: Option<String>,
    /// 1 or 2.
    pub round_number: i64,
    /// When play began; 0 when unknown.
    pub round_start_unix: i64,
    /// When it came.
    pub captured_at: Option<String>,
    /// Why it has no round.
    pub reason: String,
}

/// The latest message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Latest {
    /// What [`Recent`] tells too.
    #[serde(flatten)]
    pub recent: Recent,
    /// When play began.
    pub round_start_unix: Option<i64>,
    /// The recorder's version.
    pub lua_version: Option<String>,
}

/// One of the latest messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Recent {
    /// `lua_round_teams.id`.
    pub id: i64,
    /// The map.
    pub map_name: Option<String>,
    /// 1 or 2.
    pub round_number: i64,
    /// When the round was over.
    pub round_end_unix: Option<i64>,
    /// Time played.
    pub actual_duration_seconds: Option<i64>,
    /// Sum of the pauses.
    pub total_pause_seconds: Option<i64>,
    /// Why it ended.
    pub end_reason: Option<String>,
    /// When it came.
    pub captured_at: Option<String>,
    /// Its round.
    pub round_id: Option<i64>,
}

/// Over the last 14 days, latest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Trends {
    /// Messages by the day on which they came.
    pub lua_rows_by_day: Vec<LuaRows>,
    /// Rounds by their day.
    pub rounds_without_lua_by_day: Vec<RoundsWithout>,
}

/// Messages of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LuaRows {
    /// `YYYY-MM-DD`.
    pub day: String,
    /// All.
    pub lua_rows: i64,
    /// Without a round.
    pub unlinked_rows: i64,
}

/// Rounds of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RoundsWithout {
    /// `YYYY-MM-DD`.
    pub day: String,
    /// All.
    pub rounds_total: i64,
    /// Without a message.
    pub rounds_without_lua: i64,
}

/// Asks everything; what fails is told in `errors`, and the rest is answered.
pub async fn lua_webhook(store: &Db, status: &Status) -> LuaWebhook {
    let mut answer = LuaWebhook {
        status: "ok".into(),
        delivery: status.delivery(),
        ..LuaWebhook::default()
    };
    match counts(store).await {
        Ok(counts) => {
            answer.linkage_health = health(&counts);
            answer.counts = counts;
        }
        Err(error) => {
            answer.status = "error".into();
            answer.errors.push(format!("count_failed: {error}"));
            return answer;
        }
    }
    let mut note =
        |what: &str, error: DbError| answer.errors.push(format!("{what}_failed: {error}"));
    match coverage(store).await {
        Ok(coverage) => answer.r1_r2_coverage = coverage,
        Err(error) => note("r1_r2_coverage", error),
    }
    match orphans(store).await {
        Ok(orphans) => answer.orphans = orphans,
        Err(error) => note("orphans", error),
    }
    match recent(store).await {
        Ok((latest, recent)) => (answer.latest, answer.recent) = (latest, recent),
        Err(error) => note("recent", error),
    }
    match trends(store).await {
        Ok(trends) => answer.trends = trends,
        Err(error) => note("trends", error),
    }
    if !answer.errors.is_empty() {
        answer.status = "warning".into();
    }
    answer
}

fn percent(part: i64, whole: i64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        (1000.0 * part as f64 / whole as f64).round() / 10.0
    }
}

fn health(counts: &Counts) -> LinkageHealth {
    let linked = counts.total - counts.unlinked_total;
    let linkage_pct = percent(linked, counts.total);
    let status = match linkage_pct {
        p if p >= 90.0 => "healthy",
        p if p >= 50.0 => "degraded",
        _ => "poor",
    };
    LinkageHealth {
        linked,
        orphans: counts.unlinked_total,
        linkage_pct,
        status: status.into(),
    }
}

async fn counts(store: &Db) -> Result<Counts, DbError> {
    let day_ago = Timestamp::now().as_second() - 24 * 3600;
    let sql = format!(
        "SELECT COUNT(*), COUNT(*) - COUNT(round_id), COALESCE(SUM(CASE WHEN {at} >= $1 THEN 1 ELSE 0 END), 0), \
         COALESCE(SUM(CASE WHEN {at} >= $1 AND round_id IS NULL THEN 1 ELSE 0 END), 0) FROM lua_round_teams",
        at = store.database.epoch("captured_at")
    );
    let row = store.database.row(&sql, args![day_ago]).await?;
    let n = |i| row.as_ref().and_then(|row| row.int(i)).unwrap_or_default();
    Ok(Counts {
        total: n(0),
        unlinked_total: n(1),
        last_24h: n(2),
        unlinked_24h: n(3),
    })
}

async fn coverage(store: &Db) -> Result<Vec<Coverage>, DbError> {
    let sql = "SELECT r.round_number, COUNT(*), COUNT(l.id) FROM rounds r \
               LEFT JOIN lua_round_teams l ON l.round_id = r.id WHERE r.round_number IN (1, 2) \
               GROUP BY r.round_number ORDER BY r.round_number";
    let rows = store.database.rows(sql, &[]).await?;
    let coverage = |row: &Row| {
        let (total_rounds, with_lua) = (
            row.int(1).unwrap_or_default(),
            row.int(2).unwrap_or_default(),
        );
        Coverage {
            round_number: row.int(0).unwrap_or_default(),
            total_rounds,
            with_lua,
            without_lua: total_rounds - with_lua,
            coverage_pct: percent(with_lua, total_rounds),
        }
    };
    Ok(rows.iter().map(coverage).collect())
}

/// A time as the website writes it.
fn iso(unix: Option<i64>) -> Option<String> {
    let time = Timestamp::from_second(unix?).ok()?;
    Some(time.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string())
}

async fn orphans(store: &Db) -> Result<Vec<Orphan>, DbError> {
    let sql = format!(
        "SELECT l.id, l.match_id, l.map_name, l.round_number, l.round_start_unix, {}, g.id, g.tie \
         FROM lua_round_teams l \
         LEFT JOIN gametimes_groups g ON g.match_id = l.match_id AND g.round_number = l.round_number \
         WHERE l.round_id IS NULL ORDER BY l.id LIMIT 20",
        store.database.epoch("l.captured_at")
    );
    let rows = store.database.rows(&sql, &[]).await?;
    let orphan = |row: &Row| Orphan {
        id: row.int(0).unwrap_or_default(),
        match_id: row.string(1),
        map_name: row.text(2).map(str::to_owned),
        round_number: row.int(3).unwrap_or_default(),
        round_start_unix: row.int(4).unwrap_or_default(),
        captured_at: iso(row.int(5)),
        reason: match (row.int(6), row.int(7)) {
            (None, _) => "stored by another bot, which did not link it",
            (Some(_), Some(1)) => "several stats files, or several reports, fit equally well",
            _ => "its round is not there",
        }
        .into(),
    };
    Ok(rows.iter().map(orphan).collect())
}

async fn recent(store: &Db) -> Result<(Option<Latest>, Vec<Recent>), DbError> {
    let sql = format!(
        "SELECT id, map_name, round_number, round_end_unix, actual_duration_seconds, total_pause_seconds, end_reason, \
         {}, round_id, round_start_unix, lua_version FROM lua_round_teams \
         ORDER BY captured_at DESC NULLS LAST, id DESC LIMIT 5",
        store.database.epoch("captured_at")
    );
    let rows = store.database.rows(&sql, &[]).await?;
    let recent = |row: &Row| Recent {
        id: row.int(0).unwrap_or_default(),
        map_name: row.text(1).map(str::to_owned),
        round_number: row.int(2).unwrap_or_default(),
        round_end_unix: row.int(3),
        actual_duration_seconds: row.int(4),
        total_pause_seconds: row.int(5),
        end_reason: row.text(6).map(str::to_owned),
        captured_at: iso(row.int(7)),
        round_id: row.int(8),
    };
    let latest = rows.first().map(|row| Latest {
        recent: recent(row),
        round_start_unix: row.int(9),
        lua_version: row.text(10).map(str::to_owned),
    });
    Ok((latest, rows.iter().map(recent).collect()))
}

async fn trends(store: &Db) -> Result<Trends, DbError> {
    let now = Timestamp::now();
    let from = now.as_second() - 14 * 24 * 3600;
    let sql = format!(
        "SELECT {at} / 86400, COUNT(*), COUNT(*) - COUNT(round_id) FROM lua_round_teams WHERE {at} >= $1 \
         GROUP BY {at} / 86400 ORDER BY 1 DESC",
        at = store.database.epoch("captured_at")
    );
    let day = |days: i64| {
        Timestamp::from_second(days * 86_400)
            .unwrap_or_default()
            .strftime("%Y-%m-%d")
            .to_string()
    };
    let rows = store.database.rows(&sql, args![from]).await?;
    let lua_rows_by_day = rows
        .iter()
        .map(|row| LuaRows {
            day: day(row.int(0).unwrap_or_default()),
            lua_rows: row.int(1).unwrap_or_default(),
            unlinked_rows: row.int(2).unwrap_or_default(),
        })
        .collect();
    let today = now.to_zoned(store.zone().clone()).date();
    let first = today.checked_sub(14.days()).unwrap_or(today).to_string();
    let sql = "SELECT r.round_date, COUNT(*), COUNT(*) - COUNT(l.id) FROM rounds r \
               LEFT JOIN lua_round_teams l ON l.round_id = r.id \
               WHERE r.round_number IN (1, 2) AND r.round_date >= $1 GROUP BY r.round_date ORDER BY 1 DESC";
    let rows = store.database.rows(sql, args![first]).await?;
    let rounds_without_lua_by_day = rows
        .iter()
        .map(|row| RoundsWithout {
            day: row.string(0),
            rounds_total: row.int(1).unwrap_or_default(),
            rounds_without_lua: row.int(2).unwrap_or_default(),
        })
        .collect();
    Ok(Trends {
        lua_rows_by_day,
        rounds_without_lua_by_day,
    })
}
