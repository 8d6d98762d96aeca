//! gametimes-rounds: what happened in a round, worked out from everything that was received about it.
//!
//! * [`report`]: a round as its recorder describes it: a gametimes file or a Discord message.
//! * [`stats_file`]: the stats file of the c0rnp0rn scripts; [`per_round`] subtracts round 1 from the totals in round 2.
//! * [`reconcile`]: decides which reports and stats files belong to the same round.
//! * [`play_order`]: sorts rounds as they were played, although clocks change.
//! * [`player_id`]: what identifies a player.
//! * [`matches`]: puts rounds together to matches, series and evenings.
//! * [`rows`]: turns a reconciled round into the rows of the database tables, as plain structs.
//! * [`audit`]: explains why a recorder and a stats file disagree about a player's time dead.
//!
//! Invariant: no I/O. Everything here is a pure function of its input, so the same files and messages always give the same
//! rows, in whatever order they arrive. The crate depends on no runtime, no database and no web framework.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod audit;
pub mod matches;
pub mod pauses;
pub mod per_round;
pub mod play_order;
pub mod player_id;
pub mod reconcile;
pub mod report;
pub mod rows;
pub mod stats_file;
