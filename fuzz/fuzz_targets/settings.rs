#![no_main]

use gametimes_fuzz_checks::settings;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| settings::settings(bytes));
