//! The table of maps, and the page of a map.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::error::PageError;
use super::format::{decimal, ms, percent_encode};
use super::players::{Line as PlayerLine, player_line};
use super::{RawQuery, parameters, render};
use crate::db::map_table::MapFigures;
use crate::db::player_figures::PlayerSort;
use crate::db::player_table::PlayerFilter;
use crate::http::error::ApiError;
use crate::http::player_query::{PERIODS, since};
use crate::http::query::Segment;
use crate::http::state::App;

/// How many records the page of a map shows.
const RECORDS_MAX: i64 = 20;
/// How many players it shows.
const PLAYERS_MAX: i64 = 10;

/// A map as the pages show it.
struct Line {
    name: String,
    link: String,
    rounds: i64,
    matches: i64,
    times_set: i64,
    held: String,
    fastest: String,
    fastest_round_id: Option<i64>,
    fastest_by: String,
    last_day: String,
}

#[derive(Template)]
#[template(path = "maps.html")]
struct ListPage {
    is_recent: bool,
    maps: Vec<Line>,
}

/// A line of the records.
struct Record {
    time: String,
    round_id: i64,
    by: String,
    day: String,
}

#[derive(Template)]
#[template(path = "map.html")]
struct MapPage {
    map: Line,
    records: Vec<Record>,
    players: Vec<PlayerLine>,
    all_players: String,
}

/// `/maps`
pub async fn list(State(app): State<App>, query: RawQuery) -> Result<Response, PageError> {
    let mut query = parameters(query);
    let since = since(query.word("period", &PERIODS)?, &app.db);
    query.end("period")?;
    let maps = app.db.maps(since.as_deref(), "").await?;
    Ok(render(&ListPage {
        is_recent: since.is_some(),
        maps: maps.into_iter().map(line).collect(),
    }))
}

/// `/maps/{name}`
pub async fn page(State(app): State<App>, Segment(name): Segment) -> Result<Response, PageError> {
    let map = app.db.maps(None, &name).await?.into_iter().next();
    let map = map.ok_or_else(|| ApiError::not_found("map"))?;
    let records = app.db.map_records(&map.map_name, RECORDS_MAX).await?;
    let filter = PlayerFilter {
        map: map.map_name.clone(),
        sort: PlayerSort::Rounds,
        page: 1,
        limit: PLAYERS_MAX,
        ..PlayerFilter::default()
    };
    let players = app.db.player_table(&filter).await?.players;
    Ok(render(&MapPage {
        records: records
            .into_iter()
            .map(|record| Record {
                time: ms(Some(record.ms)),
                round_id: record.round_id,
                by: record.by,
                day: record.day,
            })
            .collect(),
        players: players.iter().map(player_line).collect(),
        all_players: format!("/players?map={}", percent_encode(&map.map_name)),
        map: line(map),
    }))
}

fn line(map: MapFigures) -> Line {
    Line {
        link: format!("/maps/{}", percent_encode(&map.map_name)),
        name: map.map_name,
        rounds: map.rounds,
        matches: map.matches,
        times_set: map.times_set,
        held: decimal(map.held_share, 0, " %"),
        fastest: ms(map.fastest_ms),
        fastest_round_id: map.fastest_round_id,
        fastest_by: map.fastest_by.unwrap_or_default(),
        last_day: map.last_day,
    }
}
