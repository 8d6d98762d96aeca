//! What every request handler shares.

use std::sync::Arc;

use super::error::ApiError;
use super::query::round_id;
use crate::config::Secret;
use crate::db::Db;
use crate::db::rounds::RoundDetail;
use crate::status::Status;

/// The state of the HTTP server.
#[derive(Debug, Clone)]
pub struct App {
    /// The database.
    pub db: Db,
    /// The state of all sources.
    pub status: Arc<Status>,
    /// The token that clients must present; `None` lets everybody in.
    pub token: Option<Secret>,
}

impl App {
    /// The round with the id in a request's path.
    ///
    /// # Errors
    /// When `id` is not a number, there is no such round, or the database fails.
    pub async fn find_round(&self, id: &str) -> Result<RoundDetail, ApiError> {
        let round = self.db.round(round_id(id)?).await?;
        round.ok_or_else(|| ApiError::not_found("round"))
    }
}
