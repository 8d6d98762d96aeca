//! The parts of a line that the game prints: its end, its numbers, its slots.

use crate::engine::numbers::MAX_CLIENTS;

/// The line without its end. `None` if it does not end, or another line follows. The game ends some lines twice.
pub(super) fn line(text: &[u8]) -> Option<&[u8]> {
    let mut line = text.strip_suffix(b"\n")?;
    while let Some(shorter) = line.strip_suffix(b"\n") {
        line = shorter;
    }
    (!line.contains(&b'\n')).then_some(line)
}

/// The number as a slot; `None` if no server has it.
pub(super) fn slot(number: i32) -> Option<u8> {
    u8::try_from(number)
        .ok()
        .filter(|&n| usize::from(n) < MAX_CLIENTS)
}

/// The number at the start as C prints it, without blanks and leading zeros, and the text after it and after `end`.
pub(super) fn decimal<'a>(text: &'a [u8], end: &[u8]) -> Option<(i32, &'a [u8])> {
    let len = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(len);
    if len > 1 && digits.starts_with(b"0") {
        return None;
    }
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, rest.strip_prefix(end)?))
}
