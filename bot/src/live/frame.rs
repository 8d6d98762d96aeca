//! What readers of the live view get.

use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use gametimes_format::live::{LivePlayer, Snapshot, State};
use serde::Serialize;

/// How much a snapshot still says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LiveHealth)]
pub enum Health {
    /// It is recent.
    Live,
    /// Nothing newer has arrived for [`gametimes_format::live::STALE_AFTER_MS`].
    Stale,
    /// Nothing newer has arrived for a minute.
    Offline,
}

/// All servers at one moment, by address.
#[derive(Debug, Default)]
pub struct Frame {
    /// The servers.
    pub servers: Vec<Arc<ServerView>>,
}

/// A server as one view shows it. It does not change: another snapshot is another view.
#[derive(Debug)]
pub struct ServerView {
    /// `ip:port`.
    pub address: String,
    /// Whether the snapshot is recent.
    pub health: Health,
    /// What the server does.
    pub snapshot: Arc<Snapshot>,
    /// When the view's time was the one at which the snapshot was taken, on [`super::Live::now_ms`]: for the public, that much later.
    pub taken_ms: i64,
    /// What is rendered once, for all readers.
    pub card: OnceLock<Bytes>,
    /// The same as JSON.
    pub json: OnceLock<Bytes>,
}

impl PartialEq for ServerView {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
            && self.health == other.health
            && Arc::ptr_eq(&self.snapshot, &other.snapshot)
    }
}

impl ServerView {
    /// Whether a round is played or paused.
    pub fn is_in_round(&self) -> bool {
        matches!(self.snapshot.state, State::Playing | State::Paused)
    }

    /// Whether somebody plays, or is about to.
    pub fn is_busy(&self) -> bool {
        self.health == Health::Live && is_busy(&self.snapshot)
    }

    /// The name of a player of this snapshot, by guid; or the text itself, which is the name of a client without a guid.
    pub fn name_of<'a>(&'a self, guid: &'a str) -> &'a str {
        let is_meant = |player: &&LivePlayer| !guid.is_empty() && player.guid == guid;
        let player = self.snapshot.players.iter().find(is_meant);
        player.map_or(guid, |player| &player.name)
    }
}

/// Whether a snapshot shows people on a team, on a running server.
pub fn is_busy(snapshot: &Snapshot) -> bool {
    !matches!(snapshot.state, State::Idle | State::Unknown) && !snapshot.players.is_empty()
}
