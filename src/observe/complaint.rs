//! Complaints about the game: what was wrong with something that it passed.

/// A kind of complaint. Each kind is logged at most once in five seconds, with a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaint {
    /// The server does not have this slot.
    Slot,
    /// A null pointer.
    Null,
    /// A print that begins like a known one, but does not have its form.
    Print,
    /// A print in the form of a known one, with which the game's state does not agree.
    Claim,
    /// The seeds of the spawn waves do not have the game's form.
    Waves,
    /// The sizes are not those of ET:Legacy's records.
    Sizes,
    /// A player on a team died, but no record on this map has agreed with the game about a player's team.
    Records,
    /// The worker did not keep up, and events were lost.
    Lost,
}

impl Complaint {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Slot,
        Self::Null,
        Self::Print,
        Self::Claim,
        Self::Waves,
        Self::Sizes,
        Self::Records,
        Self::Lost,
    ];

    /// The text for the log.
    pub fn text(self) -> &'static str {
        match self {
            Self::Slot => "the game named a slot that this server does not have; ignored",
            Self::Null => "the game passed a null pointer; ignored",
            Self::Print => "the game printed a line that could not be understood; ignored",
            Self::Claim => {
                "a printed line contradicts the game's state, as if a player's name were made to look like it; ignored"
            }
            Self::Waves => {
                "the game's spawn waves could not be understood; this map's files have no waves"
            }
            Self::Sizes => {
                "the game's player records have unexpected sizes; deaths are counted, spawns are not seen"
            }
            Self::Records => {
                "the game's player records contradict its prints; deaths are counted, spawns are not seen"
            }
            Self::Lost => {
                "events were lost because the disk did not keep up; this round's numbers are too low"
            }
        }
    }
}
