//! Parameters of requests. Each has limits, and the answer to a wrong one names them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::error::ApiError;

/// The parameters of a request, taken out one by one.
pub struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// All parameters of a request.
    pub fn new(parameters: BTreeMap<String, String>) -> Self {
        Self(parameters)
    }

    /// A number in a range.
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
            let shown: String = text.chars().take(40).collect();
            ApiError::bad_request(
                format!("{name} is {shown:?}"),
                format!(
                    "{name}: a whole number from {} to {}, {default} when missing",
                    range.start(),
                    range.end()
                ),
            )
        })
    }

    /// A short text.
    pub fn text(&mut self, name: &str, most: usize) -> Result<Option<String>, ApiError> {
        let Some(text) = self.0.remove(name).filter(|t| !t.is_empty()) else {
            return Ok(None);
        };
        if text.chars().count() > most || text.chars().any(char::is_control) {
            let allowed =
                format!("{name}: at most {most} characters, none of them control characters");
            return Err(ApiError::bad_request(
                format!("{name} is too long or unreadable"),
                allowed,
            ));
        }
        Ok(Some(text))
    }

    /// To be called last: nothing may be left.
    pub fn end(self, allowed: &str) -> Result<(), ApiError> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => {
                let shown: String = name.chars().take(40).collect();
                Err(ApiError::bad_request(
                    format!("there is no parameter {shown:?}"),
                    allowed.to_owned(),
                ))
            }
        }
    }
}

/// The id of a round in a request's path.
pub fn round_id(id: &str) -> Result<i64, ApiError> {
    let parsed = id
        .parse::<i64>()
        .ok()
        .filter(|id| (1..=i64::from(i32::MAX)).contains(id));
    parsed.ok_or_else(|| {
        let shown: String = id.chars().take(40).collect();
        ApiError::bad_request(
            format!("the round is {shown:?}"),
            "the id of a round, as /api/rounds lists them".into(),
        )
    })
}
