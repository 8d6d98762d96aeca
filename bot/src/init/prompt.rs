//! How questions are asked: in a terminal, or not at all.

use dialoguer::theme::ColorfulTheme;
use dialoguer::{Confirm, Input, Password, Select};

/// A question with a text as its answer.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The question.
    pub text: &'a str,
    /// The option of `init` that answers it, without the dashes.
    pub option: &'a str,
    /// The answer if the user only presses Enter.
    pub default: Option<&'a str>,
}

/// Asks the user.
pub trait Prompt {
    /// Shows a text.
    fn say(&mut self, text: &str);
    /// Whether there is a user who can answer, and try again.
    fn is_interactive(&self) -> bool;
    /// Asks for a text.
    ///
    /// # Errors
    /// If nobody answers.
    fn text(&mut self, question: Question<'_>) -> Result<String, String>;
    /// Asks for a text that is not shown.
    ///
    /// # Errors
    /// If nobody answers.
    fn secret(&mut self, question: Question<'_>) -> Result<String, String>;
    /// Asks yes or no.
    ///
    /// # Errors
    /// If nobody answers and there is no default.
    fn confirm(&mut self, question: &str, default: bool) -> Result<bool, String>;
    /// Asks for one of several items, and returns its index.
    ///
    /// # Errors
    /// If nobody answers.
    fn choose(&mut self, question: Question<'_>, items: &[String]) -> Result<usize, String>;
}

/// The user's terminal.
#[derive(Default)]
pub struct Terminal {
    theme: ColorfulTheme,
}

/// Keeps the text of an error only: it is shown to the user.
fn failed(error: impl std::fmt::Display) -> String {
    format!("no answer: {error}")
}

impl Prompt for Terminal {
    fn say(&mut self, text: &str) {
        println!("{text}");
    }

    fn is_interactive(&self) -> bool {
        true
    }

    fn text(&mut self, question: Question<'_>) -> Result<String, String> {
        let input = Input::<String>::with_theme(&self.theme).with_prompt(question.text);
        let input = match question.default {
            Some(default) => input.default(default.to_owned()),
            None => input,
        };
        input.interact_text().map_err(failed)
    }

    fn secret(&mut self, question: Question<'_>) -> Result<String, String> {
        let input = Password::with_theme(&self.theme).with_prompt(question.text);
        input.interact().map_err(failed)
    }

    fn confirm(&mut self, question: &str, default: bool) -> Result<bool, String> {
        let input = Confirm::with_theme(&self.theme).with_prompt(question);
        input.default(default).interact().map_err(failed)
    }

    fn choose(&mut self, question: Question<'_>, items: &[String]) -> Result<usize, String> {
        let input = Select::with_theme(&self.theme).with_prompt(question.text);
        input.items(items).default(0).interact().map_err(failed)
    }
}

/// Nobody can be asked: every question gets its default, or fails with the option that answers it.
#[derive(Debug, Default)]
pub struct NoInput;

impl NoInput {
    fn missing(question: Question<'_>) -> String {
        format!(
            "{} Pass --{}, or run `init` in a terminal.",
            question.text, question.option
        )
    }
}

impl Prompt for NoInput {
    fn say(&mut self, text: &str) {
        println!("{text}");
    }

    fn is_interactive(&self) -> bool {
        false
    }

    fn text(&mut self, question: Question<'_>) -> Result<String, String> {
        let default = question.default.map(str::to_owned);
        default.ok_or_else(|| Self::missing(question))
    }

    fn secret(&mut self, question: Question<'_>) -> Result<String, String> {
        Err(Self::missing(question))
    }

    fn confirm(&mut self, _question: &str, default: bool) -> Result<bool, String> {
        Ok(default)
    }

    fn choose(&mut self, question: Question<'_>, _items: &[String]) -> Result<usize, String> {
        Err(Self::missing(question))
    }
}
