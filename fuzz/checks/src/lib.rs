//! What must hold for any input. The fuzz targets call these checks with inputs that the fuzzer finds, the property tests with
//! seeds that are damaged at random. A check panics if something does not hold.
//!
//! The features `module` and `bot` choose the checks, so that the module's tests do not build the bot.

#![forbid(unsafe_code)]

#[cfg(feature = "bot")]
pub mod bot;
#[cfg(feature = "module")]
pub mod boundary;
#[cfg(feature = "damage")]
pub mod damage;
#[cfg(feature = "bot")]
pub mod http;
#[cfg(feature = "bot")]
mod markup;
#[cfg(feature = "module")]
pub mod outbox;
#[cfg(feature = "module")]
pub mod prints;
#[cfg(feature = "module")]
pub mod settings;
