//! Values as the pages show them. A missing value is shown as a dash.

use crate::db::players::Time;
use crate::display;
pub use crate::display::{percent_encode, player_link};

/// Milliseconds as `M:SS.t`.
pub fn ms(ms: Option<i64>) -> String {
    ms.map_or_else(dash, display::clock_ms)
}

/// Seconds as `M:SS`.
pub fn seconds(seconds: Option<i64>) -> String {
    seconds.map_or_else(dash, display::clock)
}

/// A time as `M:SS.t`, or as `M:SS` if only its seconds are known.
pub fn time(time: Option<Time>) -> String {
    match time {
        Some(Time::Ms(ms)) => display::clock_ms(ms),
        Some(Time::Seconds(seconds)) => display::clock(seconds),
        None => dash(),
    }
}

/// A number.
pub fn number(n: Option<i64>) -> String {
    n.map_or_else(dash, |n| n.to_string())
}

/// A part of a whole as `12 %`; a dash if the whole is 0.
pub fn share(part: Option<i64>, whole: Option<i64>) -> String {
    match (part, whole) {
        (Some(part), Some(whole)) if whole > 0 => {
            format!("{:.0} %", 100.0 * part as f64 / whole as f64)
        }
        _ => dash(),
    }
}

/// A decimal number; `unit` follows it.
pub fn decimal(n: Option<f64>, places: usize, unit: &str) -> String {
    n.map_or_else(dash, |n| format!("{n:.places$}{unit}"))
}

pub fn dash() -> String {
    "–".to_owned()
}

/// A server by its name, else by its address; `None` if neither is known.
pub fn server(name: Option<&str>, address: Option<&str>) -> Option<String> {
    name.or(address).map(display::plain)
}

/// A round in a table: `supply R1`.
pub fn round_label(map_name: &str, round_number: i64) -> String {
    format!("{map_name} R{round_number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_of_nothing_is_a_dash() {
        assert_eq!(share(Some(1), Some(0)), "–");
        assert_eq!(share(Some(1), Some(8)), "12 %");
    }
}
