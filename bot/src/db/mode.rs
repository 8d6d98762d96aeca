//! Whether the shared tables are the bot's own, or those of another bot that writes to the same database.

use std::fmt;
use std::str::FromStr;

use gametimes_format::text::counted;

use super::companion;
use super::connection::Database;
use super::error::DbError;
use super::migrations::columns_of;

/// Who the shared tables belong to; the setting `database_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The bot: it writes all of their rows.
    Own,
    /// Another bot. Ours completes its rounds, and keeps its own data in separate tables; see [`companion`].
    Companion,
}

impl FromStr for Mode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "own" => Ok(Self::Own),
            "companion" => Ok(Self::Companion),
            _ => Err(()),
        }
    }
}

/// Why a mode is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The setting `database_mode` says so.
    Setting,
    /// Only PostgreSQL has the other mode.
    Sqlite,
    /// The bot has been a companion on this database before.
    Earlier,
    /// `rounds` contains so many rows that this bot did not insert.
    OtherRows(i64),
    /// All rows of `rounds` are from this bot.
    NoOtherRows,
}

/// The mode in force, and why. Its text is for admins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The mode.
    pub mode: Mode,
    /// The reason.
    pub reason: Reason,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mode {
            Mode::Own => f.write_str("own: this bot writes all rows of the shared tables, because ")?,
            Mode::Companion => f.write_str(
                "companion: another bot writes the shared tables and this one completes them, because ",
            )?,
        }
        match self.reason {
            Reason::Setting => f.write_str("database_mode is set"),
            Reason::Sqlite => f.write_str("the database is SQLite"),
            Reason::Earlier => f.write_str("it was so at an earlier start"),
            Reason::OtherRows(n) => write!(
                f,
                "{} of the table `rounds` {} from another bot",
                counted(usize::try_from(n).unwrap_or_default(), "row"),
                if n == 1 { "is" } else { "are" }
            ),
            Reason::NoOtherRows => f.write_str("no row of the table `rounds` is from another bot"),
        }
    }
}

/// Decides on the mode of a database. Only reads.
///
/// # Errors
/// When the database fails, or the setting asks for a mode that it does not have.
pub async fn choose(database: &Database, setting: Option<Mode>) -> Result<Choice, DbError> {
    let choice = |mode, reason| Ok(Choice { mode, reason });
    match setting {
        Some(Mode::Companion) if !database.is_postgres() => return Err(DbError::Companion),
        Some(mode) => return choice(mode, Reason::Setting),
        None if !database.is_postgres() => return choice(Mode::Own, Reason::Sqlite),
        None => {}
    }
    if companion::exists(database).await? {
        return choice(Mode::Companion, Reason::Earlier);
    }
    match rows_of_others(database).await? {
        0 => choice(Mode::Own, Reason::NoOtherRows),
        n => choice(Mode::Companion, Reason::OtherRows(n)),
    }
}

/// How many rows of `rounds` this bot did not insert.
async fn rows_of_others(database: &Database) -> Result<i64, DbError> {
    let columns = columns_of(database, &["rounds", "gametimes_groups"]).await?;
    if columns["rounds"].is_empty() {
        return Ok(0);
    }
    let ours = if columns["gametimes_groups"].is_empty() {
        ""
    } else {
        " AND NOT EXISTS (SELECT 1 FROM gametimes_groups g WHERE g.round_id = r.id AND NOT g.adopted)"
    };
    let sql =
        format!("SELECT COUNT(*) AS n FROM rounds r WHERE COALESCE(r.round_number, 1) <> 0{ours}");
    let row = database.row(&sql, &[]).await?;
    Ok(row.map(|row| row.get("n")).unwrap_or_default())
}
