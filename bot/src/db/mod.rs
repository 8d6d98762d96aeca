//! The database: stores facts, computes rows from them, and answers questions about them.
//!
//! Every message and file is stored once, as a fact. The rows that other programs read (`rounds`, `lua_round_teams`,
//! `lua_spawn_stats`, `player_comprehensive_stats`) are computed from the facts by [`gametimes_rounds::reconcile`], in the same
//! transaction in which a fact is added. So the rows depend on the facts alone, and never on the order in which they arrived.
//!
//! * [`schema`] and [`migrations`] create the tables; [`connection`] and [`value`] hide which database it is.
//! * `ingest` stores what was received: facts (`facts`), rejected items and checkpoints (`checkpoints`). It has `rebuild`
//!   compute the affected rows and `write` write them, whose columns are in [`columns`].
//! * [`mode`] decides whether the shared tables are ours or another bot's; for the latter there is [`companion`].
//! * `player_sums` computes what players did and what was played on whole days, from the rows of days on which rounds have changed.
//! * The other modules only read.

pub mod audit;
pub mod backup;
mod bisect;
mod causes;
mod checkpoints;
pub mod checks;
pub mod columns;
pub mod companion;
pub mod connection;
pub mod diagnostics;
pub mod digests;
mod encoding;
mod error;
mod facts;
pub mod files;
mod ingest;
pub mod live;
pub mod map_table;
pub mod matches;
pub mod migrations;
pub mod mode;
mod packing;
mod play_order;
pub mod player_figures;
mod player_sums;
pub mod player_table;
pub mod players;
mod rebuild;
pub mod round_list;
pub mod rounds;
pub mod schema;
pub mod scores;
pub mod sequences;
pub mod sources;
pub mod summaries;
pub mod value;
pub mod webhooks;
mod write;

use std::sync::Arc;

use jiff::tz::TimeZone;
use tracing::{info, warn};

pub use connection::Database;
pub use error::DbError;
pub use facts::Prepared;
pub use ingest::{IngestReport, prepare};
pub use migrations::{Migrated, Schema};
pub use mode::Mode;

use self::companion::Companion;
use self::connection::Transaction;
use self::schema::TableColumns;
use gametimes_rounds::report::Report;
use gametimes_rounds::stats_file::StatsFile;

/// An open database of this bot.
#[derive(Debug, Clone)]
pub struct Db {
    /// The connection.
    pub database: Database,
    /// The columns of the shared tables.
    columns: Arc<TableColumns>,
    /// The tables of the other bot in companion mode.
    companion: Option<Arc<Companion>>,
    zone: TimeZone,
    /// Whether to wait as long as another process writes, instead of giving up.
    waits_for_lock: bool,
}

impl Db {
    /// Opens a database and brings it up to date, in the mode that [`mode::choose`] finds. `zone` is the servers' time zone: stats
    /// files and messages of old scripts contain local times without it.
    ///
    /// # Errors
    /// When the database does not answer or a table of ours cannot be created.
    pub async fn open(url: &str, zone: TimeZone) -> Result<Self, DbError> {
        Self::open_as(url, zone, None).await
    }

    /// Like [`Db::open`], in the mode of the setting.
    ///
    /// # Errors
    /// When the database does not answer or a table of ours cannot be created.
    pub async fn open_as(
        url: &str,
        zone: TimeZone,
        setting: Option<Mode>,
    ) -> Result<Self, DbError> {
        let open = async {
            let database = Database::open(url).await?;
            let choice = mode::choose(&database, setting).await?;
            match choice.mode {
                Mode::Own => Self::open_own(database, zone).await,
                Mode::Companion => {
                    info!("database mode {choice}");
                    Self::open_companion(url, database, zone).await
                }
            }
        };
        let db = open.await.map_err(|e: DbError| e.at(url))?;
        // The tables may belong to another bot, so the bot starts despite a failure.
        if let Err(error) = db.complete_play_order().await {
            warn!("adding the order of play to stored rounds: {error}");
        }
        db.prepare_player_sums().await.map_err(|e| e.at(url))?;
        Ok(db)
    }

    async fn open_own(database: Database, zone: TimeZone) -> Result<Self, DbError> {
        let was_companion = companion::leave(&database).await?;
        migrations::migrate(&database, &Schema::current()).await?;
        sequences::repair_at_start(&database).await?;
        let db = Self::new(database, None, zone).await?;
        if was_companion {
            db.rebuild(|_, _| {}).await?;
        }
        Ok(db)
    }

    async fn open_companion(url: &str, shared: Database, zone: TimeZone) -> Result<Self, DbError> {
        let is_new = companion::create(url, &shared).await?;
        sequences::repair_at_start(&shared).await?;
        let (database, companion) = companion::open(url, &shared, false).await?;
        shared.close().await;
        sequences::repair_at_start(&database).await?;
        let db = Self::new(database, Some(companion), zone).await?;
        if is_new {
            db.become_companion().await?;
        }
        if let Err(error) = db.tie_waiting(true).await {
            warn!("completing the rounds of the other bot: {error}; trying again later");
        }
        Ok(db)
    }

    /// Opens a database that is never written, and that another process keeps up to date.
    ///
    /// # Errors
    /// When the database does not answer or is not up to date.
    pub async fn open_read_only(url: &str, zone: TimeZone) -> Result<Self, DbError> {
        Self::open_read_only_as(url, zone, None).await
    }

    /// Like [`Db::open_read_only`], in the mode of the setting.
    ///
    /// # Errors
    /// When the database does not answer or is not up to date.
    pub async fn open_read_only_as(
        url: &str,
        zone: TimeZone,
        setting: Option<Mode>,
    ) -> Result<Self, DbError> {
        let open = async {
            let database = Database::open_read_only(url).await?;
            if mode::choose(&database, setting).await?.mode == Mode::Own {
                migrations::check(&database, &Schema::current()).await?;
                return Self::new(database, None, zone).await;
            }
            migrations::check(&database, &companion::shared_schema()).await?;
            if !companion::exists(&database).await? {
                return Err(DbError::NotMigrated);
            }
            let (own, companion) = companion::open(url, &database, true).await?;
            database.close().await;
            Self::new(own, Some(companion), zone).await
        };
        open.await.map_err(|e| e.at(url))
    }

    async fn new(
        database: Database,
        companion: Option<Companion>,
        zone: TimeZone,
    ) -> Result<Self, DbError> {
        let mut columns = migrations::columns_of(&database, &schema::SHARED).await?;
        if companion.is_none() {
            columns.extend(migrations::columns_of(&database, &schema::WEBSITE).await?);
        }
        Ok(Self {
            database,
            columns: Arc::new(columns),
            companion: companion.map(Arc::new),
            zone,
            waits_for_lock: false,
        })
    }

    /// The same database, for a command whose data would not be sent again: it waits as long as another process writes.
    pub fn waiting_for_lock(self) -> Self {
        Self {
            waits_for_lock: true,
            ..self
        }
    }

    /// Begins a transaction that writes.
    async fn begin(&self) -> Result<Transaction, DbError> {
        if self.waits_for_lock {
            self.database.begin_waiting().await
        } else {
            self.database.begin().await
        }
    }

    /// Updates PostgreSQL's statistics, as is needed after many new rows: until then it plans joins over whole tables. Also vacuums its
    /// tables: until then an index does not answer without them. PostgreSQL would do both automatically after a minute or two. SQLite does
    /// not need it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn analyze(&self) -> Result<(), DbError> {
        if self.database.is_postgres() {
            for table in schema::SHARED {
                if self.has(table) {
                    self.database
                        .rows(&format!("VACUUM (ANALYZE) {table}"), &[])
                        .await?;
                }
            }
        }
        Ok(())
    }

    /// The columns for a SELECT, with NULL for those that this database lacks.
    pub(crate) fn select(&self, table: &str, alias: &str, columns: &[&str]) -> String {
        let existing = self.columns.get(table);
        let column = |name: &&str| {
            if existing.is_some_and(|columns| columns.contains(*name)) {
                format!("{alias}.{name}")
            } else {
                format!("NULL AS {name}")
            }
        };
        columns.iter().map(column).collect::<Vec<_>>().join(", ")
    }

    /// Whether the database has a table.
    pub(crate) fn has(&self, table: &str) -> bool {
        self.columns
            .get(table)
            .is_some_and(|columns| !columns.is_empty())
    }

    /// Whether the database has a column.
    fn has_column(&self, table: &str, column: &str) -> bool {
        self.columns
            .get(table)
            .is_some_and(|columns| columns.contains(column))
    }

    /// The servers' time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

/// Something that was received, to be stored in one transaction together with its checkpoints.
#[derive(Debug, Clone, PartialEq)]
pub struct IngestItem {
    /// How it was received: `discord`, `ssh`, `folder` or `ingest`.
    pub source: &'static str,
    /// The name of the file, or `message <id>`.
    pub origin: String,
    /// `ip:port` of the server if the source determines it, else empty.
    pub server: String,
    /// The Discord webhook that it came through; `None` if the bot read it itself.
    pub webhook: Option<u64>,
    /// What was received.
    pub content: Content,
    /// How far the source was read.
    pub checkpoints: Vec<Checkpoint>,
}

/// The content of an [`IngestItem`].
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A message or a gametimes file.
    Report(Box<Report>),
    /// A stats file and its bytes.
    Stats(Box<StatsFile>, Vec<u8>),
    /// Something that cannot be used.
    Rejected {
        /// The reason.
        reason: String,
        /// The beginning of the content.
        excerpt: String,
    },
    /// Nothing but the checkpoints.
    Nothing,
}

/// How far a source was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checkpoint {
    /// A number that only grows, such as the last message's id.
    Reached {
        /// The name of the source.
        name: String,
        /// The number.
        value: u64,
    },
    /// Deletes a [`Checkpoint::Reached`].
    Forgotten {
        /// The name of the source.
        name: String,
    },
    /// A file that was read.
    File {
        /// The folder or the server.
        place: String,
        /// The path in it.
        path: String,
        /// The size when the file was read.
        size_bytes: u64,
        /// When the file was last modified.
        modified_unix: i64,
    },
}

impl IngestItem {
    /// Reads a gametimes file or a stats file, as its name indicates. Anything else becomes [`Content::Rejected`].
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
            webhook: None,
            content,
            checkpoints: Vec::new(),
        }
    }
}
