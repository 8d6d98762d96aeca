//! Checks names that come from outside.

/// Whether a name is safe as a file name inside a folder: one component of limited length, without separators and control
/// characters, and not hidden.
pub fn is_path_safe(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && !name.contains("..")
        && !name
            .chars()
            .any(|c| c.is_control() || matches!(c, '/' | '\\' | ':' | '\0'))
}

/// The longest name of a stats file, in bytes. With the longest map name (63 bytes) it has 94.
pub const STATS_FILE_NAME: usize = 96;

/// Whether a name matches the pattern of the stats scripts, `YYYY-MM-DD-HHMMSS-<map>-round-<N>.txt`, in printable ASCII without
/// separators. It takes bytes and does not allocate, because the module calls it on the game's thread.
pub fn is_stats_file_name(name: impl AsRef<[u8]>) -> bool {
    const SHAPE: &[u8] = b"dddd-dd-dd-dddddd-";
    const ROUND: &[u8] = b"-round-";
    let name = name.as_ref();
    let dated = name.len() <= STATS_FILE_NAME
        && name.len() > SHAPE.len()
        && SHAPE.iter().zip(name).all(|(s, b)| match s {
            b'd' => b.is_ascii_digit(),
            _ => s == b,
        });
    let plain = name
        .iter()
        .all(|b| b.is_ascii_graphic() && !b"/\\:".contains(b));
    if !dated || !plain || name.windows(2).any(|w| w == b"..") {
        return false;
    }
    let Some(rest) = name[SHAPE.len()..].strip_suffix(b".txt") else {
        return false;
    };
    // From the right, because the map name can contain the word.
    let Some(map) = rest.windows(ROUND.len()).rposition(|w| w == ROUND) else {
        return false;
    };
    let round = &rest[map + ROUND.len()..];
    map > 0 && (1..=2).contains(&round.len()) && round.iter().all(u8::is_ascii_digit)
}

pub(super) fn is_uuid_v7(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            14 => *b == b'7',
            19 => matches!(b, b'8' | b'9' | b'a' | b'b' | b'A' | b'B'),
            _ => b.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_stats_files_are_recognized() {
        for good in [
            "2026-11-20-123344-room2-round-1.txt",
            "2026-11-20-123344-te-round-2_b4-round-2.txt",
        ] {
            assert!(is_stats_file_name(good), "{good}");
        }
        for bad in [
            "2026-11-20-123344-room2-round-1.txt.tmp",
            "2026-11-20-12334-room2-round-1.txt",
            "2026-11-20-123344-a/b-round-1.txt",
            "2026-11-20-123344--round-1.txt",
            "2026-11-20-123344-..-round-1.txt",
            "2026-11-20-123344-room2-round-.txt",
            "2026-11-20-123344-room2-round-123.txt",
            "2026-11-20_123344-room2-round-1.txt",
            "2026-11-20-123344-room2-round-1\n.txt",
            "",
            "é026-11-20-123344-room2-round-1.txt",
        ] {
            assert!(!is_stats_file_name(bad), "{bad}");
        }
    }
}
