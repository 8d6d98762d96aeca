#![no_main]

use gametimes_fuzz_checks::prints;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| prints::prints(bytes));
