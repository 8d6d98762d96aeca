//! What all request handlers share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use super::drawings::Drawings;
use crate::config::Secret;
use crate::db::Db;
use crate::live::Live;
use crate::status::Status;

/// Where a process receives rounds from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sources {
    /// Discord, folders or servers.
    Configured,
    /// Nowhere, because no setting names a source.
    None,
    /// Other processes receive, on the same database.
    Elsewhere,
}

/// The state of the HTTP server.
#[derive(Debug, Clone)]
pub struct App {
    /// The database.
    pub db: Db,
    /// The state of all sources.
    pub status: Arc<Status>,
    /// The token that clients must send; without one, every request is answered.
    pub token: Option<Secret>,
    /// The address of this server.
    pub listen: SocketAddr,
    /// Host names that requests may be for, besides those of this machine. Not checked if there is a token.
    pub allowed_hosts: Arc<[String]>,
    /// Websites whose scripts may read the API.
    pub cors_origins: Arc<[String]>,
    /// Where people open the pages, without a slash at the end.
    pub public_url: Option<Arc<str>>,
    /// Where this process receives rounds from.
    pub sources: Sources,
    /// The pictures of rounds.
    pub drawings: Drawings,
    /// What happens on the servers.
    pub live: Arc<Live>,
    /// How much later the public sees it.
    pub live_delay: Duration,
    /// The token with which everything is shown at once; without one, it is [`App::token`].
    pub live_token: Option<Secret>,
    /// The key of posted snapshots; without one, none are taken.
    pub live_key: Option<Secret>,
    /// The streams that may still be opened.
    pub streams: Arc<Semaphore>,
    /// Becomes true when the bot stops; then streams end.
    pub stopped: watch::Receiver<bool>,
}
