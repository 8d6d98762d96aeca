#![no_main]

#[path = "../checks/outbox.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::outbox(bytes));
