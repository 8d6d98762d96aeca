//! Secrets: webhook URLs, tokens, keys.

use std::fmt;

/// A text that must not be printed: its debug output shows `(secret)`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text as a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. It belongs on the wire, never in a log or an error.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_the_text() {
        let debug = format!("{:?}", Secret::new("hunter2"));
        assert_eq!(debug, "(secret)");
    }
}
