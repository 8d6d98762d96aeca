//! Stopwatch matches with every result, edited from the recorded match `stopwatch`.
//!
//! That match has a round 1 and a round 2 in which the attackers (Allies) complete the map, in 55 and in 39.95 seconds, each with
//! a warmup before it. An edited match has other ends: held until the time limit, given up, cut off.

use std::fs::File;
use std::io::{BufRead, BufReader};

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::Tape;
use crate::recorded::folder;

/// The maps of the recorded match: warmup and round 1, warmup and round 2.
const WARMUP_1: usize = 0;
const ROUND_1: usize = 1;
const WARMUP_2: usize = 2;
const ROUND_2: usize = 3;
/// From the start of round 1 to that of round 2, on the game's clock.
const UNTIL_ROUND_2_MS: i64 = 109_100;
/// The time limit of the map in minutes.
const FULL_LIMIT: &str = "2";

/// How a round ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The attackers complete the map.
    Objective,
    /// The time is up.
    TimeLimit,
    /// The attackers give up.
    AttackersGiveUp,
    /// The defenders give up.
    DefendersGiveUp,
    /// The match is restarted in the round.
    CutOff,
}

impl Ending {
    /// What the game prints, and whether the defenders win.
    fn exit(self) -> Option<(&'static str, bool)> {
        Some(match self {
            Self::Objective => ("Wolf EndRound.", false),
            Self::TimeLimit => ("Timelimit hit.", true),
            Self::AttackersGiveUp => ("Allies Surrender", true),
            Self::DefendersGiveUp => ("Axis Surrender", false),
            Self::CutOff => return None,
        })
    }
}

/// What the recorders must say about an edited match, in the words of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Result {
    /// `team_a` attacks in round 1.
    pub winner: Option<&'static str>,
    /// What decided the map.
    pub reason: Option<&'static str>,
    /// The time in which team A completed the map.
    pub team_a_ms: Option<i64>,
    /// The time in which team B completed the map.
    pub team_b_ms: Option<i64>,
}

/// An edited match.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What happens in it.
    pub name: &'static str,
    /// The ends of its rounds 1, of which only the last counts.
    pub first: &'static [Ending],
    /// The end of its round 2.
    pub second: Ending,
    /// The result of the map.
    pub result: Result,
}

/// Every kind of match.
pub const CASES: [Case; 7] = {
    use Ending::{AttackersGiveUp, CutOff, DefendersGiveUp, Objective, TimeLimit};
    const FIRST_MS: Option<i64> = Some(55_000);
    const SECOND_MS: Option<i64> = Some(39_950);
    const fn case(
        name: &'static str,
        first: &'static [Ending],
        second: Ending,
        decided: Option<(&'static str, &'static str)>,
        team_a_ms: Option<i64>,
        team_b_ms: Option<i64>,
    ) -> Case {
        let (winner, reason) = match decided {
            Some((winner, reason)) => (Some(winner), Some(reason)),
            None => (None, None),
        };
        Case {
            name,
            first,
            second,
            result: Result {
                winner,
                reason,
                team_a_ms,
                team_b_ms,
            },
        }
    }
    [
        case(
            "faster",
            &[Objective],
            Objective,
            Some(("team_b", "faster")),
            FIRST_MS,
            SECOND_MS,
        ),
        case(
            "held in round 2",
            &[Objective],
            TimeLimit,
            Some(("team_a", "held")),
            FIRST_MS,
            None,
        ),
        case(
            "both held",
            &[TimeLimit],
            TimeLimit,
            Some(("draw", "both_held")),
            None,
            None,
        ),
        case(
            "attackers give up in round 1",
            &[AttackersGiveUp],
            Objective,
            Some(("team_b", "held")),
            None,
            SECOND_MS,
        ),
        case(
            "defenders give up in round 1",
            &[DefendersGiveUp],
            TimeLimit,
            Some(("team_a", "held")),
            FIRST_MS,
            None,
        ),
        case(
            "round 2 cut off",
            &[Objective],
            CutOff,
            None,
            FIRST_MS,
            None,
        ),
        case(
            "round 1 cut off and played again",
            &[CutOff, Objective],
            Objective,
            Some(("team_b", "faster")),
            FIRST_MS,
            SECOND_MS,
        ),
    ]
};

/// A map of the recorded match, as it is played in an edited one.
#[derive(Debug, Clone, Copy)]
struct Piece {
    map: usize,
    ending: Ending,
    /// `g_currentRound`.
    current_round: &'static str,
    /// `timelimit` in minutes; `None` as recorded.
    limit: Option<&'static str>,
    /// How much later it is than in the recorded match, on both clocks.
    later_ms: i64,
}

impl Case {
    /// The number of rounds.
    pub fn rounds(&self) -> usize {
        self.first.len() + 1
    }

    fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut later_ms = 0;
        let mut add = |map, ending, current_round, limit, later_ms| {
            pieces.push(Piece {
                map,
                ending,
                current_round,
                limit,
                later_ms,
            });
        };
        add(WARMUP_1, Ending::CutOff, "0", None, 0);
        for (n, first) in self.first.iter().enumerate() {
            if n > 0 {
                add(WARMUP_2, Ending::CutOff, "0", None, later_ms);
                later_ms += UNTIL_ROUND_2_MS;
            }
            add(ROUND_1, *first, "0", None, later_ms);
        }
        let last = self.first.last().copied().unwrap_or(Ending::CutOff);
        let held = last.exit().is_some_and(|(_, held)| held);
        add(WARMUP_2, Ending::CutOff, "1", None, later_ms);
        add(
            ROUND_2,
            self.second,
            "1",
            held.then_some(FULL_LIMIT),
            later_ms,
        );
        pieces
    }

    /// The lines of the tape.
    ///
    /// # Panics
    /// When the recorded match is missing or damaged.
    pub fn lines(&self) -> Vec<Value> {
        let recorded = lines("stopwatch.tape.jsonl.gz");
        let maps = split(&recorded, "cvars");
        let edited = self.pieces().into_iter().flat_map(|piece| {
            let mut edit = Edit { piece, over: false };
            let lines = maps[piece.map].iter();
            lines
                .filter_map(move |line| edit.line(line))
                .collect::<Vec<_>>()
        });
        edited.collect()
    }

    /// The callbacks that the game's Lua gets in it.
    ///
    /// # Panics
    /// As [`Case::lines`].
    pub fn hooks(&self) -> Vec<Value> {
        let recorded = lines("stopwatch.hooks.jsonl.gz");
        let maps = split(&recorded, "init");
        let later = |line: &Value, piece: Piece| {
            let mut line = line.clone();
            line["t"] = (line["t"].as_i64().expect("a time") + piece.later_ms).into();
            line
        };
        let pieces = self.pieces().into_iter();
        pieces
            .flat_map(|piece| maps[piece.map].iter().map(move |line| later(line, piece)))
            .collect()
    }

    /// The tape.
    ///
    /// # Panics
    /// As [`Case::lines`].
    pub fn tape(&self) -> Tape {
        let lines = self.lines().into_iter();
        Tape {
            lines: lines
                .map(|line| serde_json::from_value(line).expect("a line of a tape"))
                .collect(),
        }
    }
}

fn lines(name: &str) -> Vec<Value> {
    let path = folder().join(name);
    let file = File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    BufReader::new(GzDecoder::new(file))
        .lines()
        .map(|line| serde_json::from_str(&line.expect("gzip")).expect("JSON"))
        .collect()
}

/// The parts that begin with this kind of line.
fn split<'a>(lines: &'a [Value], begins: &str) -> Vec<&'a [Value]> {
    let starts: Vec<usize> = (0..lines.len())
        .filter(|&n| lines[n]["e"] == begins)
        .collect();
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&from, to)| &lines[from..to])
        .collect()
}

/// Edits the lines of one map.
struct Edit {
    piece: Piece,
    /// Whether the round of this map is over.
    over: bool,
}

impl Edit {
    /// The line as it is in the edited match; `None` if it has no such line.
    fn line(&mut self, line: &Value) -> Option<Value> {
        let mut line = line.clone();
        let is_round = [ROUND_1, ROUND_2].contains(&self.piece.map);
        match line["e"].as_str()? {
            "cvars" => {
                let values = &mut line["values"];
                values["g_currentRound"] = self.piece.current_round.into();
                if let Some(limit) = self.piece.limit {
                    values["timelimit"] = limit.into();
                }
            }
            "call" => {
                let unix_ms = line["unix_ms"].as_i64()? + self.piece.later_ms;
                line["unix_ms"] = unix_ms.into();
                if line["cmd"] == "init" || line["cmd"] == "frame" {
                    let level_ms = line["args"][0].as_i64()? + self.piece.later_ms;
                    line["args"][0] = level_ms.into();
                }
            }
            "configstring" if line["n"] == 11 => {
                // The level time at which play began.
                let level_ms: i64 = line["value"].as_str()?.parse().ok()?;
                line["value"] = (level_ms + self.piece.later_ms).to_string().into();
            }
            "configstring" if is_round && line["n"] == 14 && line["value"] == "\\w\\1" => {
                let (_, held) = self.piece.ending.exit()?;
                line["value"] = if held { "\\w\\0" } else { "\\w\\1" }.into();
            }
            "configstring" if is_round && line["n"] == 12 => {
                self.piece.ending.exit()?;
            }
            "print" if is_round && line["text"].as_str()?.starts_with("Exit: ") => {
                self.over = true;
                let (exit, _) = self.piece.ending.exit()?;
                line["text"] = json!(format!("Exit: {exit}\n"));
            }
            "cvar_set" if line["name"] == "timelimit" => {
                if let Some(limit) = self.piece.limit {
                    line["value"] = limit.into();
                }
            }
            "cvar_set" if self.over => match line["name"].as_str()? {
                "gamestate" | "g_currentRound" => {
                    self.piece.ending.exit()?;
                }
                "g_nextTimeLimit" => {
                    let (_, held) = self.piece.ending.exit()?;
                    if held && line["value"] != "0" {
                        line["value"] = FULL_LIMIT.into();
                    }
                }
                _ => {}
            },
            _ => {}
        }
        Some(line)
    }
}
