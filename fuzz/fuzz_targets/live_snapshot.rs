#![no_main]

use gametimes_fuzz_checks::bot;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bot::live_snapshot(bytes));
