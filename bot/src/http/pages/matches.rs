//! The page of a match: both rounds side by side, who won and why, and the scoreboard.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use gametimes_format::Team;
use gametimes_rounds::matches::{Match, MatchRound, MatchTeam, short_guid};

use super::error::PageError;
use super::format::{dash, ms, player_link, server};
use super::render;
use super::when::When;
use crate::db::players::Player;
use crate::db::rounds::RoundDetail;
use crate::display;
use crate::http::error::ApiError;
use crate::http::query::round_id;
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

/// A number of a player: the sum over the match, and each round.
struct Figure {
    label: &'static str,
    sum: String,
    rounds: Option<String>,
    is_known: bool,
}

/// A row of the scoreboard.
struct Line {
    name: String,
    link: String,
    figures: Vec<Figure>,
    kills: i64,
}

#[derive(Template)]
#[template(path = "match.html")]
struct Page {
    map: String,
    winner: String,
    is_decided: bool,
    reason: String,
    started: When,
    facts: Vec<(&'static str, String)>,
    rounds: Vec<RoundCard>,
    /// The other matches of the series: id, map, and who won.
    others: Vec<(i64, String, String)>,
    teams: Vec<(String, Vec<Line>)>,
    labels: Vec<&'static str>,
}

/// `/matches/{id}`
pub async fn page(State(app): State<App>, Path(id): Path<String>) -> Result<Response, PageError> {
    let found = app.db.match_of_round(round_id(&id)?).await?;
    let found = found.ok_or_else(|| ApiError::not_found("match"))?;
    let played = &found.played;
    let mut details = Vec::new();
    for round in &played.rounds {
        let detail = app.db.round(round.id).await?;
        details.push(detail.ok_or_else(|| ApiError::not_found("round"))?);
    }
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
    let mut teams: Vec<_> = [&played.team_a, &played.team_b]
        .into_iter()
        .map(|team| (team.name.clone(), scoreboard(team, &details)))
        .filter(|(_, lines)| !lines.is_empty())
        .collect();
    omit_unknown(&mut teams);
    Ok(render(&Page {
        map: played.map_name.clone(),
        winner: display::match_winner(played),
        is_decided: display::is_decided(played),
        reason: display::match_reason(played),
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
        labels: teams.first().map_or_else(Vec::new, |(_, lines)| {
            lines[0].figures.iter().map(|f| f.label).collect()
        }),
        teams,
    }))
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
        (2, Some(limit)) => Some(("Time to beat", limit)),
        (2, None) => played.result.team_a_ms.map(|time| ("Time to beat", time)),
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

/// What a player did in one round.
#[derive(Clone, Copy, Default)]
struct Figures {
    kills: Option<i64>,
    deaths: Option<i64>,
    damage: Option<i64>,
    revives: Option<i64>,
    dead_ms: Option<i64>,
    denied_ms: Option<i64>,
    played_ms: Option<i64>,
}

impl Figures {
    fn of(p: &Player) -> Self {
        Self {
            kills: p.kills.or(p.stats_kills),
            deaths: p.deaths.or(p.stats_deaths),
            damage: p.damage_given,
            revives: p.revives_given,
            dead_ms: p.dead_ms().or(p.stats_time_dead_seconds.map(|s| s * 1000)),
            denied_ms: p.denied_ms.or(p.denied_seconds.map(|s| s * 1000)),
            played_ms: p
                .played_ms
                .or(p.stats_time_played_seconds.map(|s| s * 1000)),
        }
    }

    fn sum(rounds: &[Self]) -> Self {
        let sum = |of: fn(&Self) -> Option<i64>| {
            let known: Vec<i64> = rounds.iter().filter_map(of).collect();
            (!known.is_empty()).then(|| known.iter().sum())
        };
        Self {
            kills: sum(|f| f.kills),
            deaths: sum(|f| f.deaths),
            damage: sum(|f| f.damage),
            revives: sum(|f| f.revives),
            dead_ms: sum(|f| f.dead_ms),
            denied_ms: sum(|f| f.denied_ms),
            played_ms: sum(|f| f.played_ms),
        }
    }

    /// Damage per minute played.
    fn dpm(&self) -> Option<i64> {
        let played_ms = self.played_ms.filter(|ms| *ms > 0)?;
        Some(self.damage?.saturating_mul(60_000) / played_ms)
    }
}

/// Omits the columns that no player has a value for: without a stats file the damage is unknown.
fn omit_unknown(teams: &mut [(String, Vec<Line>)]) {
    let figures = teams.iter().flat_map(|(_, lines)| lines);
    let figures = figures.flat_map(|line| &line.figures);
    let known = figures.filter(|figure| figure.is_known);
    let known: BTreeSet<&'static str> = known.map(|figure| figure.label).collect();
    for line in teams.iter_mut().flat_map(|(_, lines)| lines) {
        line.figures.retain(|figure| known.contains(figure.label));
    }
}

/// The players of a team with their figures, most kills first. `details` are the rounds of the match.
fn scoreboard(team: &MatchTeam, details: &[RoundDetail]) -> Vec<Line> {
    let mut players: BTreeMap<String, Vec<Figures>> = BTreeMap::new();
    for (n, detail) in details.iter().enumerate() {
        for player in &detail.players {
            let rounds = players.entry(short_guid(&player.guid)).or_default();
            rounds.resize(details.len(), Figures::default());
            rounds[n] = Figures::of(player);
        }
    }
    let mut lines: Vec<Line> = team
        .players
        .iter()
        .filter_map(|player| {
            let rounds = players.get(&player.guid)?;
            Some(Line {
                name: player.name.clone(),
                link: player_link(&player.guid),
                figures: figures(rounds),
                kills: Figures::sum(rounds).kills.unwrap_or_default(),
            })
        })
        .collect();
    lines.sort_by(|a, b| b.kills.cmp(&a.kills).then_with(|| a.name.cmp(&b.name)));
    lines
}

fn figures(rounds: &[Figures]) -> Vec<Figure> {
    let sum = Figures::sum(rounds);
    let number = |n: Option<i64>| n.map_or_else(dash, |n| n.to_string());
    let figure = |label, of: fn(&Figures) -> Option<i64>, show: fn(Option<i64>) -> String| {
        let each: Vec<String> = rounds.iter().map(|round| show(of(round))).collect();
        Figure {
            label,
            is_known: of(&sum).is_some(),
            sum: show(of(&sum)),
            rounds: (each.len() > 1).then(|| each.join(" / ")),
        }
    };
    vec![
        figure("Kills", |f| f.kills, number),
        figure("Deaths", |f| f.deaths, number),
        figure("DPM", Figures::dpm, number),
        figure("Revives", |f| f.revives, number),
        figure("Dead", |f| f.dead_ms, ms),
        figure("Denied", |f| f.denied_ms, ms),
    ]
}
