//! Seeds damaged at random.

use std::cell::RefCell;
use std::path::Path;

use proptest::prelude::*;

/// The seeds of a fuzz target.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds");
    let files = std::fs::read_dir(folder.join(target)).expect("the target's seeds");
    let mut paths: Vec<_> = files.map(|file| file.expect("a seed").path()).collect();
    paths.sort();
    let seeds = paths
        .iter()
        .map(|path| std::fs::read(path).expect("a seed"));
    seeds.collect()
}

/// Runs a check on every seed, and then on this many damaged ones.
pub fn check_damaged(seeds: &[Vec<u8>], cases: u32, mut check: impl FnMut(&[u8])) {
    assert!(!seeds.is_empty());
    seeds.iter().for_each(|seed| check(seed));
    let strategy = (0..seeds.len(), prop::collection::vec(damage(), 1..6));
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let check = RefCell::new(check);
    proptest!(config, |((seed, damages) in strategy)| {
        check.borrow_mut()(&damaged(seeds[seed].clone(), &damages));
    });
}

/// One change of a file, at a place that is given as a share of its length.
#[derive(Debug, Clone)]
enum Damage {
    /// Insert these bytes.
    Insert(f64, Vec<u8>),
    /// Remove this many bytes.
    Remove(f64, usize),
    /// End the file.
    Truncate(f64),
    /// Replace the next number by this one, as a wrong recorder would.
    Number(f64, i64),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = 0.0..1.0_f64;
    prop_oneof![
        (at.clone(), prop::collection::vec(any::<u8>(), 1..8))
            .prop_map(|(a, b)| Damage::Insert(a, b)),
        (at.clone(), 1..200_usize).prop_map(|(a, n)| Damage::Remove(a, n)),
        at.clone().prop_map(Damage::Truncate),
        (at, any::<i64>()).prop_map(|(a, n)| Damage::Number(a, n)),
    ]
}

/// The file after these changes.
fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let at = |share: &f64, bytes: &[u8]| ((bytes.len() as f64) * share) as usize;
        match damage {
            Damage::Insert(share, put) => {
                let at = at(share, &bytes);
                bytes.splice(at..at, put.iter().copied());
            }
            Damage::Remove(share, count) => {
                let at = at(share, &bytes);
                let end = (at + count).min(bytes.len());
                bytes.drain(at..end);
            }
            Damage::Truncate(share) => bytes.truncate(at(share, &bytes)),
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
