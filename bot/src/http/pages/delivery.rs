//! The page about the delivery of reports: what arrives, and what to do if it does not.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use gametimes_format::text::counted;
use jiff::{Timestamp, Zoned};

use super::error::PageError;
use super::format::dash;
use super::render;
use crate::db::diagnostics::LuaWebhookDiagnostics;
use crate::db::sources::Rejected;
use crate::display;
use crate::http::state::App;
use crate::status::Delivery;

/// A row of the table of sources.
struct Source {
    name: String,
    last_seen: String,
    problem: String,
    delivery: Delivery,
}

#[derive(Template)]
#[template(path = "delivery.html")]
struct Page {
    todo: Vec<String>,
    sources: Vec<Source>,
    rejected: Vec<(Rejected, String)>,
    latest_at: String,
    d: LuaWebhookDiagnostics,
}

/// `/delivery`
pub async fn page(State(app): State<App>) -> Result<Response, PageError> {
    let d = app.db.lua_webhook_diagnostics().await;
    let rejected = app.db.rejected(50).await?;
    let delivery = app.status.delivery();
    let now = Timestamp::now().to_zoned(app.db.zone().clone());
    let latest_at = d
        .latest
        .as_ref()
        .and_then(|l| l.recent.captured_at.as_ref());
    let latest_at = latest_at.and_then(|at| at.parse::<Timestamp>().ok());
    Ok(render(&Page {
        latest_at: latest_at
            .map_or_else(|| "time unknown".into(), |at| display::utc(at.as_second())),
        todo: todo(&d, &delivery, &rejected, &now),
        sources: delivery.into_iter().map(source).collect(),
        rejected: rejected
            .into_iter()
            .map(|r| {
                let last = display::utc(r.last_unix);
                (r, last)
            })
            .collect(),
        d,
    }))
}

fn source((name, delivery): (String, Delivery)) -> Source {
    Source {
        name,
        last_seen: delivery
            .last_seen_unix
            .map_or_else(|| "never".to_owned(), display::utc),
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
    d: &LuaWebhookDiagnostics,
    delivery: &BTreeMap<String, Delivery>,
    rejected: &[Rejected],
    now: &Zoned,
) -> Vec<String> {
    let day_ago = now.timestamp().as_second() - 24 * 3600;
    let mut todo = Vec::new();
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
