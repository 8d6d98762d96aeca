//! Which Discord webhook reports which server.
//!
//! Everybody who knows the URL of a listed webhook can post a report of any server through it. So a server belongs to the webhook
//! that reported it first. A report of the server through another webhook is stored, but in conflict: no rows are computed from
//! it until an admin assigns the server to that webhook. One webhook may report many servers.
//!
//! Only servers with a unique address are assigned. For the others, and for reports that do not name their server,
//! [`gametimes_rounds::reconcile`] never merges what came through different webhooks.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use gametimes_format::text::{counted, cut};
use gametimes_rounds::report::Report;
use jiff::Timestamp;
use serde::Serialize;

use super::connection::{Database, Transaction};
use super::value::{Row, Value};
use super::{Content, Db, DbError, IngestItem};
use crate::args;

/// A fact that has just arrived, perhaps not for the first time.
pub(super) struct Delivery<'a> {
    pub identity: String,
    pub item: &'a IngestItem,
}

/// What is known about how a fact was received.
#[derive(Clone, Copy)]
enum Reporter {
    /// The bot read it itself, or the webhook owns the server that it names.
    Accepted,
    /// A webhook that does not own the server that it names.
    InConflict,
}

/// Reports of a server through a webhook that it does not belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ServerConflict {
    /// `ip:port` of the server.
    pub server: String,
    /// The webhook that the server belongs to, because it reported it first.
    pub owner_webhook_id: u64,
    /// The other webhook.
    pub webhook_id: u64,
    /// How many reports came through the other webhook.
    pub reports: i64,
}

impl std::fmt::Display for ServerConflict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            server,
            owner_webhook_id,
            webhook_id,
            reports,
        } = self;
        write!(
            f,
            "{} of {server} came through webhook {webhook_id}, but the server belongs to webhook {owner_webhook_id}, so they are not \
             shown. If the server has moved: gametimes-bot assign-server {server} {webhook_id}. If not, somebody else may know \
             the webhook's URL.",
            counted(usize::try_from(*reports).unwrap_or_default(), "report")
        )
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
    let sql = "SELECT identity FROM gametimes_facts WHERE identity IN";
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
    let sql = "SELECT identity FROM gametimes_reporters WHERE in_conflict AND identity IN";
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
        let foreign_owner = match (item.webhook, &server) {
            (Some(webhook), Some(server)) => {
                let owner = owner(transaction, server, webhook, now).await?;
                (owner != webhook).then_some(owner)
            }
            _ => None,
        };
        if let (Some(webhook), Some(owner), Some(server)) = (item.webhook, foreign_owner, &server) {
            let reason = format!(
                "{server} belongs to webhook {owner}, but this came through webhook {webhook}. It is kept, but not shown. If the \
                 server has moved: gametimes-bot assign-server {server} {webhook}"
            );
            recorded.conflicts.push((*item, reason));
        }
        if before.is_some() && foreign_owner.is_some() {
            continue;
        }
        if let Some(webhook) = item.webhook {
            let sql = "INSERT INTO gametimes_reporters (identity, webhook_id, server, in_conflict) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT (identity) DO UPDATE SET webhook_id = EXCLUDED.webhook_id, in_conflict = EXCLUDED.in_conflict";
            let server = server.unwrap_or_default();
            let values = args![identity, stored(webhook), server, foreign_owner.is_some()];
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

/// The reports in conflict, by server and webhook.
///
/// # Errors
/// If the database fails.
pub async fn conflicts(database: &Database) -> Result<Vec<ServerConflict>, DbError> {
    let sql = "SELECT r.server, s.webhook_id AS owner_id, r.webhook_id, COUNT(*) AS reports FROM gametimes_reporters r \
               LEFT JOIN gametimes_servers s ON s.server = r.server WHERE r.in_conflict \
               GROUP BY r.server, s.webhook_id, r.webhook_id ORDER BY r.server, r.webhook_id LIMIT 100";
    let conflict = |row: &Row| ServerConflict {
        server: row.get("server"),
        owner_webhook_id: row.get("owner_id"),
        webhook_id: row.get("webhook_id"),
        reports: row.get("reports"),
    };
    Ok(database
        .rows(sql, &[])
        .await?
        .iter()
        .map(conflict)
        .collect())
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
        let sql =
            "UPDATE gametimes_reporters SET in_conflict = $3 WHERE server = $1 AND webhook_id = $2";
        let values = args![server, stored(webhook), false];
        transaction.execute(sql, values).await?;
        let times: BTreeSet<i64> = times.iter().map(|row| row.get("at_unix")).collect();
        let (rounds, _) = self.rebuild_rows(&mut transaction, &times).await?;
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
                .filter(|c| c.server == server && listed.contains(&c.webhook_id));
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
