//! The steps of the stand-in game, and the traps that arrive at the engine.

/// The number of the trap by which the stand-in game asks for its next step.
pub(crate) const STEP: isize = 4711;

/// An argument of a trap that the stand-in game makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arg {
    /// A number, or an invalid pointer.
    Int(isize),
    /// A C string.
    Text(Vec<u8>),
    /// The place where FS_FOPEN writes this handle.
    Handle(i32),
}

/// One step of the stand-in game.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Makes a trap.
    Trap(isize, Vec<Arg>),
    /// Passes the address of its records, which are real memory, to the engine.
    Locate {
        /// The number of entities.
        entities: isize,
        /// The size of an entity in bytes.
        entity_size: isize,
        /// The size of a client record in bytes.
        client_size: isize,
    },
    /// Writes numbers into a client's record: byte offset and value.
    Write(isize, Vec<(i64, i64)>),
    /// Returns from the call.
    Return(isize),
}

impl Step {
    /// A print of the game.
    pub fn print(text: impl AsRef<[u8]>) -> Self {
        Self::Trap(0, vec![Arg::Text(text.as_ref().to_vec())])
    }

    /// A change of a configstring by the game.
    pub fn configstring(n: isize, text: impl AsRef<[u8]>) -> Self {
        Self::Trap(20, vec![Arg::Int(n), Arg::Text(text.as_ref().to_vec())])
    }
}

/// The step as C reads it.
#[repr(C)]
pub(crate) struct RawStep {
    pub(crate) kind: i64,
    pub(crate) number: isize,
    pub(crate) arguments: [isize; 15],
}

/// A trap as it arrived at the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trap {
    /// The number of the trap.
    pub number: isize,
    /// All 15 arguments as passed, 0 from the sentinel on.
    pub arguments: [isize; 15],
}
