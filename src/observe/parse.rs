//! Parses the game's prints and configstrings. They can contain any bytes, and nothing here panics.

use gametimes_format::check::is_stats_file_name;

use super::objective_lines;
use super::words::{decimal, line, slot};

/// A print of the game about the round, in exactly the form in which the game prints it.
///
/// The form proves nothing: the game, and Lua scripts, also print lines that begin with a player's name or text. So the observer
/// believes a line only if the game's state agrees (`claims`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Print<'a> {
    /// `Kill: killer victim means: NAME killed NAME by MOD_...`
    Kill {
        /// The slot that died.
        victim: u8,
        /// The slot of the killer; `None` for the world.
        killer: Option<u8>,
        /// `MOD_MP40`.
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
    /// A line about an objective.
    Objective(objective_lines::Line<'a>),
    /// `callvote: slot ...`
    VoteCalled {
        slot: u8,
        /// The vote, as in the configstring of votes.
        vote: &'a [u8],
    },
    /// `Vote Passed: ...`
    VotePassed,
    /// `Vote Failed: ...`, `Vote TIMEOUT! ...`, `Vote CANCELED!` or `Vote canceled: ...`: the running vote did not pass.
    VoteFailed,
}

/// Parses a print. Returns `None` for prints that do not matter, and `Some(Err(()))` for one that begins like those that do,
/// but does not have the game's form.
pub fn print(text: &[u8]) -> Option<Result<Print<'_>, ()>> {
    // The first byte rules out nearly all other prints.
    match text.first()? {
        b'K' => Some(kill(text.strip_prefix(b"Kill: ")?).ok_or(())),
        b'M' => Some(revive(text.strip_prefix(b"Medic_Revive: ")?).ok_or(())),
        b'C' => client(text.strip_prefix(b"Client")?),
        b'E' => {
            let rest = text.strip_prefix(b"Exit: ")?;
            // The game also prints this for each further reason.
            (!rest.ends_with(b" (already triggered)\n")).then(|| exit(rest).ok_or(()))
        }
        b'c' => Some(vote_called(text.strip_prefix(b"callvote: ")?).ok_or(())),
        b'V' => vote_result(text.strip_prefix(b"Vote ")?),
        _ => Some(objective_lines::line(text)?.map(Print::Objective)),
    }
}

fn kill(rest: &[u8]) -> Option<Print<'_>> {
    let (killer, rest) = decimal(rest, b" ")?;
    let (victim, rest) = decimal(rest, b" ")?;
    let (_, rest) = decimal(rest, b": ")?;
    let rest = line(rest)?;
    // Names can contain " by "; the name of the means of death cannot.
    let by = rest.windows(4).rposition(|w| w == b" by ")?;
    let (names, means) = (&rest[..by], &rest[by + 4..]);
    let is_means = means.starts_with(b"MOD_")
        && means
            .iter()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_');
    let has_names = names.windows(8).any(|w| w == b" killed ");
    let killer = match killer {
        WORLD => None,
        killer => Some(slot(killer)?),
    };
    (is_means && has_names).then_some(Print::Kill {
        victim: slot(victim)?,
        killer,
        means,
    })
}

fn revive(rest: &[u8]) -> Option<Print<'_>> {
    let (medic, rest) = decimal(rest, b" ")?;
    let (patient, rest) = decimal(rest, b"\n")?;
    rest.is_empty().then_some(Print::Revive {
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
    let slot = match decimal(rest, b"\n") {
        Some((n, b"")) => slot(n),
        _ => None,
    };
    Some(slot.map(print).ok_or(()))
}

fn exit(rest: &[u8]) -> Option<Print<'_>> {
    let text = line(rest)?;
    (!text.trim_ascii().is_empty()).then_some(Print::Exit(text))
}

fn vote_called(rest: &[u8]) -> Option<Print<'_>> {
    let (caller, rest) = decimal(rest, b" ")?;
    let vote = line(rest)?;
    (!vote.is_empty()).then_some(Print::VoteCalled {
        slot: slot(caller)?,
        vote,
    })
}

fn vote_result(rest: &[u8]) -> Option<Result<Print<'_>, ()>> {
    let print = if rest.starts_with(b"Passed: (Y:") {
        Print::VotePassed
    } else if rest.starts_with(b"Failed: (Y:")
        || rest.starts_with(b"TIMEOUT! ")
        || rest.starts_with(b"CANCELED!\n")
        || rest.starts_with(b"canceled: ")
    {
        Print::VoteFailed
    } else {
        return None;
    };
    Some(line(rest).map(|_| print).ok_or(()))
}

/// Whether this is a vote to surrender.
pub fn is_surrender(vote: &[u8]) -> bool {
    let word = vote.split(|&b| b == b' ').next();
    word.is_some_and(|word| word.eq_ignore_ascii_case(b"Surrender"))
}

/// Whether the game is known to print this text after `Exit: `.
pub fn is_known_exit(text: &[u8]) -> bool {
    const WHOLE: [&[u8]; 5] = [
        b"Wolf EndRound.",
        b"Timelimit hit.",
        b"Axis Surrender",
        b"Allies Surrender",
        b"Nextmap vote passed",
    ];
    const ENDS: [&[u8]; 3] = [b" team eliminated.", b" First Blood.", b" most survivors."];
    WHOLE.contains(&text) || ENDS.iter().any(|end| text.ends_with(end))
}

/// The number by which the game calls the world in prints.
const WORLD: i32 = 1022;

/// The decimal number at the start, after any spaces, and the rest of the text. `None` if it is out of range.
pub(super) fn number(text: &[u8]) -> Option<(i32, &[u8])> {
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

/// The file name in a path of a stats file, `gamestats/YYYY-MM-DD-HHMMSS-<map>-round-<N>.txt`. `None` for other paths. Like the
/// engine, takes `\\` for `/` and ignores empty parts and `.`.
pub fn stats_file(path: &[u8]) -> Option<&[u8]> {
    let mut parts = path
        .split(|&b| matches!(b, b'/' | b'\\'))
        .filter(|part| !matches!(*part, b"" | b"."));
    let (folder, name) = (parts.next()?, parts.next()?);
    let is_stats_file = folder.eq_ignore_ascii_case(b"gamestats")
        && parts.next().is_none()
        && path.ends_with(name)
        && is_stats_file_name(name);
    is_stats_file.then_some(name)
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
    fn lines_without_the_form_of_the_game_are_errors_and_unknown_ones_ignored() {
        for text in [
            &b"Kill: 1 64 9: a killed b by MOD_X\n"[..],
            b"Kill: 1 -1 9: a killed b by MOD_X\n",
            b"Kill: 1 99999999999 9: a killed b by MOD_X\n",
            b"Kill: 64 1 9: a killed b by MOD_X\n",
            b"Kill: 1 2\n",
            b"Kill: ",
            b"Kill: 1 2 9: a by b",
            b"Kill: 1 2 9: a by b\n",
            b"Kill: 1 2 9: a killed b by MOD_X",
            b"Kill: 1 2 9: a killed b by x\n",
            b"Kill: 1 2 9: a killed b by MOD_X ^7just lost 3 skill points\n",
            b"Kill: 1 2 9: a killed b by MOD_X\nx\n",
            b"Kill: 01 2 9: a killed b by MOD_X\n",
            b"Kill:  1 2 9: a killed b by MOD_X\n",
            b"Kill: +1 2 9: a killed b by MOD_X\n",
            b"Medic_Revive: 3 64\n",
            b"Medic_Revive: 3\n",
            b"Medic_Revive: 3 4",
            b"Medic_Revive: 3 4 has been made a referee.\n",
            b"callvote: x Surrender\n",
            b"callvote: 1\n",
            b"callvote: 1 Surrender",
            b"ClientConnect: 64\n",
            b"ClientConnect: 3",
            b"ClientConnect: 3^7: hello\n",
            b"ClientBegin: \n",
            b"ClientBegin: 3 \n",
            b"Exit: Wolf EndRound.",
            b"Exit: \n",
            b"Exit: a\nb\n",
            b"Vote Failed: (Y:",
        ] {
            assert_eq!(print(text), Some(Err(())), "{:?}", text.escape_ascii());
        }
        for text in [
            &b""[..],
            b"K",
            b"say: Kill: 1 2 3: x by y",
            b"Vote Failed: x\n",
            b"Votes\n",
            b"ClientUserinfoChanged: 3 x",
            b"Exit: Timelimit hit. (already triggered)\n",
            b"\xff",
        ] {
            assert_eq!(print(text), None, "{:?}", text.escape_ascii());
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
            vote: b"Surrender [ALLIES]",
        };
        assert_eq!(print(b"callvote: 1 Surrender [ALLIES]\n"), Some(Ok(called)));
        assert!(is_surrender(b"Surrender [ALLIES]") && is_surrender(b"surrender"));
        assert!(!is_surrender(b"Change map to radar") && !is_surrender(b"Surrendered"));
        for failed in [
            &b"Vote Failed: (Y:1-N:5) Surrender\n"[..],
            b"Vote TIMEOUT! Not enough voters to pass vote (1/3) Surrender\n",
            b"Vote CANCELED!\n",
            b"Vote canceled: Surrender [AXIS] (caller a disconnected)\n",
        ] {
            assert_eq!(print(failed), Some(Ok(Print::VoteFailed)));
        }
        assert_eq!(
            print(b"Vote Passed: (Y:4-N:0) Surrender\n"),
            Some(Ok(Print::VotePassed))
        );
        for exit in [&b"Exit: Axis Surrender\n"[..], b"Exit: Axis Surrender\n\n"] {
            assert_eq!(print(exit), Some(Ok(Print::Exit(b"Axis Surrender"))));
        }
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
        for folder in [
            &b"gamestats/"[..],
            b"gamestats\\",
            b"gamestats\\\\",
            b"gamestats\\/",
            b"./gamestats/",
            b".\\gamestats\\./",
            b"/gamestats/",
            b"GameStats/",
        ] {
            let path = [folder, &name[..]].concat();
            assert_eq!(
                stats_file(&path),
                Some(&name[..]),
                "{:?}",
                path.escape_ascii()
            );
        }
        for path in [
            &b"session/client01.json"[..],
            b"gamestats/../gamestats/2026-11-20-123344-room2-round-1.txt",
            b"gamestats/old/2026-11-20-123344-room2-round-1.txt",
            b"gamestats/2026-11-20-123344-room2-round-1.txt/",
            b"2026-11-20-123344-room2-round-1.txt",
            b"gamestats",
            b"gamestats\\",
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
