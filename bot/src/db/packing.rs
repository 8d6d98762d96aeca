//! How the content of facts is stored: compressed with zlib. Timelines are most of a database, and JSON shrinks to about an eighth.

use std::io::{self, Read as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use flate2::read::ZlibDecoder;
use flate2::{Compress, Compression, FlushCompress, Status};

/// How zlib data of this compression begins.
const MAGIC: [u8; 2] = [0x78, 0x01];
/// Shorter content is not worth it.
const PACKED_FROM_BYTES: usize = 256;

/// Those that are not in use. Making one takes longer than compressing a file. It has 380 KiB, so threads do not have one each, of which
/// there may be many that compress once in a while.
static SPARE: Mutex<Vec<Compress>> = Mutex::new(Vec::new());

fn spare() -> MutexGuard<'static, Vec<Compress>> {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The content as it is stored. What begins as zlib data is always compressed, so that [`unpack`] cannot mistake it.
pub(super) fn pack(content: Vec<u8>) -> Vec<u8> {
    if content.len() < PACKED_FROM_BYTES && !content.starts_with(&MAGIC) {
        return content;
    }
    let unused = spare().pop();
    let mut compress = unused.unwrap_or_else(|| Compress::new(Compression::fast(), true));
    compress.reset();
    let packed = compressed(&mut compress, &content);
    spare().push(compress);
    packed.unwrap_or(content)
}

/// Compressing memory into memory does not fail.
fn compressed(compress: &mut Compress, content: &[u8]) -> Option<Vec<u8>> {
    let mut packed = Vec::with_capacity(content.len() / 4 + 64);
    loop {
        let read = usize::try_from(compress.total_in()).ok()?;
        match compress.compress_vec(&content[read..], &mut packed, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => return Some(packed),
            // It is full.
            Ok(_) => packed.reserve(packed.len() + 64),
            Err(_) => return None,
        }
    }
}

/// The content of what is stored. Earlier versions stored it as it is.
///
/// # Errors
/// When it begins as zlib data but is damaged.
pub(super) fn unpack(stored: Vec<u8>) -> io::Result<Vec<u8>> {
    if !stored.starts_with(&MAGIC) {
        return Ok(stored);
    }
    let mut content = Vec::with_capacity(stored.len() * 8);
    ZlibDecoder::new(stored.as_slice()).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn content_comes_back_as_it_was(mut content: Vec<u8>, is_like_zlib: bool, times in 1..40_usize) {
            if is_like_zlib {
                content.splice(0..0, MAGIC);
            }
            let content = content.repeat(times);
            prop_assert_eq!(unpack(pack(content.clone())).unwrap(), content);
        }

        /// Earlier versions stored what they received.
        #[test]
        fn content_that_is_not_packed_is_read(content: Vec<u8>) {
            prop_assume!(!content.starts_with(&MAGIC));
            prop_assert_eq!(unpack(content.clone()).unwrap(), content);
        }
    }

    #[test]
    fn json_shrinks() {
        let json = br#"{"t_ms":1250,"type":"death","victim":"0123456789ABCDEF","attacker":null},"#
            .repeat(100);
        assert!(pack(json.clone()).len() * 8 < json.len());
    }

    #[test]
    fn damage_is_an_error() {
        let mut packed = pack(vec![b'x'; 1000]);
        let in_checksum = packed.len() - 2;
        packed[in_checksum] ^= 1;
        assert!(unpack(packed).is_err());
    }
}
