//! The page with the list of rounds.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::civil::Date;

use super::error::PageError;
use super::format::{dash, number, percent_encode, round_label, seconds};
use super::{RawQuery, parameters, render};
use crate::db::round_list::{RoundListEntry, RoundListFilter};
use crate::display::{self, durations_differ};
use crate::http::error::ApiError;
use crate::http::query::invalid;
use crate::http::state::App;

/// A row of the list.
struct Line {
    id: i64,
    round: String,
    ended: String,
    played: String,
    stats_duration: String,
    differs: bool,
    pauses: String,
    winner: &'static str,
    end: String,
    players: i64,
    server: String,
}

#[derive(Template)]
#[template(path = "rounds.html")]
struct Page {
    filter: RoundListFilter,
    is_filtered: bool,
    rounds: Vec<Line>,
    /// Addresses of the pages before and after this one.
    newer: Option<String>,
    older: Option<String>,
    /// The servers' time zone.
    zone: String,
}

/// `/rounds`
pub async fn page(State(app): State<App>, query: RawQuery) -> Result<Response, PageError> {
    let mut query = parameters(query);
    let mut text = |name: &str| -> Result<String, ApiError> {
        let text = query.text(name, 64)?.unwrap_or_default();
        Ok(text.trim().to_owned())
    };
    let filter = RoundListFilter {
        map: text("map")?,
        player: text("player")?,
        from: date("from", text("from")?)?,
        to: date("to", text("to")?)?,
        page: query.number("page", 1, 1..=100_000)?,
    };
    let list = app.db.round_list(&filter).await?;
    Ok(render(&Page {
        is_filtered: fields(&filter).iter().any(|(_, value)| !value.is_empty()),
        rounds: list.rounds.iter().map(line).collect(),
        newer: (filter.page > 1).then(|| link(&filter, filter.page - 1)),
        older: list.has_more.then(|| link(&filter, filter.page + 1)),
        zone: app.db.zone().iana_name().unwrap_or("local time").to_owned(),
        filter,
    }))
}

fn date(name: &str, text: String) -> Result<String, ApiError> {
    if text.is_empty() {
        return Ok(text);
    }
    match text.parse::<Date>() {
        Ok(date) => Ok(date.to_string()),
        Err(_) => {
            let allowed = format!("{name}: a date such as 2026-12-31");
            Err(invalid(name, &text, allowed))
        }
    }
}

/// The fields of the form, by their names.
fn fields(filter: &RoundListFilter) -> [(&'static str, &str); 4] {
    [
        ("map", &filter.map),
        ("player", &filter.player),
        ("from", &filter.from),
        ("to", &filter.to),
    ]
}

/// The address of another page of the same list.
fn link(filter: &RoundListFilter, page: i64) -> String {
    let mut link = format!("/rounds?page={page}");
    for (name, value) in fields(filter) {
        if !value.is_empty() {
            link.push_str(&format!("&{name}={}", percent_encode(value)));
        }
    }
    link
}

fn line(entry: &RoundListEntry) -> Line {
    let round = &entry.round;
    let (recorded, stats) = (round.actual_duration_seconds, entry.stats_duration_seconds);
    let server = round.server_name.as_ref().or(round.server_address.as_ref());
    Line {
        id: round.id,
        round: round_label(&round.map_name, round.round_number),
        ended: entry
            .ended_unix
            .map_or_else(|| round.match_id.clone(), display::utc),
        played: seconds(recorded),
        stats_duration: seconds(stats),
        differs: durations_differ(recorded, stats),
        pauses: match (round.pause_count, round.total_pause_seconds) {
            (None, _) => dash(),
            (Some(0), _) => "0".to_owned(),
            (count, length) => format!("{} ({})", number(count), seconds(length)),
        },
        winner: display::team(round.winner()),
        end: display::end_reason(round.end_reason.as_deref()).to_owned(),
        players: entry.players,
        server: server.cloned().unwrap_or_else(dash),
    }
}
