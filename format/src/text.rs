//! Names as the engine has them, made fit to be read.
//!
//! The engine's strings are bytes: players set their names in UTF-8 or Latin-1, with colour codes (`^` and one more
//! character), and with whatever their client lets through.

/// A string of the engine as text: UTF-8 where it is valid, else every byte above 127 taken as Latin-1, so that nothing
/// is lost. Control characters are dropped.
///
/// ```
/// use gametimes_format::text::decode;
/// assert_eq!(decode(b"\xc5\xbdi\xc5\xbe\x07"), "Žiž");
/// assert_eq!(decode(b"Andr\xe9"), "André");
/// ```
pub fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.chars().filter(|c| !c.is_control()).collect(),
        Err(_) => bytes
            .iter()
            .map(|&b| b as char)
            .filter(|c| !c.is_control())
            .collect(),
    }
}

/// Takes the colour codes out: a `^` and the character after it, as the game draws names. A `^` before another one or at the
/// end is no code and stays.
///
/// ```
/// use gametimes_format::text::strip_colors;
/// assert_eq!(strip_colors("^1Ev^7il"), "Evil");
/// assert_eq!(strip_colors("a^^1b^"), "a^b^");
/// ```
pub fn strip_colors(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('^', Some(&next)) if next != '^' => drop(chars.next()),
            _ => out.push(c),
        }
    }
    out
}
