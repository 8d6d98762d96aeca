//! Matches and series as text in messages.

use gametimes_format::text::counted;
use gametimes_rounds::matches::{Match, MatchRound, MatchTeam, ResultReason, Series, SeriesMatch};
use serde_json::{Value as Json, json};

use super::scoreboard;
use super::text::{FIELD_CHARACTERS, escaped, plain};
use crate::db::matches::MatchInSeries;
use crate::db::rounds::RoundDetail;
use crate::display;

/// The colour of the embed of a match.
const COLOUR: u32 = 0x00_9E73;
/// How much of a server's name a footer shows.
pub const SERVER_CHARACTERS: usize = 256;

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

/// The embed of a match: who won and why, its rounds, and the scoreboard of both teams over all rounds. `rounds` are the rounds of
/// the match; `public_url` is where people open the pages.
pub fn match_embed(
    found: &MatchInSeries,
    rounds: &[RoundDetail],
    public_url: Option<&str>,
) -> Json {
    let played = &found.played;
    let mut lines = vec![
        result(played),
        format!("Series: {}", score_of(&found.series)),
        // Discord shows it in the reader's time zone.
        format!("<t:{}:f>", played.started_unix),
    ];
    lines.extend(played.rounds.iter().map(|round| {
        let detail = rounds.iter().find(|detail| detail.round.id == round.id);
        round_line(played, round, detail)
    }));
    let field = |team: &MatchTeam| {
        let value = scoreboard::of_team(team, rounds, FIELD_CHARACTERS)?;
        Some(json!({ "name": escaped(&team.name), "value": value, "inline": false }))
    };
    let teams = [&played.team_a, &played.team_b];
    let fields: Vec<Json> = teams.into_iter().filter_map(field).collect();
    let mut embed = json!({
        "title": escaped(&played.map_name),
        "description": lines.join("\n"),
        "color": COLOUR,
        "fields": fields,
    });
    if let Some(url) = public_url {
        embed["url"] = format!("{url}/matches/{}", played.id).into();
    }
    let server = played
        .server_name
        .as_ref()
        .or(played.server_address.as_ref());
    if let Some(server) = server {
        embed["footer"] = json!({ "text": plain(server, SERVER_CHARACTERS) });
    }
    embed
}

/// `Round 1: eA attacked and won in 0:55.0`.
fn round_line(played: &Match, round: &MatchRound, detail: Option<&RoundDetail>) -> String {
    let time = round.played_ms.map(display::clock_ms);
    let time = time.map_or_else(String::new, |time| format!(" in {time}"));
    let defender = detail.and_then(|detail| detail.round.defender());
    let attackers = defender.map(|side| {
        let is_team_a = side.opponent().number() == round.team_a_side;
        let team = if is_team_a {
            &played.team_a
        } else {
            &played.team_b
        };
        escaped(&team.name)
    });
    let attackers = attackers.unwrap_or_else(|| "the attackers".to_owned());
    let number = round.round_number;
    match round.held {
        _ if round.is_cut_off => format!("Round {number}: {attackers} attacked, cut off"),
        Some(true) => format!("Round {number}: {attackers} attacked and were held"),
        Some(false) => format!("Round {number}: {attackers} attacked and won{time}"),
        None => format!("Round {number}: winner unknown"),
    }
}
