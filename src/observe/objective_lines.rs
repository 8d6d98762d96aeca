//! Parses the lines that the game prints about objectives of the map.

use gametimes_format::{ObjectiveAction, Team, TeamNumber};

use super::words;

/// A line about an objective, in exactly the form in which the game prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// What happened.
    pub action: ObjectiveAction,
    /// The slot of the player who did it.
    pub slot: Option<u8>,
    /// The team that did it, if the line names one. For an objective that is picked up, the team that owns it.
    pub team: TeamNumber,
    /// The objective's name or the announcement.
    pub text: &'a [u8],
}

/// Parses a print, as `parse::print` does.
pub(super) fn line(text: &[u8]) -> Option<Result<Line<'_>, ()>> {
    use ObjectiveAction::{Defused, Destroyed, Planted, Repaired};
    let by_player = |prefix: &str, action| {
        let rest = text.strip_prefix(prefix.as_bytes())?;
        Some(player_line(rest, action).ok_or(()))
    };
    match text.first()? {
        b'I' => item(text.strip_prefix(b"Item: ")?),
        b'D' => by_player("Dynamite_Plant: ", Planted)
            .or_else(|| by_player("Dynamite_Diffuse: ", Defused)),
        b'O' => by_player("Objective_Destroyed: ", Destroyed),
        b'R' => by_player("Repair: ", Repaired),
        b'l' => {
            let rest = text.strip_prefix(b"legacy ")?;
            let line = match rest.strip_prefix(b"popup: ") {
                Some(rest) => popup(rest),
                None => announcement(rest.strip_prefix(b"announce: ")?),
            };
            Some(line.ok_or(()))
        }
        _ => None,
    }
}

/// `slot team_CTF_redflag`. Other items are no objectives.
fn item(rest: &[u8]) -> Option<Result<Line<'_>, ()>> {
    let (slot, item) = words::decimal(rest, b" ")?;
    let item = item.strip_prefix(b"team_CTF_")?;
    let team = match item {
        b"redflag\n" => Team::Axis,
        b"blueflag\n" => Team::Allies,
        _ => return Some(Err(())),
    };
    let line = words::slot(slot).map(|slot| Line {
        action: ObjectiveAction::PickedUp,
        slot: Some(slot),
        team: team.into(),
        text: b"",
    });
    Some(line.ok_or(()))
}

/// `slot` or `slot name`.
fn player_line(rest: &[u8], action: ObjectiveAction) -> Option<Line<'_>> {
    let rest = words::line(rest)?;
    let (slot, text) = match words::decimal(rest, b" ") {
        Some(found) => found,
        None => words::decimal(rest, b"").filter(|(_, rest)| rest.is_empty())?,
    };
    // `Repair` names nothing.
    let fits = action != ObjectiveAction::Repaired || text.is_empty();
    fits.then_some(Line {
        action,
        slot: Some(words::slot(slot)?),
        team: TeamNumber::NONE,
        text: if text == b"(null)" { b"" } else { text },
    })
}

/// `^7axis^7 stole "name"`. The oldest versions leave the team empty if dynamite is armed.
fn popup(rest: &[u8]) -> Option<Line<'_>> {
    let rest = rest.strip_prefix(b"^7")?;
    let (team, rest) = [
        (&b"axis^7 "[..], Team::Axis.into()),
        (b"allies^7 ", Team::Allies.into()),
        (b"^7 ", TeamNumber::NONE),
    ]
    .into_iter()
    .find_map(|(name, team)| Some((team, rest.strip_prefix(name)?)))?;
    let (action, text) = [
        (&b"stole \""[..], ObjectiveAction::Stolen),
        (b"returned \"", ObjectiveAction::Returned),
        (b"planted \"", ObjectiveAction::Planted),
        (b"defused \"", ObjectiveAction::Defused),
    ]
    .into_iter()
    .find_map(|(verb, action)| Some((action, rest.strip_prefix(verb)?)))?;
    let text = words::line(text)?.strip_suffix(b"\"")?;
    Some(Line {
        action,
        slot: None,
        team,
        text: if text == b"(null)" { b"" } else { text },
    })
}

/// `"^7text"`
fn announcement(rest: &[u8]) -> Option<Line<'_>> {
    let text = rest.strip_prefix(b"\"^7")?.strip_suffix(b"\"\n")?;
    Some(Line {
        action: ObjectiveAction::Announce,
        slot: None,
        team: TeamNumber::NONE,
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (ObjectiveAction, Option<u8>, u8, &str) {
        let Some(Ok(line)) = line(text.as_bytes()) else {
            panic!("{text:?}")
        };
        let text = std::str::from_utf8(line.text).unwrap();
        (line.action, line.slot, line.team.number(), text)
    }

    #[test]
    fn lines_of_all_versions_are_parsed() {
        use ObjectiveAction::*;
        for (text, expected) in [
            ("Item: 3 team_CTF_redflag\n", (PickedUp, Some(3), 1, "")),
            ("Item: 63 team_CTF_blueflag\n", (PickedUp, Some(63), 2, "")),
            ("Dynamite_Plant: 4\n", (Planted, Some(4), 0, "")),
            (
                "Dynamite_Plant: 4 the Old City Wall\n",
                (Planted, Some(4), 0, "the Old City Wall"),
            ),
            ("Dynamite_Plant: 4 (null)\n", (Planted, Some(4), 0, "")),
            ("Dynamite_Diffuse: 0 x\n", (Defused, Some(0), 0, "x")),
            (
                "Objective_Destroyed: 4 the Gun\n",
                (Destroyed, Some(4), 0, "the Gun"),
            ),
            ("Repair: 12\n", (Repaired, Some(12), 0, "")),
            (
                "legacy popup: ^7axis^7 stole \"the Gold\"\n",
                (Stolen, None, 1, "the Gold"),
            ),
            (
                "legacy popup: ^7allies^7 returned \"the Gold\"\n",
                (Returned, None, 2, "the Gold"),
            ),
            (
                "legacy popup: ^7^7 planted \"the Gun\"\n",
                (Planted, None, 0, "the Gun"),
            ),
            (
                "legacy popup: ^7axis^7 defused \"(null)\"\n",
                (Defused, None, 1, ""),
            ),
            (
                "legacy announce: \"^7Objective taken\"\n",
                (Announce, None, 0, "Objective taken"),
            ),
            ("legacy announce: \"^7a\nb\"\n", (Announce, None, 0, "a\nb")),
        ] {
            assert_eq!(parsed(text), expected);
        }
    }

    #[test]
    fn lines_without_the_form_of_the_game_are_errors_and_other_items_ignored() {
        for text in [
            &b"Item: 64 team_CTF_redflag\n"[..],
            b"Item: 3 team_CTF_redflag",
            b"Item: 3 team_CTF_redflag ^7just lost 3 skill points\n",
            b"Dynamite_Plant: \n",
            b"Dynamite_Plant: x\n",
            b"Dynamite_Plant: 64 x\n",
            b"Dynamite_Plant: 3",
            b"Dynamite_Diffuse: 03\n",
            b"Dynamite_Diffuse: 3\nx\n",
            b"Objective_Destroyed: \n",
            b"Repair: 3 has been made a referee.\n",
            b"Repair: 3^7: x\n",
            b"legacy popup: axis stole \"x\"\n",
            b"legacy popup: ^7axis^7 took \"x\"\n",
            b"legacy popup: ^7axis^7 stole x\n",
            b"legacy announce: x\n",
            b"legacy announce: \"x\"\n",
        ] {
            assert_eq!(line(text), Some(Err(())), "{:?}", text.escape_ascii());
        }
        for text in [
            &b"Item: 3 weapon_mp40\n"[..],
            b"Item: x",
            b"Dynamite",
            b"Repaired: 3\n",
            b"legacy game\n",
            b"legacy\n",
        ] {
            assert_eq!(line(text), None, "{:?}", text.escape_ascii());
        }
    }
}
