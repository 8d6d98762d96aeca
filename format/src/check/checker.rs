//! The checks that many keys share: ranges, lengths, lists, rounded seconds.

use super::{Problem, Severity, bounds};
use std::fmt::Display;

/// Collects the problems of a file.
#[derive(Debug, Default)]
pub(super) struct Checker {
    pub(super) problems: Vec<Problem>,
}

impl Checker {
    fn add(&mut self, severity: Severity, path: impl Display + Copy, message: String) {
        self.problems.push(Problem {
            severity,
            path: path.to_string(),
            message,
        });
    }

    pub(super) fn reject_unless(
        &mut self,
        good: bool,
        path: impl Display + Copy,
        message: impl FnOnce() -> String,
    ) {
        if !good {
            self.add(Severity::Reject, path, message());
        }
    }

    pub(super) fn doubt_unless(
        &mut self,
        good: bool,
        path: impl Display + Copy,
        message: impl FnOnce() -> String,
    ) {
        if !good {
            self.add(Severity::Doubt, path, message());
        }
    }

    pub(super) fn range(&mut self, path: impl Display + Copy, n: i64, from: i64, to: i64) {
        self.reject_unless((from..=to).contains(&n), path, || {
            format!("{n} is out of range {from} to {to}")
        });
    }

    pub(super) fn list(&mut self, path: impl Display + Copy, len: usize, most: usize) {
        self.reject_unless(len <= most, path, || {
            format!("{len} entries, more than {most}")
        });
    }

    pub(super) fn text(
        &mut self,
        path: impl Display + Copy,
        text: &str,
        least: usize,
        most: usize,
    ) {
        let count = text.chars().count();
        self.reject_unless((least..=most).contains(&count), path, || {
            format!("{count} characters, allowed are {least} to {most}")
        });
        self.doubt_unless(!text.chars().any(char::is_control), path, || {
            "contains control characters".into()
        });
    }

    pub(super) fn rounded_down(&mut self, path: impl Display + Copy, seconds: i64, ms: i64) {
        self.doubt_unless(seconds == ms / 1000, path, || {
            format!("{seconds} s, but {ms} ms are {} s", ms / 1000)
        });
    }

    pub(super) fn identity(&mut self, path: impl Display + Copy, guid: &str, name: &str) {
        self.text(format_args!("{path}.guid"), guid, 0, bounds::GUID);
        self.text(format_args!("{path}.name"), name, 0, bounds::NAME);
        self.doubt_unless(!guid.is_empty() || !name.is_empty(), path, || {
            "neither guid nor name".into()
        });
    }
}
