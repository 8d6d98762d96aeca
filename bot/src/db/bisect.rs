//! Stores a batch of which the database refuses a part, by halving it until the culprit is found.

use tracing::error;

use super::connection::DbError;
use super::{Applied, Content, Db, IngestItem};

/// How often an item is tried if a row of another bot is in the way.
const TRIES: usize = 3;

impl Db {
    /// Like [`Db::apply`], but an item that the database refuses is rejected, so that it does not keep the others from being
    /// stored.
    ///
    /// # Errors
    /// When the database fails. What was stored until then stays; the whole batch may be stored again.
    pub async fn apply_each(&self, batch: &[IngestItem]) -> Result<Applied, DbError> {
        let mut tries = 1;
        let refusal = loop {
            match self.apply(batch).await {
                // Another bot has just stored the same round. The next try finds its rows.
                Err(error) if batch.len() == 1 && tries < TRIES && is_conflict(&error) => {
                    tries += 1;
                }
                Err(error) if is_about_data(&error) => break error,
                other => return other,
            }
        };
        match batch {
            [] => Ok(Applied::default()),
            [one] => {
                error!("{} cannot be stored: {refusal}", one.origin);
                let rejected = IngestItem {
                    content: Content::Rejected {
                        reason: refusal.to_string(),
                        excerpt: String::new(),
                    },
                    ..one.clone()
                };
                let mut applied = self.apply(&[rejected]).await?;
                applied.refused.push(format!("{}: {refusal}", one.origin));
                Ok(applied)
            }
            several => {
                let (first, second) = several.split_at(several.len() / 2);
                let mut applied = Box::pin(self.apply_each(first)).await?;
                let more = Box::pin(self.apply_each(second)).await?;
                applied.new_facts += more.new_facts;
                applied.repeated += more.repeated;
                applied.rejected += more.rejected;
                applied.refused.extend(more.refused);
                applied.rounds.extend(more.rounds);
                Ok(applied)
            }
        }
    }
}

/// Whether the same data would fail again: a value is out of range, violates a constraint, has another type than the column, or is
/// too large for an index or a statement.
fn is_about_data(error: &DbError) -> bool {
    match error {
        DbError::Content(_) => true,
        DbError::Database(sqlx::Error::Database(e)) => {
            let kind = e.kind();
            let class = e.code().is_some_and(|code| {
                code.len() == 5
                    && ["22", "23", "54"]
                        .iter()
                        .any(|class| code.starts_with(class))
            });
            class || !matches!(kind, sqlx::error::ErrorKind::Other)
        }
        DbError::Database(sqlx::Error::Encode(_) | sqlx::Error::Decode(_)) => true,
        _ => false,
    }
}

/// Whether another bot inserted or deleted a row that matters here since this transaction began.
fn is_conflict(error: &DbError) -> bool {
    matches!(error, DbError::Database(sqlx::Error::Database(e))
        if e.is_unique_violation() || e.is_foreign_key_violation())
}
