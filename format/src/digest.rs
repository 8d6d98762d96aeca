//! Identities and signatures that module and bot must compute alike.

use ring::{digest, hmac};

/// The id of a round that every reader can compute anew: the first 16 hex digits of SHA-256 over
/// `<start_unix>:<map>:<round>`.
///
/// ```
/// # use gametimes_format::digest::round_canonical_id;
/// assert_eq!(round_canonical_id(1795177951, "room2", 1).len(), 16);
/// assert_ne!(round_canonical_id(1795177951, "room2", 1), round_canonical_id(1795177951, "room2", 2));
/// ```
pub fn round_canonical_id(start_unix: i64, map: &str, round: u8) -> String {
    let text = format!("{start_unix}:{map}:{round}");
    hex(&digest::digest(&digest::SHA256, text.as_bytes()).as_ref()[..8])
}

/// HMAC-SHA256 over the bytes of an attached file, in hex: with a key that only server and bot know, the bot can tell a
/// forged message.
pub fn sign(key: &[u8], bytes: &[u8]) -> String {
    hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes).as_ref())
}

/// Whether `signature` is what [`sign`] gives, compared in constant time.
pub fn verify(key: &[u8], bytes: &[u8], signature: &str) -> bool {
    let Some(tag) = unhex(signature) else {
        return false;
    };
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes, &tag).is_ok()
}

fn hex(bytes: &[u8]) -> String {
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
    fn signs_as_the_rfc_says() {
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
    fn canonical_id_is_the_head_of_the_sha256() {
        assert_eq!(
            round_canonical_id(1_795_177_951, "room2", 1),
            "6d184489ddd03bef"
        );
    }
}
