#![no_main]

use gametimes_fuzz_checks::outbox;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| outbox::outbox(bytes));
