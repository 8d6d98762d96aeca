//! Parsing of the game's prints and strings: for any bytes, the result is part of them and is parsed the same again.

use gametimes::event::Text;
use gametimes::observe::objective_lines::Line;
use gametimes::observe::parse::{self, Print};
use gametimes_format::check::{is_path_safe, is_stats_file_name};
use gametimes_format::text::{decode, strip_colors};
use gametimes_format::{ObjectiveAction, Team};

/// Any bytes as a print, as an info string (configstring or userinfo), as a number, as a path, and as a name.
pub fn prints(bytes: &[u8]) {
    print(bytes);
    info_string(bytes);
    number(bytes);
    path(bytes);
    name(bytes);
}

fn print(bytes: &[u8]) {
    let Some(Ok(print)) = parse::print(bytes) else {
        return;
    };
    // The game's print with the same meaning.
    let again = match print {
        Print::Kill {
            victim,
            killer,
            means,
        } => {
            assert!(victim < 64 && killer.is_none_or(|k| k < 64));
            assert!(means.starts_with(b"MOD_") && means.iter().all(u8::is_ascii_graphic));
            let killer = killer.map_or(1022, i32::from);
            let names = format!("Kill: {killer} {victim} 9: ^1a by b killed c");
            [names.as_bytes(), b" by ", means, b"\n"].concat()
        }
        Print::Revive { medic, patient } => {
            assert!(medic < 64 && patient < 64);
            format!("Medic_Revive: {medic} {patient}\n").into_bytes()
        }
        Print::Connect(slot) => {
            assert!(slot < 64);
            format!("ClientConnect: {slot}\n").into_bytes()
        }
        Print::Begin(slot) => {
            assert!(slot < 64);
            format!("ClientBegin: {slot}\n").into_bytes()
        }
        Print::Exit(text) => [b"Exit: ", text, b"\n"].concat(),
        Print::VoteCalled { slot, vote } => {
            assert!(slot < 64);
            [format!("callvote: {slot} ").as_bytes(), vote, b"\n"].concat()
        }
        Print::Objective(line) => objective(&line),
        Print::VotePassed => b"Vote Passed: (Y:1-N:0) x\n".to_vec(),
        Print::VoteFailed => b"Vote Failed: (Y:1-N:5) x\n".to_vec(),
    };
    let is_announcement =
        matches!(print, Print::Objective(line) if line.action == ObjectiveAction::Announce);
    assert!(bytes.ends_with(b"\n"));
    assert!(is_announcement || !bytes.trim_ascii_end().contains(&b'\n'));
    assert_eq!(parse::print(&again), Some(Ok(print)));
}

/// The game's line about an objective.
fn objective(line: &Line<'_>) -> Vec<u8> {
    let team = match line.team.team() {
        Some(Team::Axis) => "axis",
        Some(Team::Allies) => "allies",
        None => "",
    };
    let Some(slot) = line.slot else {
        let verb = match line.action {
            ObjectiveAction::Stolen => "stole",
            ObjectiveAction::Returned => "returned",
            ObjectiveAction::Planted => "planted",
            ObjectiveAction::Defused => "defused",
            ObjectiveAction::Announce => {
                return [b"legacy announce: \"^7", line.text, b"\"\n"].concat();
            }
            other => panic!("{other:?} without a player"),
        };
        let start = format!("legacy popup: ^7{team}^7 {verb} \"");
        return [start.as_bytes(), line.text, b"\"\n"].concat();
    };
    assert!(slot < 64);
    let word = match line.action {
        ObjectiveAction::PickedUp => {
            let color = if team == "axis" { "red" } else { "blue" };
            return format!("Item: {slot} team_CTF_{color}flag\n").into_bytes();
        }
        ObjectiveAction::Planted => "Dynamite_Plant",
        ObjectiveAction::Defused => "Dynamite_Diffuse",
        ObjectiveAction::Destroyed => "Objective_Destroyed",
        ObjectiveAction::Repaired => "Repair",
        other => panic!("{other:?} by a player"),
    };
    let name = if line.text.is_empty() {
        Vec::new()
    } else {
        [b" ", line.text].concat()
    };
    [format!("{word}: {slot}").as_bytes(), &name, b"\n"].concat()
}

fn info_string(bytes: &[u8]) {
    for key in [&b"n"[..], b"t", b"d", b"w", b"cl_guid"] {
        let Some(value) = parse::info_value(bytes, key) else {
            continue;
        };
        assert!(!value.contains(&b'\\'));
        let pair = [key, b"\\", value].concat();
        let at = bytes.windows(pair.len()).enumerate();
        let stands_there = at.into_iter().any(|(at, part)| {
            part == pair
                && (at == 0 || bytes[at - 1] == b'\\')
                && matches!(bytes.get(at + pair.len()), None | Some(b'\\'))
        });
        assert!(stands_there, "{key:?} {value:?}");
        let again = [b"\\other\\x\\", &pair[..], b"\\more\\y"].concat();
        assert_eq!(parse::info_value(&again, key), Some(value));
    }
}

/// Compared with a simple implementation, digit by digit.
fn number(bytes: &[u8]) {
    let text = bytes.trim_ascii_start();
    let (sign, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let digits = digits.iter().take_while(|b| b.is_ascii_digit());
    let value = digits.fold(0i64, |n, b| {
        n.saturating_mul(10).saturating_add(i64::from(b - b'0'))
    });
    let expected = i32::try_from(sign * value).unwrap_or(0);
    assert_eq!(parse::leading_number(bytes), expected);
}

/// A name that is accepted as a stats file passes the checks of the file's readers, and is not truncated.
fn path(bytes: &[u8]) {
    for path in [bytes.to_vec(), [b"gamestats/", bytes].concat()] {
        let Some(name) = parse::stats_file(&path) else {
            continue;
        };
        let text = std::str::from_utf8(name).expect("ASCII");
        assert!(is_path_safe(text) && is_stats_file_name(text), "{text}");
        assert_eq!(Text::<160>::new(name).as_bytes(), name);
    }
}

fn name(bytes: &[u8]) {
    let text = Text::<64>::new(bytes);
    let json = serde_json::to_string(&text).expect("a text can be written");
    let again: Text<64> = serde_json::from_str(&json).expect("and read again");
    assert_eq!(again, text);
    for decoded in [text.decode(), decode(bytes)] {
        assert!(!decoded.chars().any(char::is_control));
        let plain = strip_colors(&decoded);
        assert!(plain.chars().count() <= decoded.chars().count());
        assert!(decoded.contains('^') || plain == decoded);
    }
}
