//! The play clock: level time without pauses.

/// Counts the time played. It stands still while the match is paused, as the game's own clock does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlayClock {
    start_ms: i64,
    paused_ms: i64,
    paused_since_ms: Option<i64>,
}

impl PlayClock {
    /// Starts at this level time.
    pub fn start(level_ms: i64) -> Self {
        Self {
            start_ms: level_ms,
            ..Self::default()
        }
    }

    /// Time played at this level time, which is at or after the last change.
    pub fn played_ms(&self, level_ms: i64) -> i64 {
        self.paused_since_ms.unwrap_or(level_ms) - self.start_ms - self.paused_ms
    }

    /// Stands still from this level time on. Twice is once.
    pub fn pause(&mut self, level_ms: i64) {
        self.paused_since_ms.get_or_insert(level_ms);
    }

    /// Goes on from this level time; gives how long it stood still, if it did.
    pub fn resume(&mut self, level_ms: i64) -> Option<i64> {
        let paused_ms = level_ms - self.paused_since_ms.take()?;
        self.paused_ms += paused_ms;
        Some(paused_ms)
    }

    /// Whether it stands still.
    pub fn is_paused(&self) -> bool {
        self.paused_since_ms.is_some()
    }
}
