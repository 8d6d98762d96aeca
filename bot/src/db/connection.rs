//! SQLite and PostgreSQL behind one interface: statements with `$1` placeholders, [`Value`]s in, [`Row`]s out.
//!
//! Everything in which the two differ is here, in `encoding.rs`, in [`super::schema`] and in [`super::migrations`].

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{
    Connection, PgConnection, PgPool, Postgres, Sqlite, SqlitePool, Transaction as SqlxTransaction,
};
use tracing::{info, warn};

use super::encoding::{
    convert, from_postgres, from_sqlite, postgres_arrays, postgres_list, postgres_query,
    sqlite_pairs, sqlite_query,
};
use super::error::DbError;
use super::files;
use super::value::{Columns, Row, Value};

/// An open database.
#[derive(Debug, Clone)]
pub enum Database {
    /// A file, for one process; the default.
    Sqlite(SqlitePool),
    /// A server, which the website and other bots may use too.
    Postgres(PgPool),
}

/// A transaction that writes. If it is dropped without [`Transaction::commit`], nothing is changed.
#[derive(Debug)]
pub enum Transaction {
    Sqlite(SqlxTransaction<'static, Sqlite>),
    Postgres(SqlxTransaction<'static, Postgres>),
}

/// Where a query reads: outside of a transaction, or in one that has changes of its own.
#[derive(Debug)]
pub(super) enum Reader<'a> {
    Database(&'a Database),
    Transaction(&'a mut Transaction),
}

impl Reader<'_> {
    pub(super) async fn rows(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, DbError> {
        match self {
            Self::Database(database) => database.rows(sql, values).await,
            Self::Transaction(transaction) => transaction.rows(sql, values).await,
        }
    }

    /// As [`Database::rows_in`] describes it.
    pub(super) async fn rows_in(
        &mut self,
        sql: &str,
        values: &[Value],
    ) -> Result<Vec<Row>, DbError> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let found = match self {
            Self::Database(Database::Postgres(pool)) => {
                postgres_list(sql, values)?.fetch_all(pool).await?
            }
            Self::Transaction(Transaction::Postgres(t)) => {
                postgres_list(sql, values)?.fetch_all(&mut **t).await?
            }
            Self::Database(Database::Sqlite(_)) | Self::Transaction(Transaction::Sqlite(_)) => {
                let mut rows = Vec::new();
                for (sql, values) in sqlite_lists(sql, values) {
                    rows.extend(self.rows(&sql, &values).await?);
                }
                return Ok(rows);
            }
        };
        convert(&found, from_postgres)
    }
}

/// The longest wait for a connection or for SQLite's lock.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long [`Database::begin_waiting`] waits before it logs what it waits for.
const SILENT: Duration = Duration::from_secs(1);

impl Database {
    /// Opens `sqlite:FILE` (created if missing) or `postgres://...`.
    ///
    /// # Errors
    /// When the URL is of neither kind or the database does not answer.
    pub async fn open(url: &str) -> Result<Self, DbError> {
        Self::connect(url, false, None).await
    }

    /// Opens a database that is never written: a read-only role or a replica is enough. A missing file is not created.
    ///
    /// # Errors
    /// When the URL is of neither kind or the database does not answer.
    pub async fn open_read_only(url: &str) -> Result<Self, DbError> {
        Self::connect(url, true, None).await
    }

    /// Opens a PostgreSQL database with another search path: names of schemas, separated by commas.
    pub(super) async fn open_in(
        url: &str,
        search_path: &str,
        read_only: bool,
    ) -> Result<Self, DbError> {
        Self::connect(url, read_only, Some(search_path)).await
    }

    async fn connect(
        url: &str,
        read_only: bool,
        search_path: Option<&str>,
    ) -> Result<Self, DbError> {
        if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url)?
                .foreign_keys(true)
                .busy_timeout(PATIENCE)
                .pragma("cache_size", "-65536")
                // Where a statement that inserts several rows keeps its journal, with which it is undone if it fails.
                .pragma("temp_store", "MEMORY")
                // Pages that several transactions change are copied into the database once; the WAL grows to 32 MB.
                .pragma("wal_autocheckpoint", "8000");
            let options = if read_only {
                if !options.get_filename().exists() {
                    return Err(DbError::Missing);
                }
                options.read_only(true)
            } else {
                if let Some(file) = files::sqlite_file(url) {
                    files::create(&file, files::PRIVATE);
                }
                options
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Normal)
            };
            let pool = SqlitePoolOptions::new()
                .max_connections(4)
                .acquire_timeout(PATIENCE)
                // SQLite ends a transaction when it cannot write, as on a full disk. The rollback that follows fails,
                // and sqlx counts the connection as inside a transaction forever, so it must not be used again.
                .after_release(|connection, _| {
                    Box::pin(async {
                        // The rollback of a dropped transaction is queued before this.
                        connection.ping().await?;
                        Ok(!connection.is_in_transaction())
                    })
                })
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
            if let Some(search_path) = search_path {
                options = options.options([("search_path", search_path)]);
            }
            // The pool would try for as long as its patience lasts, and then not report the reason.
            let attempt = tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options));
            let first = attempt.await.map_err(|_| no_answer())??;
            first.close().await?;
            let pool = PgPoolOptions::new()
                .max_connections(5)
                .acquire_timeout(PATIENCE)
                .connect_lazy_with(options);
            Ok(Self::Postgres(pool))
        } else {
            Err(DbError::Url)
        }
    }

    /// Whether this is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// SQL for a column of type TIMESTAMP as unix seconds.
    pub fn epoch(&self, column: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("unixepoch({column})"),
            Self::Postgres(_) => format!("CAST(EXTRACT(EPOCH FROM {column}) AS BIGINT)"),
        }
    }

    /// SQL for unix seconds as a value of a column of type TIMESTAMP.
    pub fn timestamp(&self, seconds: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("datetime({seconds}, 'unixepoch')"),
            Self::Postgres(_) => format!("to_timestamp({seconds})"),
        }
    }

    /// Begins a transaction that writes. It takes SQLite's write lock, or on PostgreSQL a lock that all bots on this database
    /// use, so that two bots never store the same round at the same time.
    ///
    /// # Errors
    /// When the database does not answer or the lock is not free in time.
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

    /// Like [`Database::begin`], but waits for as long as another process has the lock, and logs that it does.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_waiting(&self) -> Result<Transaction, DbError> {
        let patient = async {
            loop {
                match self.begin().await {
                    Err(error) if error.is_locked() => {}
                    result => return result,
                }
            }
        };
        tokio::pin!(patient);
        if let Ok(result) = tokio::time::timeout(SILENT, &mut patient).await {
            return result;
        }
        warn!(
            "another process is writing to the database (such as `gametimes-bot rebuild` or `ingest`); waiting until it has finished"
        );
        let result = patient.await;
        info!("the other process has finished writing to the database");
        result
    }

    /// Runs a query outside of a transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rows(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, DbError> {
        match self {
            Self::Sqlite(pool) => {
                let rows = sqlite_query(sql, values.iter().cloned())
                    .fetch_all(pool)
                    .await?;
                convert(&rows, from_sqlite)
            }
            Self::Postgres(pool) => {
                let rows = postgres_query(sql, values).fetch_all(pool).await?;
                convert(&rows, from_postgres)
            }
        }
    }

    /// Runs a query and returns its first row.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn row(&self, sql: &str, values: &[Value]) -> Result<Option<Row>, DbError> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// Runs a query whose condition ends in a column, which must have one of these values. They are all of one type.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rows_in(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, DbError> {
        Reader::Database(self).rows_in(sql, values).await
    }

    /// Closes all connections.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// The error of a server that accepts a connection and then does not answer.
fn no_answer() -> sqlx::Error {
    let text = format!("no answer within {} s", PATIENCE.as_secs());
    std::io::Error::new(std::io::ErrorKind::TimedOut, text).into()
}

/// How many values SQLite inserts with one statement; it allows 32766.
const VALUES_PER_INSERT: usize = 2000;
/// How many values a list has at most in a statement of SQLite.
const VALUES_PER_LIST: usize = 1024;
/// How many rows PostgreSQL inserts with one statement.
const ROWS_PER_INSERT: usize = 500;

/// The statements and values that together find all rows with one of `values` in the column in which `sql` ends.
fn sqlite_lists(sql: &str, values: &[Value]) -> impl Iterator<Item = (String, Vec<Value>)> {
    values.chunks(VALUES_PER_LIST).map(move |values| {
        // Repeated to a power of two, so that there are few different statements, which stay prepared. SQLite looks named parameters
        // up one by one, which is slow for thousands of them.
        let count = values.len().next_power_of_two();
        let padded = values.iter().cycle().take(count).cloned().collect();
        let sql = format!("{sql} IN ({})", vec!["?"; count].join(", "));
        (sql, padded)
    })
}

/// Rows that are made one by one.
pub(super) type Rows<'a> = Box<dyn ExactSizeIterator<Item = Columns> + Send + 'a>;

/// Rows in groups of at most `most`, one for each statement. The last groups have the size of a power of two, so that there are few
/// different statements, which the database keeps prepared.
fn chunks(
    mut rows: impl ExactSizeIterator<Item = Columns>,
    most: usize,
) -> impl Iterator<Item = Vec<Columns>> {
    let most = most.max(1);
    std::iter::from_fn(move || {
        let power = 1 << rows.len().checked_ilog2()?;
        let count = if rows.len() < most { power } else { most };
        Some(rows.by_ref().take(count).collect())
    })
}

/// `$1, $2, ...`.
pub(crate) fn placeholders(count: usize) -> String {
    (1..=count)
        .map(|n| format!("${n}"))
        .collect::<Vec<_>>()
        .join(", ")
}

impl Transaction {
    /// Runs a statement; returns how many rows it changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, DbError> {
        Ok(match self {
            Self::Sqlite(t) => sqlite_query(sql, values.iter().cloned())
                .execute(&mut **t)
                .await?
                .rows_affected(),
            Self::Postgres(t) => postgres_query(sql, values)
                .execute(&mut **t)
                .await?
                .rows_affected(),
        })
    }

    /// Runs a statement and returns its rows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rows(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, DbError> {
        match self {
            Self::Sqlite(t) => {
                let rows = sqlite_query(sql, values.iter().cloned())
                    .fetch_all(&mut **t)
                    .await?;
                convert(&rows, from_sqlite)
            }
            Self::Postgres(t) => {
                let rows = postgres_query(sql, values).fetch_all(&mut **t).await?;
                convert(&rows, from_postgres)
            }
        }
    }

    /// Like [`Database::rows_in`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rows_in(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, DbError> {
        Reader::Transaction(self).rows_in(sql, values).await
    }

    /// Inserts rows that all have the same columns. `tail` follows the values (`ON CONFLICT ...`, `RETURNING id`); returns the rows that
    /// it returns.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert(
        &mut self,
        table: &str,
        rows: Vec<Columns>,
        tail: &str,
    ) -> Result<Vec<Row>, DbError> {
        self.insert_each(table, Box::new(rows.into_iter()), tail)
            .await
    }

    /// Like [`Transaction::insert`], with rows that are made while the database inserts those before them.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn insert_each(
        &mut self,
        table: &str,
        rows: Rows<'_>,
        tail: &str,
    ) -> Result<Vec<Row>, DbError> {
        let mut returned = Vec::new();
        let mut rows = rows.peekable();
        let Some(first) = rows.peek() else {
            return Ok(returned);
        };
        let names: Vec<&str> = first.iter().map(|(name, _)| *name).collect();
        let into = format!("INSERT INTO {table} ({})", names.join(", "));
        match self {
            Self::Sqlite(t) => {
                let row = format!("({})", vec!["?"; names.len()].join(", "));
                let mut chunks = chunks(rows, VALUES_PER_INSERT / names.len().max(1));
                let mut prepare = || {
                    let chunk = chunks.next()?;
                    // SQLite looks named parameters up one by one, which is slow for thousands of them.
                    let all = vec![row.as_str(); chunk.len()].join(", ");
                    let values = chunk.into_iter().flatten().map(|(_, value)| value);
                    Some(sqlite_query(&format!("{into} VALUES {all} {tail}"), values))
                };
                let mut next = prepare();
                while let Some(query) = next {
                    let (found, prepared) =
                        tokio::join!(query.fetch_all(&mut **t), async { prepare() });
                    returned.extend(convert(&found?, from_sqlite)?);
                    next = prepared;
                }
            }
            // One array for each column: planning thousands of parameters takes longer than inserting the rows.
            Self::Postgres(t) => {
                let columns: Vec<String> = (1..=names.len()).map(|n| format!("c{n}")).collect();
                let values = columns
                    .iter()
                    .zip(first)
                    .map(|(column, (_, value))| match value {
                        Value::Time(_) => format!("to_timestamp({column})"),
                        _ => column.clone(),
                    });
                let values: Vec<String> = values.collect();
                let sql = format!(
                    "{into} SELECT {} FROM UNNEST({}) AS v ({}) {tail}",
                    values.join(", "),
                    placeholders(names.len()),
                    columns.join(", ")
                );
                let mut chunks = chunks(rows, ROWS_PER_INSERT);
                let mut prepare = || chunks.next().map(|chunk| postgres_arrays(&sql, chunk));
                let mut next = prepare();
                while let Some(query) = next {
                    let (found, prepared) =
                        tokio::join!(query?.fetch_all(&mut **t), async { prepare() });
                    returned.extend(convert(&found?, from_postgres)?);
                    next = prepared;
                }
            }
        }
        Ok(returned)
    }

    /// Sets a number column of many rows: pairs of a row's id and the value.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn update_each(
        &mut self,
        table: &str,
        column: &str,
        pairs: &[(i64, i64)],
    ) -> Result<(), DbError> {
        if pairs.is_empty() {
            return Ok(());
        }
        let update = format!("UPDATE {table} SET {column} = v.value FROM");
        match self {
            Self::Sqlite(_) => {
                let sql = format!(
                    "{update} (SELECT CAST(key AS INTEGER) AS id, value FROM json_each($1)) AS v WHERE {table}.id = v.id"
                );
                self.execute(&sql, &[sqlite_pairs(pairs)]).await?;
            }
            Self::Postgres(t) => {
                let sql =
                    format!("{update} UNNEST($1, $2) AS v (id, value) WHERE {table}.id = v.id");
                let row = |&(id, value): &(i64, i64)| -> Columns {
                    vec![("id", id.into()), ("value", value.into())]
                };
                postgres_arrays(&sql, pairs.iter().map(row).collect())?
                    .execute(&mut **t)
                    .await?;
            }
        }
        Ok(())
    }

    /// Updates columns of the row with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn update_by_id(
        &mut self,
        table: &str,
        row: &Columns,
        id: i64,
    ) -> Result<u64, DbError> {
        let sets: Vec<String> = (1..)
            .zip(row)
            .map(|(n, (column, value))| format!("{column} = {}", self.placeholder(n, value)))
            .collect();
        let sql = format!(
            "UPDATE {table} SET {} WHERE id = ${}",
            sets.join(", "),
            row.len() + 1
        );
        let values = row.iter().map(|(_, value)| value.clone());
        let values: Vec<Value> = values.chain([id.into()]).collect();
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

    /// Makes all changes permanent.
    ///
    /// # Errors
    /// When the database fails; then nothing was changed.
    pub async fn commit(self) -> Result<(), DbError> {
        match self {
            Self::Sqlite(t) => t.commit().await?,
            Self::Postgres(t) => t.commit().await?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_grouped_in_order_and_in_few_sizes() {
        let rows = (0..23).map(|n| vec![("n", Value::from(n))]);
        let chunks: Vec<_> = chunks(rows, 8).collect();
        let sizes: Vec<usize> = chunks.iter().map(Vec::len).collect();
        assert_eq!(sizes, [8, 8, 4, 2, 1]);
        let numbers = chunks.into_iter().flatten().flatten();
        let numbers: Vec<Value> = numbers.map(|(_, value)| value).collect();
        assert_eq!(numbers, (0..23).map(Value::from).collect::<Vec<_>>());
    }
}
