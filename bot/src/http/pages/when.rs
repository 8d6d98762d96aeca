//! Moments as the pages show them: a `<time>` element with the time in UTC, which `assets/time.js` turns into the reader's local
//! time. Without scripts, the page shows UTC.

use std::fmt;

use askama::filters::{Html, HtmlSafe, escape};
use jiff::Timestamp;

use crate::display;

/// A moment. In a template, `{{ when }}` is the element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// Date and time of a unix time: `2026-11-20 12:33 UTC`. The script adds how long ago that is.
    Moment(i64),
    /// The time of day of a unix time: `12:33 UTC`.
    Hour(i64),
    /// The day of a unix time: `Friday, 20 November 2026`.
    Day(i64),
    /// Something in place of a moment, such as `never`.
    Text(String),
}

impl When {
    /// Date and time, or a text if the time is unknown.
    pub fn moment_or(unix: Option<i64>, text: &str) -> Self {
        unix.map_or_else(|| Self::Text(text.to_owned()), Self::Moment)
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unix, show, text) = match self {
            Self::Moment(unix) => (unix, "moment", display::utc(*unix)),
            Self::Hour(unix) => (unix, "hour", format!("{} UTC", display::hour(*unix))),
            Self::Day(unix) => (unix, "day", display::day(*unix)),
            Self::Text(text) => {
                let escaped = escape(text, Html).map_err(|_| fmt::Error)?;
                return write!(f, "{escaped}");
            }
        };
        match Timestamp::from_second(*unix) {
            Ok(at) => write!(
                f,
                "<time datetime=\"{at}\" data-show=\"{show}\">{text}</time>"
            ),
            Err(_) => f.write_str("unknown"),
        }
    }
}

/// Texts are escaped, everything else is numbers.
impl HtmlSafe for When {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_elements_with_utc_inside_and_texts_are_escaped() {
        assert_eq!(
            When::Moment(1_795_178_024).to_string(),
            "<time datetime=\"2026-11-20T12:33:44Z\" data-show=\"moment\">2026-11-20 12:33 UTC</time>"
        );
        assert_eq!(
            When::Day(1_795_178_024).to_string(),
            "<time datetime=\"2026-11-20T12:33:44Z\" data-show=\"day\">Friday, 20 November 2026</time>"
        );
        assert_eq!(
            When::moment_or(None, "<b>never").to_string(),
            "&#60;b&#62;never"
        );
        assert_eq!(When::Moment(i64::MAX).to_string(), "unknown");
    }
}
