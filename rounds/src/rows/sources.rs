//! Everything that a round's row is made from.

use crate::per_round::PlayerRound;
use crate::reconcile::ReconciledRound;
use crate::report::Report;
use crate::stats_file::StatsFile;

/// What was received about a round.
pub(super) struct Sources<'a> {
    pub report: Option<&'a Report>,
    pub file: Option<&'a StatsFile>,
    /// The server's address, `ip:port`; empty if unknown.
    pub server: &'a str,
    pub round: &'a ReconciledRound,
    /// The players of the stats file, without what they did in round 1.
    pub players: Option<&'a [PlayerRound]>,
}
