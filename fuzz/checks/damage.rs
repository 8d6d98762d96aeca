//! Samples damaged at random, for the checks as property tests.

use proptest::prelude::*;

/// What is done to a file: a place (as a share of its length), and bytes that go there or how many are taken out.
#[derive(Debug, Clone)]
pub enum Damage {
    Put(f64, Vec<u8>),
    Cut(f64, usize),
    End(f64),
    Number(f64, i64),
}

/// Any damage.
pub fn damage() -> impl Strategy<Value = Damage> {
    let at = 0.0..1.0_f64;
    prop_oneof![
        (at.clone(), prop::collection::vec(any::<u8>(), 1..8)).prop_map(|(a, b)| Damage::Put(a, b)),
        (at.clone(), 1..200_usize).prop_map(|(a, n)| Damage::Cut(a, n)),
        at.clone().prop_map(Damage::End),
        (at, any::<i64>()).prop_map(|(a, n)| Damage::Number(a, n)),
    ]
}

/// The file after it.
pub fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let at = |share: &f64, bytes: &[u8]| ((bytes.len() as f64) * share) as usize;
        match damage {
            Damage::Put(share, put) => {
                let at = at(share, &bytes);
                bytes.splice(at..at, put.iter().copied());
            }
            Damage::Cut(share, count) => {
                let at = at(share, &bytes);
                let end = (at + count).min(bytes.len());
                bytes.drain(at..end);
            }
            Damage::End(share) => bytes.truncate(at(share, &bytes)),
            // Another number in the place of one: what a lie looks like.
            Damage::Number(share, n) => {
                let from = at(share, &bytes);
                if let Some(start) = bytes[from..]
                    .iter()
                    .position(u8::is_ascii_digit)
                    .map(|i| from + i)
                {
                    let len = bytes[start..]
                        .iter()
                        .take_while(|b| b.is_ascii_digit())
                        .count();
                    bytes.splice(start..start + len, n.to_string().into_bytes());
                }
            }
        }
    }
    bytes
}
