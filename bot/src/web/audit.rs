//! The spawn audit, in words.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::{Asked, PageError, dash, parameters, player_link, seconds, show};
use crate::api::App;
use crate::api::audit::{Sample, SpawnAudit, spawn_audit};

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
    let audit = spawn_audit(&app.store, limit, diff_seconds).await?;
    let s = &audit.summary;
    let flags = vec![
        (flag("diff_gt_threshold"), s.diff_gt_threshold),
        (flag("missing_round_id"), s.missing_round_id),
        (flag("missing_player_stats"), s.missing_player_stats),
        (flag("dead_gt_played"), s.dead_gt_played),
    ];
    Ok(show(&Page {
        flags,
        samples: audit.samples.iter().map(line).collect(),
        audit,
    }))
}

/// A flag in words.
fn flag(name: &str) -> &'static str {
    match name {
        "missing_round_id" => "Report without a round",
        "missing_player_stats" => "Not in a stats file",
        "dead_gt_played" => "Longer dead than played",
        "diff_gt_threshold" => "The two differ",
        _ => "Other",
    }
}

/// What a reason means, and what to do about it.
fn explain(reason: &str) -> &'static str {
    match reason {
        r if r.starts_with("pause counted as dead") => {
            "Who was dead when the match was paused stayed dead in that count while the clock stood still. The other number is right."
        }
        r if r.starts_with("still dead at the end") => {
            "The stats file adds up a time dead when it ends with a spawn; the last one of the round had none."
        }
        r if r.starts_with("left while dead") => {
            "The recorder counts the time dead until the player left; the stats file drops it."
        }
        r if r.starts_with("surrender or time limit") => {
            "The stats file takes the full limit for the round's length, so its times are too long."
        }
        r if r.starts_with("counter reset") => {
            "The player's counters began anew in the round: reconnected, or the server was restarted."
        }
        r if r.starts_with("player missing") => {
            "One of the two has no such player: they came or left around the end, or have another guid there."
        }
        r if r.starts_with("rounding") => {
            "The stats file rounds to 6 seconds, so such a difference tells nothing."
        }
        "no stats file" => {
            "No stats file of the round has come. Check the bot's folders, and the server's gamestats script."
        }
        "the round is not linked" => "The report found no round. The page Delivery tells why.",
        "unknown" => "Nothing that is recorded explains it. Look at the round's timeline.",
        _ => "",
    }
}

fn line(s: &Sample) -> Line {
    let flags: Vec<&str> = s.flags.iter().map(|f| flag(f)).collect();
    let there = !s.flags.iter().any(|f| f == "missing_player_stats");
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
        reason: s.reason.clone(),
        explained: explain(&s.reason),
    }
}
