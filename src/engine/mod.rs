//! The engine and the stock game as this module sees them: numbers, memory layouts, and all unsafe code except that in
//! `src/ffi.rs`.

pub mod clock;
pub mod layout;
pub mod numbers;
pub mod records;
pub mod signals;
pub mod stock_game;
pub mod strings;
pub mod traps;
