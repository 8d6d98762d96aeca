//! Helpers for texts, above all for the names of players.
//!
//! The engine's strings are bytes: names are in UTF-8 or Latin-1, with colour codes (`^` and one more character), and can
//! contain any other byte.

/// A string of the engine as text without control characters. If it is not valid UTF-8, it is read as Latin-1, so that no
/// character is lost.
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

/// The first `characters` characters of a text.
///
/// ```
/// assert_eq!(gametimes_format::text::cut("Žižkov", 3), "Žiž");
/// ```
pub fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

/// The first `characters` characters of a text, as one line that a terminal shows in the order of its characters: control characters,
/// line separators and marks that change the direction of the text become spaces. Foreign text in a log line or on a terminal
/// must pass it.
///
/// ```
/// use gametimes_format::text::one_line;
/// assert_eq!(one_line("a\r\nb", 3), "a  ");
/// assert_eq!(one_line("a\u{2028}b\u{202E}c\u{1b}[2K", 20), "a b c [2K");
/// ```
pub fn one_line(text: &str, characters: usize) -> String {
    let space = |c: char| {
        if c.is_control() || is_directional(c) || matches!(c, '\u{2028}' | '\u{2029}') {
            ' '
        } else {
            c
        }
    };
    text.chars().map(space).take(characters).collect()
}

/// Whether a character is a mark that changes the direction of the text after it.
fn is_directional(c: char) -> bool {
    matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A number with its noun, `1 round` or `2 rounds`, for nouns whose plural ends in `s`.
///
/// ```
/// use gametimes_format::text::counted;
/// assert_eq!(counted(1, "round"), "1 round");
/// assert_eq!(counted(0, "round"), "0 rounds");
/// ```
pub fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// A name as a page or a picture can show it: without control characters, marks that change the direction of the text
/// after them, and invalid code points.
///
/// ```
/// use gametimes_format::text::displayable;
/// assert_eq!(displayable("a\u{202E}b\u{7}c\u{2068}"), "abc");
/// assert_eq!(displayable("שלום"), "שלום");
/// ```
pub fn displayable(name: &str) -> String {
    let keeps = |c: &char| {
        !c.is_control()
            && !is_directional(*c)
            && !matches!(*c, '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}')
    };
    name.chars().filter(keeps).collect()
}

/// Removes colour codes, a `^` and the character after it, as the game does when it draws a name. A `^` before another `^`, or at
/// the end, stays.
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
