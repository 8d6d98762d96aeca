//! Companion mode: another bot writes the shared tables, and ours completes them.
//!
//! The bot computes its rows as always, but into tables of its own: the PostgreSQL schema [`SCHEMA`] contains tables with the names
//! and columns of the shared ones, and comes first in the search path. So every other module works on them unchanged, and the rows
//! of the other bot are neither read nor written.
//!
//! From there, `share` copies each recorded round into the shared tables: its rows of `lua_round_teams` and `lua_spawn_stats`, and
//! the times of the row of `rounds` that `partner` finds. The table `gametimes_ties` remembers which rows belong together, and
//! which rounds still wait for the other bot's row: [`Db::tie_waiting`] tries again.

mod partner;
mod share;

use tracing::info;

use super::connection::{Database, Transaction};
use super::error::DbError;
use super::migrations::{self, Schema, columns_of, migrate};
use super::schema::{self, SHARED, Table, TableColumns};
use super::{Db, sequences};
use crate::args;

/// The PostgreSQL schema with the bot's own tables in companion mode.
pub const SCHEMA: &str = "gametimes_companion";

/// The shared tables that this bot inserts rows into.
const WRITTEN: [&str; 2] = ["lua_round_teams", "lua_spawn_stats"];

/// The shared tables of the other bot.
#[derive(Debug)]
pub(super) struct Companion {
    /// The quoted name of their PostgreSQL schema, usually `"public"`.
    shared: String,
    /// Their columns.
    columns: TableColumns,
    /// The columns of our tables of the same names.
    own_columns: TableColumns,
}

/// Whether the bot was a companion on this database before.
///
/// # Errors
/// When the database fails.
pub async fn exists(database: &Database) -> Result<bool, DbError> {
    if !database.is_postgres() {
        return Ok(false);
    }
    let sql = "SELECT 1 AS found WHERE to_regclass($1) IS NOT NULL";
    let table = format!("{SCHEMA}.gametimes_ties");
    Ok(database.row(sql, args![table]).await?.is_some())
}

/// What [`create`] still has to do. Only reads.
///
/// # Errors
/// When the database fails.
pub async fn pending(database: &Database) -> Result<Vec<String>, DbError> {
    let mut pending = migrations::pending(database, &shared_schema()).await?;
    if !exists(database).await? {
        pending.push(format!(
            "the tables of companion mode in the schema {SCHEMA}"
        ));
    }
    Ok(pending)
}

/// The schema of the shared tables as companion mode needs them: without tables and indexes that only this bot would use.
pub fn shared_schema() -> Schema {
    let mut schema = Schema::current();
    schema.shared.retain(|table| WRITTEN.contains(&table.name));
    for table in &mut schema.shared {
        table.indexes.clear();
        table.obsolete_indexes.clear();
    }
    schema
}

/// Creates what companion mode needs; `database` has the default search path. Returns whether the tables are new.
pub(super) async fn create(url: &str, database: &Database) -> Result<bool, DbError> {
    migrate(database, &shared_schema()).await?;
    let is_new = !exists(database).await?;
    let sql = "SELECT 1 AS found FROM pg_namespace WHERE nspname = $1";
    if database.row(sql, args![SCHEMA]).await?.is_none() {
        let sql = format!("CREATE SCHEMA IF NOT EXISTS {SCHEMA}");
        database.rows(&sql, &[]).await?;
    }
    let grant = format!(
        "DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'website_readonly') THEN \
         GRANT USAGE ON SCHEMA {SCHEMA} TO website_readonly; END IF; END $$"
    );
    database.rows(&grant, &[]).await?;
    // Only with this schema in the search path, a missing table is not taken for the shared one of the same name.
    let own = Database::open_in(url, SCHEMA, false).await?;
    let mut shared: Vec<Table> = schema::shared_tables();
    shared.push(schema::ties());
    let tables = Schema {
        shared,
        own: Vec::new(),
    };
    let migrated = migrate(&own, &tables).await;
    own.close().await;
    migrated?;
    Ok(is_new)
}

/// Opens the database with our tables before those of the other bot, which are in the search path of `shared`.
pub(super) async fn open(
    url: &str,
    shared: &Database,
    read_only: bool,
) -> Result<(Database, Companion), DbError> {
    let row = shared
        .row("SELECT current_schema()::text AS name", &[])
        .await?;
    let name: String = row.map(|row| row.get("name")).unwrap_or_default();
    let name = format!("\"{}\"", name.replace('"', "\"\""));
    let columns = columns_of(shared, &SHARED).await?;
    let database = Database::open_in(url, &format!("{SCHEMA},{name}"), read_only).await?;
    let companion = Companion {
        shared: name,
        columns,
        own_columns: columns_of(&database, &SHARED).await?,
    };
    Ok((database, companion))
}

impl Db {
    /// Whether another bot writes the shared tables.
    pub fn is_companion(&self) -> bool {
        self.companion.is_some()
    }

    /// Moves what the bot wrote while the shared tables were its own into the new tables of companion mode. The old rows stay,
    /// because the other bot may have completed them.
    pub(super) async fn become_companion(&self) -> Result<(), DbError> {
        let Some(companion) = &self.companion else {
            return Ok(());
        };
        let mut transaction = self.database.begin_waiting().await?;
        let of_round = "IN (SELECT round_id FROM gametimes_groups)";
        let of_match = "(match_id, round_number) IN (SELECT recorded_match_id, round_number FROM gametimes_groups)";
        for (table, condition) in [
            ("rounds", format!("id {of_round}")),
            ("player_comprehensive_stats", format!("round_id {of_round}")),
            ("lua_round_teams", of_match.to_owned()),
            ("lua_spawn_stats", of_match.to_owned()),
        ] {
            let columns = companion.common_columns(table, &[]);
            if !columns.is_empty() {
                let (columns, shared) = (columns.join(", "), &companion.shared);
                let sql = format!(
                    "INSERT INTO {SCHEMA}.{table} ({columns}) SELECT {columns} FROM {shared}.{table} WHERE {condition}"
                );
                transaction.execute(&sql, &[]).await?;
            }
        }
        let sql = "UPDATE gametimes_groups SET adopted = FALSE, content = ''";
        let rounds = transaction.execute(sql, &[]).await?;
        transaction.commit().await?;
        // The rows brought their ids along.
        sequences::repair_at_start(&self.database).await?;
        if rounds > 0 {
            info!("{rounds} rounds are computed again into the tables of companion mode");
            self.rebuild(|_, _| {}).await?;
        }
        Ok(())
    }
}

/// Forgets companion mode, after `database_mode = "own"` was set. Everything in its tables is computed from facts, so nothing is
/// lost. Returns whether the rows must be computed again.
pub(super) async fn leave(database: &Database) -> Result<bool, DbError> {
    if !exists(database).await? {
        return Ok(false);
    }
    let mut transaction: Transaction = database.begin_waiting().await?;
    for sql in [
        // Rows from before companion mode have kept their ids. All others get rows in the shared tables.
        "UPDATE gametimes_groups SET adopted = FALSE, content = '', round_id = (SELECT r.id FROM rounds r \
         WHERE r.id = gametimes_groups.round_id AND r.match_id = gametimes_groups.match_id \
         AND r.round_number = gametimes_groups.round_number)",
        "DELETE FROM gametimes_summaries WHERE NOT EXISTS (SELECT 1 FROM gametimes_groups g \
         WHERE g.round_id = gametimes_summaries.round_id)",
        &format!("DROP SCHEMA {SCHEMA} CASCADE"),
    ] {
        transaction.execute(sql, &[]).await?;
    }
    transaction.commit().await?;
    info!("database_mode is own now: all rounds are computed again into the shared tables");
    Ok(true)
}

impl Companion {
    /// The columns that both our table and the shared one have, without some.
    fn common_columns(&self, table: &str, without: &[&str]) -> Vec<&str> {
        let (own, shared) = (&self.own_columns[table], &self.columns[table]);
        let common = own.intersection(shared).map(String::as_str);
        common.filter(|column| !without.contains(column)).collect()
    }

    fn has(&self, table: &str, column: &str) -> bool {
        self.columns[table].contains(column)
    }
}
