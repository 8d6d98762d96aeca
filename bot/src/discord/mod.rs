//! Messages of the control channel: over the gateway as they come, and from the channel's history what was missed.

mod attachments;
mod gateway;
mod message;
pub mod posts;

pub use gateway::{client, run};
pub use message::{Incoming, judge};
