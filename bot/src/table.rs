//! Tables for the terminal: as wide as it is, colours only there.

use std::io::Write;

use console::{Style, Term, measure_text_width, truncate_str};

use crate::chart::text::plain;

/// How a cell looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Look {
    /// As it is.
    #[default]
    Plain,
    /// Something to look at.
    Odd,
}

/// A table; the first column and those marked are on the left, numbers on the right.
#[derive(Debug)]
pub struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<(String, Look)>>,
}

/// A column's head; a leading `<` puts it on the left and lets it be cut where room is short.
fn head(head: &str) -> (&str, bool) {
    head.strip_prefix('<')
        .map_or((head, false), |name| (name, true))
}

impl Table {
    /// A table with these columns.
    pub fn new(heads: &[&'static str]) -> Self {
        Self {
            heads: heads.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = (S, Look)>) {
        // Names are the players': nothing of them may speak to the terminal.
        let cell = |(text, look): (S, Look)| (plain(&text.into()), look);
        self.rows.push(cells.into_iter().map(cell).collect());
    }

    /// The table as text for a terminal of this width; in a pipe nothing is cut.
    pub fn draw(&self, width: Option<usize>, colours: bool) -> String {
        let mut widths: Vec<usize> = self
            .heads
            .iter()
            .enumerate()
            .map(|(i, name)| {
                let cells = self.rows.iter().filter_map(|row| row.get(i));
                let widest = cells.map(|(text, _)| measure_text_width(text)).max();
                widest.unwrap_or(0).max(measure_text_width(head(name).0))
            })
            .collect();
        if let Some(width) = width {
            self.shrink(&mut widths, width);
        }
        let dim = Style::new().dim().force_styling(colours);
        let odd = Style::new().yellow().force_styling(colours);
        let plain = Style::new().force_styling(colours);
        let heads: Vec<(&str, &Style)> = self.heads.iter().map(|h| (head(h).0, &dim)).collect();
        let mut text = self.line(&heads, &widths);
        for row in &self.rows {
            let cells: Vec<(&str, &Style)> = row
                .iter()
                .map(|(text, look)| {
                    (
                        text.as_str(),
                        if *look == Look::Odd { &odd } else { &plain },
                    )
                })
                .collect();
            text.push_str(&self.line(&cells, &widths));
        }
        text
    }

    /// Takes from the widest column that may be cut, until all fit.
    fn shrink(&self, widths: &mut [usize], width: usize) {
        while widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1) > width {
            let widest = widths
                .iter()
                .enumerate()
                .filter(|(i, w)| head(self.heads[*i]).1 && **w > 8)
                .max_by_key(|(_, w)| **w);
            let Some((at, _)) = widest else { return };
            widths[at] -= 1;
        }
    }

    fn line(&self, cells: &[(&str, &Style)], widths: &[usize]) -> String {
        let mut line = String::new();
        for (i, ((text, style), width)) in cells.iter().zip(widths).enumerate() {
            let cut = truncate_str(text, *width, "…");
            let fill = " ".repeat(width.saturating_sub(measure_text_width(&cut)));
            if i > 0 {
                line.push_str("  ");
            }
            let shown = style.apply_to(cut);
            match (head(self.heads[i]).1, i + 1 == cells.len()) {
                (true, true) => line.push_str(&shown.to_string()),
                (true, false) => line.push_str(&format!("{shown}{fill}")),
                (false, _) => line.push_str(&format!("{fill}{shown}")),
            }
        }
        line.push('\n');
        line
    }

    /// Prints it.
    pub fn print(&self) {
        let terminal = Term::stdout();
        let width = terminal
            .size_checked()
            .map(|(_, columns)| usize::from(columns));
        say(&self.draw(width, console::colors_enabled()));
    }
}

/// Prints a text. Whoever closes the pipe early (`| head`) has read enough: that is no failure.
pub fn say(text: &str) {
    drop(std::io::stdout().write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["id", "<name", "dead"]);
        table.row([
            ("1", Look::Plain),
            ("日本語プレイヤー日本語プレイヤー", Look::Plain),
            ("0:12", Look::Odd),
        ]);
        table.row([
            ("22", Look::Plain),
            ("a\u{1b}[31mb", Look::Plain),
            ("10:00", Look::Plain),
        ]);
        table
    }

    #[test]
    fn a_table_fits_the_terminal_and_is_whole_in_a_pipe() {
        for width in [24, 40, 80] {
            for line in table().draw(Some(width), false).lines() {
                assert!(measure_text_width(line) <= width, "{width}: {line}");
            }
        }
        assert!(
            table()
                .draw(None, false)
                .contains("日本語プレイヤー日本語プレイヤー")
        );
    }

    #[test]
    fn colours_are_ours_alone() {
        assert!(
            !table().draw(None, false).contains('\u{1b}'),
            "a name must not colour the terminal"
        );
        assert!(table().draw(None, true).contains("\u{1b}[33m"));
    }
}
