//! The two databases behind one face: statements with `$1` placeholders, values in, rows out.
//!
//! What differs between them is here and in the migrations, nowhere else.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{
    AssertSqlSafe, Column, PgPool, Postgres, Row as _, Sqlite, SqlitePool,
    Transaction as SqlxTransaction, TypeInfo, ValueRef,
};

use super::value::{Row, Value};

/// What went wrong with the database. Never holds the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database, or the way to it, failed.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The URL names neither SQLite nor PostgreSQL.
    #[error("the database URL must begin with sqlite: or postgres://, as in sqlite:gametimes.db")]
    Url,
    /// Something of ours in the database cannot be read.
    #[error("unreadable in the database: {0}")]
    Content(String),
    /// Migrations have not run, and this process must not run them.
    #[error(
        "the database is not up to date: run `gametimes-bot migrate` first, or start the bot that receives"
    )]
    NotMigrated,
    /// A table of ours could not be created.
    #[error("database schema: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
}

/// An open database.
#[derive(Debug, Clone)]
pub enum Database {
    /// One file, one process; the default.
    Sqlite(SqlitePool),
    /// A server, shared with the website or other bots.
    Postgres(PgPool),
}

/// A transaction that writes. Dropped without [`Transaction::commit`], it leaves no trace.
#[derive(Debug)]
pub enum Transaction {
    /// On SQLite.
    Sqlite(SqlxTransaction<'static, Sqlite>),
    /// On PostgreSQL.
    Postgres(SqlxTransaction<'static, Postgres>),
}

/// How long any wait for the database lasts at most.
const PATIENCE: Duration = Duration::from_secs(10);

impl Database {
    /// Opens `sqlite:FILE` (created if missing) or `postgres://...`.
    ///
    /// # Errors
    /// When the URL is of neither kind or the database does not answer.
    pub async fn open(url: &str) -> Result<Self, DbError> {
        Self::connect(url, false).await
    }

    /// Opens a database that is never written: a read-only role or a replica is enough. A missing file is not created.
    ///
    /// # Errors
    /// When the URL is of neither kind or the database does not answer.
    pub async fn open_read_only(url: &str) -> Result<Self, DbError> {
        Self::connect(url, true).await
    }

    async fn connect(url: &str, read_only: bool) -> Result<Self, DbError> {
        if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url)?
                .foreign_keys(true)
                .busy_timeout(PATIENCE)
                .pragma("cache_size", "-65536");
            let options = if read_only {
                if !options.get_filename().exists() {
                    return Err(DbError::NotMigrated);
                }
                options.read_only(true)
            } else {
                options
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Normal)
            };
            let pool = SqlitePoolOptions::new()
                .max_connections(4)
                .acquire_timeout(PATIENCE)
                .connect_with(options)
                .await?;
            Ok(Self::Sqlite(pool))
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let mut options = PgConnectOptions::from_str(url)?
                .application_name("gametimes-bot")
                .options([("statement_timeout", "60s"), ("lock_timeout", "30s")]);
            if read_only {
                options = options.options([("default_transaction_read_only", "on")]);
            }
            let pool = PgPoolOptions::new()
                .max_connections(5)
                .acquire_timeout(PATIENCE)
                .connect_with(options)
                .await?;
            Ok(Self::Postgres(pool))
        } else {
            Err(DbError::Url)
        }
    }

    /// Whether this is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// SQL for a time column as unix seconds.
    pub fn epoch(&self, column: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("unixepoch({column})"),
            Self::Postgres(_) => format!("CAST(EXTRACT(EPOCH FROM {column}) AS BIGINT)"),
        }
    }

    /// Placeholders for a list of values that a statement has nothing else of.
    pub(crate) fn placeholders(&self, count: usize) -> String {
        match self {
            // SQLite looks named parameters up one by one, which thousands of them make slow.
            Self::Sqlite(_) => vec!["?"; count].join(", "),
            Self::Postgres(_) => super::facts::placeholders(count),
        }
    }

    /// Begins a transaction that writes. On SQLite it takes the write lock at once; on PostgreSQL a lock of all bots on
    /// this database, so that two of them never store the same round side by side.
    ///
    /// # Errors
    /// When the database does not answer, or the lock is not to be had in time.
    pub async fn begin(&self) -> Result<Transaction, DbError> {
        match self {
            Self::Sqlite(pool) => Ok(Transaction::Sqlite(
                pool.begin_with("BEGIN IMMEDIATE").await?,
            )),
            Self::Postgres(pool) => {
                let mut transaction = Transaction::Postgres(pool.begin().await?);
                transaction
                    .execute("SELECT pg_advisory_xact_lock(731937)", &[])
                    .await?;
                Ok(transaction)
            }
        }
    }

    /// Reads rows outside of a transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rows(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, DbError> {
        match self {
            Self::Sqlite(pool) => {
                let rows = sqlite_query(sql, values).fetch_all(pool).await?;
                convert(&rows, from_sqlite)
            }
            Self::Postgres(pool) => {
                let rows = postgres_query(sql, values).fetch_all(pool).await?;
                convert(&rows, from_postgres)
            }
        }
    }

    /// The first row of a result.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn row(&self, sql: &str, values: &[Value]) -> Result<Option<Row>, DbError> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// Closes all connections.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Transaction {
    /// Runs a statement; returns how many rows it changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, DbError> {
        Ok(match self {
            Self::Sqlite(t) => sqlite_query(sql, values)
                .execute(&mut **t)
                .await?
                .rows_affected(),
            Self::Postgres(t) => postgres_query(sql, values)
                .execute(&mut **t)
                .await?
                .rows_affected(),
        })
    }

    /// Runs a statement that gives rows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rows(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, DbError> {
        match self {
            Self::Sqlite(t) => {
                let rows = sqlite_query(sql, values).fetch_all(&mut **t).await?;
                convert(&rows, from_sqlite)
            }
            Self::Postgres(t) => {
                let rows = postgres_query(sql, values).fetch_all(&mut **t).await?;
                convert(&rows, from_postgres)
            }
        }
    }

    /// Inserts rows, several in one statement. `tail` follows the values (`ON CONFLICT ...`, `RETURNING id`); what it
    /// returns comes back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert(
        &mut self,
        table: &str,
        columns: &[&str],
        rows: &[Vec<Value>],
        tail: &str,
    ) -> Result<Vec<Row>, DbError> {
        let mut returned = Vec::new();
        let per_statement = (2000 / columns.len().max(1)).max(1);
        for chunk in rows.chunks(per_statement) {
            let mut sql = format!("INSERT INTO {table} ({}) VALUES ", columns.join(", "));
            let mut values = Vec::with_capacity(chunk.len() * columns.len());
            for (i, row) in chunk.iter().enumerate() {
                sql.push_str(if i == 0 { "(" } else { ", (" });
                for (j, value) in row.iter().enumerate() {
                    values.push(value.clone());
                    sql.push_str(if j == 0 { "" } else { ", " });
                    // SQLite looks named parameters up one by one, which thousands of them make slow.
                    match self {
                        Self::Sqlite(_) => sql.push('?'),
                        Self::Postgres(_) => sql.push_str(&self.placeholder(values.len(), value)),
                    }
                }
                sql.push(')');
            }
            sql.push(' ');
            sql.push_str(tail);
            returned.extend(self.rows(&sql, &values).await?);
        }
        Ok(returned)
    }

    /// Updates rows: `SET column = value, ... WHERE ...`, where the condition's placeholders follow the columns'.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn update_by_id(
        &mut self,
        table: &str,
        columns: &[&str],
        row: &[Value],
        id: i64,
    ) -> Result<u64, DbError> {
        let sets: Vec<String> = columns
            .iter()
            .zip(row)
            .enumerate()
            .map(|(i, (column, value))| format!("{column} = {}", self.placeholder(i + 1, value)))
            .collect();
        let sql = format!(
            "UPDATE {table} SET {} WHERE id = ${}",
            sets.join(", "),
            row.len() + 1
        );
        let mut values = row.to_vec();
        values.push(id.into());
        self.execute(&sql, &values).await
    }

    fn placeholder(&self, n: usize, value: &Value) -> String {
        match (self, value) {
            (Self::Postgres(_), Value::Time(_)) => format!("to_timestamp(${n})"),
            _ => format!("${n}"),
        }
    }

    /// Whether this is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Makes everything lasting.
    ///
    /// # Errors
    /// When the database fails; then nothing was written.
    pub async fn commit(self) -> Result<(), DbError> {
        match self {
            Self::Sqlite(t) => t.commit().await?,
            Self::Postgres(t) => t.commit().await?,
        }
        Ok(())
    }
}

type SqliteQuery<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;
type PostgresQuery<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

// Statements are built from names in this crate alone; everything foreign is bound as a value.
fn sqlite_query<'q>(sql: &str, values: &[Value]) -> SqliteQuery<'q> {
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    for value in values {
        query = match value {
            Value::Int(v) => query.bind(*v),
            Value::Real(v) => query.bind(*v),
            Value::Text(v) => query.bind(v.clone()),
            Value::Json(v) => query.bind(v.to_string()),
            Value::Bool(v) => query.bind(*v),
            Value::Bytes(v) => query.bind(v.clone()),
            Value::Time(v) => query.bind(sqlite_time(*v)),
        };
    }
    query
}

fn postgres_query<'q>(sql: &str, values: &[Value]) -> PostgresQuery<'q> {
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    for value in values {
        query = match value {
            Value::Int(v) => query.bind(*v),
            Value::Real(v) => query.bind(*v),
            // PostgreSQL cannot store U+0000 in text.
            Value::Text(v) => query.bind(v.as_ref().map(|v| v.replace('\0', ""))),
            Value::Json(v) => query.bind(v.clone()),
            Value::Bool(v) => query.bind(*v),
            Value::Bytes(v) => query.bind(v.clone()),
            Value::Time(v) => query.bind(*v as f64),
        };
    }
    query
}

/// The text that SQLite's CURRENT_TIMESTAMP has.
fn sqlite_time(unix: i64) -> String {
    Timestamp::from_second(unix)
        .unwrap_or_default()
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

/// Converts the rows of a result, which share the names of their columns.
fn convert<R: sqlx::Row>(
    rows: &[R],
    values: fn(&R) -> Result<Vec<Value>, DbError>,
) -> Result<Vec<Row>, DbError> {
    let Some(first) = rows.first() else {
        return Ok(Vec::new());
    };
    let names: Arc<[String]> = first
        .columns()
        .iter()
        .map(|c| c.name().to_owned())
        .collect();
    rows.iter()
        .map(|row| Ok(Row::new(Arc::clone(&names), values(row)?)))
        .collect()
}

fn from_sqlite(row: &SqliteRow) -> Result<Vec<Value>, DbError> {
    let mut values = Vec::with_capacity(row.len());
    for i in 0..row.len() {
        let raw = row.try_get_raw(i)?;
        let kind = raw.type_info().name().to_owned();
        values.push(match kind.as_str() {
            _ if raw.is_null() => Value::Text(None),
            "REAL" => Value::Real(Some(row.try_get_unchecked(i)?)),
            "TEXT" => Value::Text(Some(row.try_get_unchecked(i)?)),
            "BLOB" => Value::Bytes(Some(row.try_get_unchecked(i)?)),
            _ => Value::Int(Some(row.try_get_unchecked(i)?)),
        });
    }
    Ok(values)
}

fn from_postgres(row: &PgRow) -> Result<Vec<Value>, DbError> {
    let mut values = Vec::with_capacity(row.len());
    for (i, column) in row.columns().iter().enumerate() {
        values.push(match column.type_info().name() {
            "INT2" => Value::Int(row.try_get::<Option<i16>, _>(i)?.map(Into::into)),
            "INT4" => Value::Int(row.try_get::<Option<i32>, _>(i)?.map(Into::into)),
            "INT8" => Value::Int(row.try_get(i)?),
            "FLOAT4" => Value::Real(row.try_get::<Option<f32>, _>(i)?.map(Into::into)),
            "FLOAT8" => Value::Real(row.try_get(i)?),
            "BOOL" => Value::Int(row.try_get::<Option<bool>, _>(i)?.map(Into::into)),
            "BYTEA" => Value::Bytes(row.try_get(i)?),
            "JSON" | "JSONB" => Value::Json(
                row.try_get::<Option<serde_json::Value>, _>(i)?
                    .unwrap_or_default(),
            ),
            "TEXT" | "VARCHAR" | "NAME" | "BPCHAR" => Value::Text(row.try_get(i)?),
            "VOID" => Value::Text(None),
            other => {
                let name = column.name();
                return Err(DbError::Content(format!(
                    "column {name} has the type {other}"
                )));
            }
        });
    }
    Ok(values)
}
