//! What the stand-in game does, and what arrived at the engine.

/// The number of the trap by which the stand-in game asks for its next step.
pub(crate) const STEP: isize = 4711;

/// An argument of a trap that the stand-in game makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arg {
    /// A number, or a pointer that is meant to be wrong.
    Int(isize),
    /// A C string.
    Text(Vec<u8>),
    /// Where FS_FOPEN is to write the handle.
    Handle(i32),
}

/// What the stand-in game does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Makes a trap.
    Trap(isize, Vec<Arg>),
    /// Tells where its records lie (they are real memory of the game).
    Locate {
        /// How many entities.
        entities: isize,
        /// Size of one.
        entity_size: isize,
        /// Size of a client's record.
        client_size: isize,
    },
    /// Writes numbers into a client's record: byte offset and value.
    Write(isize, Vec<(i64, i64)>),
    /// Returns from the call.
    Return(isize),
}

impl Step {
    /// The game prints.
    pub fn print(text: impl AsRef<[u8]>) -> Self {
        Self::Trap(0, vec![Arg::Text(text.as_ref().to_vec())])
    }

    /// The game sets a configstring.
    pub fn configstring(n: isize, text: impl AsRef<[u8]>) -> Self {
        Self::Trap(20, vec![Arg::Int(n), Arg::Text(text.as_ref().to_vec())])
    }
}

/// What C sees of a step.
#[repr(C)]
pub(crate) struct RawStep {
    pub(crate) kind: i64,
    pub(crate) number: isize,
    pub(crate) arguments: [isize; 15],
}

/// A trap as it arrived at the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trap {
    /// Number.
    pub number: isize,
    /// All 15 arguments as they were passed (0 from the sentinel on).
    pub arguments: [isize; 15],
}
