//! Foreign text in messages: names of players, teams, maps and servers, and tables of players that read well on a phone.
//!
//! Discord counts characters; which ones is not documented, so the longer of the usual counts, UTF-16 units, is used.

use gametimes_format::text::{counted, cut, displayable};
use unicode_width::UnicodeWidthChar;

/// Discord's limit for the value of a field.
pub const FIELD_CHARACTERS: usize = 1024;
/// Discord's limit for the description of an embed.
pub const DESCRIPTION_CHARACTERS: usize = 4096;
/// Longer names are cut. The game allows 35 characters.
const NAME_CHARACTERS: usize = 40;
/// How wide a table is at most. In an embed, phones have room for about 30 characters and desktops for 40; longer lines are wrapped.
const TABLE_COLUMNS: usize = 32;
/// Names in a table are not shortened to less than this.
const NAME_COLUMNS_MIN: usize = 4;
/// The mark of a shortened name.
const CUT_MARK: char = '…';

/// The length of a text as Discord counts it.
pub fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// A name as plain text in a message. It cannot format, mention or link anything, and right-to-left names do not change the
/// direction of the text around them.
pub fn escaped(name: &str) -> String {
    let mut safe = String::from("\u{2068}");
    for c in displayable(name).chars().take(NAME_CHARACTERS) {
        if c.is_ascii_punctuation() {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe.push('\u{2069}');
    safe
}

/// A name that Discord shows as it is, such as a choice of autocomplete or a footer: nothing in it is formatted there.
pub fn plain(name: &str, characters: usize) -> String {
    cut(displayable(name).trim(), characters)
}

/// A row of a [`table`]: the name, and a value for each column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRow {
    /// The name.
    pub name: String,
    /// The values; an unknown one is empty.
    pub values: Vec<String>,
}

/// Rows in a code block, the values to the right. Columns in which no row has a value are omitted. If the block would be longer than
/// `characters`, names are shortened, then the last rows are left out, and their number is given. `noun` is what a row is.
pub fn table(labels: &[&str], rows: &[TableRow], noun: &str, characters: usize) -> String {
    let known = |n: &usize| rows.iter().any(|row| !row.values[*n].is_empty());
    let columns: Vec<usize> = (0..labels.len()).filter(known).collect();
    let widths: Vec<usize> = columns
        .iter()
        .map(|n| {
            let values = rows.iter().map(|row| row.values[*n].len());
            values.max().unwrap_or(0).max(labels[*n].len())
        })
        .collect();
    let used: usize = widths.iter().map(|width| width + 1).sum();
    let names: Vec<String> = rows.iter().map(|row| name_in_block(&row.name)).collect();
    let longest = names.iter().map(|name| columns_of(name)).max();
    let widest = longest
        .unwrap_or(0)
        .min(TABLE_COLUMNS.saturating_sub(used))
        .max(NAME_COLUMNS_MIN);
    let render = |name_columns: usize, count: usize| {
        let mut block = String::from("```\n");
        let mut line = |name: &str, value: &dyn Fn(usize) -> String| {
            block.push_str(&padded(name, name_columns));
            for (n, width) in columns.iter().zip(&widths) {
                block.push_str(&format!(" {:>width$}", value(*n)));
            }
            block.push('\n');
        };
        line("", &|n| labels[n].to_owned());
        for (row, name) in rows.iter().zip(&names).take(count) {
            line(name, &|n| match row.values[n].as_str() {
                "" => "-".to_owned(),
                value => value.to_owned(),
            });
        }
        block.push_str("```");
        if count < rows.len() {
            let left_out = counted(rows.len() - count, noun);
            block.push_str(&format!("\n{left_out} not shown"));
        }
        block
    };
    let narrower = (NAME_COLUMNS_MIN..=widest).rev();
    let fewer = (0..rows.len()).rev();
    let attempts = narrower
        .map(|name_columns| (name_columns, rows.len()))
        .chain(fewer.map(|count| (NAME_COLUMNS_MIN, count)));
    let mut blocks = attempts.map(|(name_columns, count)| render(name_columns, count));
    let fitting = blocks.find(|block| length(block) <= characters);
    fitting.unwrap_or_default()
}

/// Lines of text. If they would be longer than `characters`, the last ones are left out, and their number is given.
pub fn lines(lines: &[String], characters: usize) -> String {
    let whole = lines.join("\n");
    if length(&whole) <= characters {
        return whole;
    }
    let with_rest = |count: usize| {
        let left_out = counted(lines.len() - count, "line");
        let shown = lines[..count].join("\n");
        format!("{shown}\n{left_out} not shown")
    };
    let mut shorter = (0..lines.len()).rev().map(with_rest);
    let fitting = shorter.find(|text| length(text) <= characters);
    fitting.unwrap_or_default()
}

/// A name in a code block: nothing in it can end the block, and every character has a known width.
fn name_in_block(name: &str) -> String {
    let name = displayable(name);
    let mut clean = String::new();
    let mut marks = 0;
    for c in name.chars() {
        let c = if c == '`' { '\'' } else { c };
        match c.width() {
            // Joined emoji are shown one by one, so that their width is known; and letters have at most two marks.
            Some(0) if matches!(c, '\u{200D}' | '\u{FE00}'..='\u{FE0F}') || marks == 2 => {}
            Some(0) => {
                marks += 1;
                clean.push(c);
            }
            Some(_) => {
                marks = 0;
                clean.push(c);
            }
            None => {}
        }
    }
    let clean = clean.trim();
    if columns_of(clean) == 0 {
        return "?".to_owned();
    }
    clean.to_owned()
}

fn columns_of(text: &str) -> usize {
    text.chars().filter_map(UnicodeWidthChar::width).sum()
}

/// A text that is exactly this wide: shortened, or followed by blanks.
fn padded(name: &str, columns: usize) -> String {
    let mut shown = String::new();
    let mut width = 0;
    let is_cut = columns_of(name) > columns;
    for c in name.chars() {
        let next = width + c.width().unwrap_or(0);
        if next > columns - usize::from(is_cut) {
            break;
        }
        shown.push(c);
        width = next;
    }
    if is_cut {
        shown.push(CUT_MARK);
        width += 1;
    }
    // Right-to-left names must not change the order of the values after them.
    if shown.chars().any(is_right_to_left) {
        shown = format!("\u{2068}{shown}\u{2069}");
    }
    shown + &" ".repeat(columns - width)
}

/// Whether a character belongs to a script that is written from right to left, such as Hebrew and Arabic.
fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFF}' | '\u{10800}'..='\u{10FFF}'
        | '\u{1E800}'..='\u{1EFFF}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_cannot_format_mention_or_link() {
        let bare = |s: &str| escaped(s).trim_matches(['\u{2068}', '\u{2069}']).to_owned();
        assert_eq!(bare("**x** <@1>"), r"\*\*x\*\* \<\@1\>");
        assert_eq!(bare("https://a.b"), r"https\:\/\/a\.b");
        assert_eq!(bare("a\u{202E}b\nc"), "abc");
        assert_eq!(bare("שלום"), "שלום");
        assert_eq!(bare(&"`".repeat(99)).chars().count(), 2 * NAME_CHARACTERS);
    }

    fn row(name: &str, values: &[&str]) -> TableRow {
        TableRow {
            name: name.to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        }
    }

    #[test]
    fn columns_are_aligned_and_unknown_ones_omitted() {
        let rows = [
            row("eA.Ada", &["12", "", "3:10"]),
            row("日本語の名前の長い選手ですよね", &["3", "", ""]),
            row("```**x**", &["1", "", "0:05"]),
            row("\u{200D}", &["0", "", "0:00"]),
        ];
        assert_eq!(
            table(&["K", "Rev", "Dead"], &rows, "player", 1024),
            "```\n\
             \u{20}                         K Dead\n\
             eA.Ada                   12 3:10\n\
             日本語の名前の長い選手…   3    -\n\
             '''**x**                  1 0:05\n\
             ?                         0 0:00\n\
             ```"
        );
    }

    #[test]
    fn names_are_shortened_before_rows_are_left_out() {
        let rows: Vec<TableRow> = (0..20)
            .map(|n| row(&format!("a long name of a player {n}"), &["1"]))
            .collect();
        let whole = table(&["K"], &rows, "player", 1024);
        assert!(whole.contains("a long name of a player 19 1"), "{whole}");
        let shortened = table(&["K"], &rows, "player", 300);
        assert_eq!(shortened.matches(CUT_MARK).count(), 20, "{shortened}");
        let fewer = table(&["K"], &rows, "player", 120);
        assert!(fewer.ends_with("```\n8 players not shown"), "{fewer}");
        assert_eq!(fewer.matches(CUT_MARK).count(), 12, "{fewer}");
    }

    #[test]
    fn lines_that_do_not_fit_are_counted() {
        let all: Vec<String> = (0..9).map(|n| format!("line {n}")).collect();
        assert_eq!(lines(&all, 62), all.join("\n"));
        assert_eq!(lines(&all, 35), "line 0\nline 1\n7 lines not shown");
        assert_eq!(lines(&all, 5), "");
    }

    proptest! {
        /// Whatever the names are: the block has one beginning and one end, as many lines as it says, all of the same width,
        /// and fits.
        #[test]
        fn no_name_breaks_out_of_a_table(
            names in proptest::collection::vec("\\PC{0,35}|[`*_~|<>@#\\\\]{0,35}|\u{200B}{0,9}", 1..40),
            characters in 60_usize..1100,
        ) {
            let rows: Vec<TableRow> = names.iter().map(|name| row(name, &["12", "3:45"])).collect();
            let block = table(&["K", "Dead"], &rows, "player", characters);
            prop_assert!(length(&block) <= characters);
            prop_assert_eq!(block.matches('`').count(), 6);
            let inside = block.strip_prefix("```\n").and_then(|rest| rest.split_once("\n```"));
            let (inside, after) = inside.expect("a block");
            let lines: Vec<&str> = inside.split('\n').collect();
            let left_out = after.trim().split(' ').next().and_then(|n| n.parse().ok());
            prop_assert_eq!(lines.len() - 1 + left_out.unwrap_or(0), names.len());
            for line in &lines {
                prop_assert_eq!(columns_of(line), columns_of(lines[0]));
                prop_assert!(columns_of(line) <= TABLE_COLUMNS);
            }
        }

        /// No name as text ends what is around it: every punctuation mark is escaped, and there is one line.
        #[test]
        fn no_name_formats_a_message(name in "\\PC{0,60}|[`*_~|<>@#\\\\\\[\\]()]{0,60}") {
            let text = escaped(&name);
            let inside = text.strip_prefix('\u{2068}').and_then(|rest| rest.strip_suffix('\u{2069}'));
            let mut chars = inside.expect("an isolate").chars();
            while let Some(c) = chars.next() {
                prop_assert!(!c.is_ascii_punctuation() || c == '\\', "{text}");
                if c == '\\' {
                    prop_assert!(chars.next().is_some_and(|c| c.is_ascii_punctuation()), "{text}");
                }
            }
        }
    }
}
