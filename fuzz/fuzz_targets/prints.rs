#![no_main]

#[path = "../checks/prints.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::prints(bytes));
