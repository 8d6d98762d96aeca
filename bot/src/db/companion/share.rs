//! Copies our rounds into the tables of the other bot.

use std::collections::{BTreeMap, BTreeSet};

use gametimes_format::EndReason;
use gametimes_format::digest::round_canonical_id;
use gametimes_rounds::reconcile::{Document, SAME_END_SECONDS};
use gametimes_rounds::rows::local_time;
use jiff::{Timestamp, ToSpan as _};
use tracing::warn;

use super::Companion;
use super::partner::{self, Candidate, OwnRound};
use crate::args;
use crate::db::connection::{Database, Transaction};
use crate::db::value::set_excluded;
use crate::db::value::{Columns, Row, Value};
use crate::db::write::Plan;
use crate::db::{Db, DbError};

/// Rounds that ended longer ago are only looked for at the start.
const WAITING_SECONDS: i64 = 3 * 24 * 3600;

impl Db {
    /// Copies the changed rounds of a plan, whose rows have been written to our own tables.
    pub(in crate::db) async fn share(
        &self,
        transaction: &mut Transaction,
        plan: &Plan<'_>,
    ) -> Result<(), DbError> {
        let Some(companion) = &self.companion else {
            return Ok(());
        };
        let mut ties: BTreeMap<(String, i64), Columns> = BTreeMap::new();
        for (i, rows) in plan.rows.iter().enumerate() {
            if plan.affected[i] && rows.teams.is_some() {
                let key = (rows.recorded_match_id.clone(), rows.round_number.into());
                ties.extend(self.tie(plan, i).map(|tie| (key, tie)));
            }
        }
        let names: BTreeSet<&String> = ties.keys().map(|(match_id, _)| match_id).collect();
        let names: Vec<Value> = names.into_iter().map(Value::from).collect();
        let sql = "SELECT id, match_id, round_number FROM lua_round_teams WHERE match_id";
        let mut rows: Vec<Columns> = Vec::new();
        for row in transaction.rows_in(sql, &names).await? {
            if let Some(mut tie) = ties.remove(&(row.get("match_id"), row.get("round_number"))) {
                tie.push(("teams_id", row.get::<i64>("id").into()));
                rows.push(tie);
            }
        }
        let tail = "ON CONFLICT (teams_id) DO UPDATE SET canonical_id = EXCLUDED.canonical_id, \
                    stats_name = EXCLUDED.stats_name, stats_number = EXCLUDED.stats_number, match_id = EXCLUDED.match_id, content = EXCLUDED.content \
                    WHERE gametimes_ties.content IS DISTINCT FROM EXCLUDED.content RETURNING teams_id";
        let changed = transaction.insert("gametimes_ties", rows, tail).await?;
        companion.withdraw(transaction).await?;
        for row in changed {
            let result = self
                .try_share(transaction, companion, row.get("teams_id"))
                .await;
            // The round is stored in our own tables, and `tie_waiting` tries again.
            if let Err(error) = result? {
                warn!(
                    "a round could not be copied into the shared tables: {error}; trying again later"
                );
            }
        }
        Ok(())
    }

    /// What is needed to find the other bot's rows of a round.
    fn tie(&self, plan: &Plan<'_>, index: usize) -> Option<Columns> {
        let round = &plan.rounds[index];
        let report = plan.facts[round.report?].report()?;
        let meta = &report.meta;
        let canonical_id = match meta.round_canonical_id.as_str() {
            "" if meta.round_start_unix > 0 => {
                round_canonical_id(meta.round_start_unix, &meta.map, meta.round)
            }
            id => id.to_owned(),
        };
        let file = round.stats.map(|i| &plan.facts[i].document);
        let stats_name = match file {
            Some(Document::Stats(file)) => file.name.name.clone(),
            _ => meta.stats_file.clone().unwrap_or_default(),
        };
        // After a restart of the map, the number in the name may differ from the recorder's.
        let stats_number = match stats_name.as_bytes() {
            [.., number @ b'1'..=b'9', b'.', b't', b'x', b't'] => number - b'0',
            _ => meta.round,
        };
        Some(vec![
            ("canonical_id", canonical_id.into()),
            ("stats_number", stats_number.into()),
            ("stats_name", stats_name.into()),
            ("match_id", local_time(report, &self.zone).into()),
            ("content", plan.rows[index].content_hash().into()),
        ])
    }

    /// Copies a round; if that fails, the transaction stays usable.
    async fn try_share(
        &self,
        transaction: &mut Transaction,
        companion: &Companion,
        teams_id: i64,
    ) -> Result<Result<(), DbError>, DbError> {
        transaction.execute("SAVEPOINT share", &[]).await?;
        let result = self.share_round(transaction, companion, teams_id).await;
        if result.is_err() {
            transaction
                .execute("ROLLBACK TO SAVEPOINT share", &[])
                .await?;
        }
        transaction.execute("RELEASE SAVEPOINT share", &[]).await?;
        Ok(result)
    }

    async fn share_round(
        &self,
        transaction: &mut Transaction,
        companion: &Companion,
        teams_id: i64,
    ) -> Result<(), DbError> {
        let sql = "SELECT t.id, t.match_id, t.round_number, t.map_name, t.round_start_unix, t.round_end_unix, \
                   t.actual_duration_seconds, t.total_pause_seconds, t.pause_count, t.end_reason, t.winner_team, \
                   t.defender_team, k.canonical_id, k.stats_name, k.stats_number, k.match_id AS end_id, k.shared_teams_id, k.is_made \
                   FROM lua_round_teams t JOIN gametimes_ties k ON k.teams_id = t.id WHERE t.id = $1";
        let Some(own) = transaction.rows(sql, args![teams_id]).await?.pop() else {
            return Ok(());
        };
        let round_id = self.partner(transaction, companion, &own).await?;
        if let Some(round_id) = round_id {
            companion.update_round(transaction, &own, round_id).await?;
        }
        let (match_id, shared_id, is_made) =
            companion.write_teams(transaction, &own, round_id).await?;
        companion
            .write_spawns(transaction, &own, &match_id, round_id)
            .await?;
        let sql = "UPDATE gametimes_ties SET shared_round_id = $2, shared_teams_id = $3, is_made = is_made OR $4 \
                   WHERE teams_id = $1";
        let values = args![teams_id, round_id, shared_id, is_made];
        transaction.execute(sql, values).await?;
        Ok(())
    }

    /// The `rounds.id` of the other bot's row of a round, if it exists.
    async fn partner(
        &self,
        transaction: &mut Transaction,
        companion: &Companion,
        own: &Row,
    ) -> Result<Option<i64>, DbError> {
        let round = OwnRound {
            canonical_id: own.get("canonical_id"),
            stats_name: own.get("stats_name"),
            end_unix: own.get("round_end_unix"),
        };
        let canonical_id = if companion.has("rounds", "round_canonical_id") {
            "round_canonical_id"
        } else {
            "NULL"
        };
        let end = Timestamp::from_second(round.end_unix).unwrap_or_default();
        let end = end.to_zoned(self.zone.clone());
        let date = |days: i64| {
            let day = end.checked_add(days.days()).unwrap_or_else(|_| end.clone());
            day.strftime("%Y-%m-%d").to_string()
        };
        let named = round.stats_name.get(..10).unwrap_or_default();
        // The rows of two rounds may have the same map, number and second: those of two servers. The first to come has the row.
        let sql = format!(
            "SELECT r.id, COALESCE({canonical_id}, '') AS canonical_id, r.round_date, r.round_time FROM {}.rounds r \
             WHERE ({canonical_id} = $2 OR (r.round_number = $1 AND LOWER(r.map_name) = LOWER($3) \
             AND r.round_date IN ($4, $5, $6, $7))) AND NOT EXISTS (SELECT 1 FROM gametimes_ties k \
             WHERE k.shared_round_id = r.id AND k.teams_id <> $8) ORDER BY r.id",
            companion.shared
        );
        let values = args![
            own.get::<i64>("stats_number"),
            &round.canonical_id,
            own.get::<String>("map_name"),
            named,
            date(-1),
            date(0),
            date(1),
            own.get::<i64>("id")
        ];
        let candidates: Vec<Candidate> = transaction
            .rows(&sql, values)
            .await?
            .iter()
            .map(|row| Candidate {
                id: row.get("id"),
                canonical_id: row.get("canonical_id"),
                written: format!(
                    "{}-{}",
                    row.get::<String>("round_date"),
                    row.get::<String>("round_time").replace(':', "")
                ),
            })
            .collect();
        Ok(partner::find(&round, &candidates, &self.zone))
    }

    /// Copies the rounds again whose row the other bot has written by now, or has written over. `all` includes those that ended
    /// long ago. Returns how many rounds were copied.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tie_waiting(&self, all: bool) -> Result<usize, DbError> {
        let Some(companion) = &self.companion else {
            return Ok(0);
        };
        let since = if all {
            0
        } else {
            Timestamp::now().as_second() - WAITING_SECONDS
        };
        let waiting = companion.waiting(&self.database, since).await?;
        if waiting.is_empty() {
            return Ok(0);
        }
        let mut transaction = self.begin().await?;
        let mut shared = 0;
        for teams_id in waiting {
            self.try_share(&mut transaction, companion, teams_id)
                .await??;
            shared += 1;
        }
        transaction.commit().await?;
        Ok(shared)
    }
}

impl Companion {
    /// Our rounds whose shared rows are missing or differ, and for which the other bot may have a row by now.
    async fn waiting(&self, database: &Database, since: i64) -> Result<Vec<i64>, DbError> {
        let shared = &self.shared;
        let canonical = if self.has("rounds", "round_canonical_id") {
            "OR c.round_canonical_id = k.canonical_id"
        } else {
            ""
        };
        // A round without a row of the other bot is looked at again when there is a row with its map and number from these days.
        let sql = format!(
            "SELECT k.teams_id FROM gametimes_ties k JOIN lua_round_teams t ON t.id = k.teams_id \
             LEFT JOIN {shared}.rounds r ON r.id = k.shared_round_id \
             LEFT JOIN {shared}.lua_round_teams s ON s.id = k.shared_teams_id \
             WHERE t.round_end_unix >= $1 AND (s.id IS NULL OR (r.id IS NOT NULL AND (s.round_id IS DISTINCT FROM r.id \
             OR r.round_end_unix IS DISTINCT FROM t.round_end_unix)) OR (r.id IS NULL AND EXISTS (SELECT 1 FROM {shared}.rounds c \
             WHERE (c.round_number = k.stats_number AND LOWER(c.map_name) = LOWER(t.map_name) \
             AND c.round_date BETWEEN to_char(to_timestamp(t.round_end_unix - 86400), 'YYYY-MM-DD') \
             AND to_char(to_timestamp(t.round_end_unix + 86400), 'YYYY-MM-DD')) {canonical}))) ORDER BY k.teams_id"
        );
        let rows = database.rows(&sql, args![since]).await?;
        Ok(rows.iter().map(|row| row.get("teams_id")).collect())
    }

    /// Deletes what we wrote for rounds that no longer exist, because their reports turned out to be of another round.
    async fn withdraw(&self, transaction: &mut Transaction) -> Result<(), DbError> {
        let sql = "SELECT teams_id, shared_teams_id, is_made FROM gametimes_ties k \
                   WHERE NOT EXISTS (SELECT 1 FROM lua_round_teams t WHERE t.id = k.teams_id)";
        let shared = &self.shared;
        for row in transaction.rows(sql, &[]).await? {
            let made = row.get::<bool>("is_made");
            if let Some(id) = row.get::<Option<i64>>("shared_teams_id").filter(|_| made) {
                let sql = format!(
                    "DELETE FROM {shared}.lua_spawn_stats WHERE (match_id, round_number) IN \
                     (SELECT match_id, round_number FROM {shared}.lua_round_teams WHERE id = $1)"
                );
                transaction.execute(&sql, args![id]).await?;
                let sql = format!("DELETE FROM {shared}.lua_round_teams WHERE id = $1");
                transaction.execute(&sql, args![id]).await?;
            }
            let sql = "DELETE FROM gametimes_ties WHERE teams_id = $1";
            let values = args![row.get::<i64>("teams_id")];
            transaction.execute(sql, values).await?;
        }
        Ok(())
    }

    /// Writes the times, the winner, the defender and the end to the other bot's row.
    async fn update_round(
        &self,
        transaction: &mut Transaction,
        own: &Row,
        round_id: i64,
    ) -> Result<(), DbError> {
        let int = |column: &str| Value::Int(own.get(column));
        let reason: String = own.get("end_reason");
        let known: Option<EndReason> = serde_json::from_value(reason.as_str().into()).ok();
        let is_finished = known.is_none_or(EndReason::is_finished);
        let mut row: Columns = vec![
            ("round_end_unix", int("round_end_unix")),
            ("actual_duration_seconds", int("actual_duration_seconds")),
            ("total_pause_seconds", int("total_pause_seconds")),
            ("pause_count", int("pause_count")),
            ("end_reason", reason.into()),
        ];
        // Old scripts do not always know these; what the other bot read in the stats file stays.
        if own.get::<i64>("round_start_unix") > 0 {
            row.push(("round_start_unix", int("round_start_unix")));
        }
        if own.get::<i64>("winner_team") != 0 || !is_finished {
            row.push(("winner_team", int("winner_team")));
        }
        if own.get::<i64>("defender_team") != 0 {
            row.push(("defender_team", int("defender_team")));
        }
        row.retain(|(column, _)| self.has("rounds", column));
        if !row.is_empty() {
            let table = format!("{}.rounds", self.shared);
            transaction.update_by_id(&table, &row, round_id).await?;
        }
        Ok(())
    }

    /// Writes the row of `lua_round_teams`, over the row that the other bot has of the round. Returns its `match_id` and id, and
    /// whether it is new.
    async fn write_teams(
        &self,
        transaction: &mut Transaction,
        own: &Row,
        round_id: Option<i64>,
    ) -> Result<(String, i64, bool), DbError> {
        let (shared, own_id) = (&self.shared, own.get::<i64>("id"));
        let end: i64 = own.get("round_end_unix");
        let (number, end_id): (i64, String) = (own.get("round_number"), own.get("end_id"));
        let by_end = if self.has("lua_round_teams", "round_end_unix") {
            format!(
                "OR (t.round_number = $2 AND LOWER(t.map_name) = LOWER($6) \
                 AND ABS(t.round_end_unix - $7) <= {SAME_END_SECONDS})"
            )
        } else {
            "OR ($6 = '' AND $7 = 0)".to_owned()
        };
        let sql = format!(
            "SELECT t.id, t.match_id, t.round_id, t.round_number FROM {shared}.lua_round_teams t WHERE (t.id = $3 OR t.round_id = $4 \
             OR (t.match_id = $1 AND t.round_number = $2) {by_end}) AND NOT EXISTS (SELECT 1 FROM gametimes_ties k \
             WHERE k.shared_teams_id = t.id AND k.teams_id <> $5) \
             ORDER BY t.id = $3 DESC NULLS LAST, t.match_id = $1 DESC, t.id"
        );
        let values = args![
            &end_id,
            number,
            own.get::<Option<i64>>("shared_teams_id"),
            round_id,
            own_id,
            own.get::<String>("map_name"),
            end
        ];
        let found = transaction.rows(&sql, values).await?;
        for other in found.iter().skip(1) {
            // `round_id` is unique in some databases.
            let sql = format!("UPDATE {shared}.lua_round_teams SET round_id = NULL WHERE id = $1");
            let values = args![other.get::<i64>("id")];
            transaction.execute(&sql, values).await?;
        }
        let match_id = match found.first() {
            Some(row) => row.get("match_id"),
            None => {
                self.free_match_id(transaction, &end_id, number, own_id)
                    .await?
            }
        };
        let columns = self.common_columns("lua_round_teams", &["id", "match_id", "round_id"]);
        let sets = set_excluded(&columns);
        let columns = columns.join(", ");
        // Without a row of the other bot, its link stays: it may know better.
        let sql = format!(
            "INSERT INTO {shared}.lua_round_teams AS s (match_id, round_id, {columns}) \
             SELECT $1, CAST($2 AS INTEGER), {columns} FROM lua_round_teams WHERE id = $3 \
             ON CONFLICT (match_id, round_number) DO UPDATE SET round_id = COALESCE(EXCLUDED.round_id, s.round_id), {sets} \
             RETURNING s.id, (s.xmax = 0) AS is_new"
        );
        let values = args![&match_id, round_id, own_id];
        let written = transaction.rows(&sql, values).await?;
        let written = written.first();
        let id = written.map(|row| row.get("id")).unwrap_or_default();
        let is_new = written.is_some_and(|row| row.get("is_new"));
        Ok((match_id, id, is_new))
    }

    /// The `match_id` for a new row. The time itself is taken if a round of another server ended in the same second.
    async fn free_match_id(
        &self,
        transaction: &mut Transaction,
        end_id: &str,
        number: i64,
        own_id: i64,
    ) -> Result<String, DbError> {
        let sql = format!(
            "SELECT 1 AS found FROM {}.lua_round_teams t JOIN gametimes_ties k ON k.shared_teams_id = t.id \
             WHERE t.match_id = $1 AND t.round_number = $2",
            self.shared
        );
        let taken = transaction.rows(&sql, args![end_id, number]).await?;
        Ok(if taken.is_empty() {
            end_id.to_owned()
        } else {
            format!("{end_id}.{own_id}")
        })
    }

    /// Writes the rows of `lua_spawn_stats`. Rows with milliseconds, which only this bot writes, are never replaced by rows
    /// without.
    async fn write_spawns(
        &self,
        transaction: &mut Transaction,
        own: &Row,
        match_id: &str,
        round_id: Option<i64>,
    ) -> Result<(), DbError> {
        let table = "lua_spawn_stats";
        if self.columns[table].is_empty() {
            return Ok(());
        }
        let shared = &self.shared;
        let columns = self.common_columns(table, &["id", "match_id", "round_id"]);
        let sets = set_excluded(&columns);
        let columns = columns.join(", ");
        let has_ms = self.has(table, "dead_ms");
        let better = if has_ms {
            "WHERE s.dead_ms IS NULL OR EXCLUDED.dead_ms IS NOT NULL"
        } else {
            ""
        };
        let sql = format!(
            "INSERT INTO {shared}.{table} AS s (match_id, round_id, {columns}) \
             SELECT $1, CAST($2 AS INTEGER), {columns} FROM {table} WHERE match_id = $3 AND round_number = $4 \
             ON CONFLICT (match_id, round_number, player_guid) DO UPDATE \
             SET round_id = COALESCE(EXCLUDED.round_id, s.round_id), {sets} {better}"
        );
        let (own_match, number): (String, i64) = (own.get("match_id"), own.get("round_number"));
        let values = args![match_id, round_id, &own_match, number];
        transaction.execute(&sql, values).await?;
        if round_id.is_some() {
            // Rows of the other bot that ours did not replace.
            let sql = format!(
                "UPDATE {shared}.{table} SET round_id = CAST($2 AS INTEGER) WHERE match_id = $1 AND round_number = $3 \
                 AND round_id IS NULL"
            );
            transaction
                .execute(&sql, args![match_id, round_id, number])
                .await?;
        }
        if has_ms {
            // Players that an earlier report of the round named differently.
            let sql = format!(
                "DELETE FROM {shared}.{table} s WHERE s.match_id = $1 AND s.round_number = $3 AND s.dead_ms IS NOT NULL \
                 AND NOT EXISTS (SELECT 1 FROM {table} o WHERE o.match_id = $2 AND o.round_number = $3 \
                 AND o.player_guid = s.player_guid)"
            );
            transaction
                .execute(&sql, args![match_id, own_match, number])
                .await?;
        }
        Ok(())
    }
}
