//! Writing assembled rounds over the rows that are there.
//!
//! A group remembers which rows were made from which facts. A round takes over the group that its facts had before, so
//! that ids, which websites link to, stay when a stats file turns up late. Rows that another bot made are adopted where
//! they tell of the same round, and never deleted.
//!
//! In this order: [`groups`] finds what the rounds had before, [`room`] takes away what is no more and finds rows to adopt,
//! [`tables`] writes the rows, and [`groups`] remembers them.

mod conflicts;
mod records;
mod tables;

pub(super) use self::conflicts::keep_clear;
use super::columns::Columns;
use super::connection::{DbError, Transaction};
use super::facts::Stored;
use super::schema;
use super::value::Value;
use gametimes_rounds::reconcile::ReconciledRound;
use gametimes_rounds::rows::RoundRows;

/// Rounds to be written.
pub(super) struct Plan<'a> {
    pub facts: &'a [Stored],
    pub rounds: &'a [ReconciledRound],
    pub rows: &'a [RoundRows],
    /// Which rounds are far enough from the edge of what was loaded to be right.
    pub core: &'a [bool],
}

/// A group as it lies in the database.
#[derive(Debug, Clone)]
struct Group {
    id: i64,
    round_id: Option<i64>,
    match_id: String,
    round_number: i64,
    content: String,
    adopted: bool,
}

/// A round on its way into the tables.
struct Work<'a> {
    index: usize,
    rows: &'a RoundRows,
    content: String,
    group: Option<Group>,
    round_id: Option<i64>,
    adopted: bool,
    captured_unix: i64,
}

/// Writes what differs; returns the ids of the rounds that changed and the comparisons to log.
pub(super) async fn write(
    transaction: &mut Transaction,
    columns: &schema::Columns,
    plan: &Plan<'_>,
) -> Result<(Vec<i64>, Vec<String>), DbError> {
    let mut writer = Writer {
        transaction,
        columns,
    };
    let (mut works, leftovers) = writer.claim(plan).await?;
    let settled: Vec<Work<'_>> = works.extract_if(.., |w| w.unchanged()).collect();
    writer.make_room(&works, &leftovers).await?;
    writer.find_adoptable(&mut works).await?;
    writer.rounds(&mut works).await?;
    writer.teams(&works).await?;
    writer.spawns(&works).await?;
    writer.players(&works).await?;
    writer.groups(plan, &works, &settled).await?;
    let changed = works.iter().filter_map(|w| w.round_id).collect();
    let comparisons = works
        .iter()
        .filter_map(|w| w.rows.comparison.clone())
        .collect();
    Ok((changed, comparisons))
}

impl Work<'_> {
    fn unchanged(&self) -> bool {
        self.group
            .as_ref()
            .is_some_and(|g| g.content == self.content)
    }

    fn key(&self) -> (String, i64) {
        (self.rows.match_id.clone(), self.rows.round_number.into())
    }
}

struct Writer<'t, 'c> {
    transaction: &'t mut Transaction,
    columns: &'c schema::Columns,
}

impl Writer<'_, '_> {
    async fn insert_all(&mut self, table: &str, rows: &[Columns]) -> Result<(), DbError> {
        let Some(first) = rows.first() else {
            return Ok(());
        };
        let (names, _) = split(first);
        let values: Vec<Vec<Value>> = rows.iter().map(|row| split(row).1).collect();
        self.transaction.insert(table, &names, &values, "").await?;
        Ok(())
    }

    fn has(&self, table: &str) -> bool {
        self.columns
            .get(table)
            .is_some_and(|columns| !columns.is_empty())
    }

    /// The part of a row that this database has columns for.
    fn known(&self, table: &str, row: &Columns) -> Columns {
        let columns = &self.columns[table];
        row.iter()
            .filter(|(name, _)| columns.contains(*name))
            .cloned()
            .collect()
    }
}

fn split(row: &Columns) -> (Vec<&'static str>, Vec<Value>) {
    row.iter().cloned().unzip()
}
