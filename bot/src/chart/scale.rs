//! Maps the play clock to the picture.

use std::fmt;
use std::ops::{Add, Sub};

use askama::filters::HtmlSafe;
use gametimes_rounds::pauses::PauseMark;

use super::Chart;

/// The narrowest and the widest band of a pause.
const BAND_MIN: f64 = 14.0;
const BAND_MAX: f64 = 56.0;

/// A length or coordinate in pixels, printed with one decimal.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(super) struct Px(pub(super) f64);

impl fmt::Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}", self.0)
    }
}

impl HtmlSafe for Px {}

impl From<f64> for Px {
    fn from(px: f64) -> Self {
        Self(px)
    }
}

impl<T: Into<Self>> Add<T> for Px {
    type Output = Self;

    fn add(self, other: T) -> Self {
        Self(self.0 + other.into().0)
    }
}

impl<T: Into<Self>> Sub<T> for Px {
    type Output = Self;

    fn sub(self, other: T) -> Self {
        Self(self.0 - other.into().0)
    }
}

/// The scale of the time axis. The play clock stands still during a pause, so each pause is drawn as a band between two
/// moments of play. The bands have limits, so that long pauses leave room for play.
pub(super) struct Scale {
    left: Px,
    px_per_ms: f64,
    /// The pauses, in order.
    pub(super) bands: Vec<Band>,
}

/// The band of a pause.
#[derive(Clone, Copy)]
pub(super) struct Band {
    pub(super) pause: PauseMark,
    pub(super) width: f64,
}

impl Scale {
    /// The scale of a round that is drawn from `left` on, and is at most `width` wide.
    pub(super) fn new(chart: &Chart, left: Px, width: f64) -> Self {
        let bands = bands(chart, width);
        let fitting = || fitting(chart, chart.duration_ms, width);
        Self {
            left,
            px_per_ms: chart.px_per_ms.unwrap_or_else(fitting),
            bands,
        }
    }

    /// Where a moment of the play clock is.
    pub(super) fn x(&self, t_ms: i64) -> Px {
        let before = self.bands.iter().filter(|band| band.pause.at_ms < t_ms);
        let bands_width: f64 = before.map(|band| band.width).sum();
        self.left + t_ms as f64 * self.px_per_ms + bands_width
    }
}

/// The scale on which so much play and the pauses of a round fill a width, in pixels per millisecond.
pub(super) fn fitting(chart: &Chart, ms: i64, width: f64) -> f64 {
    let bands_width: f64 = bands(chart, width).iter().map(|band| band.width).sum();
    (width - bands_width) / ms.max(1) as f64
}

/// The bands of a round's pauses.
fn bands(chart: &Chart, width: f64) -> Vec<Band> {
    let paused_seconds: i64 = chart.pauses.iter().map(|p| p.seconds).sum();
    let total_ms = (chart.duration_ms + paused_seconds.saturating_mul(1000)).max(1);
    let px_per_second = width / total_ms as f64 * 1000.0;
    let mut bands: Vec<Band> = chart
        .pauses
        .iter()
        .map(|&pause| Band {
            pause,
            width: (pause.seconds as f64 * px_per_second).clamp(BAND_MIN, BAND_MAX),
        })
        .collect();
    let sum: f64 = bands.iter().map(|band| band.width).sum();
    let limit = width / 3.0;
    if sum > limit {
        for band in &mut bands {
            band.width *= limit / sum;
        }
    }
    bands
}

/// The moments at which the axis of a round has ticks: at most 15, at round intervals.
pub(super) fn ticks(duration_ms: i64) -> impl Iterator<Item = i64> {
    const SECONDS: [i64; 12] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
    let interval = SECONDS
        .into_iter()
        .find(|seconds| duration_ms / (seconds * 1000) <= 14)
        .unwrap_or(7200)
        * 1000;
    (0..=(duration_ms / interval).min(1000)).map(move |i| i * interval)
}
