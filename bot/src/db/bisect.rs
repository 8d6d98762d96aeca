//! Stores a batch of which the database refuses a part, by halving it until the culprit is found.

use tracing::error;

use super::error::DbError;
use super::facts::Prepared;
use super::{Db, IngestReport, sequences};

/// How often an item is tried if a row of another bot is in the way, and how often sequences are repaired for one batch.
const TRIES: usize = 3;

impl Db {
    /// Like [`Db::ingest`], but an item that the database refuses is rejected, so that it does not keep the others from
    /// being stored.
    ///
    /// # Errors
    /// When the database fails. What was stored until then stays; the whole batch may be stored again.
    pub async fn ingest_or_reject(&self, batch: &[Prepared<'_>]) -> Result<IngestReport, DbError> {
        let mut tries = 1;
        let mut repairs = 0;
        let refusal = loop {
            match self.store(batch).await {
                Err(error) if is_conflict(&error) && self.repair_sequences().await? => {
                    repairs += 1;
                    // Another program sets them back. That is not the fault of the batch, which is stored later.
                    if repairs > TRIES {
                        return Err(error);
                    }
                }
                // Another bot has just stored the same round. The next try finds its rows.
                Err(error) if batch.len() == 1 && tries < TRIES && is_conflict(&error) => {
                    tries += 1;
                }
                Err(error) if is_about_data(&error) => break error,
                other => return other,
            }
        };
        match batch {
            [] => Ok(IngestReport::default()),
            [one] => {
                let origin = &one.item.origin;
                error!("{origin} cannot be stored: {refusal}");
                let rejected = one.rejected(refusal.to_string());
                let mut report = self.store(&[rejected]).await?;
                report.refused.push(format!("{origin}: {refusal}"));
                Ok(report)
            }
            several => {
                let (first, second) = several.split_at(several.len() / 2);
                let mut report = Box::pin(self.ingest_or_reject(first)).await?;
                let more = Box::pin(self.ingest_or_reject(second)).await?;
                report.new_facts += more.new_facts;
                report.repeated += more.repeated;
                report.rejected += more.rejected;
                report.refused.extend(more.refused);
                report.rounds.extend(more.rounds);
                Ok(report)
            }
        }
    }

    /// Puts sequences right that are behind, after a row got a number that is taken. Returns whether there were any.
    async fn repair_sequences(&self) -> Result<bool, DbError> {
        let behind = sequences::behind(&self.database).await?;
        if behind.is_empty() {
            return Ok(false);
        }
        let repaired = sequences::repair(&self.database, &behind).await;
        repaired.map_err(|_| DbError::SequencesBehind(sequences::describe(&behind)))?;
        Ok(true)
    }
}

/// Whether the same data would fail again: a value is out of range, violates a constraint, has another type than the column, or is
/// too large for an index or a statement.
fn is_about_data(error: &DbError) -> bool {
    match error {
        DbError::Content(_) => true,
        DbError::Database(sqlx::Error::Database(e)) => {
            e.code().is_some_and(|code| is_code_about_data(&code))
        }
        DbError::Database(sqlx::Error::Encode(_) | sqlx::Error::Decode(_)) => true,
        _ => false,
    }
}

/// PostgreSQL has codes of five characters, SQLite numbers whose last byte is the kind.
fn is_code_about_data(code: &str) -> bool {
    /// Data exception, integrity constraint violation, program limit exceeded; `datatype_mismatch`.
    const POSTGRES: [&str; 4] = ["22", "23", "54", "42804"];
    /// `SQLITE_TOOBIG`, `SQLITE_CONSTRAINT`, `SQLITE_MISMATCH`.
    const SQLITE: [u32; 3] = [18, 19, 20];
    match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => SQLITE.contains(&(number & 0xff)),
        _ => POSTGRES.iter().any(|class| code.starts_with(class)),
    }
}

/// Whether another bot inserted or deleted a row that matters here since this transaction began.
fn is_conflict(error: &DbError) -> bool {
    matches!(error, DbError::Database(sqlx::Error::Database(e))
        if e.is_unique_violation() || e.is_foreign_key_violation())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_refused_data_are_not_those_of_a_database_that_fails() {
        // Text too long, not null, index row too large, datatype mismatch; too big, constraints, mismatch.
        for code in [
            "22001", "23502", "54000", "42804", "18", "19", "275", "2067", "3091", "20",
        ] {
            assert!(is_code_about_data(code), "{code}");
        }
        // No table, no permission, disk full, too many connections; busy, I/O error, full, no table.
        for code in [
            "42P01", "42501", "53100", "53300", "40001", "5", "517", "10", "778", "13", "1",
        ] {
            assert!(!is_code_about_data(code), "{code}");
        }
    }
}
