//! The two teams, and the numbers by which the game and the files know them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the two teams that play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Team {
    /// Team 1.
    Axis,
    /// Team 2.
    Allies,
}

impl Team {
    /// Both teams, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Axis, Self::Allies];

    /// The team that the game numbers so; `None` for spectators (3) and every other number.
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Axis),
            2 => Some(Self::Allies),
            _ => None,
        }
    }

    /// The game's number: 1 or 2.
    pub fn number(self) -> u8 {
        match self {
            Self::Axis => 1,
            Self::Allies => 2,
        }
    }

    /// The other team.
    pub fn opponent(self) -> Self {
        match self {
            Self::Axis => Self::Allies,
            Self::Allies => Self::Axis,
        }
    }

    /// `Axis` or `Allies`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Axis => "Axis",
            Self::Allies => "Allies",
        }
    }
}

/// A team as the game numbers it and as files store it: 1 Axis, 2 Allies, 3 spectators, 0 none or unknown.
///
/// It keeps any other number that a file contains, so that a check can report it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct TeamNumber(u8);

impl TeamNumber {
    /// No team, or an unknown one.
    pub const NONE: Self = Self(0);
    /// The spectators.
    pub const SPECTATOR: Self = Self(3);

    /// The team, if it is one of the two that play.
    pub fn team(self) -> Option<Team> {
        Team::from_number(self.0)
    }

    /// The number itself.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl From<u8> for TeamNumber {
    fn from(number: u8) -> Self {
        Self(number)
    }
}

impl From<Team> for TeamNumber {
    fn from(team: Team) -> Self {
        Self(team.number())
    }
}

impl From<Option<Team>> for TeamNumber {
    fn from(team: Option<Team>) -> Self {
        team.map_or(Self::NONE, Self::from)
    }
}

impl From<TeamNumber> for i64 {
    fn from(team: TeamNumber) -> Self {
        team.0.into()
    }
}

impl fmt::Display for TeamNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_1_and_2_are_teams() {
        for number in 0..=u8::MAX {
            let team = TeamNumber::from(number).team();
            assert_eq!(team.is_some(), matches!(number, 1 | 2), "{number}");
            assert!(team.is_none_or(|team| team.number() == number));
            assert!(team.is_none_or(|team| team.opponent() != team));
        }
    }

    #[test]
    fn every_number_is_stored_as_it_is() {
        for number in 0..=u8::MAX {
            let json = serde_json::to_string(&TeamNumber::from(number)).unwrap();
            assert_eq!(json, number.to_string());
            let read: TeamNumber = serde_json::from_str(&json).unwrap();
            assert_eq!(read.number(), number);
        }
    }
}
