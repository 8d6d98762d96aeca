//! The gametimes bot.
fn main() {}
