#![no_main]

use gametimes_fuzz_checks::bot;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bot::gametimes_file(bytes));
