//! The spawn waves: their shift, which the game sends once a map, and their interval, which map scripts can change.

use gametimes_format::Team;
use gametimes_format::check::bounds;

use super::{Complaint, Observer, Sink, parse};
use crate::event::What;

/// Cvars with the interval of a team's waves, in milliseconds.
const INTERVALS: [(&[u8], Team); 2] = [
    (b"g_redlimbotime", Team::Axis),
    (b"g_bluelimbotime", Team::Allies),
];

/// Intervals that take effect with the next frame, because the game reads its cvars at the beginning of a frame.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WaveChanges {
    intervals: [Option<u32>; 2],
    any: bool,
    /// Whether players respawn at once on this map.
    off: bool,
}

impl<S: Sink> Observer<S> {
    /// `GAME_INIT`, after the game has seen it: the intervals of Axis and Allies; `None` if players respawn at once.
    pub fn wave_intervals(&mut self, intervals: Option<[i32; 2]>) {
        self.wave_changes = WaveChanges {
            off: intervals.is_none(),
            ..WaveChanges::default()
        };
        for ((_, team), ms) in INTERVALS.into_iter().zip(intervals.into_iter().flatten()) {
            self.wave_interval(team, interval(ms));
        }
    }

    /// Trap CVAR_SET of one of the two intervals.
    pub(super) fn set_wave_interval(&mut self, name: &[u8], value: &[u8]) {
        for (n, (cvar, _)) in INTERVALS.into_iter().enumerate() {
            if name.eq_ignore_ascii_case(cvar) && !self.wave_changes.off {
                self.wave_changes.intervals[n] = interval(parse::leading_number(value));
                self.wave_changes.any = true;
            }
        }
    }

    /// A frame begins.
    pub(super) fn apply_wave_changes(&mut self) {
        if !self.wave_changes.any {
            return;
        }
        let changes = std::mem::take(&mut self.wave_changes);
        for ((_, team), ms) in INTERVALS.into_iter().zip(changes.intervals) {
            self.wave_interval(team, ms);
        }
    }

    fn wave_interval(&mut self, team: Team, interval_ms: Option<u32>) {
        if let Some(interval_ms) = interval_ms {
            let team = team.into();
            self.send(What::WaveInterval { team, interval_ms });
        }
    }

    /// The configstring with the seeds of the waves.
    pub(super) fn wave_seeds(&mut self, text: &[u8]) {
        match offsets(text) {
            Some([axis_ms, allies_ms]) => self.send(What::WaveOffsets { axis_ms, allies_ms }),
            None => self.complain(Complaint::Waves),
        }
    }
}

/// An interval that readers accept.
fn interval(ms: i32) -> Option<u32> {
    let ms = u32::try_from(ms).ok()?;
    (1..=bounds::INTERVAL_SECONDS * 1000)
        .contains(&i64::from(ms))
        .then_some(ms)
}

/// The shifts of Axis and Allies, in milliseconds: `B R v0 ... v7`. Which of the eight values is a team's is in the upper bits of B
/// (Allies) and R (Axis). Each value is a number of seconds multiplied by the factor at its position.
fn offsets(text: &[u8]) -> Option<[u32; 2]> {
    const FACTORS: [i32; 8] = [11, 3, 13, 7, 2, 5, 1, 17];
    let mut rest = text;
    let mut numbers = [0; 10];
    for number in &mut numbers {
        (*number, rest) = parse::number(rest)?;
    }
    let [allies, axis, values @ ..] = numbers;
    let offset_ms = |index: i32| {
        let n = usize::try_from(index).ok()?;
        let ms = 1000 * i64::from(*values.get(n)?) / i64::from(FACTORS[n]);
        let fits = (0..=bounds::INTERVAL_SECONDS * 1000).contains(&ms);
        u32::try_from(ms).ok().filter(|_| fits)
    };
    Some([offset_ms(axis >> 2)?, offset_ms(allies >> 3)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_follow_from_the_seeds() {
        // Allies: 41 >> 3 = 5, 6 / 5 s. Axis: 6 >> 2 = 1, 39 / 3 s.
        let seeds = b"41 6 154 39 91 14 6 6 3 119";
        assert_eq!(offsets(seeds), Some([13_000, 1200]));
        assert_eq!(offsets(b"63 31 1 1 1 1 1 1 1 255"), Some([15_000; 2]));
    }

    #[test]
    fn seeds_of_another_form_are_refused() {
        for seeds in [
            &b""[..],
            b"41 6 154 39 91 14 6 65 3",
            b"64 6 154 39 91 14 6 65 3 119",
            b"41 32 154 39 91 14 6 65 3 119",
            b"-1 6 154 39 91 14 6 65 3 119",
            b"41 6 154 -39 91 14 6 65 3 119",
            b"41 6 154 2000000000 91 14 6 65 3 119",
            b"41 6 154 39 91 14 6 99999999999 3 119",
            b"x",
        ] {
            assert_eq!(offsets(seeds), None, "{:?}", seeds.escape_ascii());
        }
    }

    #[test]
    fn only_intervals_that_readers_accept_are_taken() {
        assert_eq!(interval(30_000), Some(30_000));
        for ms in [0, -1, i32::MIN, i32::MAX] {
            assert_eq!(interval(ms), None, "{ms}");
        }
    }
}
