//! What was wrong with something foreign, for the log.

/// What was wrong with something foreign. Each kind is said at most once in five seconds, with a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaint {
    /// A slot that the server does not have.
    Slot,
    /// A pointer that points nowhere.
    Null,
    /// A print that begins like one of the game's, but makes no sense.
    Print,
    /// Sizes that are not those of ET:Legacy's records.
    Sizes,
    /// The game says that somebody on a team died, and no record has shown anybody on their team in this map.
    Records,
    /// The worker did not keep up: events were lost.
    Lost,
}

impl Complaint {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Slot,
        Self::Null,
        Self::Print,
        Self::Sizes,
        Self::Records,
        Self::Lost,
    ];

    /// What the log says.
    pub fn text(self) -> &'static str {
        match self {
            Self::Slot => "the game named a slot that this server does not have; ignored",
            Self::Null => "the game passed a null pointer; ignored",
            Self::Print => "the game printed a line that could not be understood; ignored",
            Self::Sizes => {
                "the game's records have sizes that do not fit; deaths are counted, lives are not seen"
            }
            Self::Records => {
                "the game's records do not hold what the game says; deaths are counted, lives are not seen"
            }
            Self::Lost => {
                "events were lost because the disk did not keep up; this round's numbers are too low"
            }
        }
    }
}
