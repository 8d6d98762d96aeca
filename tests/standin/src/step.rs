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

    /// The end of a round, as the game reports it: the print, and the configstring that queues the intermission.
    pub fn exit(text: &str) -> [Self; 2] {
        [
            Self::print(format!("Exit: {text}\n")),
            Self::configstring(12, "1"),
        ]
    }

    /// A kill, as the game reports it: the print, and the victim's record with this number of deaths.
    pub fn kill(killer: isize, victim: isize, deaths: i64) -> [Self; 2] {
        [
            Self::print(format!(
                "Kill: {killer} {victim} 9: ^7p{killer}^7 killed p{victim}^7 by MOD_MP40\n"
            )),
            Self::Write(victim, vec![(272 + 24, deaths)]),
        ]
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
