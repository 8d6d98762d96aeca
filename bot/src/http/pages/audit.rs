//! The spawn audit, in words.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use gametimes_rounds::audit::{Flag, Sample, SpawnAudit};

use super::{Asked, PageError, dash, parameters, player_link, seconds, show};
use crate::db::audit::spawn_audit;
use crate::http::App;

struct Line {
    name: String,
    player_link: String,
    round_id: Option<i64>,
    round: String,
    recorded: String,
    stats: String,
    apart: String,
    flags: String,
    reason: String,
    explained: &'static str,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Page {
    flags: Vec<(&'static str, i64)>,
    samples: Vec<Line>,
    audit: SpawnAudit,
}

/// `/audit`
pub async fn page(State(app): State<App>, asked: Asked) -> Result<Response, PageError> {
    let mut asked = parameters(asked);
    let limit = asked.number("limit", 200, 1..=1000)?;
    let diff_seconds = asked.number("diff_seconds", 30, 0..=3600)?;
    let audit = spawn_audit(&app.db, limit, diff_seconds).await?;
    let s = &audit.summary;
    let flags = vec![
        (flag_text(Flag::DiffGtThreshold), s.diff_gt_threshold),
        (flag_text(Flag::MissingRoundId), s.missing_round_id),
        (flag_text(Flag::MissingPlayerStats), s.missing_player_stats),
        (flag_text(Flag::DeadGtPlayed), s.dead_gt_played),
    ];
    Ok(show(&Page {
        flags,
        samples: audit.samples.iter().map(line).collect(),
        audit,
    }))
}

fn flag_text(flag: Flag) -> &'static str {
    match flag {
        Flag::MissingRoundId => "Report without a round",
        Flag::MissingPlayerStats => "Not in a stats file",
        Flag::DeadGtPlayed => "Longer dead than played",
        Flag::DiffGtThreshold => "The two differ",
    }
}

fn line(s: &Sample) -> Line {
    let flags: Vec<&str> = s.flags.iter().map(|f| flag_text(*f)).collect();
    let there = !s.has(Flag::MissingPlayerStats);
    Line {
        name: s.player_name.clone().unwrap_or_default(),
        player_link: player_link(s.player_guid.as_deref().unwrap_or_default()),
        round_id: s.round_id,
        round: format!(
            "{} R{}",
            s.map_name.as_deref().unwrap_or("?"),
            s.round_number
        ),
        recorded: seconds(Some(s.dead_seconds_lua)),
        stats: if there {
            seconds(Some(s.time_dead_seconds_db))
        } else {
            dash()
        },
        apart: if there {
            format!("{} s", s.diff_seconds)
        } else {
            dash()
        },
        flags: flags.join(", "),
        reason: s.reason.label(),
        explained: s.reason.explanation(),
    }
}
