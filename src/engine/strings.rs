//! Strings that the game passes.

use std::ffi::c_char;

/// How much of a string is read at the most. All that we look for stands in the first bytes; the engine's own limit for
/// a print or a configstring is longer, and a mod may pass what it likes.
const LIMIT: usize = 1024;

/// The bytes of a C string up to its end, the first 1024 at the most. None for a null pointer.
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
