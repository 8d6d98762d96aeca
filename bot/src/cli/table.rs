//! Tables for the terminal: as wide as it is, colours only there.

use std::io::Write;

use console::{Style, Term, measure_text_width, truncate_str};

use crate::chart::text::plain;

/// How a cell looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Highlight {
    /// As it is.
    #[default]
    Plain,
    /// Something to look at.
    Odd,
}

/// A table; the first column and those marked are on the left, numbers on the right.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<(String, Highlight)>>,
}

/// A column. In its head `<` puts it on the left and lets it be cut where room is short; `-` before that lets it be left
/// out where even this is not enough.
#[derive(Debug, Clone, Copy)]
struct Column {
    name: &'static str,
    is_text: bool,
    is_spare: bool,
}

impl Column {
    fn new(head: &'static str) -> Self {
        let (is_spare, head) = head.strip_prefix('-').map_or((false, head), |h| (true, h));
        let (is_text, name) = head.strip_prefix('<').map_or((false, head), |h| (true, h));
        Self {
            name,
            is_text,
            is_spare,
        }
    }
}

/// Texts are not cut shorter than this.
const TEXT_WIDTH_MIN: usize = 8;

impl Table {
    /// A table with these columns.
    pub fn new(heads: &[&'static str]) -> Self {
        Self {
            columns: heads.iter().map(|head| Column::new(head)).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = (S, Highlight)>) {
        // Names are the players': nothing of them may speak to the terminal.
        let cell = |(text, look): (S, Highlight)| (plain(&text.into()), look);
        self.rows.push(cells.into_iter().map(cell).collect());
    }

    /// The table as text for a terminal of this width; in a pipe nothing is cut.
    pub fn draw(&self, width: Option<usize>, colours: bool) -> String {
        let mut shown: Vec<(usize, usize)> = self
            .columns
            .iter()
            .enumerate()
            .map(|(i, column)| {
                let cells = self.rows.iter().filter_map(|row| row.get(i));
                let widest = cells.map(|(text, _)| measure_text_width(text)).max();
                (i, widest.unwrap_or(0).max(measure_text_width(column.name)))
            })
            .collect();
        if let Some(width) = width {
            self.fit(&mut shown, width);
        }
        let dim = Style::new().dim().force_styling(colours);
        let odd = Style::new().yellow().force_styling(colours);
        let plain = Style::new().force_styling(colours);
        let mut text = self.line(&shown, |i| (self.columns[i].name, &dim));
        for row in &self.rows {
            text.push_str(&self.line(&shown, |i| match row.get(i) {
                Some((text, Highlight::Odd)) => (text, &odd),
                Some((text, Highlight::Plain)) => (text, &plain),
                None => ("", &plain),
            }));
        }
        text
    }

    /// Takes from the widest text until all columns (index and width) fit; where that is not enough, leaves out the last
    /// column that can be spared, and begins anew.
    fn fit(&self, shown: &mut Vec<(usize, usize)>, width: usize) {
        loop {
            let whole = shown.clone();
            while shown.iter().map(|(_, w)| w + 2).sum::<usize>() > width + 2 {
                let text =
                    |(i, w): &&mut (usize, usize)| self.columns[*i].is_text && *w > TEXT_WIDTH_MIN;
                match shown.iter_mut().filter(text).max_by_key(|(_, w)| *w) {
                    Some((_, widest)) => *widest -= 1,
                    None => break,
                }
            }
            let fits = shown.iter().map(|(_, w)| w + 2).sum::<usize>() <= width + 2;
            let spare = whole.iter().rposition(|(i, _)| self.columns[*i].is_spare);
            let (false, Some(spare)) = (fits, spare) else {
                return;
            };
            *shown = whole;
            shown.remove(spare);
        }
    }

    fn line<'a>(
        &self,
        shown: &[(usize, usize)],
        cell: impl Fn(usize) -> (&'a str, &'a Style),
    ) -> String {
        let mut line = String::new();
        for (n, (i, width)) in shown.iter().enumerate() {
            let (text, style) = cell(*i);
            let cut = truncate_str(text, *width, "…");
            let fill = " ".repeat(width.saturating_sub(measure_text_width(&cut)));
            if n > 0 {
                line.push_str("  ");
            }
            let styled = style.apply_to(cut);
            match (self.columns[*i].is_text, n + 1 == shown.len()) {
                (true, true) => line.push_str(&styled.to_string()),
                (true, false) => line.push_str(&format!("{styled}{fill}")),
                (false, _) => line.push_str(&format!("{fill}{styled}")),
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
            ("1", Highlight::Plain),
            ("日本語プレイヤー日本語プレイヤー", Highlight::Plain),
            ("0:12", Highlight::Odd),
        ]);
        table.row([
            ("22", Highlight::Plain),
            ("a\u{1b}[31mb", Highlight::Plain),
            ("10:00", Highlight::Plain),
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
    fn what_can_be_spared_goes_last_first_where_room_is_short() {
        let mut table = Table::new(&["id", "<name", "-first", "-second"]);
        table.row(["1", "somebody with a name", "11", "22"].map(|c| (c, Highlight::Plain)));
        let heads = |width| {
            let text = table.draw(Some(width), false);
            assert!(text.lines().all(|line| measure_text_width(line) <= width));
            let head = text.lines().next().unwrap_or_default();
            head.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(heads(40), ["id", "name", "first", "second"]);
        assert_eq!(heads(27), ["id", "name", "first", "second"]);
        assert_eq!(heads(26), ["id", "name", "first"]);
        assert_eq!(heads(18), ["id", "name"]);
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
