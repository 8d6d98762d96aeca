//! The page about the delivery of reports: what arrives, and what to do if it does not.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use gametimes_format::text::counted;
use jiff::{Timestamp, Zoned};

use super::error::PageError;
use super::format::{dash, round_label};
use super::render;
use super::when::When;
use crate::db::diagnostics::{LuaWebhookDiagnostics, Recent};
use crate::db::sources::Rejected;
use crate::display;
use crate::http::state::{App, Sources};
use crate::status::Delivery;

/// A row of the table of sources.
struct Source {
    name: String,
    last_seen: When,
    problem: String,
    delivery: Delivery,
}

#[derive(Template)]
#[template(path = "delivery.html")]
struct Page {
    todo: Vec<String>,
    sources: Vec<Source>,
    rejected: Vec<(Rejected, When)>,
    /// Where the rounds come from, if that is not this process.
    is_elsewhere: bool,
    latest: Option<String>,
    d: LuaWebhookDiagnostics,
}

/// `/delivery`
pub async fn page(State(app): State<App>) -> Result<Response, PageError> {
    let d = app.db.lua_webhook_diagnostics().await;
    let rejected = app.db.rejected(50).await?;
    let delivery = app.status.delivery();
    let now = Timestamp::now().to_zoned(app.db.zone().clone());
    Ok(render(&Page {
        is_elsewhere: app.sources == Sources::Elsewhere,
        latest: d.latest.as_ref().map(|latest| describe(&latest.recent)),
        todo: todo(&app, &d, &delivery, &rejected, &now),
        sources: delivery.into_iter().map(source).collect(),
        rejected: rejected
            .into_iter()
            .map(|r| {
                let last = When::Moment(r.last_unix);
                (r, last)
            })
            .collect(),
        d,
    }))
}

/// The latest report: its round, when that ended, and when the report arrived.
fn describe(latest: &Recent) -> String {
    let map = latest.map_name.as_deref().unwrap_or("?");
    let round = round_label(map, latest.round_number);
    let unknown = || "at an unknown time".to_owned();
    let ended = latest.round_end_unix.map_or_else(unknown, display::utc);
    let received = latest.captured_at.as_ref();
    let received = received.and_then(|at| at.parse::<Timestamp>().ok());
    let received = received.map_or_else(unknown, |at| display::utc(at.as_second()));
    format!("{round}, ended {ended}, received {received}")
}

fn source((name, delivery): (String, Delivery)) -> Source {
    Source {
        name,
        last_seen: When::moment_or(delivery.last_seen_unix, "never"),
        problem: problem(&delivery).unwrap_or_else(dash),
        delivery,
    }
}

/// When a source failed, and why; `None` if it works.
fn problem(source: &Delivery) -> Option<String> {
    let at = display::utc(source.last_error_unix.unwrap_or_default());
    Some(format!("{at}: {}", source.last_error.as_ref()?))
}

/// What needs attention. Only problems since yesterday count: older ones are in the tables, and need no action any more.
fn todo(
    app: &App,
    d: &LuaWebhookDiagnostics,
    delivery: &BTreeMap<String, Delivery>,
    rejected: &[Rejected],
    now: &Zoned,
) -> Vec<String> {
    let day_ago = now.timestamp().as_second() - 24 * 3600;
    let mut todo = Vec::new();
    if app.sources == Sources::None {
        todo.push(
            "No source is configured, so nothing arrives on its own. Set Discord, a folder or an SSH server in the bot's \
             settings, or import files with gametimes-bot ingest FOLDER."
                .to_owned(),
        );
    }
    if d.counts.total == 0 {
        todo.push(
            "No report from a recorder has arrived yet. Run gametimes-bot doctor. On the game server's console, \
             gametimes status shows the recorder's state, and gametimes test posts a test message."
                .to_owned(),
        );
    }
    if d.counts.unlinked_24h > 0 {
        todo.push(format!(
            "No round was found for {} of the last 24 hours; the reasons are below. A stats file that arrives late links \
             its report automatically.",
            counted(d.counts.unlinked_24h as usize, "report")
        ));
    }
    todo.extend(d.conflicts.iter().map(ToString::to_string));
    let yesterday = now.date().yesterday().unwrap_or(now.date()).to_string();
    let days = d.trends.rounds_without_lua_by_day.iter();
    let (rounds, without) = days
        .filter(|day| day.day >= yesterday)
        .fold((0, 0), |sum, day| {
            (sum.0 + day.rounds_total, sum.1 + day.rounds_without_lua)
        });
    if without > 0 {
        todo.push(format!(
            "Rounds of today and yesterday with a stats file only: {without} of {rounds}. On the game server, check that the \
             recorder runs (gametimes status) and that its webhook is on the bot's list."
        ));
    }
    for (name, source) in delivery {
        if source.queued > 0 {
            todo.push(format!(
                "Waiting to be stored: {} from {name}. If the number does not fall, check the bot's log for database errors.",
                counted(source.queued as usize, "item")
            ));
        }
        if let Some(problem) = problem(source) {
            todo.push(format!(
                "{name} failed at {problem}. Run gametimes-bot doctor to check it."
            ));
        }
    }
    let rejected = rejected.iter().filter(|r| r.last_unix >= day_ago).count();
    if rejected > 0 {
        todo.push(format!(
            "Rejected in the last 24 hours: {rejected}. The reasons are at the end of this page."
        ));
    }
    todo.extend(d.errors.iter().cloned());
    todo
}
