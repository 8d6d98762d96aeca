//! Finds the value of a setting, in the environment or in the file, and collects the errors.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

/// The prefix of all environment variables of the bot.
pub(super) const PREFIX: &str = "GAMETIMES_";
/// Variables with this prefix that are not settings.
pub(super) const NOT_SETTINGS: [&str; 2] = [CONFIG_VARIABLE, LOG_VARIABLE];
/// The path of the settings file, if it is not given on the command line.
pub const CONFIG_VARIABLE: &str = "GAMETIMES_CONFIG";
/// What is logged.
pub const LOG_VARIABLE: &str = "GAMETIMES_LOG";

/// The values that were not read yet, the settings that were, and the errors so far.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) values: BTreeMap<String, toml::Value>,
    pub(super) env: BTreeMap<String, String>,
    /// Every setting that was read, and whether it has a value.
    pub(super) settings: BTreeMap<String, bool>,
    pub(super) errors: Vec<String>,
}

/// The variable of a setting.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_uppercase())
}

impl Reader {
    /// Reads a table of a list, such as the second `[[ssh]]`, like the single table `[ssh]`.
    pub(super) fn nested<T>(
        &mut self,
        table: toml::Value,
        section: &str,
        index: usize,
        read: fn(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let name = format!("{section}[{index}]");
        let toml::Value::Table(table) = table else {
            self.errors.push(format!("{name}: must be a table"));
            return None;
        };
        let values = table
            .into_iter()
            .map(|(k, v)| (format!("{section}.{k}"), v))
            .collect();
        let mut inner = Reader {
            values,
            ..Reader::default()
        };
        let result = read(&mut inner);
        let unknown = inner
            .values
            .keys()
            .map(|key| format!("{key}: no such setting"));
        for error in inner.errors.iter().cloned().chain(unknown) {
            let prefix = format!("{section}.");
            self.errors
                .push(error.replace(&prefix, &format!("{name}.")));
        }
        result
    }

    /// A text; an empty one counts as not set.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let text = self.value(key);
        self.settings.insert(key.to_owned(), text.is_some());
        text
    }

    fn value(&mut self, key: &str) -> Option<String> {
        let in_file = self.values.remove(key);
        let text = match (self.env.remove(&variable(key)), in_file) {
            (Some(text), _) => text,
            (None, None) => return None,
            (None, Some(toml::Value::String(text))) => text,
            (None, Some(value @ (toml::Value::Integer(_) | toml::Value::Boolean(_)))) => {
                value.to_string()
            }
            (None, Some(_)) => {
                self.errors
                    .push(format!("{key}: must be a text or a number"));
                return None;
            }
        };
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// Whether a setting that was read has a value.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.settings.get(key) == Some(&true)
    }

    /// The settings with this prefix that were read and have a value.
    pub(super) fn set_keys(&self, prefix: &str) -> impl Iterator<Item = &str> {
        let set = self.settings.iter().filter(|(_, is_set)| **is_set);
        set.map(|(key, _)| key.as_str())
            .filter(move |key| key.starts_with(prefix))
    }

    /// A list; in the environment its items are separated by commas.
    pub(super) fn list(&mut self, key: &str) -> Vec<String> {
        match self.values.remove(key) {
            Some(toml::Value::Array(list)) => {
                let texts = list.into_iter().map(|value| match value {
                    toml::Value::String(text) => text,
                    other => other.to_string(),
                });
                let joined = texts.collect::<Vec<_>>().join(",");
                self.values
                    .insert(key.to_owned(), toml::Value::String(joined));
            }
            Some(value) => drop(self.values.insert(key.to_owned(), value)),
            None => {}
        }
        let text = self.text(key).unwrap_or_default();
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    }

    pub(super) fn optional<T: FromStr>(&mut self, key: &str, expected: &str) -> Option<T> {
        let text = self.text(key)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.errors
                .push(format!("{key}: {text:?} is not {expected}"));
        }
        parsed
    }

    pub(super) fn or<T: FromStr>(&mut self, key: &str, default: &str, expected: &str) -> T {
        self.optional(key, expected).unwrap_or_else(|| {
            default
                .parse()
                .unwrap_or_else(|_| unreachable!("the default of {key} is valid"))
        })
    }

    pub(super) fn number(&mut self, key: &str, default: u64, from: u64, to: u64) -> u64 {
        let n = self
            .optional(key, &format!("a number from {from} to {to}"))
            .unwrap_or(default);
        if !(from..=to).contains(&n) {
            self.errors
                .push(format!("{key}: {n} is not a number from {from} to {to}"));
        }
        n
    }

    pub(super) fn seconds(&mut self, key: &str, default: u64, from: u64, to: u64) -> Duration {
        Duration::from_secs(self.number(key, default, from, to))
    }
}
