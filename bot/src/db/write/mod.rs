//! Writes rebuilt rounds over the rows that exist.
//!
//! A [`RoundRecord`] in `gametimes_groups` remembers which rows were computed from which facts. A round takes over the record that
//! its facts had before, so ids, which websites link to, stay the same when a stats file arrives late. Rows that another bot made
//! are adopted if they are of the same round: they are completed, and never deleted.
//!
//! In this order: [`records`] finds what the rounds had before, [`conflicts`] deletes the rows of rounds that no longer exist and
//! adopts rows of another bot, [`tables`] writes the rows, [`website`] those of tables that only a website's schema has, [`sessions`]
//! counts evenings, and [`records`] remembers them.

use std::collections::BTreeSet;

mod conflicts;
mod records;
mod sessions;
mod stale_days;
mod tables;
mod website;

pub(super) use self::conflicts::resolve_match_id_conflicts;
use super::connection::Transaction;
use super::error::DbError;
use super::facts::FactRecord;
use super::schema::TableColumns;
use super::value::Columns;
use gametimes_rounds::reconcile::{Fact, ReconciledRound};
use gametimes_rounds::rows::RoundRows;
use jiff::tz::TimeZone;

/// Rebuilt rounds.
pub(super) struct Plan<'a> {
    pub facts: &'a [Fact],
    /// What is stored about each fact.
    pub records: &'a [FactRecord],
    pub rounds: &'a [ReconciledRound],
    /// The rows of each round.
    pub rows: &'a [RoundRows],
    /// Which rounds a change can have affected. Everything that these depend on was loaded, so they are written. The others were
    /// loaded only because these may depend on them, and are left alone.
    pub affected: &'a [bool],
}

/// A row of `gametimes_groups`: the rows that were computed for a round.
#[derive(Debug, Clone)]
struct RoundRecord {
    id: i64,
    round_id: Option<i64>,
    match_id: String,
    /// The `match_id` of the rows of `lua_round_teams` and `lua_spawn_stats`.
    recorded_match_id: String,
    round_number: i64,
    /// The hash over the content of the rows.
    content: String,
    /// Whether another bot made the row of `rounds`.
    adopted: bool,
}

/// A round that is about to be written.
struct PendingRound<'a> {
    /// Its place in the [`Plan`].
    index: usize,
    rows: &'a RoundRows,
    content: String,
    /// What was written for the round before.
    record: Option<RoundRecord>,
    round_id: Option<i64>,
    adopted: bool,
    captured_unix: i64,
}

/// Writes the affected rounds whose rows differ from those that exist; returns the ids of the rounds that changed, and the
/// comparisons to log.
pub(super) async fn write(
    transaction: &mut Transaction,
    columns: &TableColumns,
    plan: &Plan<'_>,
    zone: &TimeZone,
) -> Result<(Vec<i64>, Vec<String>), DbError> {
    let mut writer = Writer {
        transaction,
        columns,
        former_names: BTreeSet::new(),
    };
    let (mut pending, obsolete) = writer.assign_records(plan).await?;
    let unchanged: Vec<PendingRound<'_>> = pending.extract_if(.., |p| p.is_unchanged()).collect();
    writer.delete_rounds(&obsolete).await?;
    writer.release_match_ids(&pending).await?;
    writer.adopt_rounds(&mut pending).await?;
    writer.write_rounds(&mut pending).await?;
    writer.assign_sessions(&pending, zone).await?;
    writer.write_teams(&pending).await?;
    writer.write_spawns(&pending).await?;
    writer.write_players(&pending).await?;
    writer.write_website(&pending).await?;
    writer.save_records(plan, &pending, &unchanged).await?;
    writer.mark_stale_days(&pending, &obsolete).await?;
    let changed = pending.iter().filter_map(|p| p.round_id).collect();
    let comparisons = pending.iter().filter_map(|p| p.rows.comparison.clone());
    Ok((changed, comparisons.collect()))
}

impl RoundRecord {
    /// The `match_id` of the round's rows while rounds exchange their ids: a unique key allows each of them only once.
    fn temporary_match_id(&self) -> String {
        format!("moving {}", self.id)
    }
}

impl PendingRound<'_> {
    fn is_unchanged(&self) -> bool {
        let before = self.record.as_ref();
        before.is_some_and(|record| record.content == self.content)
    }

    fn key(&self) -> (String, i64) {
        (self.rows.match_id.clone(), self.rows.round_number.into())
    }

    /// The key of the rows that only the recorder knows.
    fn recorded_key(&self) -> (String, i64) {
        let match_id = self.rows.recorded_match_id.clone();
        (match_id, self.rows.round_number.into())
    }

    /// Whether rows of the round may exist.
    fn may_have_rows(&self) -> bool {
        self.record.is_some() || self.adopted
    }
}

struct Writer<'t, 'c> {
    transaction: &'t mut Transaction,
    columns: &'c TableColumns,
    /// Guids and names of rows that were changed or deleted.
    former_names: BTreeSet<(String, String)>,
}

impl Writer<'_, '_> {
    fn has(&self, table: &str) -> bool {
        self.columns
            .get(table)
            .is_some_and(|columns| !columns.is_empty())
    }
}

/// The part of a row that this database has columns for.
fn known(columns: &TableColumns, table: &str, mut row: Columns) -> Columns {
    let columns = &columns[table];
    row.retain(|(name, _)| columns.contains(*name));
    row
}
