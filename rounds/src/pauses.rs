//! Where the pauses of a round lie on the play clock.

use gametimes_format::Pause;
use gametimes_format::check::bounds;

/// A pause, on the play clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PauseMark {
    /// When the play clock stopped. Up to a second off in older files, which contain unix times only.
    pub at_ms: i64,
    /// How long it stood still.
    pub seconds: i64,
}

/// The pauses of a round that began at `start_unix`, in the order of the report. Older files contain only unix times, which
/// are cut to whole seconds.
pub fn pause_marks(pauses: &[Pause], start_unix: i64) -> Vec<PauseMark> {
    let mut paused_seconds = 0i64;
    let mark = |pause: &Pause| {
        let by_unix_time = pause
            .start
            .saturating_sub(start_unix)
            .saturating_sub(paused_seconds)
            .saturating_mul(1000);
        let seconds = pause.sec.clamp(0, bounds::ROUND_SECONDS);
        paused_seconds = paused_seconds.saturating_add(seconds);
        PauseMark {
            at_ms: pause.at_play_ms.unwrap_or(by_unix_time),
            seconds,
        }
    };
    pauses.iter().map(mark).collect()
}
