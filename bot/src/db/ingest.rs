//! Stores what was received and rebuilds the affected rows, in one transaction.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use gametimes_rounds::report::{Refused, check_not_ahead};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::connection::Transaction;
use super::error::DbError;
use super::facts::{self, NewFact, Parsed, Prepared};
use super::value::Value;
use super::webhooks::{self, Delivery};
use super::{Content, Db, IngestItem, checkpoints, columns, summaries};
use crate::parallel;

/// What [`Db::ingest`] changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IngestReport {
    /// How many facts were new, or named their server for the first time.
    pub new_facts: usize,
    /// How many facts were known already.
    pub repeated: usize,
    /// How many items were rejected.
    pub rejected: usize,
    /// Those of them that were refused only when they were stored: the origin and the reason.
    pub refused: Vec<String>,
    /// The `rounds.id` of the rounds whose rows changed.
    pub rounds: Vec<i64>,
}

impl Db {
    /// Stores items and rebuilds all rows that they affect, in one transaction.
    ///
    /// # Errors
    /// When the database fails; then nothing was changed.
    pub async fn ingest(&self, items: &[IngestItem]) -> Result<IngestReport, DbError> {
        let prepared = parallel::map(items, |item| Prepared::new(Cow::Borrowed(item)));
        self.store(&prepared).await
    }

    /// Like [`Db::ingest`], with items that are prepared.
    pub(super) async fn store(&self, items: &[Prepared<'_>]) -> Result<IngestReport, DbError> {
        let now = Timestamp::now().as_second();
        let mut report = IngestReport::default();
        let items: Vec<Cow<'_, Prepared<'_>>> = items
            .iter()
            .map(|item| refuse_future(item, &self.zone, now, &mut report))
            .collect();
        let mut transaction = self.begin().await?;
        let (changed, parsed) = self
            .add_facts(&mut transaction, &items, now, &mut report)
            .await?;
        for item in items.iter().map(|item| item.item.as_ref()) {
            if let Content::Rejected { reason, excerpt } = &item.content {
                report.rejected += 1;
                checkpoints::reject(&mut transaction, item, reason, excerpt, now).await?;
            }
            for checkpoint in &item.checkpoints {
                checkpoints::save(&mut transaction, checkpoint, now).await?;
            }
        }
        let mut comparisons = Vec::new();
        if !changed.is_empty() {
            let times = affected_times(&mut transaction, &changed).await?;
            (report.rounds, comparisons) =
                self.rebuild_rows(&mut transaction, &times, parsed).await?;
            if !report.rounds.is_empty() {
                summaries::look_again(&mut transaction, &times).await?;
            }
        }
        transaction.commit().await?;
        for comparison in comparisons {
            tracing::info!("{comparison}");
        }
        Ok(report)
    }

    /// Adds the facts that are not stored yet; returns those that are new or changed, and their documents.
    async fn add_facts(
        &self,
        transaction: &mut Transaction,
        items: &[Cow<'_, Prepared<'_>>],
        now: i64,
        report: &mut IngestReport,
    ) -> Result<(Vec<NewFact>, Parsed), DbError> {
        let mut new: BTreeMap<String, NewFact> = BTreeMap::new();
        let mut deliveries: Vec<Delivery<'_>> = Vec::new();
        for prepared in items {
            let Some(fact) = prepared.fact(&self.zone, now) else {
                continue;
            };
            deliveries.push(Delivery {
                identity: fact.identity.clone(),
                item: &prepared.item,
            });
            let server = fact.server.clone();
            let first = new.entry(fact.identity.clone()).or_insert(fact);
            // The same file may come from two sources of which only one names the server.
            if first.server.is_empty() {
                first.server = server;
            }
        }
        let known = webhooks::known(transaction, &deliveries).await?;
        let rows = new.values_mut().map(columns::fact).collect();
        let tail = "ON CONFLICT (identity) DO UPDATE SET server = EXCLUDED.server \
                    WHERE gametimes_facts.server = '' AND EXCLUDED.server <> '' RETURNING identity";
        let returned = transaction.insert("gametimes_facts", rows, tail).await?;
        report.new_facts = returned.len();
        report.repeated = deliveries.len() - returned.len();
        let recorded = webhooks::record(transaction, &deliveries, known, now).await?;
        for (item, reason) in recorded.conflicts {
            tracing::warn!("{}: {reason}", item.origin);
            report.rejected += 1;
            report.refused.push(format!("{}: {reason}", item.origin));
            checkpoints::reject(transaction, item, &reason, "", now).await?;
        }
        let mut changed = recorded.resolved;
        changed.extend(returned.iter().map(|row| row.get::<String>("identity")));
        new.retain(|identity, _| changed.contains(identity));
        let parsed = deliveries
            .iter()
            .filter(|delivery| changed.contains(&delivery.identity))
            .filter_map(|d| Some((d.identity.clone(), facts::document_of(d.item)?)))
            .collect();
        Ok((new.into_values().collect(), parsed))
    }
}

/// Prepares items, off the threads that serve requests.
pub async fn prepare(items: Vec<IngestItem>) -> Vec<Prepared<'static>> {
    let prepared = tokio::task::spawn_blocking(move || {
        let items = items.into_iter();
        items.map(|item| Prepared::new(Cow::Owned(item))).collect()
    });
    match prepared.await {
        Ok(prepared) => prepared,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Rejects an item whose round ends in the future.
fn refuse_future<'a, 'p>(
    prepared: &'a Prepared<'p>,
    zone: &TimeZone,
    now: i64,
    report: &mut IngestReport,
) -> Cow<'a, Prepared<'p>> {
    let Some(at_unix) = prepared.at_unix(zone) else {
        return Cow::Borrowed(prepared);
    };
    let Err(Refused(reason)) = check_not_ahead(at_unix, now) else {
        return Cow::Borrowed(prepared);
    };
    let item = &prepared.item;
    tracing::warn!("{} rejected: {reason}", item.origin);
    report.refused.push(format!("{}: {reason}", item.origin));
    Cow::Owned(prepared.rejected(reason))
}

/// The times around which rows may change: those of the changed facts, and of facts that name the same stats file.
async fn affected_times(
    transaction: &mut Transaction,
    changed: &[NewFact],
) -> Result<BTreeSet<i64>, DbError> {
    let mut times: BTreeSet<i64> = changed.iter().map(|fact| fact.at_unix).collect();
    let names: BTreeSet<&String> = changed.iter().map(|fact| &fact.stats_name).collect();
    let names = names.into_iter().filter(|name| !name.is_empty());
    let names: Vec<Value> = names.map(Value::from).collect();
    let sql = "SELECT DISTINCT at_unix FROM gametimes_facts WHERE stats_name";
    let rows = transaction.rows_in(sql, &names).await?;
    times.extend(rows.iter().map(|row| row.get::<i64>("at_unix")));
    Ok(times)
}
