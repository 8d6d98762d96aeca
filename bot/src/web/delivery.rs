//! How reports arrive, and what is to be done where they do not.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;

use super::{PageError, show};
use crate::api::App;
use crate::api::diagnostics::{LuaWebhook, lua_webhook};
use crate::status::Delivery;
use crate::store::read::Rejected;
use crate::words;

#[derive(Template)]
#[template(path = "delivery.html")]
struct Page {
    todo: Vec<String>,
    sources: Vec<(String, String, Delivery)>,
    rejected: Vec<(Rejected, String)>,
    latest_at: String,
    d: LuaWebhook,
}

/// `/delivery`
pub async fn page(State(app): State<App>) -> Result<Response, PageError> {
    let d = lua_webhook(&app.store, &app.status).await;
    let rejected = app.store.rejected(50).await?;
    let sources = d
        .delivery
        .iter()
        .map(|(name, source)| {
            let seen = source
                .last_seen_unix
                .map_or_else(|| "never".to_owned(), words::utc);
            (name.clone(), seen, source.clone())
        })
        .collect();
    let latest_at = d
        .latest
        .as_ref()
        .and_then(|l| l.recent.captured_at.as_ref());
    let latest_at = latest_at.and_then(|at| at.parse::<Timestamp>().ok());
    Ok(show(&Page {
        latest_at: latest_at.map_or_else(|| "time unknown".into(), |at| words::utc(at.as_second())),
        todo: todo(&d, &rejected),
        sources,
        rejected: rejected
            .into_iter()
            .map(|r| {
                let last = words::utc(r.last_unix);
                (r, last)
            })
            .collect(),
        d,
    }))
}

fn todo(d: &LuaWebhook, rejected: &[Rejected]) -> Vec<String> {
    let mut todo = Vec::new();
    if d.counts.total == 0 {
        todo.push(
            "No report of a recorder has come yet. Run gametimes-bot doctor; on the game server's console, gametimes status \
             tells how things are there and gametimes test posts a test message."
                .to_owned(),
        );
    }
    if d.counts.unlinked_total > 0 {
        todo.push(format!(
            "{} report(s) found no round; the list below tells why. A stats file that comes late links them by itself.",
            d.counts.unlinked_total
        ));
    }
    for c in d.r1_r2_coverage.iter().filter(|c| c.without_lua > 0) {
        todo.push(format!(
            "{} of {} rounds {} have a stats file only. Check on the game server that the recorder runs (gametimes status) and \
             that its webhook is on the bot's list.",
            c.without_lua, c.total_rounds, c.round_number
        ));
    }
    for (name, source) in &d.delivery {
        if source.queued > 0 {
            todo.push(format!(
                "{} arrival(s) of {name} wait to be stored. When the number does not fall, see the bot's log for the database.",
                source.queued
            ));
        }
        if let Some(error) = &source.last_error {
            todo.push(format!(
                "{name} failed last with: {error}. gametimes-bot doctor checks it."
            ));
        }
    }
    if !rejected.is_empty() {
        todo.push(format!(
            "Rejected: {}; the list at the end tells why.",
            rejected.len()
        ));
    }
    todo.extend(d.errors.iter().cloned());
    todo
}
