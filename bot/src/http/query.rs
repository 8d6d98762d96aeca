//! Parameters of requests. Each has limits, and the answer to an invalid one names them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use axum::extract::{FromRequestParts, Path};
use axum::http::request;
use gametimes_format::text::cut;
use jiff::civil::Date;

use super::error::ApiError;

/// The latest unix time that a parameter takes: the end of the year 9999.
pub const UNIX_MAX: i64 = 253_402_300_799;

/// The highest id of a round.
pub const ROUND_ID_MAX: i64 = i32::MAX as i64;

/// How much of a wrong parameter an answer repeats.
const SHOWN_CHARACTERS: usize = 40;

/// The parameters of a request, taken out one by one.
pub struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// All parameters of a request.
    pub fn new(parameters: BTreeMap<String, String>) -> Self {
        Self(parameters)
    }

    /// Takes a number within a range.
    pub fn number(
        &mut self,
        name: &str,
        default: i64,
        range: RangeInclusive<i64>,
    ) -> Result<i64, ApiError> {
        let Some(text) = self.0.remove(name) else {
            return Ok(default);
        };
        let number = text.parse().ok().filter(|n| range.contains(n));
        number.ok_or_else(|| {
            invalid(
                name,
                &text,
                format!(
                    "{name}: a whole number from {} to {}; {default} if missing",
                    range.start(),
                    range.end()
                ),
            )
        })
    }

    /// Takes the number of a page of a list whose last one that may be asked for is this.
    pub fn page(&mut self, last: i64) -> Result<PageNumber, ApiError> {
        let number = self.number("page", 1, 1..=last)?;
        Ok(PageNumber { number, last })
    }

    /// Takes a text of at most `max` characters, without the blanks around it.
    pub fn text(&mut self, name: &str, max: usize) -> Result<Option<String>, ApiError> {
        let text = self.0.remove(name).map(|text| text.trim().to_owned());
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        if text.chars().count() > max || text.chars().any(char::is_control) {
            let allowed = format!("{name}: at most {max} characters, and no control characters");
            return Err(ApiError::bad_request(
                format!("{name} is too long or has control characters"),
                allowed,
            ));
        }
        Ok(Some(text))
    }

    /// Takes a day as `YYYY-MM-DD`.
    pub fn date(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        let Some(text) = self.text(name, 64)? else {
            return Ok(None);
        };
        match text.parse::<Date>() {
            Ok(date) => Ok(Some(date.to_string())),
            Err(_) => {
                let allowed = format!("{name}: a date such as 2026-12-31");
                Err(invalid(name, &text, allowed))
            }
        }
    }

    /// Takes one of several words; the first one if it is missing.
    pub fn word<'a>(&mut self, name: &str, words: &[&'a str]) -> Result<&'a str, ApiError> {
        let Some(text) = self.text(name, 64)? else {
            return Ok(words.first().copied().unwrap_or_default());
        };
        let word = words.iter().find(|word| **word == text);
        word.copied()
            .ok_or_else(|| invalid(name, &text, format!("{name}: {}", words.join(", "))))
    }

    /// Refuses parameters that were not taken. Called last.
    pub fn end(self, allowed: &str) -> Result<(), ApiError> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => {
                let shown = cut(name, SHOWN_CHARACTERS);
                Err(ApiError::bad_request(
                    format!("unknown parameter {shown:?}"),
                    allowed.to_owned(),
                ))
            }
        }
    }
}

/// The number of a page of a list. Every page counts those before it, so there is a last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageNumber {
    /// From 1.
    pub number: i64,
    last: i64,
}

impl PageNumber {
    /// The page before this one.
    pub fn previous(self) -> Option<i64> {
        (self.number > 1).then(|| self.number - 1)
    }

    /// The page after this one, if the list continues and that page may be asked for.
    pub fn next(self, has_more: bool) -> Option<i64> {
        (has_more && self.number < self.last).then(|| self.number + 1)
    }
}

/// The part of a request's path that names a round, a player or a map.
pub struct Segment(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut request::Parts, state: &S) -> Result<Self, ApiError> {
        let part = Path::<String>::from_request_parts(parts, state).await;
        let invalid = |_| {
            let message = "the address is not valid UTF-8".to_owned();
            ApiError::bad_request(message, "percent-encoded UTF-8".to_owned())
        };
        part.map(|Path(text)| Self(text)).map_err(invalid)
    }
}

/// The id of a round in a request's path.
pub fn round_id(id: &str) -> Result<i64, ApiError> {
    let parsed = id
        .parse::<i64>()
        .ok()
        .filter(|id| (1..=ROUND_ID_MAX).contains(id));
    parsed.ok_or_else(|| {
        let shown = cut(id, SHOWN_CHARACTERS);
        ApiError::bad_request(
            format!("{shown:?} is not a round's id"),
            "the id of a round, as listed by /api/rounds".into(),
        )
    })
}

/// The answer to a parameter with an invalid value.
fn invalid(name: &str, value: &str, allowed: String) -> ApiError {
    let shown = cut(value, SHOWN_CHARACTERS);
    ApiError::bad_request(format!("{name} has the invalid value {shown:?}"), allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_page_that_may_be_asked_for_has_no_next_one() {
        let next = |number, has_more| PageNumber { number, last: 3 }.next(has_more);
        assert_eq!(
            (next(1, true), next(2, true), next(3, true)),
            (Some(2), Some(3), None)
        );
        assert_eq!(next(2, false), None);
        assert_eq!(PageNumber { number: 1, last: 3 }.previous(), None);
    }
}
