//! `cargo xtask instructions`: counts the instructions that the module adds to a server frame. CI compares them with those in
//! `docs/benchmarks.md`, so that the module does not get slower unnoticed.

use std::path::{Path, PathBuf};

use gametimes_standin::{Fight, Server, callgrind};

use crate::run::{build_module, root};

/// How far the count may be from the documented one, in percent: other versions of the compiler differ a little.
const TOLERANCE_PERCENT: u64 = 5;
/// The beginning of the heading of the table in `docs/benchmarks.md`, and the columns of the module, of the script, and of their ratio.
const HEADING: &str = "## Instructions";
const COLUMN: usize = 3;
const SCRIPT: usize = 4;
const RATIO: usize = 5;
/// The beginning of the heading of the table in which the stand-in is compared with a real server. It has the module's instructions too,
/// and their share of all.
const COMPARISON: &str = "## How far the stand-in is off";
const COMPARED: usize = 4;
const SHARE: usize = 5;

/// Counts the instructions that the module adds to a server frame, and compares them with docs/benchmarks.md.
#[derive(Debug, clap::Args)]
pub struct Instructions {
    /// Write them to docs/benchmarks.md instead.
    #[arg(long)]
    write: bool,
}

/// The program that runs under callgrind.
#[derive(Debug, clap::Args)]
pub struct CountedFight {
    players: usize,
    home: PathBuf,
    module: PathBuf,
}

impl Instructions {
    pub fn run(self) -> Result<(), String> {
        let module = build_module()?;
        if !self.write {
            return check(&module);
        }
        let path = root().join("docs/benchmarks.md");
        let old = read(&path)?;
        let mut new = old.clone();
        for (players, documented) in documented(&old)? {
            let counted = count(&module, players)?;
            println!("{players} players: {counted} instructions, {documented} before");
            new = replaced(&new, players, counted);
        }
        std::fs::write(&path, new).map_err(|e| format!("{}: {e}", path.display()))
    }
}

impl CountedFight {
    pub fn run(self) -> Result<(), String> {
        let mut server = Server::new(&self.module, &self.home, &self.home.join("base"))?;
        server.load()?;
        server.fight(&Fight::new(self.players));
        callgrind::play(&mut server, &mut |_| {});
        Ok(())
    }
}

/// Fails if the module does not execute about as many instructions as documented.
pub fn check(module: &Path) -> Result<(), String> {
    let text = read(&root().join("docs/benchmarks.md"))?;
    for (players, documented) in documented(&text)? {
        let counted = count(module, players)?;
        eprintln!(
            "{players} players: {counted} instructions a server frame, documented {documented}"
        );
        compare(players, counted, documented)?;
    }
    Ok(())
}

fn compare(players: usize, counted: u64, documented: u64) -> Result<(), String> {
    if counted.abs_diff(documented) * 100 <= documented * TOLERANCE_PERCENT {
        return Ok(());
    }
    Err(format!(
        "with {players} players, the module executes {counted} instructions in a server frame, but docs/benchmarks.md says {documented} ({TOLERANCE_PERCENT} % \
         are allowed). If that is intended, run `cargo xtask instructions --write` and commit docs/benchmarks.md; else see what takes them with callgrind_annotate"
    ))
}

fn count(module: &Path, players: usize) -> Result<u64, String> {
    let home = tempfile::tempdir().map_err(|e| e.to_string())?;
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let players = players.to_string();
    let arguments = [
        "counted-fight".as_ref(),
        players.as_ref(),
        home.path(),
        module,
    ];
    match callgrind::count(&program, &arguments, home.path())?.module {
        0 => Err("callgrind has counted nothing in the module".to_owned()),
        module => Ok(module),
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// The cells of each line of the first table under a heading. The first is empty.
fn rows<'a>(text: &'a str, heading: &str) -> impl Iterator<Item = Vec<&'a str>> {
    let section = text.split(heading).nth(1).unwrap_or("");
    let lines = section.lines().skip_while(|line| !line.starts_with('|'));
    lines
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('|').collect())
}

/// The table, which must be there.
fn documented(text: &str) -> Result<Vec<(usize, u64)>, String> {
    let rows = table(text);
    if rows.is_empty() {
        return Err(format!(
            "docs/benchmarks.md: no table under {HEADING:?}; run `cargo xtask bench --write`"
        ));
    }
    Ok(rows)
}

/// Players and the module's instructions.
fn table(text: &str) -> Vec<(usize, u64)> {
    rows(text, HEADING)
        .filter_map(|cells| {
            let players = cells.get(1)?.trim().parse().ok()?;
            let instructions = cells.get(COLUMN)?.trim().trim_matches('*').parse().ok()?;
            Some((players, instructions))
        })
        .collect()
}

/// The text with another count, and with what is computed from it.
fn replaced(text: &str, players: usize, counted: u64) -> String {
    let players = players.to_string();
    let mut new = text.to_owned();
    let row = rows(text, HEADING).find(|cells| cells[1].trim() == players);
    if let Some(mut cells) = row {
        let old = cells.join("|");
        let module = format!(" **{counted}** ");
        let ratio = number(cells[SCRIPT]) / counted as f64;
        let ratio = format!(" {ratio:.1} ");
        (cells[COLUMN], cells[RATIO]) = (&module, &ratio);
        new = new.replacen(&old, &cells.join("|"), 1);
    }
    // The row of the stand-in follows that of the real server, which has the number of players.
    let mut compared = rows(text, COMPARISON).skip_while(|cells| cells[1].trim() != players);
    if let Some(mut cells) = compared.nth(1) {
        let old = cells.join("|");
        let rest = number(cells[COMPARED]) * (100.0 / number(cells[SHARE]) - 1.0);
        let module = format!(" {counted} ");
        let share = 100.0 * counted as f64 / (counted as f64 + rest);
        let share = format!(" {share:.2} % ");
        (cells[COMPARED], cells[SHARE]) = (&module, &share);
        new = new.replacen(&old, &cells.join("|"), 1);
    }
    new
}

/// The number in a cell, without its unit.
fn number(cell: &str) -> f64 {
    let digits = cell.trim_matches(|c: char| !c.is_ascii_digit());
    digits.parse().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Benchmarks\n\n| players | x |\n| 12 | 1 | **9** | 3 |\n\n## Instructions that\n\ntext | text\n\n\
                        | players | traps | **the module** | the script | script / module |\n| ---: | ---: | ---: | ---: | ---: |\n\
                        | 12 | 600 | **4000** | 8000 | 2.0 |\n| 44 | 3000 | **20000** | 7 | 0.1 |\n\n\
                        | 64 | 1 | **2** |\n\n## How far the stand-in is off\n\n| players | server | traps | instructions | share | µs |\n\
                        | ---: | --- | ---: | ---: | ---: | ---: |\n| 12 | real | 1 | 5000 | 0.10 % | 2 |\n| | stand-in | 1 | 4000 | 20.00 % | 2 |\n\
                        | 44 | real | 1 | 4000 | 0.10 % | 2 |\n| | stand-in | 1 | 20000 | 20.00 % | 2 |\n";

    #[test]
    fn only_the_table_of_instructions_is_read_and_written() {
        assert_eq!(table(TEXT), [(12, 4000), (44, 20000)]);
        let new = replaced(TEXT, 12, 5000);
        assert_eq!(table(&new), [(12, 5000), (44, 20000)]);
        let expected = TEXT
            .replace("**4000** | 8000 | 2.0 |", "**5000** | 8000 | 1.6 |")
            .replace(
                "| stand-in | 1 | 4000 | 20.00 %",
                "| stand-in | 1 | 5000 | 23.81 %",
            );
        assert_eq!(new, expected);
    }

    #[test]
    fn figures_computed_from_documented_instructions_belong_to_them() {
        let text = include_str!("../../docs/benchmarks.md");
        for (players, documented) in table(text) {
            assert_eq!(
                replaced(text, players, documented),
                text,
                "{players} players"
            );
        }
        let compared = rows(text, COMPARISON).filter(|cells| cells[2].trim() == "stand-in");
        assert_eq!(compared.count(), 2);
    }

    #[test]
    fn a_module_that_gets_slower_or_faster_by_more_than_five_percent_fails() {
        for counted in [950, 1000, 1050] {
            assert_eq!(compare(44, counted, 1000), Ok(()));
        }
        for counted in [949, 1051] {
            assert!(compare(44, counted, 1000).is_err(), "{counted}");
        }
    }

    #[test]
    fn documented_table_has_a_row_for_each_number_of_players() {
        let text = include_str!("../../docs/benchmarks.md");
        let players: Vec<usize> = table(text)
            .into_iter()
            .map(|(players, _)| players)
            .collect();
        assert_eq!(players, [12, 44, 64]);
    }
}
