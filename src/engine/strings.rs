//! Strings that the game passes to traps.

use std::ffi::c_char;

/// How many bytes of a string are read. Everything of interest is at the beginning, while a mod can pass strings of
/// any length.
const LIMIT: usize = 1024;

/// The bytes of a C string, at most the first 1024. `None` for a null pointer.
///
/// # Safety
/// `text` is null or points to a string that ends with a zero byte and is not changed while the result lives.
pub unsafe fn bytes<'a>(text: *const c_char) -> Option<&'a [u8]> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, and by the caller's promise readable up to its zero byte; strnlen reads no further than that.
    unsafe {
        let len = libc::strnlen(text, LIMIT);
        Some(std::slice::from_raw_parts(text.cast(), len))
    }
}
