//! Parses the game's prints and configstrings. They can contain any bytes, and nothing here panics.

use gametimes_format::check::is_stats_file_name;

use crate::engine::numbers::MAX_CLIENTS;

/// A print of the game about the round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Print<'a> {
    /// `Kill: killer victim means: ...`
    Kill {
        /// The slot that died.
        victim: u8,
        /// The slot of the killer; `None` for the world.
        killer: Option<u8>,
        /// `MOD_MP40`, or the number as the game printed it.
        means: &'a [u8],
    },
    /// `Medic_Revive: medic patient`
    Revive { medic: u8, patient: u8 },
    /// `ClientConnect: slot`
    Connect(u8),
    /// `ClientBegin: slot`
    Begin(u8),
    /// `Exit: ...` and the text after it.
    Exit(&'a [u8]),
    /// `callvote: slot ...`
    VoteCalled {
        slot: u8,
        /// Whether it is a vote to surrender.
        surrender: bool,
    },
    /// `Vote Failed: ...`, `Vote TIMEOUT! ...` or `Vote CANCELED!`: the running vote did not pass.
    VoteFailed,
}

/// Parses a print. Returns `None` for prints that do not matter, and `Some(Err(()))` for one that begins like those that do,
/// but is malformed.
pub fn print(text: &[u8]) -> Option<Result<Print<'_>, ()>> {
    // The first byte rules out nearly all other prints.
    match text.first()? {
        b'K' => Some(kill(text.strip_prefix(b"Kill: ")?).ok_or(())),
        b'M' => Some(revive(text.strip_prefix(b"Medic_Revive: ")?).ok_or(())),
        b'C' => client(text.strip_prefix(b"Client")?),
        b'E' => Some(Ok(Print::Exit(text.strip_prefix(b"Exit: ")?.trim_ascii()))),
        b'c' => Some(vote_called(text.strip_prefix(b"callvote: ")?).ok_or(())),
        b'V' => {
            let rest = text.strip_prefix(b"Vote ")?;
            (!rest.starts_with(b"Passed: ")).then_some(Ok(Print::VoteFailed))
        }
        _ => None,
    }
}

fn kill(rest: &[u8]) -> Option<Print<'_>> {
    let (killer, rest) = number(rest)?;
    let (victim, rest) = number(rest)?;
    let (_, rest) = number(rest)?;
    let rest = rest.strip_prefix(b":")?.trim_ascii_end();
    // Names can contain " by "; the name of the means of death cannot.
    let by = rest.windows(4).rposition(|w| w == b" by ")?;
    Some(Print::Kill {
        victim: slot(victim)?,
        killer: slot(killer),
        means: &rest[by + 4..],
    })
}

fn revive(rest: &[u8]) -> Option<Print<'_>> {
    let (medic, rest) = number(rest)?;
    let (patient, _) = number(rest)?;
    Some(Print::Revive {
        medic: slot(medic)?,
        patient: slot(patient)?,
    })
}

fn client(rest: &[u8]) -> Option<Result<Print<'_>, ()>> {
    let (print, rest): (fn(u8) -> Print<'static>, _) =
        if let Some(rest) = rest.strip_prefix(b"Connect: ") {
            (Print::Connect, rest)
        } else {
            (Print::Begin, rest.strip_prefix(b"Begin: ")?)
        };
    let slot = number(rest).and_then(|(n, _)| slot(n));
    Some(slot.map(print).ok_or(()))
}

fn vote_called(rest: &[u8]) -> Option<Print<'_>> {
    let (caller, rest) = number(rest)?;
    Some(Print::VoteCalled {
        slot: slot(caller)?,
        surrender: rest.trim_ascii_start().starts_with(b"Surrender"),
    })
}

/// The number as a slot; `None` if no server has it.
fn slot(number: i32) -> Option<u8> {
    u8::try_from(number)
        .ok()
        .filter(|&n| usize::from(n) < MAX_CLIENTS)
}

/// The decimal number at the start, after any spaces, and the rest of the text. `None` if it is out of range.
fn number(text: &[u8]) -> Option<(i32, &[u8])> {
    let text = text.trim_ascii_start();
    let len = text
        .iter()
        .enumerate()
        .take_while(|&(i, &b)| b.is_ascii_digit() || (i == 0 && b == b'-'))
        .count();
    let (digits, rest) = text.split_at(len);
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

/// The number at the start, as C's `atoi` reads it; 0 without one.
pub fn leading_number(text: &[u8]) -> i32 {
    number(text).map_or(0, |(n, _)| n)
}

/// The value of a key in an info string, `\key\value\key\value`. The first backslash may be missing.
pub fn info_value<'a>(info: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let mut parts = info
        .strip_prefix(b"\\")
        .unwrap_or(info)
        .split(|&b| b == b'\\');
    while let Some(name) = parts.next() {
        let value = parts.next()?;
        if name == key {
            return Some(value);
        }
    }
    None
}

/// The file name in a path of a stats file, `gamestats/YYYY-MM-DD-HHMMSS-<map>-round-<N>.txt`. `None` for other paths.
pub fn stats_file(path: &[u8]) -> Option<&[u8]> {
    let name = path.strip_prefix(b"gamestats/")?;
    is_stats_file_name(name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_has_killer_victim_and_means() {
        let text = b"Kill: 11 4 9: ^7^3Player^711^7 killed ^4Pl by 7 by x^7 by MOD_THOMPSON\n";
        let expected = Print::Kill {
            victim: 4,
            killer: Some(11),
            means: b"MOD_THOMPSON",
        };
        assert_eq!(print(text), Some(Ok(expected)));
    }

    #[test]
    fn a_kill_by_the_world_has_no_killer() {
        let Some(Ok(Print::Kill { victim, killer, .. })) =
            print(b"Kill: 1022 63 33: <world> killed x by MOD_FALLING\n")
        else {
            panic!()
        };
        assert_eq!((victim, killer), (63, None));
    }

    #[test]
    fn malformed_prints_are_errors_and_unknown_ones_ignored() {
        for text in [
            &b"Kill: 1 64 9: a killed b by MOD_X\n"[..],
            b"Kill: 1 -1 9: a killed b by MOD_X\n",
            b"Kill: 1 99999999999 9: a killed b by MOD_X\n",
            b"Kill: 1 2\n",
            b"Kill: ",
            b"Medic_Revive: 3 64\n",
            b"Medic_Revive: 3\n",
            b"callvote: x Surrender\n",
            b"ClientConnect: 64\n",
            b"ClientBegin: \n",
        ] {
            assert_eq!(print(text), Some(Err(())), "{text:?}");
        }
        for text in [
            &b""[..],
            b"K",
            b"say: Kill: 1 2 3: x by y",
            b"Vote Passed: x",
            b"ClientUserinfoChanged: 3 x",
            b"\xff",
        ] {
            assert_eq!(print(text), None, "{text:?}");
        }
    }

    #[test]
    fn clients_that_connect_and_begin_are_parsed() {
        assert_eq!(print(b"ClientConnect: 63\n"), Some(Ok(Print::Connect(63))));
        assert_eq!(print(b"ClientBegin: 0\n"), Some(Ok(Print::Begin(0))));
    }

    #[test]
    fn votes_and_exits_are_parsed() {
        let called = Print::VoteCalled {
            slot: 1,
            surrender: true,
        };
        assert_eq!(print(b"callvote: 1 Surrender [ALLIES]\n"), Some(Ok(called)));
        assert_eq!(
            print(b"callvote: 1 Change map to radar\n"),
            Some(Ok(Print::VoteCalled {
                slot: 1,
                surrender: false
            }))
        );
        for failed in [
            &b"Vote Failed: (Y:1-N:5) Surrender\n"[..],
            b"Vote TIMEOUT! Not enough voters to pass vote (1/3) Surrender\n",
            b"Vote CANCELED!\n",
        ] {
            assert_eq!(print(failed), Some(Ok(Print::VoteFailed)));
        }
        assert_eq!(print(b"Vote Passed: (Y:4-N:0) Surrender\n"), None);
        assert_eq!(
            print(b"Exit: Wolf EndRound.\n"),
            Some(Ok(Print::Exit(b"Wolf EndRound.")))
        );
    }

    #[test]
    fn info_strings_are_parsed_with_and_without_the_first_backslash() {
        assert_eq!(info_value(b"\\n\\x\\t\\2", b"t"), Some(&b"2"[..]));
        assert_eq!(info_value(b"n\\x\\t\\2", b"n"), Some(&b"x"[..]));
        // a value that looks like the key is not taken for it
        assert_eq!(info_value(b"n\\t\\t\\2", b"t"), Some(&b"2"[..]));
        assert_eq!(info_value(b"", b"t"), None);
        assert_eq!(info_value(b"\\t", b"t"), None);
    }

    #[test]
    fn stats_files_are_recognized_by_their_name() {
        let name = b"2026-11-20-123344-room2-round-1.txt";
        assert_eq!(
            stats_file(&[b"gamestats/", &name[..]].concat()),
            Some(&name[..])
        );
        for path in [
            &b"session/client01.json"[..],
            b"gamestats/x.txt",
            b"gamestats/2026-11-20-123344-../../x-round-1.txt",
            b"gamestats/2026-11-20-123344-room2-round-.txt",
            b"gamestats/2026-11-20_123344-room2-round-1.txt",
            b"gamestats/2026-11-20-123344-..-round-1.txt",
            b"gamestats/2026-11-20-123344-room2-round-123.txt",
            &[
                b"gamestats/2026-11-20-123344-",
                &[b'a'; 160][..],
                b"-round-1.txt",
            ]
            .concat(),
        ] {
            assert_eq!(stats_file(path), None, "{path:?}");
        }
    }
}
