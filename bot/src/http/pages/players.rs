//! The table of players.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::error::PageError;
use super::format::{dash, decimal, percent_encode, player_link};
use super::{RawQuery, parameters, render};
use crate::db::player_figures::{PlayerFigures, PlayerSort};
use crate::db::player_table::{PLAYERS_PER_PAGE, PlayerFilter};
use crate::http::player_query::{NAMES, player_filter};
use crate::http::state::App;

/// The figures of a player as texts.
pub struct Figures {
    pub rounds: String,
    pub kd: String,
    pub dpm: String,
    pub accuracy: String,
    pub headshots: String,
    pub revives: String,
    pub dead: String,
    pub denied: String,
    pub wave_wait: String,
    pub maps_won: String,
}

impl Figures {
    pub fn new(figures: &PlayerFigures) -> Self {
        Self {
            rounds: figures.rounds.to_string(),
            kd: decimal(figures.kd, 2, ""),
            dpm: decimal(figures.dpm, 0, ""),
            accuracy: decimal(figures.accuracy, 1, " %"),
            headshots: decimal(figures.headshots, 1, " %"),
            revives: decimal(figures.revives, 1, ""),
            dead: decimal(figures.dead_share, 0, " %"),
            denied: decimal(figures.denied, 1, " s"),
            wave_wait: decimal(figures.wave_wait, 1, " s"),
            maps_won: match figures.maps_played {
                0 => dash(),
                played => format!("{} of {played}", figures.maps_won),
            },
        }
    }
}

/// A row of the table.
pub struct Line {
    pub name: String,
    pub link: String,
    pub figures: Figures,
}

pub fn player_line(player: &PlayerFigures) -> Line {
    Line {
        name: match player.name.as_str() {
            "" => player.guid.clone(),
            name => name.to_owned(),
        },
        link: player_link(&player.guid),
        figures: Figures::new(player),
    }
}

/// The head of a column that the table sorts by.
struct Head {
    label: &'static str,
    link: String,
    /// `ascending` or `descending` if the table is sorted by the column.
    sorted: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "players.html")]
struct Page {
    filter: PlayerFilter,
    is_recent: bool,
    is_filtered: bool,
    heads: Vec<Head>,
    sorts: Vec<(&'static str, &'static str, bool)>,
    min_rounds: i64,
    players: Vec<Line>,
    /// Addresses of the pages before and after this one.
    newer: Option<String>,
    older: Option<String>,
    /// Addresses of the same table over all rounds, and over the recent ones.
    all_time: String,
    recent: String,
}

/// `/players`
pub async fn page(State(app): State<App>, query: RawQuery) -> Result<Response, PageError> {
    let mut query = parameters(query);
    let (filter, number) = player_filter(&mut query, &app.db)?;
    query.end(NAMES)?;
    let table = app.db.player_table(&filter).await?;
    let at = |page: i64| {
        link(&PlayerFilter {
            page,
            ..filter.clone()
        })
    };
    let over = |since: Option<&str>| {
        link(&PlayerFilter {
            since: since.map(str::to_owned),
            page: 1,
            ..filter.clone()
        })
    };
    let sorts = PlayerSort::ALL.map(|sort| (sort.key(), label(sort), sort == filter.sort));
    Ok(render(&Page {
        is_recent: filter.since.is_some(),
        is_filtered: !filter.text.is_empty() || !filter.map.is_empty(),
        heads: PlayerSort::ALL
            .into_iter()
            .filter(|sort| *sort != PlayerSort::MapsWonShare)
            .map(|sort| head(&filter, sort))
            .collect(),
        sorts: sorts.into(),
        min_rounds: table.min_rounds,
        players: table.players.iter().map(player_line).collect(),
        newer: number.previous().map(at),
        older: number.next(table.has_more).map(at),
        all_time: over(None),
        recent: over(Some("recent")),
        filter,
    }))
}

/// The name of a column.
pub fn label(sort: PlayerSort) -> &'static str {
    match sort {
        PlayerSort::Name => "Player",
        PlayerSort::Rounds => "Rounds",
        PlayerSort::Kd => "K/D",
        PlayerSort::Dpm => "DPM",
        PlayerSort::Accuracy => "Accuracy",
        PlayerSort::Headshots => "Headshots",
        PlayerSort::Revives => "Revives",
        PlayerSort::DeadShare => "Dead",
        PlayerSort::Denied => "Denied",
        PlayerSort::WaveWait => "Wave wait",
        PlayerSort::MapsWon => "Maps won",
        PlayerSort::MapsWonShare => "Share of maps won",
    }
}

fn head(filter: &PlayerFilter, sort: PlayerSort) -> Head {
    let is_current = filter.sort == sort;
    let is_ascending = |reverse: bool| sort.is_ascending() != reverse;
    let reverse = is_current && !filter.reverse;
    let sorted = match is_ascending(filter.reverse) {
        true => "ascending",
        false => "descending",
    };
    Head {
        label: label(sort),
        link: link(&PlayerFilter {
            sort,
            reverse,
            page: 1,
            ..filter.clone()
        }),
        sorted: is_current.then_some(sorted),
    }
}

/// The address of a table.
fn link(filter: &PlayerFilter) -> String {
    let mut parts = Vec::new();
    for (name, value) in [("player", &filter.text), ("map", &filter.map)] {
        if !value.is_empty() {
            parts.push(format!("{name}={}", percent_encode(value)));
        }
    }
    if filter.since.is_some() {
        parts.push("period=30d".to_owned());
    }
    if let Some(least) = filter.min_rounds {
        parts.push(format!("min_rounds={least}"));
    }
    if filter.sort != PlayerSort::default() {
        parts.push(format!("sort={}", filter.sort.key()));
    }
    if filter.reverse {
        let order = if filter.sort.is_ascending() {
            "desc"
        } else {
            "asc"
        };
        parts.push(format!("order={order}"));
    }
    if filter.limit != PLAYERS_PER_PAGE {
        parts.push(format!("limit={}", filter.limit));
    }
    if filter.page > 1 {
        parts.push(format!("page={}", filter.page));
    }
    match parts.is_empty() {
        true => "/players".to_owned(),
        false => format!("/players?{}", parts.join("&")),
    }
}
