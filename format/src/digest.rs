//! Hashes, identities and signatures that the module and the bot must compute alike.

use ring::{digest, hmac};

use crate::text::strip_colors;

/// The id of a round, which every reader can compute: the first 16 hex digits of SHA-256 over
/// `<start_unix>:<map>:<round>`, with the map in lower case and without colour codes and the blanks around it.
///
/// ```
/// # use gametimes_format::digest::round_canonical_id;
/// assert_eq!(round_canonical_id(1795177951, "room2", 1).len(), 16);
/// assert_eq!(round_canonical_id(1795177951, "room2", 1), round_canonical_id(1795177951, " ^1Room2 ", 1));
/// assert_ne!(round_canonical_id(1795177951, "room2", 1), round_canonical_id(1795177951, "room2", 2));
/// ```
pub fn round_canonical_id(start_unix: i64, map: &str, round: u8) -> String {
    let map = strip_colors(map);
    round_id_of_map_as_written(start_unix, &map.trim().to_lowercase(), round)
}

/// The id of a round in older files, which took the map as it is written.
pub fn round_id_of_map_as_written(start_unix: i64, map: &str, round: u8) -> String {
    let text = format!("{start_unix}:{map}:{round}");
    hex(&sha256([text.as_bytes()])[..8])
}

/// SHA-256 over several parts, as if they were one.
pub fn sha256<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    parts.into_iter().for_each(|part| context.update(part));
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// HMAC-SHA256 over the bytes of an attached file, in hex. The key is known to the server and the bot only, so the bot
/// can recognize a forged message.
pub fn sign(key: &[u8], bytes: &[u8]) -> String {
    hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes).as_ref())
}

/// Whether `signature` is the one that [`sign`] returns. The comparison takes constant time.
pub fn verify(key: &[u8], bytes: &[u8], signature: &str) -> bool {
    let Some(tag) = unhex(signature) else {
        return false;
    };
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes, &tag).is_ok()
}

/// Bytes as lower-case hex digits, two for each byte.
///
/// ```
/// assert_eq!(gametimes_format::digest::hex(&[0x0b, 0xad]), "0bad");
/// ```
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    #[test]
    fn signatures_match_the_test_case_of_the_rfc() {
        let signature = sign(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(
            signature,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert!(verify(b"Jefe", b"what do ya want for nothing?", &signature));
        assert!(!verify(
            b"Jefe",
            b"what do ya want for something?",
            &signature
        ));
        assert!(!verify(
            b"jefe",
            b"what do ya want for nothing?",
            &signature
        ));
        assert!(!verify(b"Jefe", b"", "zz"));
    }

    /// `printf '1795177951:room2:1' | sha256sum`
    #[test]
    fn the_canonical_id_is_the_beginning_of_the_sha256() {
        assert_eq!(
            round_canonical_id(1_795_177_951, "room2", 1),
            "6d184489ddd03bef"
        );
    }

    /// `printf '1795177951:te_escape2:1' | sha256sum`
    #[test]
    fn map_in_capitals_colours_or_blanks_has_the_id_of_the_plain_name() {
        for map in [
            "te_escape2",
            "TE_Escape2",
            "^1te_^7escape2",
            " te_escape2\t",
            "^1 TE_ESCAPE2 ^7",
        ] {
            let id = round_canonical_id(1_795_177_951, map, 1);
            assert_eq!(id, "2cc5265cf93295b2", "{map:?}");
        }
        let as_written = round_id_of_map_as_written(1_795_177_951, "TE_Escape2", 1);
        assert_eq!(as_written, "296504657ba8fb35");
    }
}
