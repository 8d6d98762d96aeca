//! Creates and completes the tables, on an empty database and on one that this bot or another one has used before.
//!
//! The tables `gametimes_*` are ours: [`MIGRATIONS`] run in order, each once, and a failure is an error. The shared tables may
//! belong to another bot: [`schema`] describes them, every start adds what is missing, and what cannot be added (another owner,
//! another layout) is a warning.

use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{MigrationType, Migrator};
use tracing::{info, warn};

use super::connection::{Database, Transaction};
use super::error::DbError;
use super::schema::{self, Change, Table, TableColumns};
use crate::args;

/// A change of the tables `gametimes_*`.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// The name, for messages.
    pub name: &'static str,
    /// The SQL for both databases. `{id}` stands for the type of a primary key that the database assigns, `{bytes}` for that of
    /// binary data. SQLite takes every other type. `{if_missing}` is `IF NOT EXISTS` where a column can be added so: PostgreSQL
    /// databases of early versions do not know which migrations have run.
    pub sql: &'static str,
}

/// The migrations, oldest first: the first one has the version 1. Never change one that was released.
const MIGRATIONS: [Migration; 9] = [
    Migration {
        name: "facts",
        sql: include_str!("../../migrations/0001_facts.sql"),
    },
    Migration {
        name: "summaries",
        sql: include_str!("../../migrations/0002_summaries.sql"),
    },
    Migration {
        name: "match_ids",
        sql: include_str!("../../migrations/0003_match_ids.sql"),
    },
    Migration {
        name: "webhooks",
        sql: include_str!("../../migrations/0004_webhooks.sql"),
    },
    Migration {
        name: "players",
        sql: include_str!("../../migrations/0005_players.sql"),
    },
    Migration {
        name: "digests",
        sql: include_str!("../../migrations/0006_digests.sql"),
    },
    Migration {
        name: "recorded_match_ids",
        sql: include_str!("../../migrations/0007_recorded_match_ids.sql"),
    },
    Migration {
        name: "maps",
        sql: include_str!("../../migrations/0008_maps.sql"),
    },
    Migration {
        name: "live",
        sql: include_str!("../../migrations/0009_live.sql"),
    },
];

/// Which migrations have run. The default name may already be taken by another program that shares the database.
const MIGRATIONS_TABLE: &str = "gametimes_schema";

/// What the website's role may read.
const GRANTS: &str = include_str!("../../migrations/grants.sql");

/// The tables that a database must have.
#[derive(Debug, Clone)]
pub struct Schema {
    /// The tables that other programs read too.
    pub shared: Vec<Table>,
    /// The migrations of the tables `gametimes_*`, oldest first.
    pub own: Vec<Migration>,
}

/// What [`migrate`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrated {
    /// What was created.
    pub applied: Vec<String>,
    /// What could not be created in tables of others, and why.
    pub warnings: Vec<String>,
}

impl Schema {
    /// The schema of this version.
    pub fn current() -> Self {
        Self {
            shared: schema::shared_tables(),
            own: MIGRATIONS.to_vec(),
        }
    }

    fn migrator(&self, is_postgres: bool) -> Migrator {
        let (id, bytes, if_missing) = if is_postgres {
            ("BIGSERIAL PRIMARY KEY", "BYTEA", "IF NOT EXISTS")
        } else {
            ("INTEGER PRIMARY KEY AUTOINCREMENT", "BLOB", "")
        };
        let migrations = (1..).zip(&self.own).map(|(version, migration)| {
            let sql = migration.sql.replace("{id}", id).replace("{bytes}", bytes);
            let sql = sql.replace("{if_missing}", if_missing);
            sqlx::migrate::Migration::new(
                version,
                migration.name.into(),
                MigrationType::Simple,
                AssertSqlSafe(sql).into_sql_str(),
                false,
            )
        });
        let mut migrator = Migrator::with_migrations(migrations.collect());
        migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
        // A later version may have used the database; and the transaction already has a lock.
        migrator.set_ignore_missing(true).set_locking(false);
        migrator
    }

    /// The names of our migrations that have not run yet.
    async fn own_pending(&self, database: &Database) -> Result<Vec<&'static str>, DbError> {
        let mut done = BTreeSet::new();
        if !columns_of(database, &[MIGRATIONS_TABLE]).await?[MIGRATIONS_TABLE].is_empty() {
            let sql = format!("SELECT version FROM {MIGRATIONS_TABLE}");
            let rows = database.rows(&sql, &[]).await?;
            done.extend(rows.iter().map(|row| row.get::<i64>("version")));
        }
        let pending = (1..).zip(&self.own).filter(|(n, _)| !done.contains(n));
        Ok(pending.map(|(_, migration)| migration.name).collect())
    }

    /// What the shared tables lack.
    async fn shared_pending(&self, database: &Database) -> Result<Vec<Change>, DbError> {
        let mut changes = Vec::new();
        for table in &self.shared {
            let columns = columns_of(database, &[table.name]).await?;
            let mut indexes = BTreeSet::new();
            for index in table.index_names() {
                if has_index(database, table.name, index).await? {
                    indexes.insert(index.to_owned());
                }
            }
            changes.extend(table.changes(&columns[table.name], &indexes, database.is_postgres()));
        }
        Ok(changes)
    }
}

/// Brings the database up to date. Several processes may do so at the same time.
///
/// # Errors
/// When the database fails or a table of ours cannot be created; then nothing was changed.
pub async fn migrate(database: &Database, schema: &Schema) -> Result<Migrated, DbError> {
    // The lock of a long writer would delay the start although there is nothing to do.
    if !database.is_postgres() && pending(database, schema).await?.is_empty() {
        return Ok(Migrated::default());
    }
    // Its lock makes other processes wait, so what is pending from here on stays pending.
    let mut transaction = database.begin_waiting().await?;
    let mut migrated = Migrated::default();
    let own = schema.own_pending(database).await?;
    if !own.is_empty() {
        let migrator = schema.migrator(database.is_postgres());
        // Not `run`: the compiler cannot tell that its future is Send.
        match &mut transaction {
            Transaction::Sqlite(t) => migrator.run_direct(None, &mut **t, false).await?,
            Transaction::Postgres(t) => migrator.run_direct(None, &mut **t, false).await?,
        }
        migrated.applied = own.iter().map(|name| format!("migration {name}")).collect();
    }
    for change in schema.shared_pending(database).await? {
        match try_run(&mut transaction, &change.sql).await {
            Ok(()) => migrated.applied.push(change.what),
            Err(error) => migrated.warnings.push(format!("{}: {error}", change.what)),
        }
    }
    if database.is_postgres()
        && let Err(error) = try_run(&mut transaction, GRANTS).await
    {
        migrated.warnings.push(format!("grants: {error}"));
    }
    transaction.commit().await?;
    for warning in &migrated.warnings {
        warn!("migration incomplete, the values concerned will not be stored: {warning}");
    }
    if !migrated.applied.is_empty() {
        info!("database schema updated: {}", migrated.applied.join(", "));
    }
    Ok(migrated)
}

/// What [`migrate`] would do; empty if the database is up to date. Only reads.
///
/// # Errors
/// When the database fails.
pub async fn pending(database: &Database, schema: &Schema) -> Result<Vec<String>, DbError> {
    let own = schema.own_pending(database).await?.into_iter();
    let mut pending: Vec<String> = own.map(|name| format!("migration {name}")).collect();
    let shared = schema.shared_pending(database).await?.into_iter();
    pending.extend(shared.map(|change| change.what));
    Ok(pending)
}

/// Checks that the database is up to date, for a process that only reads. Columns that are missing in shared tables are only a
/// warning: if another bot owns the tables, this one cannot add them.
///
/// # Errors
/// When the database fails or our own migrations have not run.
pub async fn check(database: &Database, schema: &Schema) -> Result<(), DbError> {
    if !schema.own_pending(database).await?.is_empty() {
        return Err(DbError::NotMigrated);
    }
    for change in schema.shared_pending(database).await? {
        warn!(
            "the database lacks {}; run `gametimes-bot migrate`",
            change.what
        );
    }
    Ok(())
}

/// Runs one statement so that its failure leaves the transaction usable.
async fn try_run(transaction: &mut Transaction, statement: &str) -> Result<(), DbError> {
    transaction.execute("SAVEPOINT migration", &[]).await?;
    let result = transaction.execute(statement, &[]).await;
    if result.is_err() {
        transaction
            .execute("ROLLBACK TO SAVEPOINT migration", &[])
            .await?;
    }
    transaction
        .execute("RELEASE SAVEPOINT migration", &[])
        .await?;
    result.map(drop)
}

async fn has_index(database: &Database, table: &str, name: &str) -> Result<bool, DbError> {
    // By table: in companion mode, the shared table of the same name may have an index of this name.
    let sql = if database.is_postgres() {
        "SELECT 1 AS found FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
         WHERE i.indrelid = to_regclass($1) AND c.relname = $2"
    } else {
        "SELECT 1 AS found FROM sqlite_master WHERE type = 'index' AND tbl_name = $1 AND name = $2"
    };
    Ok(database.row(sql, args![table, name]).await?.is_some())
}

/// The columns of tables; empty where a table is missing.
///
/// # Errors
/// When the database fails.
pub async fn columns_of(database: &Database, tables: &[&str]) -> Result<TableColumns, DbError> {
    let mut columns = TableColumns::new();
    let sql = if database.is_postgres() {
        "SELECT attname::text AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped"
    } else {
        "SELECT name FROM pragma_table_info($1)"
    };
    for table in tables {
        let rows = database.rows(sql, args![*table]).await?;
        columns.insert(
            (*table).into(),
            rows.iter().map(|row| row.get("name")).collect(),
        );
    }
    Ok(columns)
}
