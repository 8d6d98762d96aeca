//! The page of the spawn audit.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use gametimes_format::rules::STATS_ROUNDING_SECONDS;
use gametimes_rounds::audit::{Flag, Sample, SpawnAudit};

use super::error::PageError;
use super::format::{dash, player_link, round_label, seconds};
use super::{RawQuery, parameters, render};
use crate::http::state::App;

/// A row of the table of differences.
struct Line {
    name: String,
    player_link: String,
    round_id: Option<i64>,
    round: String,
    recorded: String,
    stats: String,
    difference: String,
    flags: String,
    reason: String,
    explanation: &'static str,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Page {
    rounding_seconds: i64,
    flags: Vec<(&'static str, i64)>,
    samples: Vec<Line>,
    audit: SpawnAudit,
}

/// `/audit`
pub async fn page(State(app): State<App>, query: RawQuery) -> Result<Response, PageError> {
    let mut query = parameters(query);
    let limit = query.number("limit", 200, 1..=1000)?;
    let diff_seconds = query.number("diff_seconds", 30, 0..=3600)?;
    let audit = app.db.spawn_audit(limit, diff_seconds).await?;
    let s = &audit.summary;
    let flags = vec![
        (flag_text(Flag::DiffGtThreshold), s.diff_gt_threshold),
        (flag_text(Flag::MissingRoundId), s.missing_round_id),
        (flag_text(Flag::MissingPlayerStats), s.missing_player_stats),
        (flag_text(Flag::DeadGtPlayed), s.dead_gt_played),
    ];
    Ok(render(&Page {
        rounding_seconds: STATS_ROUNDING_SECONDS,
        flags,
        samples: audit.samples.iter().map(line).collect(),
        audit,
    }))
}

fn flag_text(flag: Flag) -> &'static str {
    match flag {
        Flag::MissingRoundId => "Report without a round",
        Flag::MissingPlayerStats => "Missing from the stats file",
        Flag::DeadGtPlayed => "Dead for longer than played",
        Flag::DiffGtThreshold => "Times differ",
    }
}

fn line(sample: &Sample) -> Line {
    let flags: Vec<&str> = sample.flags.iter().map(|f| flag_text(*f)).collect();
    let is_in_stats_file = !sample.has(Flag::MissingPlayerStats);
    Line {
        name: sample.player_name.clone().unwrap_or_default(),
        player_link: player_link(sample.player_guid.as_deref().unwrap_or_default()),
        round_id: sample.round_id,
        round: round_label(
            sample.map_name.as_deref().unwrap_or("?"),
            sample.round_number,
        ),
        recorded: seconds(Some(sample.dead_seconds_lua)),
        stats: seconds(is_in_stats_file.then_some(sample.time_dead_seconds_db)),
        difference: if is_in_stats_file {
            format!("{} s", sample.diff_seconds)
        } else {
            dash()
        },
        flags: flags.join(", "),
        reason: sample.reason.label(),
        explanation: sample.reason.explanation(),
    }
}
