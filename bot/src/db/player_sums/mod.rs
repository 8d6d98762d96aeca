//! What each player did on each day and map, and what was played there, for questions about many rounds at once: tables of our own that are computed from the
//! rows of the rounds.
//!
//! Whoever changes rows marks their days in `gametimes_stale_days`, in the same transaction ([`mark_days`]).
//! [`Db::refresh_players`] computes the marked days again, each from its rows alone ([`rows`], [`matches`]), and removes the marks.
//! The sums over all days are kept by subtracting what a day had before and adding what it has now; all are whole numbers, so nothing
//! is lost. So late files, repeats and deleted rounds need no care, and a backfill computes each day once.

mod matches;
mod rows;

use std::collections::BTreeSet;

use gametimes_rounds::stats_file::MATCH_ID_FORMAT;
use jiff::SignedDuration;
use jiff::civil::DateTime;

use self::matches::{MapDay, PlayerDay};
use super::Db;
use super::connection::{Transaction, placeholders};
use super::error::DbError;
use super::matches::AROUND_SECONDS;
use super::value::{Columns, Value};
use crate::args;

/// The columns that are summed, of `gametimes_player_days` and `gametimes_player_totals`.
pub(super) const SUMS: [&str; 20] = [
    "rounds",
    "stats_rounds",
    "kills",
    "deaths",
    "damage_given",
    "stats_seconds",
    "shots",
    "hits",
    "headshots",
    "revives",
    "played_ms",
    "dead_ms",
    "dead_of_ms",
    "denied_ms",
    "denied_in_ms",
    "wave_wait_ms",
    "wave_wait_deaths",
    "maps_played",
    "maps_won",
    "maps_drawn",
];

/// How many days are computed in one transaction.
const DAYS_PER_TRANSACTION: i64 = 16;
/// After this many days PostgreSQL's statistics about the tables are out of date.
const ANALYZE_FROM: usize = 50;
/// The tables that are computed.
const TABLES: [&str; 5] = [
    "gametimes_player_days",
    "gametimes_player_totals",
    "gametimes_name_days",
    "gametimes_player_names",
    "gametimes_map_days",
];
/// What the tables were computed by; a change computes them again.
const VERSION: &str = "3";
const STATE: &str = "player_sums";

impl Db {
    /// Computes what [`Db::player_table`] and the other questions about players know, for all days on which rounds have changed.
    /// Returns how many days these were. The bot does so in the background, half a second after a round has changed.
    ///
    /// # Errors
    /// When the database fails; days that were computed until then are kept.
    pub async fn refresh_players(&self) -> Result<usize, DbError> {
        let stale = "SELECT day FROM gametimes_stale_days ORDER BY day DESC LIMIT $1";
        let mut refreshed = 0;
        // A look outside of a transaction needs no lock.
        while !self.database.rows(stale, args![1]).await?.is_empty() {
            let mut transaction = self.begin().await?;
            let days = transaction.rows(stale, args![DAYS_PER_TRANSACTION]).await?;
            let days: Vec<Value> = days
                .iter()
                .map(|day| day.get::<String>("day").into())
                .collect();
            if !days.is_empty() {
                self.refresh_days(&mut transaction, &days).await?;
                transaction.commit().await?;
            }
            refreshed += days.len();
        }
        if self.database.is_postgres() && refreshed >= ANALYZE_FROM {
            for table in TABLES {
                self.database.rows(&format!("ANALYZE {table}"), &[]).await?;
            }
        }
        Ok(refreshed)
    }

    async fn refresh_days(
        &self,
        transaction: &mut Transaction,
        days: &[Value],
    ) -> Result<(), DbError> {
        let is_one = format!("day IN ({})", placeholders(days.len()));
        let mut players = players_of(transaction, &is_one, days).await?;
        add_to_totals(transaction, &is_one, days, "-").await?;
        for table in [
            "gametimes_player_days",
            "gametimes_name_days",
            "gametimes_map_days",
        ] {
            let sql = format!("DELETE FROM {table} WHERE {is_one}");
            transaction.execute(&sql, days).await?;
        }
        transaction
            .execute(&self.sums_of_days(days.len()), days)
            .await?;
        transaction
            .execute(&self.names_of_days(days.len()), days)
            .await?;
        let (mut counts, mut maps): (Vec<Columns>, Vec<Columns>) = (Vec::new(), Vec::new());
        for day in days {
            let (of_players, of_maps) = self.matches_of_day(transaction, day).await?;
            counts.extend(of_players.into_iter().map(PlayerDay::into_row));
            maps.extend(of_maps.into_iter().map(MapDay::into_row));
        }
        transaction.insert("gametimes_map_days", maps, "").await?;
        let tail = "ON CONFLICT (day, player, map_name) DO UPDATE SET maps_played = EXCLUDED.maps_played, \
                    maps_won = EXCLUDED.maps_won, maps_drawn = EXCLUDED.maps_drawn";
        transaction
            .insert("gametimes_player_days", counts, tail)
            .await?;
        add_to_totals(transaction, &is_one, days, "").await?;
        transaction
            .execute(
                "DELETE FROM gametimes_player_totals WHERE day_rows = 0",
                &[],
            )
            .await?;
        players.extend(players_of(transaction, &is_one, days).await?);
        refresh_names(transaction, players.into_iter().map(Value::from).collect()).await?;
        let sql = format!("DELETE FROM gametimes_stale_days WHERE {is_one}");
        transaction.execute(&sql, days).await?;
        Ok(())
    }

    /// Marks all days if the tables were computed by another version or in the other [`super::Mode`], or never.
    pub(super) async fn prepare_player_sums(&self) -> Result<(), DbError> {
        let mode = if self.is_companion() {
            "companion"
        } else {
            "own"
        };
        let version = format!("{VERSION} {mode}");
        let sql = "SELECT value FROM gametimes_state WHERE name = $1";
        let row = self.database.row(sql, args![STATE]).await?;
        if row.is_some_and(|row| row.get::<String>("value") == version) {
            return Ok(());
        }
        let mut transaction = self.database.begin_waiting().await?;
        mark_all_days(&mut transaction).await?;
        let sql = "INSERT INTO gametimes_state (name, value) VALUES ($1, $2) \
                   ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value";
        transaction.execute(sql, args![STATE, version]).await?;
        transaction.commit().await
    }
}

/// Marks every day that has rounds, or had some when it was computed.
pub(super) async fn mark_all_days(transaction: &mut Transaction) -> Result<(), DbError> {
    for sql in [
        "INSERT INTO gametimes_stale_days (day) SELECT DISTINCT SUBSTR(match_id, 1, 10) FROM rounds \
         WHERE match_id IS NOT NULL ON CONFLICT (day) DO NOTHING",
        "INSERT INTO gametimes_stale_days (day) SELECT DISTINCT day FROM gametimes_name_days \
         WHERE TRUE ON CONFLICT (day) DO NOTHING",
    ] {
        transaction.execute(sql, &[]).await?;
    }
    Ok(())
}

/// Marks the days of rounds with these `match_id`. The other round of a match may be on the day before or after.
pub(super) async fn mark_days(
    transaction: &mut Transaction,
    match_ids: impl Iterator<Item = &str>,
) -> Result<(), DbError> {
    let days: BTreeSet<String> = match_ids.flat_map(days_around).collect();
    let rows: Vec<Columns> = days
        .into_iter()
        .map(|day| vec![("day", day.into())])
        .collect();
    let tail = "ON CONFLICT (day) DO NOTHING";
    transaction
        .insert("gametimes_stale_days", rows, tail)
        .await?;
    Ok(())
}

/// The day of a `match_id`, and those on which other rounds of its match can be.
fn days_around(match_id: &str) -> BTreeSet<String> {
    let mut days: BTreeSet<String> = BTreeSet::new();
    let time = match_id
        .get(..17)
        .and_then(|time| DateTime::strptime(MATCH_ID_FORMAT, time).ok());
    for seconds in [-AROUND_SECONDS, AROUND_SECONDS] {
        let other = time.and_then(|time| time.checked_add(SignedDuration::from_secs(seconds)).ok());
        days.extend(other.map(|other| other.date().to_string()));
    }
    days.extend((!match_id.is_empty()).then(|| match_id.chars().take(10).collect()));
    days
}

/// Adds what some days contain to the sums over all days, or subtracts it.
async fn add_to_totals(
    transaction: &mut Transaction,
    is_one: &str,
    days: &[Value],
    sign: &str,
) -> Result<(), DbError> {
    let table = "gametimes_player_totals";
    let sums = SUMS.map(|sum| format!("CAST({sign}SUM({sum}) AS BIGINT)"));
    let names = SUMS.iter().copied().chain(["day_rows"]);
    let sets = names.map(|name| format!("{name} = {table}.{name} + EXCLUDED.{name}"));
    let sql = format!(
        "INSERT INTO {table} (player, map_name, {}, day_rows) SELECT player, map_name, {}, {sign}COUNT(*) \
         FROM gametimes_player_days WHERE {is_one} GROUP BY player, map_name \
         ON CONFLICT (player, map_name) DO UPDATE SET {}",
        SUMS.join(", "),
        sums.join(", "),
        sets.collect::<Vec<_>>().join(", "),
    );
    transaction.execute(&sql, days).await?;
    Ok(())
}

async fn players_of(
    transaction: &mut Transaction,
    is_one: &str,
    days: &[Value],
) -> Result<BTreeSet<String>, DbError> {
    let sql = format!("SELECT DISTINCT player FROM gametimes_name_days WHERE {is_one}");
    let rows = transaction.rows(&sql, days).await?;
    Ok(rows.iter().map(|row| row.get("player")).collect())
}

/// Computes the names of some players over all days again.
async fn refresh_names(transaction: &mut Transaction, players: Vec<Value>) -> Result<(), DbError> {
    for players in players.chunks(500) {
        let is_one = format!("player IN ({})", placeholders(players.len()));
        let sql = format!("DELETE FROM gametimes_player_names WHERE {is_one}");
        transaction.execute(&sql, players).await?;
        let sql = format!(
            "INSERT INTO gametimes_player_names (player, name, first_order, last_order) \
             SELECT player, name, MIN(first_order), MAX(last_order) FROM gametimes_name_days WHERE {is_one} \
             GROUP BY player, name"
        );
        transaction.execute(&sql, players).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_near_midnight_marks_the_day_of_its_other_round() {
        let days = |match_id| {
            days_around(match_id)
                .into_iter()
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(days("2026-11-20-120000"), "2026-11-20");
        assert_eq!(days("2026-12-31-233000.2"), "2026-12-31 2027-01-01");
        assert_eq!(days("2026-11-20-000500"), "2026-11-19 2026-11-20");
        assert_eq!(days("any name of another bot"), "any name o");
        assert_eq!(days(""), "");
    }
}
