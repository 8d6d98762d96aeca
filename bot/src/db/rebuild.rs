//! Computes rows from facts again.

use std::collections::BTreeSet;

use gametimes_rounds::reconcile::{self, Fact, REACH_SECONDS, unix_of};
use gametimes_rounds::rows;

use super::connection::Transaction;
use super::error::DbError;
use super::facts::{FactRecord, Parsed};
use super::{Db, player_sums, schema, write};
use crate::args;

/// How many points in time are rebuilt in one transaction.
const TIMES_PER_TRANSACTION: usize = 200;

impl Db {
    /// Rebuilds all rows from the facts: needed when the setting `time_zone` was wrong, or when a new version computes rows
    /// differently. Other bots may run meanwhile. `progress` receives how many of how many points in time are done.
    ///
    /// # Errors
    /// When the database fails; what was rebuilt until then stays.
    pub async fn rebuild(&self, mut progress: impl FnMut(usize, usize)) -> Result<usize, DbError> {
        let mut transaction = self.begin().await?;
        self.correct_times(&mut transaction).await?;
        // Without the hashes of their content, all rows are written again.
        let sql = "UPDATE gametimes_groups SET content = ''";
        transaction.execute(sql, &[]).await?;
        let sql = "SELECT DISTINCT at_unix FROM gametimes_facts ORDER BY at_unix";
        let times = transaction.rows(sql, &[]).await?;
        let times: Vec<i64> = times.iter().map(|row| row.get("at_unix")).collect();
        transaction.commit().await?;
        let mut rounds = BTreeSet::new();
        for (n, chunk) in times.chunks(TIMES_PER_TRANSACTION).enumerate() {
            progress(n * TIMES_PER_TRANSACTION, times.len());
            let mut transaction = self.begin().await?;
            let chunk: BTreeSet<i64> = chunk.iter().copied().collect();
            let (changed, _) = self
                .rebuild_rows(&mut transaction, &chunk, Parsed::new())
                .await?;
            transaction.commit().await?;
            rounds.extend(changed);
        }
        // Also the days of rounds that another bot stored.
        let mut transaction = self.begin().await?;
        player_sums::mark_all_days(&mut transaction).await?;
        transaction.commit().await?;
        self.refresh_players().await?;
        Ok(rounds.len())
    }

    /// Computes the times of stats files again: they depend on the time zone. A file whose time changes may belong to another
    /// round, so it loses the record that it shares with a report.
    async fn correct_times(&self, transaction: &mut Transaction) -> Result<(), DbError> {
        let sql = "SELECT id, stats_name, at_unix FROM gametimes_facts WHERE kind = 'stats'";
        for row in transaction.rows(sql, &[]).await? {
            let at_unix = unix_of(&row.get::<String>("stats_name"), &self.zone);
            if at_unix.is_some() && at_unix != row.get("at_unix") {
                let sql = "UPDATE gametimes_facts SET at_unix = $1, group_id = CASE WHEN EXISTS (SELECT 1 FROM \
                           gametimes_facts r WHERE r.group_id = gametimes_facts.group_id AND r.kind = 'report') \
                           THEN NULL ELSE group_id END WHERE id = $2";
                let values = args![at_unix, row.get::<i64>("id")];
                transaction.execute(sql, values).await?;
            }
        }
        Ok(())
    }

    /// Rebuilds the rows of all rounds near these times; returns the ids of the rounds that changed, and log lines that compare
    /// recorders and stats files. `parsed` may contain documents of these facts, which are not parsed again.
    pub(super) async fn rebuild_rows(
        &self,
        transaction: &mut Transaction,
        times: &BTreeSet<i64>,
        parsed: Parsed,
    ) -> Result<(Vec<i64>, Vec<String>), DbError> {
        let times: &BTreeSet<i64> = &times
            .iter()
            .flat_map(|&time| reconcile::possible_times(time, &self.zone))
            .collect();
        let stored = self.load_facts(transaction, times, parsed).await?;
        let (facts, records): (Vec<Fact>, Vec<FactRecord>) =
            stored.into_iter().map(|s| (s.fact, s.record)).unzip();
        let rounds = reconcile::reconcile(&facts, &self.zone);
        let mut rows = rows::build(&facts, &rounds, &self.zone);
        let is_near = |at: i64| {
            let near = at.saturating_sub(REACH_SECONDS)..=at.saturating_add(REACH_SECONDS);
            times.range(near).next().is_some()
        };
        let affected: Vec<bool> = rounds
            .iter()
            .map(|round| round.members().any(|i| is_near(facts[i].at_unix)))
            .collect();
        write::resolve_match_id_conflicts(transaction, &records, &rounds, &affected, &mut rows)
            .await?;
        if schema::WEBSITE.iter().any(|table| self.has(table)) {
            rows::website::add(&facts, &rounds, &mut rows);
        }
        let plan = write::Plan {
            facts: &facts,
            records: &records,
            rounds: &rounds,
            rows: &rows,
            affected: &affected,
        };
        let written = write::write(transaction, &self.columns, &plan, &self.zone).await?;
        self.share(transaction, &plan).await?;
        Ok(written)
    }
}
