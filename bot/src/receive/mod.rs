//! Messages of the control channel: over the gateway as they come, and from the channel's history what was missed.

mod download;
mod gateway;
mod message;

pub use gateway::run;
pub use message::{Incoming, judge};
