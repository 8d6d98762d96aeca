//! The table `gametimes_facts`: everything that was received, each item once.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use gametimes_format::digest::{hex, sha256};
use gametimes_format::text::cut;
use gametimes_rounds::reconcile::{
    Document, Fact, ForeignRound, REACH_SECONDS, unix_of, unix_of_civil,
};
use gametimes_rounds::report::Report;
use gametimes_rounds::stats_file::{MATCH_ID_FORMAT, StatsFile};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::connection::Transaction;
use super::error::DbError;
use super::packing::{pack, unpack};
use super::value::{Row, Value};
use super::{Content, Db, IngestItem};
use crate::args;

/// A fact to be stored: the fields are the columns of `gametimes_facts`.
pub(super) struct NewFact {
    pub kind: &'static str,
    /// See [`Stored`].
    pub identity: String,
    pub server: String,
    pub at_unix: i64,
    pub stats_name: String,
    pub event_id: String,
    pub source: &'static str,
    pub origin: String,
    pub body: Vec<u8>,
    pub timeline: Option<Vec<u8>>,
    pub received_unix: i64,
}

/// A fact as it is stored, or a round of another bot.
pub(super) struct StoredFact {
    pub fact: Fact,
    pub record: FactRecord,
}

/// What is stored about a fact besides its content.
#[derive(Debug, Clone, Copy)]
pub(super) struct FactRecord {
    /// The record in `gametimes_groups` of the rows that were computed from the fact.
    pub record_id: Option<i64>,
    /// When it was received; 0 for a round of another bot.
    pub received_unix: i64,
}

/// About how long a report is as JSON without its timeline.
const BODY_BYTES: usize = 16 * 1024;
/// About how long an entry of the timeline is as JSON.
const EVENT_BYTES: usize = 256;

/// JSON of about this length.
fn to_json(value: &impl Serialize, about_bytes: usize) -> Result<Vec<u8>, serde_json::Error> {
    let mut json = Vec::with_capacity(about_bytes);
    serde_json::to_writer(&mut json, value)?;
    json.shrink_to_fit();
    Ok(json)
}

/// Documents that have just been parsed, by the identity of their fact.
pub(super) type Parsed = HashMap<String, Document>;

/// A copy of a report as its body has it: without the timeline, which is most of it.
fn without_timeline(report: &Report) -> Report {
    Report {
        completeness: report.completeness,
        meta: report.meta.clone(),
        warmup_start_unix: report.warmup_start_unix,
        version: report.version.clone(),
        doubts: report.doubts.clone(),
        events: Vec::new(),
    }
}

/// The document of an item, as [`StoredFact::from_row`] reads it from the database.
pub(super) fn document_of(item: &IngestItem) -> Option<Document> {
    match &item.content {
        Content::Report(report) => Some(Document::Report(Box::new(without_timeline(report)))),
        Content::Stats(file, _) => Some(Document::Stats(file.clone())),
        Content::Rejected { .. } | Content::Nothing => None,
    }
}

/// Selects what [`StoredFact::from_row`] reads, and without the bodies, which are most of the data. Facts in conflict with those of
/// another webhook are stored, but do not take part. A condition follows.
pub(super) fn select(with_body: bool) -> String {
    let body = if with_body { "f.body, " } else { "" };
    format!(
        "SELECT {body}f.id, f.kind, f.identity, f.server, f.at_unix, f.origin, f.group_id, f.received_unix, f.stats_name, \
         r.webhook_id FROM gametimes_facts f LEFT JOIN gametimes_reporters r ON r.identity = f.identity \
         WHERE (r.in_conflict IS NULL OR NOT r.in_conflict) AND"
    )
}

/// An item with its content as it is stored. Making it takes most of the time that storing a file takes outside of the database.
#[derive(Debug, Clone)]
pub struct Prepared<'a> {
    pub(super) item: Cow<'a, IngestItem>,
    stored: Option<Stored>,
}

/// The content of an item as it is stored.
#[derive(Debug, Clone)]
struct Stored {
    /// Hash over the content, not packed: the same content is stored once.
    identity: String,
    /// Packed, as is the timeline.
    body: Vec<u8>,
    timeline: Option<Vec<u8>>,
}

impl Stored {
    fn of(content: &Content) -> Result<Option<Self>, serde_json::Error> {
        Ok(match content {
            Content::Report(report) => {
                let body = to_json(report, BODY_BYTES)?;
                let timeline = to_json(&report.events, report.events.len() * EVENT_BYTES)?;
                Some(Self {
                    identity: identity_of_report(report, &body, &timeline)?,
                    body: pack(body),
                    timeline: (!report.events.is_empty()).then(|| pack(timeline)),
                })
            }
            Content::Stats(file, bytes) => Some(Self {
                identity: identity(&[b"stats", file.name.name.as_bytes(), bytes]),
                body: pack(bytes.clone()),
                timeline: None,
            }),
            Content::Rejected { .. } | Content::Nothing => None,
        })
    }
}

impl<'a> Prepared<'a> {
    /// Packs the content of an item. One that cannot be written as JSON is rejected.
    pub fn new(item: Cow<'a, IngestItem>) -> Self {
        match Stored::of(&item.content) {
            Ok(stored) => Self { item, stored },
            Err(error) => Self { item, stored: None }.rejected(error.to_string()),
        }
    }

    /// The same item as one that cannot be stored.
    pub(super) fn rejected(&self, reason: String) -> Self {
        let content = Content::Rejected {
            reason,
            excerpt: String::new(),
        };
        let item = IngestItem {
            content,
            ..self.item.clone().into_owned()
        };
        Self {
            item: Cow::Owned(item),
            stored: None,
        }
    }

    /// The item.
    pub fn item(&self) -> &IngestItem {
        &self.item
    }

    /// Why the item cannot be stored, with its origin; `None` if it can.
    pub fn rejection(&self) -> Option<String> {
        match &self.item.content {
            Content::Rejected { reason, .. } => Some(format!("{}: {reason}", self.item.origin)),
            _ => None,
        }
    }

    /// When the round ended; `None` without a round.
    pub(super) fn at_unix(&self, zone: &TimeZone) -> Option<i64> {
        match &self.item.content {
            Content::Report(report) => Some(report.meta.round_end_unix),
            Content::Stats(file, _) => Some(unix_of_civil(file.name.written, zone)),
            Content::Rejected { .. } | Content::Nothing => None,
        }
    }

    /// The fact in the item; `None` without a round.
    pub(super) fn fact(&self, zone: &TimeZone, now: i64) -> Option<NewFact> {
        let item = self.item.as_ref();
        let (kind, stats_name, event_id) = match &item.content {
            Content::Report(report) => (
                "report",
                report.meta.stats_file.as_deref().unwrap_or_default(),
                report.meta.event_id.as_str(),
            ),
            Content::Stats(file, _) => ("stats", file.name.name.as_str(), ""),
            Content::Rejected { .. } | Content::Nothing => return None,
        };
        let stored = self.stored.clone()?;
        Some(NewFact {
            kind,
            identity: stored.identity,
            server: server_of(item),
            at_unix: self.at_unix(zone)?,
            stats_name: cut(stats_name, 256),
            event_id: cut(event_id, 64),
            source: item.source,
            origin: cut(&item.origin, 256),
            body: stored.body,
            timeline: stored.timeline,
            received_unix: now,
        })
    }
}

/// The server that the content names, else the server of its source.
pub(super) fn server_of(item: &IngestItem) -> String {
    let named = match &item.content {
        Content::Report(report) => report.server(),
        _ => String::new(),
    };
    let server = if named.is_empty() {
        &item.server
    } else {
        &named
    };
    cut(server, 128)
}

/// The identity of a report with this body and timeline. Its doubts are what this version of the bot says of the file: a later one may
/// word them differently, and it is still the same file.
fn identity_of_report(
    report: &Report,
    body: &[u8],
    timeline: &[u8],
) -> Result<String, serde_json::Error> {
    if report.doubts.is_empty() {
        return Ok(identity(&[b"report", body, timeline]));
    }
    let without_doubts = Report {
        doubts: Vec::new(),
        ..without_timeline(report)
    };
    let body = to_json(&without_doubts, BODY_BYTES)?;
    Ok(identity(&[b"report", &body, timeline]))
}

/// SHA-256 in hex over several parts and their lengths, so that moving a byte from one part to the next changes it.
fn identity(parts: &[&[u8]]) -> String {
    let lengths: Vec<[u8; 8]> = parts
        .iter()
        .map(|p| (p.len() as u64).to_le_bytes())
        .collect();
    let parts = lengths.iter().zip(parts);
    hex(&sha256(
        parts.flat_map(|(length, part)| [length.as_slice(), *part]),
    ))
}

impl Db {
    /// Loads all facts that can affect a round within [`REACH_SECONDS`] of these times, ordered by their number.
    pub(super) async fn load_facts(
        &self,
        transaction: &mut Transaction,
        times: &BTreeSet<i64>,
        mut parsed: Parsed,
    ) -> Result<Vec<StoredFact>, DbError> {
        let spans = spans(times, 2 * REACH_SECONDS);
        let select = select(false);
        let mut rows = Vec::new();
        for (from, to) in &spans {
            let sql = format!("{select} f.at_unix BETWEEN $1 AND $2");
            rows.extend(transaction.rows(&sql, args![*from, *to]).await?);
        }
        // If the time zone was wrong, the file that a report names may be hours away.
        let names: BTreeSet<String> = rows.iter().map(|row| row.get("stats_name")).collect();
        let names = names.into_iter().filter(|name| !name.is_empty());
        let names: Vec<Value> = names.map(Value::from).collect();
        let loaded: BTreeSet<i64> = rows.iter().map(|row| row.get("id")).collect();
        let sql = "SELECT id FROM gametimes_facts WHERE stats_name";
        let named = transaction.rows_in(sql, &names).await?;
        let missing = named.iter().map(|row| row.get::<i64>("id"));
        let missing: BTreeSet<i64> = missing.filter(|id| !loaded.contains(id)).collect();
        let missing: Vec<Value> = missing.into_iter().map(Value::from).collect();
        rows.extend(
            transaction
                .rows_in(&format!("{select} f.id"), &missing)
                .await?,
        );
        let unparsed = rows
            .iter()
            .filter(|row| !parsed.contains_key(&row.get::<String>("identity")));
        let unparsed: Vec<Value> = unparsed.map(|row| row.get::<i64>("id").into()).collect();
        let sql = "SELECT id, body FROM gametimes_facts WHERE id";
        let bodies = transaction.rows_in(sql, &unparsed).await?;
        let mut bodies: HashMap<i64, Vec<u8>> = bodies
            .iter()
            .map(|row| (row.get("id"), row.get("body")))
            .collect();
        let readable = rows.iter().filter_map(|row| {
            if let Some(document) = parsed.remove(&row.get::<String>("identity")) {
                return Some(StoredFact::new(row, document));
            }
            let body = bodies.remove(&row.get("id")).unwrap_or_default();
            // A damaged fact, or one of a later version, must not stop the bot from storing what belongs to other rounds.
            StoredFact::parse(row, body)
                .inspect_err(|error| tracing::error!("{error}; the fact is ignored"))
                .ok()
        });
        let facts: BTreeMap<i64, StoredFact> = readable.map(|s| (s.fact.id, s)).collect();
        let mut facts: Vec<StoredFact> = facts.into_values().collect();
        self.add_foreign_rounds(transaction, &spans, &mut facts)
            .await?;
        facts.sort_by_key(|s| s.fact.id);
        Ok(facts)
    }

    /// Adds the rounds that another bot stored in the shared tables.
    async fn add_foreign_rounds(
        &self,
        transaction: &mut Transaction,
        spans: &[(i64, i64)],
        facts: &mut Vec<StoredFact>,
    ) -> Result<(), DbError> {
        let mut ours: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (i, stored) in facts.iter().enumerate() {
            if let Some(file) = stored.fact.stats_file() {
                ours.entry(file.name.name.clone()).or_default().push(i);
            }
        }
        let match_id_at = |unix: i64| {
            let time = Timestamp::from_second(unix).unwrap_or_default();
            let local = time.to_zoned(self.zone.clone());
            local.strftime(MATCH_ID_FORMAT).to_string()
        };
        let columns = [
            "id",
            "match_id",
            "round_number",
            "map_name",
            "round_date",
            "round_time",
        ];
        let columns = self.select("rounds", "r", &columns);
        let sql = format!(
            "SELECT {columns} FROM rounds r LEFT JOIN gametimes_groups g ON g.round_id = r.id \
             WHERE r.match_id BETWEEN $1 AND $2 AND (g.id IS NULL OR g.adopted = $3) AND r.round_number IN (1, 2)"
        );
        for (from, to) in spans {
            let values = args![match_id_at(*from), match_id_at(*to), true];
            for row in transaction.rows(&sql, values).await? {
                let foreign = foreign_round(&row);
                if let Some(same) = ours.get(&foreign.name) {
                    for i in same {
                        facts[*i].fact.foreign = Some(Box::new(foreign.clone()));
                    }
                    continue;
                }
                if let Some(at_unix) = unix_of(&foreign.name, &self.zone) {
                    facts.push(StoredFact {
                        fact: Fact {
                            id: -foreign.round_id,
                            identity: format!("foreign {}", foreign.name),
                            server: String::new(),
                            webhook: None,
                            at_unix,
                            document: Document::Foreign(Box::new(foreign)),
                            foreign: None,
                        },
                        record: FactRecord {
                            record_id: None,
                            received_unix: 0,
                        },
                    });
                }
            }
        }
        Ok(())
    }
}

fn foreign_round(row: &Row) -> ForeignRound {
    let match_id: String = row.get("match_id");
    let map: String = row.get("map_name");
    let round: i64 = row.get("round_number");
    // The match_id of a round 2 may be that of its round 1.
    let (date, time): (String, String) = (row.get("round_date"), row.get("round_time"));
    let written = match time.replace(':', "") {
        time if date.len() == 10 && time.len() == 6 => format!("{date}-{time}"),
        _ => match_id.clone(),
    };
    ForeignRound {
        round_id: row.get("id"),
        name: format!("{written}-{map}-round-{round}.txt"),
        match_id,
        map,
        round: u8::try_from(round).unwrap_or_default(),
    }
}

impl StoredFact {
    pub(super) fn from_row(row: &Row) -> Result<Self, DbError> {
        Self::parse(row, row.get("body"))
    }

    fn parse(row: &Row, body: Vec<u8>) -> Result<Self, DbError> {
        let id: i64 = row.get("id");
        let broken = |why: String| DbError::Content(format!("fact {id}: {why}"));
        let body = unpack(body).map_err(|e| broken(e.to_string()))?;
        let document = if row.get::<String>("kind") == "stats" {
            let name: String = row.get("stats_name");
            let file = StatsFile::parse(&name, &body).map_err(|e| broken(e.0))?;
            Document::Stats(Box::new(file))
        } else {
            let report: Report =
                serde_json::from_slice(&body).map_err(|e| broken(e.to_string()))?;
            Document::Report(Box::new(report))
        };
        Ok(Self::new(row, document))
    }

    fn new(row: &Row, document: Document) -> Self {
        Self {
            fact: Fact {
                id: row.get("id"),
                identity: row.get("identity"),
                server: row.get("server"),
                webhook: row.get("webhook_id"),
                at_unix: row.get("at_unix"),
                document,
                foreign: None,
            },
            record: FactRecord {
                record_id: row.get("group_id"),
                received_unix: row.get("received_unix"),
            },
        }
    }
}

/// The spans of `around` seconds before and after each time; overlapping ones are joined.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn identity_of_file(bytes: &[u8], change: impl FnOnce(&mut Report)) -> String {
        let mut report = Report::from_file(bytes).unwrap();
        change(&mut report);
        let stored = Stored::of(&Content::Report(Box::new(report))).unwrap();
        stored.unwrap().identity
    }

    const SURRENDER: &[u8] =
        include_bytes!("../../../tests/data/native/surrender/gametime-room1-R1-1795179043.json");

    /// With another identity, each file that is read again would be stored a second time.
    #[test]
    fn a_file_has_the_identity_that_earlier_versions_gave_it() {
        assert_eq!(
            identity_of_file(SURRENDER, |_| ()),
            "c117705960a6b636ba8445d86a46e3aafd3708f1dcd121f749774ea20fce008b",
            "a new key must be left out of the JSON when it is empty, see CONTRIBUTING.md"
        );
    }

    #[test]
    fn a_reworded_doubt_is_the_same_file() {
        let with_doubt =
            |text: &str| identity_of_file(SURRENDER, |report| report.doubts.push(text.to_owned()));
        assert_eq!(with_doubt("the clock jumped"), with_doubt("clocks jump"));
        assert_eq!(
            with_doubt("the clock jumped"),
            identity_of_file(SURRENDER, |_| ())
        );
    }
}
