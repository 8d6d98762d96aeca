//! The pages of a player: the rounds, latest first, with a chart.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use gametimes_format::text::cut;

use super::error::PageError;
use super::format::{ms, number, percent_encode, round_label, share, time};
use super::{RawQuery, parameters, render};
use crate::db::players::{HISTORY_PER_PAGE, HistoryEntry, Time};
use crate::display;
use crate::http::error::ApiError;
use crate::http::state::App;

/// How many other names of a player the page shows.
const OTHER_NAMES_MAX: usize = 20;
/// Every page needs the rounds of those before it.
const PAGES_MAX: i64 = 1_000;

/// A row of the history.
struct Line {
    round_id: Option<i64>,
    round: String,
    ended: String,
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
}

/// `/players/{guid}`: the first 8 digits of a guid, or the `name:...` of a client without one.
pub async fn page(
    State(app): State<App>,
    Path(guid): Path<String>,
    query: RawQuery,
) -> Result<Response, PageError> {
    let mut query = parameters(query);
    let page = query.number("page", 1, 1..=PAGES_MAX)? as usize;
    query.end("page")?;
    let history = app.db.player_history(&guid, page).await?;
    let (history, has_more) = (history.rounds, history.has_more);
    let Some(latest) = history.first() else {
        let what = if page == 1 {
            "player"
        } else {
            "page of this player"
        };
        return Err(ApiError::not_found(what).into());
    };
    let link = |page: usize| format!("/players/{}?page={page}", percent_encode(&guid));
    let before = (page - 1) * HISTORY_PER_PAGE;
    let mut other_names: Vec<String> = history.iter().map(|e| e.name.clone()).collect();
    other_names.sort();
    other_names.dedup();
    other_names.retain(|name| *name != latest.name && !name.is_empty());
    other_names.truncate(OTHER_NAMES_MAX);
    // Rounds of which only one of the two times is known would distort the share.
    let both = || history.iter().filter_map(|e| e.dead.zip(e.played));
    let dead: i64 = both().map(|(dead, _)| dead.ms()).sum();
    let played: i64 = both().map(|(_, played)| played.ms()).sum();
    let denied: i64 = history.iter().filter_map(|e| e.denied).map(Time::ms).sum();
    let rows: Vec<Line> = history.iter().map(line).collect();
    Ok(render(&Page {
        name: latest.name.clone(),
        guid: cut(&guid, 40),
        other_names,
        page,
        first: before + 1,
        last: before + history.len(),
        newer: (page > 1).then(|| link(page - 1)),
        older: has_more.then(|| link(page + 1)),
        dead: ms(Some(dead)),
        played: ms(Some(played)),
        share: share(Some(dead), Some(played)),
        denied: ms(Some(denied)),
        chart: Chart::new(&history, &rows),
        has_stats_files: history.iter().any(|e| e.is_from_stats_file),
        rows,
    }))
}

fn line(entry: &HistoryEntry) -> Line {
    Line {
        round_id: entry.round_id,
        round: round_label(&entry.map_name, entry.round_number),
        ended: entry
            .ended_unix
            .map_or_else(|| entry.match_id.clone(), display::utc),
        played: time(entry.played),
        dead: time(entry.dead),
        share: share(entry.dead.map(Time::ms), entry.played.map(Time::ms)),
        denied: time(entry.denied),
        kills: number(entry.kills),
        deaths: number(entry.deaths),
    }
}

/// The chart of a history, oldest round on the left: bars for the share of the time dead, a line for the time denied.
/// Coordinates are relative to the plot area, whose place in the picture the template decides.
struct Chart {
    width: f64,
    height: f64,
    grid: Vec<GridLine>,
    bars: Vec<Bar>,
    points: Vec<Point>,
    /// The upper end of the right scale.
    most_denied: String,
}

struct GridLine {
    percent: u8,
    y: f64,
}

struct Bar {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    title: String,
}

struct Point {
    x: f64,
    y: f64,
    title: String,
}

impl Chart {
    const WIDTH: f64 = 620.0;
    const HEIGHT: f64 = 150.0;
    const BAR_WIDTH_MAX: f64 = 48.0;

    /// `rows` are the rows of the table below, one for each entry.
    fn new(history: &[HistoryEntry], rows: &[Line]) -> Self {
        let denied = history.iter().filter_map(|e| e.denied).map(Time::ms);
        let most_denied = denied.max().unwrap_or(0).max(1000);
        let step = Self::WIDTH / history.len().max(1) as f64;
        let y = |share: f64| Self::HEIGHT * (1.0 - share);
        let (mut bars, mut points) = (Vec::new(), Vec::new());
        for (i, (entry, row)) in history.iter().zip(rows).rev().enumerate() {
            let middle = step * (i as f64 + 0.5);
            let title = format!(
                "{}, {}: dead {} ({}), denied {}",
                row.round, row.ended, row.dead, row.share, row.denied
            );
            if let Some((dead, played)) = entry.dead.zip(entry.played) {
                let share = (dead.ms() as f64 / played.ms() as f64).clamp(0.0, 1.0);
                let width = (step * 0.7).min(Self::BAR_WIDTH_MAX);
                bars.push(Bar {
                    x: middle - width / 2.0,
                    y: y(share),
                    width,
                    height: Self::HEIGHT * share,
                    title: title.clone(),
                });
            }
            if let Some(denied) = entry.denied {
                points.push(Point {
                    x: middle,
                    y: y(denied.ms().max(0) as f64 / most_denied as f64),
                    title,
                });
            }
        }
        Self {
            width: Self::WIDTH,
            height: Self::HEIGHT,
            grid: [0, 25, 50, 75, 100]
                .map(|percent| GridLine {
                    percent,
                    y: y(f64::from(percent) / 100.0),
                })
                .into(),
            bars,
            points,
            most_denied: display::clock_ms(most_denied),
        }
    }
}
