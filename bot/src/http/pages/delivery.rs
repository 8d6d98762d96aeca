//! How reports arrive, and what is to be done where they do not.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::{Timestamp, Zoned};

use super::{PageError, dash, show};
use crate::db::diagnostics::{LuaWebhook, lua_webhook};
use crate::db::sources::Rejected;
use crate::display;
use crate::http::App;
use crate::status::Delivery;

/// A source's line.
struct Source {
    name: String,
    seen: String,
    failure: String,
    delivery: Delivery,
}

#[derive(Template)]
#[template(path = "delivery.html")]
struct Page {
    todo: Vec<String>,
    sources: Vec<Source>,
    rejected: Vec<(Rejected, String)>,
    latest_at: String,
    d: LuaWebhook,
}

/// `/delivery`
pub async fn page(State(app): State<App>) -> Result<Response, PageError> {
    let d = lua_webhook(&app.db, &app.status).await;
    let rejected = app.db.rejected(50).await?;
    let sources = d
        .delivery
        .iter()
        .map(|(name, source)| Source {
            name: name.clone(),
            seen: source
                .last_seen_unix
                .map_or_else(|| "never".to_owned(), display::utc),
            failure: failure(source).unwrap_or_else(dash),
            delivery: source.clone(),
        })
        .collect();
    let latest_at = d
        .latest
        .as_ref()
        .and_then(|l| l.recent.captured_at.as_ref());
    let latest_at = latest_at.and_then(|at| at.parse::<Timestamp>().ok());
    Ok(show(&Page {
        latest_at: latest_at
            .map_or_else(|| "time unknown".into(), |at| display::utc(at.as_second())),
        todo: todo(
            &d,
            &rejected,
            Timestamp::now().to_zoned(app.db.zone().clone()),
        ),
        sources,
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

/// What is wrong with a source, and since when it is known.
fn failure(source: &Delivery) -> Option<String> {
    let at = display::utc(source.last_error_unix.unwrap_or_default());
    Some(format!("{at}: {}", source.last_error.as_ref()?))
}

/// What of today and yesterday asks for something; what is older is told further down, and nothing to be done any more.
fn todo(d: &LuaWebhook, rejected: &[Rejected], now: Zoned) -> Vec<String> {
    let day_ago = now.timestamp().as_second() - 24 * 3600;
    let mut todo = Vec::new();
    if d.counts.total == 0 {
        todo.push(
            "No report of a recorder has come yet. Run gametimes-bot doctor; on the game server's console, gametimes status \
             tells how things are there and gametimes test posts a test message."
                .to_owned(),
        );
    }
    if d.counts.unlinked_24h > 0 {
        todo.push(format!(
            "{} report(s) of the last 24 hours found no round; the list below tells why. A stats file that comes late links them \
             by itself.",
            d.counts.unlinked_24h
        ));
    }
    let yesterday = now.date().yesterday().unwrap_or(now.date()).to_string();
    let days = d.trends.rounds_without_lua_by_day.iter();
    let (rounds, without) = days
        .filter(|day| day.day >= yesterday)
        .fold((0, 0), |sum, day| {
            (sum.0 + day.rounds_total, sum.1 + day.rounds_without_lua)
        });
    if without > 0 {
        todo.push(format!(
            "{without} of {rounds} rounds of today and yesterday have a stats file only. Check on the game server that the recorder \
             runs (gametimes status) and that its webhook is on the bot's list."
        ));
    }
    for (name, source) in &d.delivery {
        if source.queued > 0 {
            todo.push(format!(
                "{} arrival(s) of {name} wait to be stored. When the number does not fall, see the bot's log for the database.",
                source.queued
            ));
        }
        if let Some(failure) = failure(source) {
            todo.push(format!(
                "{name} failed, {failure}. gametimes-bot doctor checks it."
            ));
        }
    }
    let rejected = rejected.iter().filter(|r| r.last_unix >= day_ago).count();
    if rejected > 0 {
        todo.push(format!(
            "Rejected in the last 24 hours: {rejected}; the list at the end tells why."
        ));
    }
    todo.extend(d.errors.iter().cloned());
    todo
}
