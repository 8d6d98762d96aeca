//! Migrations: numbered SQL files a backend, each of which can run on any database any number of times.
//!
//! What fails on a table that another bot owns (not our role, another layout) is a warning; what fails on a table of
//! ours is an error. A file that had a warning is tried again at the next start.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tracing::{info, warn};

use super::connection::{Database, DbError, Transaction};
use crate::args;

/// A migration: its number and name, and its SQL.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// `001_timing_columns`.
    pub name: &'static str,
    sql: &'static str,
}

macro_rules! migrations {
    ($backend:literal: $($name:literal),* $(,)?) => {
        &[$(Migration {
            name: $name,
            sql: include_str!(concat!("../../migrations/", $backend, "/", $name, ".sql")),
        }),*]
    };
}

const SQLITE: &[Migration] = migrations!("sqlite":
    "000_rounds", "001_timing_columns", "002_lua_round_teams", "008_lua_spawn_stats", "100_gametimes",
    "102_player_guid", "103_summaries", "104_indexes");
const POSTGRES: &[Migration] = migrations!("postgres":
    "000_rounds", "001_timing_columns", "002_lua_round_teams", "008_lua_spawn_stats", "100_gametimes",
    "102_player_guid", "103_summaries", "104_indexes");

/// What the website's role may read.
const GRANTS: &str = include_str!("../../migrations/postgres/grants.sql");

/// The tables that others read, in which columns may be missing.
pub const SHARED: [&str; 4] = [
    "rounds",
    "player_comprehensive_stats",
    "lua_round_teams",
    "lua_spawn_stats",
];

/// The columns that the tables of [`SHARED`] have.
pub type Columns = BTreeMap<String, BTreeSet<String>>;

/// What a run of the migrations did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrated {
    /// Files that ran now.
    pub applied: Vec<&'static str>,
    /// Statements that failed on tables of others, and why.
    pub warnings: Vec<String>,
}

/// Brings the database up to date.
///
/// # Errors
/// When the database fails or a table of ours cannot be made.
pub async fn migrate(database: &Database) -> Result<Migrated, DbError> {
    let list = if database.is_postgres() {
        POSTGRES
    } else {
        SQLITE
    };
    let mut transaction = database.begin().await?;
    transaction
        .execute(
            "CREATE TABLE IF NOT EXISTS gametimes_migrations (name VARCHAR(64) PRIMARY KEY, applied_unix BIGINT NOT NULL)",
            &[],
        )
        .await?;
    let rows = transaction
        .rows("SELECT name FROM gametimes_migrations", &[])
        .await?;
    let done: BTreeSet<String> = rows.iter().map(|row| row.string(0)).collect();
    let mut migrated = Migrated::default();
    for migration in list.iter().filter(|m| !done.contains(m.name)) {
        let mut whole = true;
        for statement in statements(migration.sql) {
            if let Err(error) = run(&mut transaction, statement).await {
                if statement.starts_with("CREATE TABLE IF NOT EXISTS gametimes_") {
                    return Err(DbError::Migration(migration.name.into(), error.to_string()));
                }
                whole = false;
                let first_line = statement.lines().next().unwrap_or_default();
                migrated
                    .warnings
                    .push(format!("{}: {first_line}: {error}", migration.name));
            }
        }
        if whole {
            let now = Timestamp::now().as_second();
            transaction
                .execute(
                    "INSERT INTO gametimes_migrations (name, applied_unix) VALUES ($1, $2)",
                    args![migration.name, now],
                )
                .await?;
            migrated.applied.push(migration.name);
        }
    }
    for statement in statements(GRANTS)
        .into_iter()
        .filter(|_| database.is_postgres())
    {
        if let Err(error) = run(&mut transaction, statement).await {
            migrated.warnings.push(format!("grants: {error}"));
        }
    }
    transaction.commit().await?;
    for warning in &migrated.warnings {
        warn!("migration incomplete, what it adds will not be stored: {warning}");
    }
    if !migrated.applied.is_empty() {
        info!("migrations applied: {}", migrated.applied.join(", "));
    }
    Ok(migrated)
}

/// The names of migrations that have not run yet.
///
/// # Errors
/// When the database fails.
pub async fn pending(database: &Database) -> Result<Vec<&'static str>, DbError> {
    let list = if database.is_postgres() {
        POSTGRES
    } else {
        SQLITE
    };
    let columns = columns_of(database, &["gametimes_migrations"]).await?;
    let mut done = BTreeSet::new();
    if !columns["gametimes_migrations"].is_empty() {
        for row in database
            .rows("SELECT name FROM gametimes_migrations", &[])
            .await?
        {
            done.insert(row.string(0));
        }
    }
    Ok(list
        .iter()
        .map(|m| m.name)
        .filter(|name| !done.contains(*name))
        .collect())
}

/// Runs one statement so that its failure leaves the transaction usable.
async fn run(transaction: &mut Transaction, statement: &str) -> Result<(), DbError> {
    transaction.execute("SAVEPOINT migration", &[]).await?;
    let result = run_inner(transaction, statement).await;
    if result.is_err() {
        transaction
            .execute("ROLLBACK TO SAVEPOINT migration", &[])
            .await?;
    }
    transaction
        .execute("RELEASE SAVEPOINT migration", &[])
        .await?;
    result
}

async fn run_inner(transaction: &mut Transaction, statement: &str) -> Result<(), DbError> {
    if !transaction.is_postgres()
        && let Some((table, column)) = added_column(statement)
    {
        // SQLite has no ADD COLUMN IF NOT EXISTS.
        let sql = "SELECT 1 FROM pragma_table_info($1) WHERE name = $2";
        if transaction
            .rows(sql, args![table, column])
            .await?
            .is_empty()
        {
            transaction
                .execute(&statement.replacen("IF NOT EXISTS ", "", 1), &[])
                .await?;
        }
        return Ok(());
    }
    transaction.execute(statement, &[]).await?;
    Ok(())
}

/// Table and column of `ALTER TABLE t ADD COLUMN IF NOT EXISTS c ...`.
fn added_column(statement: &str) -> Option<(&str, &str)> {
    let rest = statement.trim_start().strip_prefix("ALTER TABLE ")?;
    let (table, rest) = rest.split_once(" ADD COLUMN IF NOT EXISTS ")?;
    Some((table, rest.split_whitespace().next()?))
}

/// The statements of a file: they end with `;` at a line's end, outside of `$$`. Comments are left out.
fn statements(sql: &str) -> Vec<&str> {
    let mut list = Vec::new();
    let (mut start, mut at, mut quoted) = (0, 0, false);
    for line in sql.split_inclusive('\n') {
        at += line.len();
        if line.matches("$$").count() % 2 == 1 {
            quoted = !quoted;
        }
        let comment = line.trim_start().starts_with("--");
        let empty_so_far = sql[start..at]
            .lines()
            .all(|l| l.trim().is_empty() || l.trim_start().starts_with("--"));
        if comment && empty_so_far {
            start = at;
        } else if !quoted && line.trim_end().ends_with(';') {
            list.push(sql[start..at].trim());
            start = at;
        }
    }
    list
}

/// The columns of tables; empty where a table is missing.
///
/// # Errors
/// When the database fails.
pub async fn columns_of(database: &Database, tables: &[&str]) -> Result<Columns, DbError> {
    let mut columns = Columns::new();
    let sql = if database.is_postgres() {
        "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped"
    } else {
        "SELECT name FROM pragma_table_info($1)"
    };
    for table in tables {
        let rows = database.rows(sql, args![*table]).await?;
        columns.insert(
            (*table).into(),
            rows.iter().map(|row| row.string(0)).collect(),
        );
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_split_into_statements() {
        let sql =
            "-- a\n\nCREATE TABLE x (\n    a INTEGER\n);\n-- b\nDO $$\nBEGIN\n  y;\nEND\n$$;\n";
        assert_eq!(
            statements(sql),
            [
                "CREATE TABLE x (\n    a INTEGER\n);",
                "DO $$\nBEGIN\n  y;\nEND\n$$;"
            ]
        );
        assert_eq!(
            added_column("ALTER TABLE t ADD COLUMN IF NOT EXISTS c TEXT;"),
            Some(("t", "c"))
        );
        for migration in SQLITE.iter().chain(POSTGRES) {
            assert!(!statements(migration.sql).is_empty(), "{}", migration.name);
        }
    }
}
