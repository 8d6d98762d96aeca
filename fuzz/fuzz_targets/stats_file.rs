#![no_main]

#[path = "../checks/bot.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::stats_file(bytes));
