//! One player's history.

use std::collections::HashSet;
use std::fmt::Write;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use super::{PageError, ms, number, seconds, share, show};
use crate::args;
use crate::chart::text::escape;
use crate::db::value::Row;
use crate::db::{Db, DbError};
use crate::display;
use crate::http::{ApiError, App};

/// Rounds on the page, which is what [`Db::spawns_of_player`] gives at most.
const LATEST: usize = 100;

struct Line {
    round_id: Option<i64>,
    match_id: String,
    number: i64,
    round: String,
    ended: String,
    name: String,
    played: String,
    dead: String,
    share_text: String,
    denied: String,
    kills: String,
    deaths: String,
    dead_ms: Option<i64>,
    played_ms: Option<i64>,
    denied_ms: Option<i64>,
    of_stats_file: bool,
}

#[derive(Template)]
#[template(path = "player.html")]
struct Page {
    name: String,
    guid: String,
    other_names: Vec<String>,
    dead: String,
    played: String,
    share: String,
    denied: String,
    chart: String,
    /// Whether a row is a stats file's.
    of_stats_files: bool,
    rows: Vec<Line>,
}

/// `/players/{guid}`: the first 8 digits of a guid, or the `name:...` of a client without one.
pub async fn page(State(app): State<App>, Path(guid): Path<String>) -> Result<Response, PageError> {
    let rows = history(&app.db, &guid).await?;
    let Some(first) = rows.first() else {
        return Err(ApiError::not_found("player").into());
    };
    let mut other_names: Vec<String> = rows.iter().map(|r| r.name.clone()).collect();
    other_names.sort();
    other_names.dedup();
    other_names.retain(|n| *n != first.name && !n.is_empty());
    other_names.truncate(20);
    let sum = |of: fn(&Line) -> Option<i64>| rows.iter().filter_map(of).sum::<i64>();
    // Of the share, only rounds count of which both times are known.
    let both = |r: &&Line| r.dead_ms.is_some() && r.played_ms.is_some();
    let dead: i64 = rows.iter().filter(both).filter_map(|r| r.dead_ms).sum();
    let played: i64 = rows.iter().filter(both).filter_map(|r| r.played_ms).sum();
    Ok(show(&Page {
        name: first.name.clone(),
        guid: guid.chars().take(40).collect(),
        other_names,
        dead: ms(Some(dead)),
        played: ms(Some(played)),
        share: share(Some(dead), Some(played)),
        denied: ms(Some(sum(|r| r.denied_ms))),
        chart: chart(&rows),
        of_stats_files: rows.iter().any(|r| r.of_stats_file),
        rows,
    }))
}

/// The latest rounds of a player, by the recorders; where none was, by the stats files.
async fn history(store: &Db, guid: &str) -> Result<Vec<Line>, DbError> {
    let mut rows = Vec::new();
    if store.has("lua_spawn_stats") {
        let columns = [
            "round_id",
            "map_name",
            "round_number",
            "round_end_unix",
            "match_id",
            "player_name",
            "dead_ms",
            "dead_seconds",
            "played_ms",
            "denied_ms",
            "kill_count",
            "death_count",
        ];
        let sql = store.spawns_of_player(&columns);
        rows = store.database.rows(&sql, args![guid]).await?;
    }
    let recorded: HashSet<i64> = rows.iter().filter_map(|row| row.int(0)).collect();
    let mut lines: Vec<Line> = rows.iter().map(recorded_line).collect();
    for row in stats_rows(store, guid).await? {
        let line = stats_line(&row);
        if line.round_id.is_none_or(|id| !recorded.contains(&id)) {
            lines.push(line);
        }
    }
    // A match id begins with the server's local time, the one time that both have.
    lines.sort_by(|a, b| (&b.match_id, b.number).cmp(&(&a.match_id, a.number)));
    lines.truncate(LATEST);
    Ok(lines)
}

/// The player's rows of stats files, latest first. A client without a guid has none there that could be told.
async fn stats_rows(store: &Db, guid: &str) -> Result<Vec<Row>, DbError> {
    if guid.starts_with("name:") {
        return Ok(Vec::new());
    }
    let of_round = store.select("rounds", "r", &["round_end_unix", "match_id"]);
    let of_player = store.select(
        "player_comprehensive_stats",
        "p",
        &[
            "round_id",
            "map_name",
            "round_number",
            "clean_name",
            "player_name",
            "time_dead_minutes",
            "time_played_seconds",
            "denied_playtime",
            "kills",
            "deaths",
        ],
    );
    let sql = format!(
        "SELECT {of_player}, {of_round} FROM player_comprehensive_stats p JOIN rounds r ON r.id = p.round_id \
         WHERE UPPER(SUBSTR(p.player_guid, 1, 8)) = UPPER(SUBSTR($1, 1, 8)) ORDER BY COALESCE(r.match_id, '') DESC, p.id DESC LIMIT $2"
    );
    store.database.rows(&sql, args![guid, LATEST as i64]).await
}

fn recorded_line(row: &Row) -> Line {
    let dead_ms = row.int(6).or(row.int(7).map(|s| s * 1000));
    let played_ms = row.int(8).filter(|ms| *ms > 0);
    Line {
        round_id: row.int(0),
        match_id: row.string(4),
        number: row.int(2).unwrap_or_default(),
        round: format!("{} R{}", row.string(1), row.int(2).unwrap_or_default()),
        ended: row.int(3).map_or_else(|| row.string(4), display::utc),
        name: row.string(5),
        played: ms(played_ms),
        dead: match row.int(6) {
            Some(exact) => ms(Some(exact)),
            None => seconds(row.int(7)),
        },
        share_text: share(dead_ms, played_ms),
        denied: ms(row.int(9)),
        kills: number(row.int(10)),
        deaths: number(row.int(11)),
        dead_ms,
        played_ms,
        denied_ms: row.int(9),
        of_stats_file: false,
    }
}

/// The stats file knows the time dead to a tenth of a minute, the others to a second.
fn stats_line(row: &Row) -> Line {
    let dead = row.real(5).map(|minutes| (minutes * 60.0).round() as i64);
    let played = row.int(6).filter(|s| *s > 0);
    let in_ms = |s: Option<i64>| s.map(|s| s.saturating_mul(1000));
    Line {
        round_id: row.int(0),
        match_id: row.string(11),
        number: row.int(2).unwrap_or_default(),
        round: format!("{} R{}", row.string(1), row.int(2).unwrap_or_default()),
        ended: row.int(10).map_or_else(|| row.string(11), display::utc),
        name: row.text(3).or(row.text(4)).unwrap_or_default().to_owned(),
        played: seconds(played),
        dead: seconds(dead),
        share_text: share(dead, played),
        denied: seconds(row.int(7)),
        kills: number(row.int(8)),
        deaths: number(row.int(9)),
        dead_ms: in_ms(dead),
        played_ms: in_ms(played),
        denied_ms: in_ms(row.int(7)),
        of_stats_file: true,
    }
}

/// Bars for the share of the time dead, a line for the time denied; oldest on the left. The table below says the same.
fn chart(rows: &[Line]) -> String {
    let (left, top, width, height) = (44.0, 24.0, 620.0, 150.0);
    let most_denied = rows
        .iter()
        .filter_map(|r| r.denied_ms)
        .max()
        .unwrap_or(0)
        .max(1000);
    let step = width / rows.len().max(1) as f64;
    let mut svg = format!(
        "<svg class=\"history\" viewBox=\"0 0 720 206\" role=\"img\" aria-label=\"Share of the time dead and time denied in the \
         latest {} rounds; the table below has the numbers\">",
        rows.len()
    );
    for percent in [0, 25, 50, 75, 100] {
        let y = top + height * (1.0 - f64::from(percent) / 100.0);
        let _ = write!(
            svg,
            "<path class=\"rule\" d=\"M{left} {y:.1}h{width}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{percent} %</text>",
            left - 6.0,
            y + 4.0
        );
    }
    let mut points = Vec::new();
    for (i, row) in rows.iter().rev().enumerate() {
        let x = left + step * i as f64;
        let title = escape(&format!(
            "{}, {}: dead {} ({}), denied {}",
            row.round, row.ended, row.dead, row.share_text, row.denied
        ));
        if let (Some(dead), Some(played)) = (row.dead_ms, row.played_ms) {
            let h = height * (dead as f64 / played as f64).clamp(0.0, 1.0);
            let w = (step * 0.7).min(48.0);
            let _ = write!(
                svg,
                "<rect class=\"dead\" x=\"{:.1}\" y=\"{:.1}\" width=\"{w:.1}\" height=\"{h:.1}\"><title>{title}</title></rect>",
                x + (step - w) / 2.0,
                top + height - h
            );
        }
        if let Some(denied) = row.denied_ms {
            let y = top + height * (1.0 - denied.max(0) as f64 / most_denied as f64);
            points.push((x + step / 2.0, y, title));
        }
    }
    let line: Vec<String> = points
        .iter()
        .map(|(x, y, _)| format!("{x:.1},{y:.1}"))
        .collect();
    let _ = write!(
        svg,
        "<polyline class=\"denied\" points=\"{}\"/>",
        line.join(" ")
    );
    for (x, y, title) in &points {
        let _ = write!(
            svg,
            "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"><title>{title}</title></circle>"
        );
    }
    let right = left + width + 6.0;
    let _ = write!(
        svg,
        "<text x=\"{right}\" y=\"{:.1}\">{}</text><text x=\"{right}\" y=\"{:.1}\">0:00.0</text>\
         <rect class=\"dead\" x=\"{left}\" y=\"4\" width=\"12\" height=\"10\"/><text x=\"{}\" y=\"13\">share of the time dead (left scale)</text>\
         <circle class=\"dot\" cx=\"320\" cy=\"9\" r=\"4\"/><text x=\"330\" y=\"13\">denied (right scale)</text>\
         <text x=\"{left}\" y=\"198\">older</text><text x=\"{}\" y=\"198\" text-anchor=\"end\">newer</text></svg>",
        top + 4.0,
        display::clock_ms(most_denied),
        top + height + 4.0,
        left + 18.0,
        left + width
    );
    svg
}
