//! SHA-256 in hex.

use ring::digest;

/// The SHA-256 of some bytes as 64 hex digits.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, bytes);
    hash.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}
