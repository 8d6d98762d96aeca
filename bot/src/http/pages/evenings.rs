//! The page of the evenings: the first page that visitors see.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use gametimes_rounds::matches::{Evening, Series, SeriesMatch};

use super::error::PageError;
use super::format::{ms, server};
use super::preview::Preview;
use super::when::When;
use super::{RawQuery, parameters, render};
use crate::display;
use crate::http::query::UNIX_MAX;
use crate::http::state::App;

/// How many evenings a page shows.
const PER_PAGE: usize = 10;

/// An evening on the page.
struct Section {
    day: When,
    started: When,
    ended: When,
    series: Vec<Card>,
}

/// A series.
struct Card {
    teams: [Side; 2],
    server: Option<String>,
    maps: Vec<Line>,
}

/// A team of a series.
struct Side {
    name: String,
    score: u32,
    leads: bool,
}

/// A match of a series.
struct Line {
    id: i64,
    map: String,
    winner: String,
    is_decided: bool,
    reason: String,
    /// The times in which both teams of the series completed the map, in the order of the card.
    times: Option<String>,
}

#[derive(Template)]
#[template(path = "evenings.html")]
struct Page {
    preview: Option<Preview>,
    evenings: Vec<Section>,
    is_first: bool,
    older: Option<i64>,
}

/// `/`
pub async fn page(State(app): State<App>, query: RawQuery) -> Result<Response, PageError> {
    let mut query = parameters(query);
    let before = query.number("before", 0, 0..=UNIX_MAX)?;
    let before = (before > 0).then_some(before);
    let list = app.db.evenings(before, PER_PAGE).await?;
    let latest = list.evenings.first();
    Ok(render(&Page {
        preview: Preview::new(
            app.public_url.as_ref(),
            "/".to_owned(),
            "Evenings".to_owned(),
            latest.map_or_else(String::new, summary),
            latest
                .and_then(latest_match)
                .map(|id| format!("/matches/{id}/timeline.png")),
        ),
        evenings: list.evenings.iter().map(section).collect(),
        is_first: before.is_none(),
        older: list.next_before,
    }))
}

/// The series of an evening with their scores.
fn summary(evening: &Evening) -> String {
    let series = evening.series.iter().map(|series| {
        let (one, two) = (&series.team_1.name, &series.team_2.name);
        format!("{one} {} : {} {two}", series.score_1, series.score_2)
    });
    let series: Vec<String> = series.collect();
    format!(
        "{}: {}",
        display::day(evening.started_unix),
        series.join(" · ")
    )
}

fn latest_match(evening: &Evening) -> Option<i64> {
    let matches = evening.series.iter().flat_map(|series| &series.matches);
    let latest = matches.max_by_key(|m| m.played.ended_unix)?;
    Some(latest.played.id)
}

fn section(evening: &Evening) -> Section {
    Section {
        day: When::Day(evening.started_unix),
        started: When::Hour(evening.started_unix),
        ended: When::Hour(evening.ended_unix),
        series: evening.series.iter().map(card).collect(),
    }
}

fn card(series: &Series) -> Card {
    let (one, two) = (series.score_1, series.score_2);
    let side = |name: &String, score, leads| Side {
        name: name.clone(),
        score,
        leads,
    };
    Card {
        teams: [
            side(&series.team_1.name, one, one > two),
            side(&series.team_2.name, two, two > one),
        ],
        server: server(
            series.server_name.as_deref(),
            series.server_address.as_deref(),
        ),
        maps: series.matches.iter().map(line).collect(),
    }
}

fn line(of_series: &SeriesMatch) -> Line {
    let played = &of_series.played;
    let result = &played.result;
    let mut times = [result.team_a_ms, result.team_b_ms];
    if of_series.team_a_is == 2 {
        times.reverse();
    }
    Line {
        id: played.id,
        map: played.map_name.clone(),
        winner: display::match_winner(played),
        is_decided: display::is_decided(played),
        reason: display::match_reason(played),
        times: (times != [None, None]).then(|| times.map(ms).join(" : ")),
    }
}
