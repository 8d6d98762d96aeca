//! PostgreSQL's sequences, which number new rows. In a restored dump they may be behind the rows; then every new row gets a
//! number that is taken. SQLite looks at the rows themselves.

use tracing::{info, warn};

use super::connection::{Database, Transaction};
use super::error::DbError;
use super::migrations::columns_of;
use super::schema::{SHARED, WEBSITE};
use crate::args;

/// The `gametimes_*` tables with a number that the database assigns.
const OWN: [&str; 3] = ["gametimes_facts", "gametimes_groups", "gametimes_rejected"];

/// A sequence that is behind the rows of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    table: &'static str,
    sequence: String,
    next: i64,
    highest: i64,
}

impl Behind {
    /// The statement that puts it right.
    fn cure(&self) -> String {
        let Self {
            table, sequence, ..
        } = self;
        let sequence = sequence.replace('\'', "''");
        format!("SELECT setval('{sequence}', (SELECT MAX(id) FROM {table}))")
    }
}

/// Describes the sequences and how to put them right.
pub fn describe(behind: &[Behind]) -> String {
    let one = |b: &Behind| {
        let (sequence, next, table, highest) = (&b.sequence, b.next, b.table, b.highest);
        format!(
            "sequence {sequence} continues at {next}, but {table} has ids up to {highest} (as after restoring a dump); run as the owner of \
             the table: {};",
            b.cure()
        )
    };
    behind.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// The sequences that are behind. Those that this role may not read are left out.
///
/// # Errors
/// When the database fails.
pub async fn behind(database: &Database) -> Result<Vec<Behind>, DbError> {
    let mut found = Vec::new();
    if !database.is_postgres() {
        return Ok(found);
    }
    // A sequence that belongs to the column, or another one that the column's default takes its value from.
    let of_column = "SELECT sequence FROM (SELECT COALESCE(pg_get_serial_sequence($1, 'id'), (SELECT d.refobjid::regclass::text \
                     FROM pg_attribute a JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum \
                     JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid \
                     AND d.refclassid = 'pg_class'::regclass JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S' \
                     WHERE a.attrelid = to_regclass($1) AND a.attname = 'id' LIMIT 1)) AS sequence) AS found \
                     WHERE has_sequence_privilege(sequence, 'SELECT')";
    for table in SHARED.into_iter().chain(WEBSITE).chain(OWN) {
        if !columns_of(database, &[table]).await?[table].contains("id") {
            continue;
        }
        let Some(row) = database.row(of_column, args![table]).await? else {
            continue;
        };
        let sequence: String = row.get("sequence");
        let state = format!(
            "SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END AS next, \
             (SELECT CAST(MAX(id) AS BIGINT) FROM {table}) AS highest FROM {sequence}"
        );
        let Some(row) = database.row(&state, &[]).await? else {
            continue;
        };
        let (next, highest): (i64, Option<i64>) = (row.get("next"), row.get("highest"));
        if let Some(highest) = highest.filter(|highest| next <= *highest) {
            found.push(Behind {
                table,
                sequence,
                next,
                highest,
            });
        }
    }
    Ok(found)
}

/// Puts sequences right that are behind.
///
/// # Errors
/// When the database fails, or this role may not set one of them; then nothing was changed.
pub async fn repair(database: &Database, behind: &[Behind]) -> Result<(), DbError> {
    let mut transaction: Transaction = database.begin().await?;
    for sequence in behind {
        transaction.execute(&sequence.cure(), &[]).await?;
    }
    transaction.commit().await?;
    for b in behind {
        info!(
            "sequence {} was behind the rows of {}; it continues after {}",
            b.sequence, b.table, b.highest
        );
    }
    Ok(())
}

/// Puts sequences right that are behind, at the start of a process that writes. If this role may not, it logs how to.
///
/// # Errors
/// When the database fails.
pub(super) async fn repair_at_start(database: &Database) -> Result<(), DbError> {
    let found = behind(database).await?;
    if !found.is_empty()
        && let Err(error) = repair(database, &found).await
    {
        warn!("no new row can be stored: {}: {error}", describe(&found));
    }
    Ok(())
}
