//! Measured times.

use std::time::Duration;

/// Sorted times.
pub struct Times(Vec<Duration>);

impl Times {
    pub fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    pub fn at(&self, part: f64) -> u128 {
        let last = self.0.len() - 1;
        self.0[(last as f64 * part) as usize].as_nanos()
    }

    pub fn row(&self) -> String {
        format!("{} | {} | {}", self.at(0.5), self.at(0.99), self.at(1.0))
    }
}
