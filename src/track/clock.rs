//! The play clock: level time without pauses.

/// Counts the time played. Like the game's own clock, it stands still while the match is paused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlayClock {
    start_ms: i64,
    paused_ms: i64,
    paused_since_ms: Option<i64>,
}

impl PlayClock {
    /// A clock that starts at this level time.
    pub fn start(level_ms: i64) -> Self {
        Self {
            start_ms: level_ms,
            ..Self::default()
        }
    }

    /// Time played until this level time, which must not be before the last change.
    pub fn played_ms(&self, level_ms: i64) -> i64 {
        self.paused_since_ms.unwrap_or(level_ms) - self.start_ms - self.paused_ms
    }

    /// Stops at this level time. Does nothing if it stands still already.
    pub fn pause(&mut self, level_ms: i64) {
        self.paused_since_ms.get_or_insert(level_ms);
    }

    /// Continues at this level time. Returns how long it stood still; `None` if it was running.
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
