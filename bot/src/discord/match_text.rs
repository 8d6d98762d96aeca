//! Matches and series as text in messages.

use gametimes_format::text::counted;
use gametimes_rounds::matches::{Match, ResultReason, Series, SeriesMatch};

use super::text::escaped;
use crate::db::matches::MatchInSeries;
use crate::display;

/// Who won a match and why: `**eA won**, faster by 0:15.0`.
pub fn result(played: &Match) -> String {
    let mut named = played.clone();
    for team in [&mut named.team_a, &mut named.team_b] {
        team.name = escaped(&team.name);
    }
    let winner = display::match_winner(&named);
    match played.result.reason {
        ResultReason::OnlyRound => format!("**{winner}**"),
        _ => format!("**{winner}**, {}", display::match_reason(&named)),
    }
}

/// The score of a series after this match; `None` before any map has a result.
pub fn series_so_far(found: &MatchInSeries) -> Option<String> {
    let matches = &found.series.matches;
    let at = matches
        .iter()
        .position(|m| m.played.id == found.played.id)?;
    let mut series = found.series.clone();
    series.matches.truncate(at + 1);
    let points = series.matches.iter().map(SeriesMatch::points);
    let score = points.fold([0, 0], |sum, of| [sum[0] + of[0], sum[1] + of[1]]);
    [series.score_1, series.score_2] = score;
    let maps = counted(series.matches.len(), "map");
    (score != [0, 0]).then(|| format!("Series: {} ({maps})", score_of(&series)))
}

/// `eA 5 : 7 Ada's team`.
pub fn score_of(series: &Series) -> String {
    format!(
        "{} {} : {} {}",
        escaped(&series.team_1.name),
        series.score_1,
        series.score_2,
        escaped(&series.team_2.name)
    )
}
