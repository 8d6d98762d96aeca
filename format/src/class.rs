//! The classes of players, and what they do for the objectives.

use serde::{Deserialize, Serialize};

/// The class that a player has from one spawn to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Class 0.
    Soldier,
    /// Class 1.
    Medic,
    /// Class 2, the only one that can plant, defuse and repair.
    Engineer,
    /// Class 3.
    FieldOps,
    /// Class 4.
    CovertOps,
    /// A class of a later version.
    #[serde(other)]
    Other,
}

impl Class {
    /// The class that the game numbers so.
    ///
    /// ```
    /// use gametimes_format::Class;
    /// assert_eq!(Class::from_number(2), Some(Class::Engineer));
    /// assert_eq!(Class::from_number(5), None);
    /// ```
    pub fn from_number(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::Soldier),
            1 => Some(Self::Medic),
            2 => Some(Self::Engineer),
            3 => Some(Self::FieldOps),
            4 => Some(Self::CovertOps),
            _ => None,
        }
    }
}

/// What happened to an objective of the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ObjectiveAction {
    /// A player took an objective that can be carried.
    PickedUp,
    /// An objective was taken; the text names it.
    Stolen,
    /// An objective came back to its place.
    Returned,
    /// Dynamite was armed.
    Planted,
    /// Dynamite was defused.
    Defused,
    /// An objective was blown up.
    Destroyed,
    /// An engineer finished a construction or repaired a gun.
    Repaired,
    /// The map's script announced something to all players.
    Announce,
    /// An action of a later version.
    #[serde(other)]
    Other,
}
