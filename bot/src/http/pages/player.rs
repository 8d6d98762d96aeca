//! The pages of a player: figures over all rounds, and the rounds, latest first, with a chart.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use gametimes_format::text::cut;
use gametimes_rounds::player_id::short_guid;

use super::error::PageError;
use super::format::{ms, number, player_link, round_label, share, time};
use super::player_chart::{Chart, form_chart, history_chart};
use super::players::Figures;
use super::when::When;
use super::{RawQuery, parameters, render};
use crate::db::player_figures::PlayerFigures;
use crate::db::player_table::{PlayerMap, PlayerSummary};
use crate::db::players::{HISTORY_PER_PAGE, History, HistoryEntry, Time};
use crate::http::error::ApiError;
use crate::http::query::Segment;
use crate::http::state::App;

/// How many other names of a player the page shows.
const OTHER_NAMES_MAX: usize = 20;
/// The last page of a player's rounds.
const PAGES_MAX: i64 = 1_000;

/// How many maps of a player the page shows.
const MAPS_MAX: usize = 10;

/// A row of the history.
struct Line {
    round_id: Option<i64>,
    round: String,
    ended: When,
    played: String,
    dead: String,
    share: String,
    denied: String,
    kills: String,
    deaths: String,
}

#[derive(Template)]
#[template(path = "player.html")]
struct Page {
    name: String,
    guid: String,
    other_names: Vec<String>,
    /// The number of the page, from 1.
    page: usize,
    /// The place of the page's first and last round, the latest round of all being 1.
    first: usize,
    last: usize,
    /// Addresses of the pages before and after this one.
    newer: Option<String>,
    older: Option<String>,
    dead: String,
    played: String,
    share: String,
    denied: String,
    chart: Chart,
    has_stats_files: bool,
    rows: Vec<Line>,
    /// The figures over all rounds and over the recent ones.
    summary: Vec<(&'static str, Figures)>,
    maps: Vec<(String, Figures)>,
    /// The form over the latest days, if there are several.
    form: Option<Chart>,
}

/// `/players/{guid}`: the first 8 digits of a guid, or the `name:...` of a client without one.
pub async fn page(
    State(app): State<App>,
    Segment(guid): Segment,
    query: RawQuery,
) -> Result<Response, PageError> {
    let mut query = parameters(query);
    let number = query.page(PAGES_MAX)?;
    let page = number.number as usize;
    query.end("page")?;
    let History {
        rounds: history,
        has_more,
    } = app.db.player_history(&guid, page).await?;
    let since = app.db.recent_since();
    let summary = app.db.player_summary(&guid, &since).await?;
    let Some(latest) = history.first() else {
        let what = if page == 1 {
            "player"
        } else {
            "page of this player"
        };
        return Err(ApiError::not_found(what).into());
    };
    let link = |page: i64| format!("{}?page={page}", player_link(&guid));
    let before = (page - 1) * HISTORY_PER_PAGE;
    let names = summary.iter().flat_map(|s| &s.names);
    let mut names: Vec<String> = names.map(|n| n.name.clone()).collect();
    if names.is_empty() {
        names.push(latest.name.clone());
    }
    let name = names.remove(0);
    names.truncate(OTHER_NAMES_MAX);
    // Rounds of which only one of the two times is known would distort the share.
    let both = || history.iter().filter_map(|e| e.dead.zip(e.played));
    let dead: i64 = both().map(|(dead, _)| dead.ms()).sum();
    let played: i64 = both().map(|(_, played)| played.ms()).sum();
    let denied: i64 = history.iter().filter_map(|e| e.denied).map(Time::ms).sum();
    let rows: Vec<Line> = history.iter().map(line).collect();
    Ok(render(&Page {
        name,
        guid: cut(&short_guid(&guid), 40),
        other_names: names,
        page,
        first: before + 1,
        last: before + history.len(),
        newer: number.previous().map(link),
        older: number.next(has_more).map(link),
        dead: ms(Some(dead)),
        played: ms(Some(played)),
        share: share(Some(dead), Some(played)),
        denied: ms(Some(denied)),
        chart: history_chart(&history, &rows.iter().map(Line::title).collect::<Vec<_>>()),
        has_stats_files: history.iter().any(|e| e.is_from_stats_file),
        rows,
        maps: maps(summary.as_ref()),
        form: summary.as_ref().and_then(|s| form_chart(&s.days)),
        summary: figures(summary.as_ref()),
    }))
}

/// The figures over all rounds and over the recent ones; empty if no round counts.
fn figures(summary: Option<&PlayerSummary>) -> Vec<(&'static str, Figures)> {
    let Some(summary) = summary else {
        return Vec::new();
    };
    let rows: [(&str, &PlayerFigures); 2] = [
        ("All time", &summary.all_time),
        ("Last 30 days", &summary.recent),
    ];
    rows.into_iter()
        .filter(|(_, figures)| figures.rounds > 0)
        .map(|(label, figures)| (label, Figures::new(figures)))
        .collect()
}

/// The maps that the player has won most often, then those with the most rounds.
fn maps(summary: Option<&PlayerSummary>) -> Vec<(String, Figures)> {
    let mut maps: Vec<_> = summary.into_iter().flat_map(|s| &s.maps).collect();
    maps.sort_by_key(|m| std::cmp::Reverse((m.figures.maps_won, m.figures.rounds)));
    maps.truncate(MAPS_MAX);
    let map = |m: &&PlayerMap| (m.map_name.clone(), Figures::new(&m.figures));
    maps.iter().map(map).collect()
}

impl Line {
    /// The text of the round in the chart.
    fn title(&self) -> String {
        format!(
            "{}: dead {} ({}), denied {}",
            self.round, self.dead, self.share, self.denied
        )
    }
}

fn line(entry: &HistoryEntry) -> Line {
    Line {
        round_id: entry.round_id,
        round: round_label(&entry.map_name, entry.round_number),
        ended: When::moment_or(entry.ended_unix, &entry.match_id),
        played: time(entry.played),
        dead: time(entry.dead),
        share: share(entry.dead.map(Time::ms), entry.played.map(Time::ms)),
        denied: time(entry.denied),
        kills: number(entry.kills),
        deaths: number(entry.deaths),
    }
}
