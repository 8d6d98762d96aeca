//! The latest rounds as an Atom feed.

use askama::Template;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use gametimes_format::text::{counted, displayable};
use jiff::Timestamp;

use super::error::PageError;
use super::format::round_label;
use super::{RawQuery, parameters, render};
use crate::db::round_list::{RoundListEntry, RoundListFilter};
use crate::display;
use crate::http::error::ApiError;
use crate::http::state::App;

struct Entry {
    id: i64,
    title: String,
    /// When the round ended, as Atom writes times.
    ended: Timestamp,
    summary: String,
}

#[derive(Template)]
#[template(path = "feed.xml")]
struct Feed {
    /// The `public_url`.
    url: String,
    updated: Timestamp,
    entries: Vec<Entry>,
}

/// `/feed.atom`
pub async fn feed(State(app): State<App>, query: RawQuery) -> Result<Response, PageError> {
    parameters(query).end("none")?;
    let Some(url) = &app.public_url else {
        return Err(ApiError::not_found("feed until public_url is set").into());
    };
    let list = app.db.round_list(&RoundListFilter::first_page()).await?;
    let entries: Vec<Entry> = list.rounds.iter().filter_map(entry).collect();
    let updated = entries.iter().map(|entry| entry.ended).max();
    let feed = render(&Feed {
        url: url.to_string(),
        updated: updated.unwrap_or_default(),
        entries,
    });
    let content_type = [(header::CONTENT_TYPE, "application/atom+xml; charset=utf-8")];
    Ok((content_type, feed).into_response())
}

/// `None` if it is not known when the round ended.
fn entry(entry: &RoundListEntry) -> Option<Entry> {
    let round = &entry.round;
    let label = round_label(&round.map_name, round.round_number);
    let players = counted(usize::try_from(entry.players).unwrap_or_default(), "player");
    let summary = [
        display::round_end(round).to_owned(),
        format!("played {}", display::played(round)),
        players,
    ];
    Some(Entry {
        id: round.id,
        title: displayable(&format!("{label}: {}", display::winner(round))),
        ended: Timestamp::from_second(entry.ended_unix?).ok()?,
        summary: displayable(&summary.join(", ")),
    })
}
