//! What identifies a player: the guid, of which stats files contain only the first 8 digits.

use gametimes_format::digest::{hex, sha256};

/// The key of a player in the tables: the guid, or for a client without one `name:` and 27 hex digits of the SHA-256 of
/// the name.
pub fn player_key(guid: &str, name: &str) -> String {
    if !guid.is_empty() {
        return guid.to_owned();
    }
    format!("name:{}", &hex(&sha256([name.as_bytes()]))[..27])
}

/// The first 8 digits of a guid in upper case, or the whole `name:...` of a client without one.
pub fn short_guid(guid: &str) -> String {
    if guid.starts_with("name:") {
        return guid.to_owned();
    }
    guid.get(..8).unwrap_or(guid).to_ascii_uppercase()
}
