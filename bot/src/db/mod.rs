//! The database: facts in, rounds out.
//!
//! Every message and file is kept as a fact, once. The rows that others read (`rounds`, `lua_round_teams`,
//! `lua_spawn_stats`, `player_comprehensive_stats`) are made from the facts by [`gametimes_rounds::reconcile`], in the same transaction
//! in which a fact is added; so the rows depend on the facts alone, never on the order in which they came.

pub mod audit;
mod bisect;
pub mod columns;
pub mod connection;
pub mod diagnostics;
pub mod facts;
pub mod migrations;
pub mod players;
pub mod round_list;
pub mod rounds;
pub mod schema;
pub mod summaries;
pub mod value;
mod write;

use std::sync::Arc;

use jiff::tz::TimeZone;
use ring::digest;

pub use connection::{Database, DbError};
pub use facts::Applied;
pub use migrations::{Migrated, Schema};
pub use schema::Columns;

use gametimes_rounds::report::Report;
use gametimes_rounds::stats_file::StatsFile;

/// The database with all it needs to be written.
#[derive(Debug, Clone)]
pub struct Db {
    /// The database.
    pub database: Database,
    columns: Arc<Columns>,
    zone: TimeZone,
}

impl Db {
    /// Opens a database and brings it up to date. `zone` is the servers' time zone, for stats files and for messages of old
    /// scripts, which do not name it.
    ///
    /// # Errors
    /// When the database does not answer or a table of ours cannot be made.
    pub async fn open(url: &str, zone: TimeZone) -> Result<Self, DbError> {
        let database = Database::open(url).await?;
        migrations::migrate(&database, &Schema::current()).await?;
        Self::new(database, zone).await
    }

    /// Opens a database that is never written, and that another process keeps up to date.
    ///
    /// # Errors
    /// When the database does not answer or is not up to date.
    pub async fn open_read_only(url: &str, zone: TimeZone) -> Result<Self, DbError> {
        let database = Database::open_read_only(url).await?;
        migrations::check(&database, &Schema::current()).await?;
        Self::new(database, zone).await
    }

    async fn new(database: Database, zone: TimeZone) -> Result<Self, DbError> {
        let columns = migrations::columns_of(&database, &schema::SHARED).await?;
        Ok(Self {
            database,
            columns: Arc::new(columns),
            zone,
        })
    }

    /// Lets PostgreSQL count its tables anew, as is due after many rows at once: until it has, it works joins out over whole
    /// tables. By itself it does so within a minute or two. SQLite needs none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn analyze(&self) -> Result<(), DbError> {
        if self.database.is_postgres() {
            for table in schema::SHARED {
                if self.has(table) {
                    self.database.rows(&format!("ANALYZE {table}"), &[]).await?;
                }
            }
        }
        Ok(())
    }

    /// Columns for a SELECT; NULL stands for those that this database lacks.
    pub(crate) fn select(&self, table: &str, alias: &str, columns: &[&str]) -> String {
        let there = self.columns.get(table);
        let column = |name: &&str| {
            if there.is_some_and(|columns| columns.contains(*name)) {
                format!("{alias}.{name}")
            } else {
                format!("NULL AS {name}")
            }
        };
        columns.iter().map(column).collect::<Vec<_>>().join(", ")
    }

    /// Whether a table is there.
    pub(crate) fn has(&self, table: &str) -> bool {
        self.columns
            .get(table)
            .is_some_and(|columns| !columns.is_empty())
    }

    /// The servers' time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

/// Something that came in, to be stored in one transaction together with the mark that it came.
#[derive(Debug, Clone, PartialEq)]
pub struct IngestItem {
    /// By which way: `discord`, `ssh`, `folder`, `ingest`.
    pub source: &'static str,
    /// Name of the file, or `message <id>`.
    pub origin: String,
    /// `ip:port` of the server, where the way it came tells; else empty.
    pub server: String,
    /// What came.
    pub content: Content,
    /// What to remember of the way.
    pub marks: Vec<Checkpoint>,
}

/// What an [`IngestItem`] holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A message or gametimes file.
    Report(Box<Report>),
    /// A stats file and its bytes.
    Stats(Box<StatsFile>, Vec<u8>),
    /// Something that was refused.
    Rejected {
        /// Why.
        reason: String,
        /// The beginning of it.
        excerpt: String,
    },
    /// Nothing to store: only the marks.
    Nothing,
}

/// Where a source stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checkpoint {
    /// A number that only grows, such as the last message's id.
    Reached {
        /// Its name.
        name: String,
        /// Its value.
        value: u64,
    },
    /// A [`Checkpoint::Reached`] that is not needed any more.
    Forgotten {
        /// Its name.
        name: String,
    },
    /// A file that was read.
    File {
        /// The folder or server.
        place: String,
        /// The path there.
        path: String,
        /// Its size when it was read.
        size_bytes: u64,
        /// When it was last changed.
        modified_unix: i64,
    },
}

impl IngestItem {
    /// Reads a file by its name: a gametimes file or a stats file. What is neither, or broken, becomes a rejection.
    pub fn from_file(source: &'static str, name: &str, server: &str, bytes: Vec<u8>) -> Self {
        let content = if name.ends_with(".json") {
            Report::from_file(&bytes).map(|report| Content::Report(Box::new(report)))
        } else {
            StatsFile::parse(name, &bytes).map(|file| Content::Stats(Box::new(file), bytes.clone()))
        };
        let content = content.unwrap_or_else(|refused| Content::Rejected {
            reason: refused.0,
            excerpt: String::from_utf8_lossy(&bytes[..bytes.len().min(500)]).into_owned(),
        });
        Self {
            source,
            origin: name.to_owned(),
            server: server.to_owned(),
            content,
            marks: Vec::new(),
        }
    }
}

/// SHA-256 in hex over several parts, each told apart from the next.
fn identity(parts: &[&[u8]]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    }
    context
        .finish()
        .as_ref()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}
