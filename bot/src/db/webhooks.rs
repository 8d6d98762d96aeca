//! Which Discord webhook reports which server.
//!
//! Everybody who knows the URL of a listed webhook can post a report of any server through it. So a server belongs to the webhook
//! that reported it first, and so does a round. A report of either through another webhook is stored, but in conflict: no rows are
//! computed from it until an admin assigns the server to that webhook. One webhook may report many servers.
//!
//! Only servers with a unique address are assigned. What this does not find, [`gametimes_rounds::reconcile`] never merges: reports of
//! different webhooks are different rounds.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use gametimes_format::text::{counted, cut};
use gametimes_rounds::reconcile::{Document, Fact, SAME_END_SECONDS, same_known_round};
use gametimes_rounds::report::Report;
use jiff::Timestamp;
use serde::Serialize;

use super::connection::{Database, Transaction};
use super::facts::{self, Parsed, StoredFact};
use super::migrations::columns_of;
use super::value::{Row, Value};
use super::{Content, Db, DbError, IngestItem};
use crate::args;

/// What to do about a forged report.
const FORGED: &str = "If it is forged, delete the webhook in Discord and create a new one.";

/// A fact that has just arrived, perhaps not for the first time.
pub(super) struct Delivery<'a> {
    pub identity: String,
    pub item: &'a IngestItem,
}

/// What is known about how a fact was received.
#[derive(Clone, Copy)]
enum Reporter {
    /// The bot read it itself, or the webhook may report it.
    Accepted,
    /// It names a server or a round of another webhook.
    InConflict,
}

/// Reports through a webhook of a server or of rounds that belong to another webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ServerConflict {
    /// `ip:port` of the server; null if only the rounds belong to the other webhook, because the address is not unique or differs.
    pub server: Option<String>,
    /// The webhook that has reported the server, or the rounds, first.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = String)]
    pub owner_webhook_id: u64,
    /// The other webhook.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = String)]
    pub webhook_id: u64,
    /// How many reports came through the other webhook.
    pub reports: i64,
}

/// Writes an id as Discord does: JavaScript rounds such numbers.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn as_text<S: serde::Serializer>(id: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

impl std::fmt::Display for ServerConflict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            server,
            owner_webhook_id,
            webhook_id,
            reports,
        } = self;
        let reports = counted(usize::try_from(*reports).unwrap_or_default(), "report");
        match server {
            Some(server) => write!(
                f,
                "Not shown: {reports} of {server} through webhook {webhook_id}, because the server belongs to webhook \
                 {owner_webhook_id}. If the server has moved: gametimes-bot assign-server {server} {webhook_id}. {FORGED}"
            ),
            None => write!(
                f,
                "Not shown: {reports} through webhook {webhook_id} of rounds that webhook {owner_webhook_id} has reported before. {FORGED}"
            ),
        }
    }
}

/// The address of the server that a report names, if no other server can have the same one.
fn unique_server(report: &Report) -> Option<String> {
    let ip: IpAddr = report.meta.server_ip.parse().ok()?;
    let is_unique = match ip {
        IpAddr::V4(ip) => {
            !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified())
        }
        IpAddr::V6(ip) => {
            !(ip.is_unique_local()
                || ip.is_loopback()
                || ip.is_unicast_link_local()
                || ip.is_unspecified())
        }
    };
    is_unique.then(|| cut(&report.server(), 128))
}

/// The number of a webhook as the databases store it.
fn stored(webhook: u64) -> i64 {
    i64::try_from(webhook).unwrap_or(i64::MAX)
}

/// Which of these facts are stored already.
pub(super) async fn known(
    transaction: &mut Transaction,
    deliveries: &[Delivery<'_>],
) -> Result<BTreeSet<String>, DbError> {
    let sql = "SELECT identity FROM gametimes_facts WHERE identity";
    let rows = transaction.rows_in(sql, &identities(deliveries)).await?;
    Ok(rows.iter().map(|row| row.get("identity")).collect())
}

fn identities(deliveries: &[Delivery<'_>]) -> Vec<Value> {
    let identities: BTreeSet<&String> = deliveries.iter().map(|d| &d.identity).collect();
    identities.into_iter().map(Value::from).collect()
}

/// What [`record`] found.
#[derive(Default)]
pub(super) struct Recorded<'a> {
    /// Items in conflict, and why.
    pub conflicts: Vec<(&'a IngestItem, String)>,
    /// Facts that were in conflict, and have now arrived from where they may come.
    pub resolved: BTreeSet<String>,
}

/// Records through which webhook each fact came, and assigns each server to the first webhook that reports it. `known` has the
/// facts that were stored before.
pub(super) async fn record<'a>(
    transaction: &mut Transaction,
    deliveries: &[Delivery<'a>],
    known: BTreeSet<String>,
    now: i64,
) -> Result<Recorded<'a>, DbError> {
    let mut reporters: HashMap<String, Reporter> = known
        .into_iter()
        .map(|id| (id, Reporter::Accepted))
        .collect();
    let sql = "SELECT identity FROM gametimes_reporters WHERE in_conflict AND identity";
    for row in transaction.rows_in(sql, &identities(deliveries)).await? {
        reporters.insert(row.get("identity"), Reporter::InConflict);
    }
    let mut recorded = Recorded::default();
    for Delivery { identity, item } in deliveries {
        let before = reporters.get(identity).copied();
        if matches!(before, Some(Reporter::Accepted)) {
            continue;
        }
        let server = match &item.content {
            Content::Report(report) => unique_server(report),
            _ => None,
        };
        let mut foreign_owner = None;
        if let Some(webhook) = item.webhook {
            let but =
                format!("but this came through webhook {webhook}. It is kept, but not shown.");
            if let Some(server) = &server {
                let owner = owner(transaction, server, webhook, now).await?;
                foreign_owner = Some(owner).filter(|owner| *owner != webhook);
                if foreign_owner.is_some() {
                    let reason = format!(
                        "{server} belongs to webhook {owner}, {but} If the server has moved: gametimes-bot assign-server {server} {webhook}"
                    );
                    recorded.conflicts.push((*item, reason));
                }
            }
            if foreign_owner.is_none() {
                foreign_owner = other_reporter(transaction, identity, item, webhook).await?;
                if let Some(owner) = foreign_owner {
                    let reason =
                        format!("webhook {owner} has reported this round before, {but} {FORGED}");
                    recorded.conflicts.push((*item, reason));
                }
            }
        }
        if before.is_some() && foreign_owner.is_some() {
            continue;
        }
        if let Some(webhook) = item.webhook {
            let sql = "INSERT INTO gametimes_reporters (identity, webhook_id, server, in_conflict, owner_id) \
                       VALUES ($1, $2, $3, $4, $5) ON CONFLICT (identity) DO UPDATE SET webhook_id = EXCLUDED.webhook_id, \
                       in_conflict = EXCLUDED.in_conflict, owner_id = EXCLUDED.owner_id";
            let values = args![
                identity,
                stored(webhook),
                server.unwrap_or_default(),
                foreign_owner.is_some(),
                foreign_owner.map(stored)
            ];
            transaction.execute(sql, values).await?;
        } else if before.is_some() {
            let sql = "DELETE FROM gametimes_reporters WHERE identity = $1";
            transaction.execute(sql, args![identity]).await?;
        }
        let after = if foreign_owner.is_some() {
            Reporter::InConflict
        } else {
            Reporter::Accepted
        };
        if before.is_some() {
            recorded.resolved.insert(identity.clone());
        }
        reporters.insert(identity.clone(), after);
    }
    Ok(recorded)
}

/// The webhook that a server belongs to: this one, if no other has reported it before.
async fn owner(
    transaction: &mut Transaction,
    server: &str,
    webhook: u64,
    now: i64,
) -> Result<u64, DbError> {
    let sql = "INSERT INTO gametimes_servers (server, webhook_id, since_unix) VALUES ($1, $2, $3) \
               ON CONFLICT (server) DO NOTHING";
    let values = args![server, stored(webhook), now];
    transaction.execute(sql, values).await?;
    let sql = "SELECT webhook_id FROM gametimes_servers WHERE server = $1";
    let rows = transaction.rows(sql, args![server]).await?;
    Ok(rows.first().map_or(webhook, |row| row.get("webhook_id")))
}

/// The other webhook through which a report of the same round has come before.
async fn other_reporter(
    transaction: &mut Transaction,
    identity: &str,
    item: &IngestItem,
    webhook: u64,
) -> Result<Option<u64>, DbError> {
    let Content::Report(report) = &item.content else {
        return Ok(None);
    };
    let at_unix = report.meta.round_end_unix;
    let fact = Fact {
        id: 0,
        identity: identity.to_owned(),
        server: facts::server_of(item),
        webhook: Some(webhook),
        at_unix,
        document: Document::Report(report.clone()),
        foreign: None,
    };
    let sql = format!(
        "{} f.at_unix BETWEEN $1 AND $2 AND r.webhook_id <> $3 ORDER BY f.id",
        facts::select(true)
    );
    let (from, to) = (at_unix - SAME_END_SECONDS, at_unix + SAME_END_SECONDS);
    let values = args![from, to, stored(webhook)];
    let others = transaction.rows(&sql, values).await?;
    // A damaged fact is of no round.
    let others = others
        .iter()
        .filter_map(|row| StoredFact::from_row(row).ok());
    let mut same = others.filter(|other| same_known_round(&fact, &other.fact));
    Ok(same.next().and_then(|other| other.fact.webhook))
}

/// The reports in conflict, by server and webhook.
///
/// # Errors
/// If the database fails, or has not got these tables yet.
pub async fn conflicts(database: &Database) -> Result<Vec<ServerConflict>, DbError> {
    let sql = "SELECT s.server, r.owner_id, r.webhook_id, COUNT(*) AS reports FROM gametimes_reporters r \
               LEFT JOIN gametimes_servers s ON s.server = r.server AND s.webhook_id = r.owner_id WHERE r.in_conflict \
               GROUP BY s.server, r.owner_id, r.webhook_id ORDER BY COALESCE(s.server, ''), r.owner_id, r.webhook_id LIMIT 100";
    let rows = match database.rows(sql, &[]).await {
        Ok(rows) => rows,
        // Asked only now: on PostgreSQL it takes longer than all the other numbers of a page.
        Err(error) => {
            let table = "gametimes_reporters";
            let is_there = !columns_of(database, &[table]).await?[table].is_empty();
            return Err(if is_there {
                error
            } else {
                DbError::NotMigrated
            });
        }
    };
    let conflict = |row: &Row| ServerConflict {
        server: row.get("server"),
        owner_webhook_id: row.get("owner_id"),
        webhook_id: row.get("webhook_id"),
        reports: row.get("reports"),
    };
    Ok(rows.iter().map(conflict).collect())
}

impl Db {
    /// Assigns a server to a webhook. Its reports through this webhook that were in conflict become rounds; returns how many
    /// rounds changed. Rounds that the former webhook reported stay.
    ///
    /// # Errors
    /// If the database fails; then nothing was changed.
    pub async fn assign_server(&self, server: &str, webhook: u64) -> Result<usize, DbError> {
        let mut transaction = self.begin().await?;
        let sql = "INSERT INTO gametimes_servers (server, webhook_id, since_unix) VALUES ($1, $2, $3) \
                   ON CONFLICT (server) DO UPDATE SET webhook_id = EXCLUDED.webhook_id, since_unix = EXCLUDED.since_unix";
        let now = Timestamp::now().as_second();
        let values = args![server, stored(webhook), now];
        transaction.execute(sql, values).await?;
        // Also the times of the stats files that the reports name, which may be read in a wrong time zone.
        let sql = "SELECT DISTINCT f.at_unix FROM gametimes_reporters r JOIN gametimes_facts own ON own.identity = r.identity \
                   JOIN gametimes_facts f ON f.id = own.id OR (own.stats_name <> '' AND f.stats_name = own.stats_name) \
                   WHERE r.server = $1 AND r.webhook_id = $2 AND r.in_conflict";
        let values = args![server, stored(webhook)];
        let times = transaction.rows(sql, values).await?;
        let sql = "UPDATE gametimes_reporters SET in_conflict = $3, owner_id = NULL WHERE server = $1 AND webhook_id = $2";
        let values = args![server, stored(webhook), false];
        transaction.execute(sql, values).await?;
        let times: BTreeSet<i64> = times.iter().map(|row| row.get("at_unix")).collect();
        let (rounds, _) = self
            .rebuild_rows(&mut transaction, &times, Parsed::new())
            .await?;
        transaction.commit().await?;
        Ok(rounds.len())
    }

    /// Releases the servers of webhooks that are not listed any more, so that another webhook can report them. If exactly one
    /// listed webhook has done so already, the server is assigned to it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn release_servers(&self, listed: &[u64]) -> Result<(), DbError> {
        let sql = "SELECT server, webhook_id FROM gametimes_servers ORDER BY server";
        let bound = self.database.rows(sql, &[]).await?;
        let conflicts = conflicts(&self.database).await?;
        for row in &bound {
            let (server, webhook): (String, u64) = (row.get("server"), row.get("webhook_id"));
            if listed.contains(&webhook) {
                continue;
            }
            let mut others = conflicts
                .iter()
                .filter(|c| c.server.as_ref() == Some(&server) && listed.contains(&c.webhook_id));
            if let (Some(other), None) = (others.next(), others.next()) {
                let other = other.webhook_id;
                self.assign_server(&server, other).await?;
                tracing::info!(
                    "webhook {webhook} is not in discord.webhook_ids any more; {server} now belongs to webhook {other}"
                );
            } else {
                let mut transaction = self.begin().await?;
                let sql = "DELETE FROM gametimes_servers WHERE server = $1";
                transaction.execute(sql, args![&server]).await?;
                transaction.commit().await?;
                tracing::info!(
                    "webhook {webhook} is not in discord.webhook_ids any more; the next webhook that reports {server} owns it"
                );
            }
        }
        Ok(())
    }
}
