//! Two players side by side.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::error::PageError;
use super::format::player_link;
use super::players::Figures;
use super::{RawQuery, parameters, render};
use crate::db::Db;
use crate::db::player_table::{DuelSums, PlayerSummary};
use crate::http::error::ApiError;
use crate::http::state::App;

/// One of the two players.
struct Side {
    name: String,
    guid: String,
    link: String,
    all_time: Figures,
    recent: Figures,
}

/// A figure of both players.
struct Line<'a> {
    label: &'static str,
    values: [&'a str; 2],
}

#[derive(Template)]
#[template(path = "compare.html")]
struct Page<'a> {
    sides: &'a [Side; 2],
    periods: Vec<(&'static str, Vec<Line<'a>>)>,
    /// How many rounds were looked at.
    looked_at: i64,
    duels: Vec<(&'static str, DuelSums)>,
}

/// `/players/compare?a=&b=`: a guid or a part of a name each.
pub async fn page(State(app): State<App>, query: RawQuery) -> Result<Response, PageError> {
    let mut query = parameters(query);
    let mut sides = Vec::new();
    for parameter in ["a", "b"] {
        let text = query.text(parameter, 64)?;
        sides.push(text.ok_or_else(|| {
            ApiError::bad_request(
                format!("{parameter} is missing"),
                "a and b: a guid or a part of a name each".to_owned(),
            )
        })?);
    }
    query.end("a, b")?;
    let [a, b] = [
        find(&app.db, &sides[0]).await?,
        find(&app.db, &sides[1]).await?,
    ];
    let duel = app.db.duel(&a.all_time.guid, &b.all_time.guid).await?;
    let sides = [a, b].map(|summary| Side {
        name: summary.all_time.name.clone(),
        link: player_link(&summary.all_time.guid),
        all_time: Figures::new(&summary.all_time),
        recent: Figures::new(&summary.recent),
        guid: summary.all_time.guid,
    });
    let [a, b] = &sides;
    Ok(render(&Page {
        periods: vec![
            ("All time", lines(&a.all_time, &b.all_time)),
            ("Last 30 days", lines(&a.recent, &b.recent)),
        ],
        sides: &sides,
        looked_at: duel.looked_at,
        duels: [
            ("On one team", duel.together),
            ("Against each other", duel.against),
        ]
        .into_iter()
        .filter(|(_, sums)| sums.rounds > 0)
        .collect(),
    }))
}

/// The player with a guid, else the one whose name fits best.
async fn find(db: &Db, text: &str) -> Result<PlayerSummary, PageError> {
    let since = db.recent_since();
    if let Some(found) = db.player_summary(text, &since).await? {
        return Ok(found);
    }
    let missing = || ApiError::not_found("player");
    let named = db.player_search(text, 1).await?.pop().ok_or_else(missing)?;
    let found = db.player_summary(&named.guid, &since).await?;
    Ok(found.ok_or_else(missing)?)
}

fn lines<'a>(a: &'a Figures, b: &'a Figures) -> Vec<Line<'a>> {
    type Of = fn(&Figures) -> &str;
    let lines: [(&str, Of); 10] = [
        ("Rounds", |f| &f.rounds),
        ("K/D", |f| &f.kd),
        ("DPM", |f| &f.dpm),
        ("Accuracy", |f| &f.accuracy),
        ("Headshots", |f| &f.headshots),
        ("Revives", |f| &f.revives),
        ("Dead", |f| &f.dead),
        ("Denied", |f| &f.denied),
        ("Wave wait", |f| &f.wave_wait),
        ("Maps won", |f| &f.maps_won),
    ];
    let line = |(label, of): (&'static str, Of)| Line {
        label,
        values: [of(a), of(b)],
    };
    lines.into_iter().map(line).collect()
}
