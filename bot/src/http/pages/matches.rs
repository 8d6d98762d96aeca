//! The page of a match: both rounds side by side, who won and why, and the scoreboard.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use gametimes_format::Team;
use gametimes_rounds::matches::{Match, MatchRound, MatchTeam, Outcome};
use gametimes_rounds::player_id::short_guid;

use super::error::PageError;
use super::format::server;
use super::preview::Preview;
use super::render;
use super::scoreboard::{self, Line, ScoredTeam};
use super::when::When;
use crate::db::matches::MatchInSeries;
use crate::db::rounds::{RoundDetail, RoundOverview};
use crate::db::scores::Score;
use crate::display;
use crate::http::drawings::Subject;
use crate::http::error::ApiError;
use crate::http::query::{Segment, round_id};
use crate::http::state::App;

/// A round of the match.
struct RoundCard {
    id: i64,
    number: u8,
    attackers: String,
    defenders: String,
    result: String,
    is_won: bool,
    facts: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "match.html")]
struct Page {
    id: i64,
    preview: Option<Preview>,
    map: String,
    winner: String,
    is_decided: bool,
    reason: String,
    started: When,
    facts: Vec<(&'static str, String)>,
    rounds: Vec<RoundCard>,
    /// The other matches of the series: id, map, and who won.
    others: Vec<(i64, String, String)>,
    teams: Vec<ScoredTeam>,
    /// The timelines; `None` if no recorder wrote one.
    svg: Option<String>,
}

/// `/matches/{id}`
pub async fn page(State(app): State<App>, Segment(id): Segment) -> Result<Response, PageError> {
    let (found, rounds) = find(&app, &id).await?;
    let played = &found.played;
    let svg = match rounds.iter().any(|round| round.has_timeline) {
        true => Some(
            app.drawings
                .svg(&app.db, &timeline(played, &rounds))
                .await?,
        ),
        false => None,
    };
    let details: Vec<RoundDetail> = rounds.into_iter().map(|round| round.detail).collect();
    let series = &found.series;
    let score = format!(
        "{} {} : {} {}",
        series.team_1.name, series.score_1, series.score_2, series.team_2.name
    );
    let server = server(
        played.server_name.as_deref(),
        played.server_address.as_deref(),
    );
    let others = series.matches.iter().map(|other| &other.played);
    let others = others.filter(|other| other.id != played.id);
    let outcomes = [
        (&played.team_a, Outcome::TeamA),
        (&played.team_b, Outcome::TeamB),
    ];
    let mut teams: Vec<ScoredTeam> = outcomes
        .into_iter()
        .map(|(team, outcome)| ScoredTeam {
            name: team.name.clone(),
            won: played.result.winner == outcome,
            lines: lines(team, &details),
        })
        .filter(|team| !team.lines.is_empty())
        .collect();
    scoreboard::omit_unknown(&mut teams);
    let winner = display::match_winner(played);
    let reason = display::match_reason(played);
    let summary: Vec<String> = [Some(score.clone()), server.clone()]
        .into_iter()
        .flatten()
        .collect();
    Ok(render(&Page {
        id: played.id,
        preview: Preview::new(
            app.public_url.as_ref(),
            format!("/matches/{}", played.id),
            format!("{}: {winner}, {reason}", played.map_name),
            summary.join(" · "),
            svg.is_some()
                .then(|| format!("/matches/{}/timeline.png", played.id)),
        ),
        svg: svg.map(|svg| String::from_utf8_lossy(&svg).into_owned()),
        map: played.map_name.clone(),
        winner,
        is_decided: display::is_decided(played),
        reason,
        started: When::Moment(played.started_unix),
        facts: vec![
            ("Series", score),
            ("Server", server.unwrap_or_else(|| "unknown".to_owned())),
        ],
        rounds: played
            .rounds
            .iter()
            .zip(&details)
            .map(|(round, detail)| round_card(played, round, detail))
            .collect(),
        others: others
            .map(|other| {
                let winner = display::match_winner(other);
                (other.id, other.map_name.clone(), winner)
            })
            .collect(),
        teams,
    }))
}

/// A match with its rounds, by the id of one of them.
pub(super) async fn find(
    app: &App,
    id: &str,
) -> Result<(MatchInSeries, Vec<RoundOverview>), PageError> {
    let found = app.db.match_of_round(round_id(id)?).await?;
    let found = found.ok_or_else(|| ApiError::not_found("match"))?;
    let mut rounds = Vec::with_capacity(found.played.rounds.len());
    for round in &found.played.rounds {
        let round = app.db.round_overview(round.id).await?;
        rounds.push(round.ok_or_else(|| ApiError::not_found("round"))?);
    }
    Ok((found, rounds))
}

/// The picture of the timelines of a match.
pub(super) fn timeline(played: &Match, rounds: &[RoundOverview]) -> Subject {
    Subject::rounds_of_match(rounds, display::time_to_beat(played))
}

fn round_card(played: &Match, round: &MatchRound, detail: &RoundDetail) -> RoundCard {
    let defender = detail.round.defender();
    let team_on = |side: Team| {
        let is_team_a = side.number() == round.team_a_side;
        let team = if is_team_a {
            &played.team_a
        } else {
            &played.team_b
        };
        format!("{} ({})", team.name, side.name())
    };
    let unknown = || "unknown".to_owned();
    let mut facts = vec![
        ("End", display::end(detail)),
        ("Played", display::played(&detail.round)),
    ];
    // In round 2 the time limit is the time to beat.
    let target = match (round.round_number, round.limit_ms) {
        (2, _) => display::time_to_beat(played).map(|time| ("Time to beat", time)),
        (_, limit) => limit.map(|limit| ("Time limit", limit)),
    };
    facts.extend(target.map(|(name, time)| (name, display::clock_ms(time))));
    if detail.round.pause_count.is_some_and(|n| n > 0) {
        facts.push(("Pauses", display::pauses(&detail.round)));
    }
    RoundCard {
        id: round.id,
        number: round.round_number,
        attackers: defender.map_or_else(unknown, |side| team_on(side.opponent())),
        defenders: defender.map_or_else(unknown, team_on),
        result: match round.held {
            _ if round.is_cut_off => "Cut off".to_owned(),
            Some(true) => "The defenders held".to_owned(),
            Some(false) => format!("The attackers won in {}", display::played(&detail.round)),
            None => display::winner(&detail.round),
        },
        is_won: round.held.is_some(),
        facts,
    }
}

/// The players of a team, most kills first. `details` are the rounds of the match.
fn lines(team: &MatchTeam, details: &[RoundDetail]) -> Vec<Line> {
    let mut players: BTreeMap<String, Vec<Score>> = BTreeMap::new();
    for (n, detail) in details.iter().enumerate() {
        for player in &detail.players {
            let rounds = players.entry(short_guid(&player.guid)).or_default();
            rounds.resize(details.len(), Score::default());
            rounds[n] = Score::of(player);
        }
    }
    let known = team.players.iter().filter_map(|player| {
        let rounds = players.get(&player.guid)?;
        Some(scoreboard::line(
            &player.name,
            &player.guid,
            rounds,
            scoreboard::OF_MATCH,
        ))
    });
    let mut lines: Vec<Line> = known.collect();
    scoreboard::sort(&mut lines);
    lines
}
