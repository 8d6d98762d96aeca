//! Tables for the terminal. They fit its width, and are coloured only there.

use std::io::Write;

use console::{Style, Term, measure_text_width, truncate_str};
use gametimes_format::text::displayable;

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    heading: &'static str,
    is_text: bool,
    is_optional: bool,
}

impl Column {
    /// Aligned to the left. On a narrow terminal the texts are cut.
    pub fn text(heading: &'static str) -> Self {
        Self {
            heading,
            is_text: true,
            is_optional: false,
        }
    }

    /// Aligned to the right, and never cut.
    pub fn number(heading: &'static str) -> Self {
        Self {
            heading,
            is_text: false,
            is_optional: false,
        }
    }

    /// Left out on a terminal that is too narrow even with all texts cut.
    pub fn optional(self) -> Self {
        Self {
            is_optional: true,
            ..self
        }
    }
}

/// A cell of a table.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    is_highlighted: bool,
}

impl Cell {
    /// A cell that is highlighted if `condition` holds, because it needs attention.
    pub fn highlighted_if(condition: bool, text: impl Into<String>) -> Self {
        // The text may be a player's name. It must not contain control sequences for the terminal.
        Self {
            text: displayable(&text.into()),
            is_highlighted: condition,
        }
    }
}

impl<S: Into<String>> From<S> for Cell {
    fn from(text: S) -> Self {
        Self::highlighted_if(false, text)
    }
}

/// A table.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// A column as it is printed.
#[derive(Debug, Clone, Copy)]
struct Fitted {
    index: usize,
    width: usize,
}

/// Texts are not cut to fewer characters than this.
const TEXT_WIDTH_MIN: usize = 8;
/// Blanks between two columns.
const GAP: usize = 2;

impl Table {
    /// A table without rows.
    pub fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self {
            columns: columns.into(),
            rows: Vec::new(),
        }
    }

    /// Adds a row with a cell for each column.
    pub fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        self.rows.push(cells.into());
    }

    /// The table as text for a terminal of this width. Without a width, as in a pipe, nothing is cut or left out.
    pub fn render(&self, width: Option<usize>, colours: bool) -> String {
        let mut columns: Vec<Fitted> = (0..self.columns.len())
            .map(|index| Fitted {
                index,
                width: self.natural_width(index),
            })
            .collect();
        if let Some(width) = width {
            columns = self.fit(columns, width);
        }
        let dim = Style::new().dim().force_styling(colours);
        let highlight = Style::new().yellow().force_styling(colours);
        let plain = Style::new().force_styling(colours);
        let mut text = self.line(&columns, |i| (self.columns[i].heading, &dim));
        for row in &self.rows {
            text.push_str(&self.line(&columns, |i| match row.get(i) {
                Some(cell) if cell.is_highlighted => (&cell.text, &highlight),
                Some(cell) => (&cell.text, &plain),
                None => ("", &plain),
            }));
        }
        text
    }

    fn natural_width(&self, index: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(index));
        let texts = cells.map(|cell| cell.text.as_str());
        let all = texts.chain([self.columns[index].heading]);
        all.map(measure_text_width).max().unwrap_or(0)
    }

    /// Cuts the widest text until all columns fit. If that is not enough, leaves out the last optional column and
    /// starts over.
    fn fit(&self, mut columns: Vec<Fitted>, width: usize) -> Vec<Fitted> {
        let is_too_wide =
            |columns: &[Fitted]| columns.iter().map(|c| c.width + GAP).sum::<usize>() > width + GAP;
        loop {
            let mut cut = columns.clone();
            while is_too_wide(&cut) {
                let can_shrink =
                    |c: &&mut Fitted| self.columns[c.index].is_text && c.width > TEXT_WIDTH_MIN;
                match cut.iter_mut().filter(can_shrink).max_by_key(|c| c.width) {
                    Some(widest) => widest.width -= 1,
                    None => break,
                }
            }
            let optional = columns
                .iter()
                .rposition(|c| self.columns[c.index].is_optional);
            match optional {
                Some(optional) if is_too_wide(&cut) => drop(columns.remove(optional)),
                _ => return cut,
            }
        }
    }

    fn line<'a>(&self, columns: &[Fitted], cell: impl Fn(usize) -> (&'a str, &'a Style)) -> String {
        let mut line = String::new();
        for (n, column) in columns.iter().enumerate() {
            let (text, style) = cell(column.index);
            let cut = truncate_str(text, column.width, "…");
            let padding = " ".repeat(column.width.saturating_sub(measure_text_width(&cut)));
            if n > 0 {
                line.push_str(&" ".repeat(GAP));
            }
            let styled = style.apply_to(cut);
            let is_last = n + 1 == columns.len();
            match (self.columns[column.index].is_text, is_last) {
                (true, true) => line.push_str(&styled.to_string()),
                (true, false) => line.push_str(&format!("{styled}{padding}")),
                (false, _) => line.push_str(&format!("{padding}{styled}")),
            }
        }
        line.push('\n');
        line
    }

    /// Prints the table as wide as the terminal.
    pub fn print(&self) {
        let terminal = Term::stdout();
        let width = terminal
            .size_checked()
            .map(|(_, columns)| usize::from(columns));
        print(&self.render(width, console::colors_enabled()));
    }
}

/// Prints a text. A reader that closes the pipe early, like `head`, is not a failure.
pub fn print(text: &str) {
    drop(std::io::stdout().write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([
            Column::number("id"),
            Column::text("name"),
            Column::number("dead"),
        ]);
        table.row([
            "1".into(),
            "日本語プレイヤー日本語プレイヤー".into(),
            Cell::highlighted_if(true, "0:12"),
        ]);
        table.row(["22".into(), "a\u{1b}[31mb".into(), "10:00".into()]);
        table
    }

    #[test]
    fn a_table_fits_the_terminal_and_is_complete_in_a_pipe() {
        for width in [24, 40, 80] {
            for line in table().render(Some(width), false).lines() {
                assert!(measure_text_width(line) <= width, "{width}: {line}");
            }
        }
        assert!(
            table()
                .render(None, false)
                .contains("日本語プレイヤー日本語プレイヤー")
        );
    }

    #[test]
    fn optional_columns_are_left_out_from_the_right_on_narrow_terminals() {
        let mut table = Table::new([
            Column::number("id"),
            Column::text("name"),
            Column::number("first").optional(),
            Column::number("second").optional(),
        ]);
        table.row(["1", "a player with a name", "11", "22"].map(Cell::from));
        let headings = |width| {
            let text = table.render(Some(width), false);
            assert!(text.lines().all(|line| measure_text_width(line) <= width));
            let heading = text.lines().next().unwrap_or_default();
            heading
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(headings(40), ["id", "name", "first", "second"]);
        assert_eq!(headings(27), ["id", "name", "first", "second"]);
        assert_eq!(headings(26), ["id", "name", "first"]);
        assert_eq!(headings(18), ["id", "name"]);
    }

    #[test]
    fn a_name_cannot_colour_the_terminal() {
        assert!(!table().render(None, false).contains('\u{1b}'));
        assert!(table().render(None, true).contains("\u{1b}[33m"));
    }
}
