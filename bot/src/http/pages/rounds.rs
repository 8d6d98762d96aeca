//! The page with the list of rounds.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::error::PageError;
use super::format::{dash, number, percent_encode, round_label, seconds, server};
use super::when::When;
use super::{RawQuery, parameters, render};
use crate::db::round_list::{RoundListEntry, RoundListFilter};
use crate::display::{self, durations_differ};
use crate::http::state::App;

/// A row of the list.
struct Line {
    id: i64,
    round: String,
    /// The day, above the first round of it.
    day: Option<When>,
    ended: When,
    played: String,
    stats_duration: String,
    differs: bool,
    pauses: String,
    winner: &'static str,
    is_won: bool,
    end: String,
    players: i64,
    server: String,
}

/// The last page of the list.
const PAGES_MAX: i64 = 100_000;

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
    has_feed: bool,
}

/// `/rounds`
pub async fn page(State(app): State<App>, query: RawQuery) -> Result<Response, PageError> {
    let mut query = parameters(query);
    let number = query.page(PAGES_MAX)?;
    let filter = RoundListFilter {
        map: query.text("map", 64)?.unwrap_or_default(),
        player: query.text("player", 64)?.unwrap_or_default(),
        from: query.date("from")?.unwrap_or_default(),
        to: query.date("to")?.unwrap_or_default(),
        page: number.number,
    };
    let list = app.db.round_list(&filter).await?;
    Ok(render(&Page {
        is_filtered: fields(&filter).iter().any(|(_, value)| !value.is_empty()),
        rounds: lines(&list.rounds),
        newer: number.previous().map(|page| link(&filter, page)),
        older: number.next(list.has_more).map(|page| link(&filter, page)),
        zone: app.db.zone().iana_name().unwrap_or("local time").to_owned(),
        has_feed: app.public_url.is_some(),
        filter,
    }))
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

fn lines(entries: &[RoundListEntry]) -> Vec<Line> {
    let mut day = String::new();
    let mut lines = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut line = line(entry);
        if let Some(unix) = entry.ended_unix {
            let ended_on = display::day(unix);
            line.day = (ended_on != day).then_some(When::Day(unix));
            day = ended_on;
        }
        lines.push(line);
    }
    lines
}

fn line(entry: &RoundListEntry) -> Line {
    let round = &entry.round;
    let (recorded, stats) = (round.actual_duration_seconds, entry.stats_duration_seconds);
    Line {
        id: round.id,
        round: round_label(&round.map_name, round.round_number),
        day: None,
        ended: When::moment_or(entry.ended_unix, &round.match_id),
        played: seconds(recorded),
        stats_duration: seconds(stats),
        differs: durations_differ(recorded, stats),
        pauses: match (round.pause_count, round.total_pause_seconds) {
            (None, _) => dash(),
            (Some(0), _) => "0".to_owned(),
            (count, length) => format!("{} ({})", number(count), seconds(length)),
        },
        winner: display::team(round.winner()),
        is_won: round.winner().is_some(),
        end: display::round_end(round).to_owned(),
        players: entry.players,
        server: server(
            round.server_name.as_deref(),
            round.server_address.as_deref(),
        )
        .unwrap_or_else(dash),
    }
}
