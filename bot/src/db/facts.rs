//! Adding facts, and making the rows around them anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::connection::{DbError, Transaction};
use super::value::{Row, Value};
use super::{Checkpoint, Content, Db, IngestItem, identity, write};
use crate::args;
use gametimes_rounds::reconcile::{
    self, Document, Fact, ForeignRound, MATCH_ID_FORMAT, REACH_SECONDS, unix_of, unix_of_civil,
};
use gametimes_rounds::report::Report;
use gametimes_rounds::rows;
use gametimes_rounds::stats_file::StatsFile;

/// What a call of [`Db::apply`] changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Facts that were not known yet.
    pub new_facts: usize,
    /// Facts that were known already.
    pub repeated: usize,
    /// What was refused.
    pub rejected: usize,
    /// Of them what the database itself refused, and why.
    pub refused: Vec<String>,
    /// Rounds whose rows changed: their `rounds.id`.
    pub rounds: Vec<i64>,
}

/// A fact together with the group of rows it is part of.
pub(super) struct Stored {
    pub fact: Fact,
    pub group_id: Option<i64>,
    pub received_unix: i64,
}

/// Of the reason why something was rejected. It is part of an index, whose rows PostgreSQL limits to 2700 bytes.
const REASON_CHARS_MAX: usize = 300;
/// How many points in time are made anew in one transaction.
const REBUILD_TIMES: usize = 200;
/// Most rejected things that are kept.
const REJECTED_MAX: i64 = 10_000;

impl Db {
    /// Stores arrivals and makes all rows they touch anew, in one transaction: all of it happens, or nothing.
    ///
    /// # Errors
    /// When the database fails; nothing was changed then.
    pub async fn apply(&self, arrivals: &[IngestItem]) -> Result<Applied, DbError> {
        let now = Timestamp::now().as_second();
        let mut applied = Applied::default();
        let mut transaction = self.database.begin().await?;
        let touched = self
            .add_facts(&mut transaction, arrivals, now, &mut applied)
            .await?;
        for arrival in arrivals {
            if let Content::Rejected { reason, excerpt } = &arrival.content {
                applied.rejected += 1;
                reject(&mut transaction, arrival, reason, excerpt, now).await?;
            }
            for mark in &arrival.marks {
                set_mark(&mut transaction, mark, now).await?;
            }
        }
        let mut comparisons = Vec::new();
        if !touched.is_empty() {
            let times = self.with_partners(&mut transaction, touched).await?;
            (applied.rounds, comparisons) = self.make(&mut transaction, &times).await?;
        }
        transaction.commit().await?;
        for comparison in comparisons {
            tracing::info!("{comparison}");
        }
        Ok(applied)
    }

    /// Makes all rows anew from the facts, as is due when the setting `time_zone` was wrong or a later version tells rounds apart
    /// better. A bot may run meanwhile. `progress` is told how many of how many points in time are done.
    ///
    /// # Errors
    /// When the database fails; what was made until then stays.
    pub async fn rebuild(&self, mut progress: impl FnMut(usize, usize)) -> Result<usize, DbError> {
        let mut transaction = self.database.begin().await?;
        // The time of a stats file depends on the time zone; and with its time the round that it belongs to.
        let sql = "SELECT id, stats_name, at_unix FROM gametimes_facts WHERE kind = 'stats'";
        for row in transaction.rows(sql, &[]).await? {
            let at_unix = unix_of(&row.string(1), &self.zone);
            if at_unix.is_some() && at_unix != row.int(2) {
                let sql = "UPDATE gametimes_facts SET at_unix = $1, group_id = CASE WHEN EXISTS (SELECT 1 FROM \
                           gametimes_facts r WHERE r.group_id = gametimes_facts.group_id AND r.kind = 'report') \
                           THEN NULL ELSE group_id END WHERE id = $2";
                transaction.execute(sql, args![at_unix, row.int(0)]).await?;
            }
        }
        // No content is known, so every row is written.
        let sql = "UPDATE gametimes_groups SET content = ''";
        transaction.execute(sql, &[]).await?;
        let sql = "SELECT DISTINCT at_unix FROM gametimes_facts ORDER BY at_unix";
        let times: Vec<i64> = transaction
            .rows(sql, &[])
            .await?
            .iter()
            .filter_map(|row| row.int(0))
            .collect();
        transaction.commit().await?;
        let mut rounds = BTreeSet::new();
        for (n, chunk) in times.chunks(REBUILD_TIMES).enumerate() {
            progress(n * REBUILD_TIMES, times.len());
            let mut transaction = self.database.begin().await?;
            let chunk: BTreeSet<i64> = chunk.iter().copied().collect();
            let (made, _) = self.make(&mut transaction, &chunk).await?;
            transaction.commit().await?;
            rounds.extend(made);
        }
        Ok(rounds.len())
    }

    /// Makes the rows around these times anew; returns the rounds that changed and the comparisons to log.
    async fn make(
        &self,
        transaction: &mut Transaction,
        times: &BTreeSet<i64>,
    ) -> Result<(Vec<i64>, Vec<String>), DbError> {
        let facts = self.load(transaction, times).await?;
        let plain: Vec<Fact> = facts.iter().map(|s| s.fact.clone()).collect();
        let rounds = reconcile::reconcile(&plain);
        let mut built = rows::build(&plain, &rounds, &self.zone);
        let near = |at: i64| times.iter().any(|t| (t - at).abs() <= REACH_SECONDS);
        let core: Vec<bool> = rounds
            .iter()
            .map(|r| r.members().any(|i| near(plain[i].at_unix)))
            .collect();
        write::keep_clear(transaction, &facts, &rounds, &core, &mut built).await?;
        let plan = write::Plan {
            facts: &facts,
            rounds: &rounds,
            rows: &built,
            core: &core,
        };
        write::write(transaction, &self.columns, &plan).await
    }

    /// Adds what is new; returns the times of the facts that are new or changed, with the stats files they name.
    async fn add_facts(
        &self,
        transaction: &mut Transaction,
        arrivals: &[IngestItem],
        now: i64,
        applied: &mut Applied,
    ) -> Result<Vec<Touched>, DbError> {
        const COLUMNS: [&str; 11] = [
            "kind",
            "identity",
            "server",
            "at_unix",
            "stats_name",
            "event_id",
            "source",
            "origin",
            "body",
            "timeline",
            "received_unix",
        ];
        let mut fresh: BTreeMap<String, (Vec<Value>, Touched)> = BTreeMap::new();
        let mut facts = 0;
        for arrival in arrivals {
            let Some((row, touched)) = fact_row(arrival, &self.zone, now)? else {
                continue;
            };
            facts += 1;
            let entry = fresh
                .entry(touched.identity.clone())
                .or_insert((row, touched));
            // The same file by two ways, of which only one tells the server.
            if matches!(&entry.0[2], Value::Text(Some(server)) if server.is_empty()) {
                entry.0[2] = server_of(arrival).into();
            }
        }
        let list: Vec<Vec<Value>> = fresh.values().map(|(row, _)| row.clone()).collect();
        let tail = "ON CONFLICT (identity) DO UPDATE SET server = EXCLUDED.server \
                    WHERE gametimes_facts.server = '' AND EXCLUDED.server <> '' RETURNING identity";
        let returned = transaction
            .insert("gametimes_facts", &COLUMNS, &list, tail)
            .await?;
        applied.new_facts = returned.len();
        applied.repeated = facts - returned.len();
        Ok(returned
            .iter()
            .filter_map(|row| fresh.remove(row.text(0)?))
            .map(|(_, touched)| touched)
            .collect())
    }

    /// The times around which rows may change: those of the new facts, and of the facts that name the same stats file.
    async fn with_partners(
        &self,
        transaction: &mut Transaction,
        touched: Vec<Touched>,
    ) -> Result<BTreeSet<i64>, DbError> {
        let mut times: BTreeSet<i64> = touched.iter().map(|t| t.at_unix).collect();
        let names: BTreeSet<&String> = touched.iter().map(|t| &t.stats_name).collect();
        let names: Vec<Value> = names
            .into_iter()
            .filter(|name| !name.is_empty())
            .map(Value::from)
            .collect();
        for chunk in names.chunks(500) {
            let sql = format!(
                "SELECT DISTINCT at_unix FROM gametimes_facts WHERE stats_name IN ({})",
                placeholders(chunk.len())
            );
            let rows = transaction.rows(&sql, chunk).await?;
            times.extend(rows.iter().filter_map(|row| row.int(0)));
        }
        Ok(times)
    }

    /// All facts that have a say in the rows around these times.
    async fn load(
        &self,
        transaction: &mut Transaction,
        times: &BTreeSet<i64>,
    ) -> Result<Vec<Stored>, DbError> {
        const SELECT: &str = "SELECT id, kind, identity, server, at_unix, origin, body, group_id, received_unix, stats_name \
                              FROM gametimes_facts WHERE ";
        let mut found: HashMap<i64, Stored> = HashMap::new();
        let mut names = BTreeSet::new();
        let spans = spans(times, 2 * REACH_SECONDS);
        for (from, to) in &spans {
            let sql = format!("{SELECT} at_unix BETWEEN $1 AND $2");
            for row in transaction.rows(&sql, args![*from, *to]).await? {
                names.insert(row.string(9));
                if let Some(stored) = readable(&row) {
                    found.insert(stored.fact.id, stored);
                }
            }
        }
        // A stats file whose name's time is off (another time zone) is still found by its name.
        let names: Vec<Value> = names
            .into_iter()
            .filter(|n| !n.is_empty())
            .map(Value::from)
            .collect();
        for chunk in names.chunks(500) {
            let sql = format!(
                "SELECT id, at_unix FROM gametimes_facts WHERE stats_name IN ({})",
                placeholders(chunk.len())
            );
            for row in transaction.rows(&sql, chunk).await? {
                let id = row.int(0).unwrap_or_default();
                if !found.contains_key(&id) {
                    for row in transaction
                        .rows(&format!("{SELECT} id = $1"), args![id])
                        .await?
                    {
                        found.extend(readable(&row).map(|stored| (id, stored)));
                    }
                }
            }
        }
        let mut facts: Vec<Stored> = found.into_values().collect();
        self.add_foreign(transaction, &spans, &mut facts).await?;
        facts.sort_by_key(|s| s.fact.id);
        Ok(facts)
    }

    /// Rounds that another bot stored in the same tables.
    async fn add_foreign(
        &self,
        transaction: &mut Transaction,
        spans: &[(i64, i64)],
        facts: &mut Vec<Stored>,
    ) -> Result<(), DbError> {
        let ours: BTreeSet<String> = facts
            .iter()
            .filter_map(|s| match &s.fact.document {
                Document::Stats(file) => Some(file.name.match_id.clone()),
                _ => None,
            })
            .collect();
        for (from, to) in spans {
            let local = |unix: i64| {
                let time = Timestamp::from_second(unix)
                    .unwrap_or_default()
                    .to_zoned(self.zone.clone());
                time.strftime(MATCH_ID_FORMAT).to_string()
            };
            let sql = "SELECT r.id, r.match_id, r.round_number, r.map_name FROM rounds r \
                       LEFT JOIN gametimes_groups g ON g.round_id = r.id \
                       WHERE r.match_id BETWEEN $1 AND $2 AND (g.id IS NULL OR g.adopted = $3)";
            for row in transaction
                .rows(sql, args![local(*from), local(*to), true])
                .await?
            {
                let match_id = row.string(1);
                let Some(at_unix) = unix_of(&match_id, &self.zone) else {
                    continue;
                };
                if ours.contains(&match_id) {
                    continue;
                }
                let round_id = row.int(0).unwrap_or_default();
                let foreign = ForeignRound {
                    round_id,
                    name: format!(
                        "{match_id}-{}-round-{}.txt",
                        row.string(3),
                        row.int(2).unwrap_or_default()
                    ),
                    match_id,
                    map: row.string(3),
                    round: u8::try_from(row.int(2).unwrap_or_default()).unwrap_or_default(),
                };
                facts.push(Stored {
                    fact: Fact {
                        id: -round_id,
                        identity: format!("foreign {}", foreign.name),
                        server: String::new(),
                        at_unix,
                        document: Document::Foreign(Box::new(foreign)),
                    },
                    group_id: None,
                    received_unix: 0,
                });
            }
        }
        Ok(())
    }
}

/// A fact that is new or changed.
struct Touched {
    identity: String,
    at_unix: i64,
    stats_name: String,
}

/// The row of a fact, or none for what is no fact.
fn fact_row(
    arrival: &IngestItem,
    zone: &TimeZone,
    now: i64,
) -> Result<Option<(Vec<Value>, Touched)>, DbError> {
    let json = |e: serde_json::Error| DbError::Content(e.to_string());
    let (kind, touched, body, timeline, event_id) = match &arrival.content {
        Content::Report(report) => {
            let body = serde_json::to_vec(report).map_err(json)?;
            let timeline = serde_json::to_vec(&report.events).map_err(json)?;
            let touched = Touched {
                identity: identity(&[b"report", &body, &timeline]),
                at_unix: report.meta.round_end_unix,
                stats_name: report.meta.stats_file.clone().unwrap_or_default(),
            };
            (
                "report",
                touched,
                body,
                (!report.events.is_empty()).then_some(timeline),
                report.meta.event_id.as_str(),
            )
        }
        Content::Stats(file, bytes) => {
            let touched = Touched {
                identity: identity(&[b"stats", file.name.name.as_bytes(), bytes]),
                at_unix: unix_of_civil(file.name.written, zone),
                stats_name: file.name.name.clone(),
            };
            ("stats", touched, bytes.clone(), None, "")
        }
        Content::Rejected { .. } | Content::Nothing => return Ok(None),
    };
    let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let row = vec![
        kind.into(),
        Value::from(&touched.identity),
        server_of(arrival).into(),
        touched.at_unix.into(),
        cut(&touched.stats_name, 256).into(),
        cut(event_id, 64).into(),
        arrival.source.into(),
        cut(&arrival.origin, 256).into(),
        body.into(),
        Value::Bytes(timeline),
        now.into(),
    ];
    Ok(Some((row, touched)))
}

/// The server as the content names it, else as the way it came does.
fn server_of(arrival: &IngestItem) -> String {
    let told = match &arrival.content {
        Content::Report(report) => report.server(),
        _ => String::new(),
    };
    let server = if told.is_empty() {
        &arrival.server
    } else {
        &told
    };
    server.chars().take(128).collect()
}

/// A fact that cannot be read any more (damaged, or of a later version) is told and left out: what comes around it must not
/// be refused because of it.
fn readable(row: &Row) -> Option<Stored> {
    stored(row)
        .inspect_err(|error| tracing::error!("{error}; it is left out"))
        .ok()
}

fn stored(row: &Row) -> Result<Stored, DbError> {
    let broken =
        |why: String| DbError::Content(format!("fact {}: {why}", row.int(0).unwrap_or_default()));
    let document = if row.text(1) == Some("stats") {
        let name = row.string(9);
        let file = StatsFile::parse(&name, row.bytes(6)).map_err(|e| broken(e.0))?;
        Document::Stats(Box::new(file))
    } else {
        let report: Report =
            serde_json::from_slice(row.bytes(6)).map_err(|e| broken(e.to_string()))?;
        Document::Report(Box::new(report))
    };
    Ok(Stored {
        fact: Fact {
            id: row.int(0).unwrap_or_default(),
            identity: row.string(2),
            server: row.string(3),
            at_unix: row.int(4).unwrap_or_default(),
            document,
        },
        group_id: row.int(7),
        received_unix: row.int(8).unwrap_or_default(),
    })
}

async fn reject(
    transaction: &mut Transaction,
    arrival: &IngestItem,
    reason: &str,
    excerpt: &str,
    now: i64,
) -> Result<(), DbError> {
    let cut = |text: &str, most: usize| -> String {
        text.chars().filter(|c| *c != '\0').take(most).collect()
    };
    let sql = "INSERT INTO gametimes_rejected (source, origin, reason, excerpt, times, first_unix, last_unix) \
               VALUES ($1, $2, $3, $4, 1, $5, $5) ON CONFLICT (source, origin, reason) \
               DO UPDATE SET times = gametimes_rejected.times + 1, last_unix = EXCLUDED.last_unix";
    let values = args![
        arrival.source,
        cut(&arrival.origin, 256),
        cut(reason, REASON_CHARS_MAX),
        cut(excerpt, 500),
        now
    ];
    transaction.execute(sql, values).await?;
    let sql =
        "DELETE FROM gametimes_rejected WHERE id <= (SELECT MAX(id) FROM gametimes_rejected) - $1";
    transaction.execute(sql, args![REJECTED_MAX]).await?;
    Ok(())
}

async fn set_mark(
    transaction: &mut Transaction,
    mark: &Checkpoint,
    now: i64,
) -> Result<(), DbError> {
    match mark {
        Checkpoint::Reached { name, value } => {
            let sql = "INSERT INTO gametimes_state (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE \
                       SET value = EXCLUDED.value \
                       WHERE CAST(gametimes_state.value AS BIGINT) < CAST(EXCLUDED.value AS BIGINT)";
            transaction
                .execute(sql, args![name, value.to_string()])
                .await?;
        }
        Checkpoint::Forgotten { name } => {
            let sql = "DELETE FROM gametimes_state WHERE name = $1";
            transaction.execute(sql, args![name]).await?;
        }
        Checkpoint::File {
            place,
            path,
            size_bytes,
            modified_unix,
        } => {
            let sql = "INSERT INTO gametimes_files (place, path, size_bytes, modified_unix, read_unix) \
                       VALUES ($1, $2, $3, $4, $5) ON CONFLICT (place, path) DO UPDATE SET \
                       size_bytes = EXCLUDED.size_bytes, modified_unix = EXCLUDED.modified_unix, \
                       read_unix = EXCLUDED.read_unix";
            let size = i64::try_from(*size_bytes).unwrap_or(i64::MAX);
            transaction
                .execute(sql, args![place, path, size, *modified_unix, now])
                .await?;
        }
    }
    Ok(())
}

/// `$1, $2, ...`.
pub(crate) fn placeholders(count: usize) -> String {
    (1..=count)
        .map(|n| format!("${n}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The spans around times, overlapping ones joined.
fn spans(times: &BTreeSet<i64>, around: i64) -> Vec<(i64, i64)> {
    let mut spans: Vec<(i64, i64)> = Vec::new();
    for &time in times {
        match spans.last_mut() {
            Some(last) if time - around <= last.1 => last.1 = time + around,
            _ => spans.push((time - around, time + around)),
        }
    }
    spans
}
