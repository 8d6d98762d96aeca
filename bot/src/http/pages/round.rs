//! One round.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use jiff::ToSpan;
use jiff::civil::DateTime;

use super::{PageError, ms, number, player_link, seconds, share, show};
use crate::args;
use crate::chart::{self, Chart, Theme};
use crate::db::rounds::{Player, RoundDetail, RoundSummary};
use crate::db::{Db, DbError};
use crate::display::{self, is_wrong};
use crate::http::App;
use gametimes_format::rules::ROUND_2_WINDOW_SECONDS;
use gametimes_rounds::reconcile::MATCH_ID_FORMAT;

/// What the stats file said beside what happened.
struct Comparison {
    what: &'static str,
    happened: String,
    said: String,
    differs: bool,
}

/// A player's line.
struct Line {
    name: String,
    link: String,
    dead: String,
    share: String,
    stats_dead: String,
    differs: bool,
    longest: String,
    denied: String,
    alive: String,
    played: String,
    kills: String,
    deaths: String,
    spawns: String,
    revives: String,
}

#[derive(Template)]
#[template(path = "round.html")]
struct Page {
    round: RoundSummary,
    facts: Vec<(&'static str, String)>,
    /// The other round of the match: its id.
    other: Option<i64>,
    svg: String,
    comparison: Vec<Comparison>,
    why: Option<String>,
    teams: Vec<(&'static str, Vec<Line>)>,
}

/// `/rounds/{id}`
pub async fn page(State(app): State<App>, Path(id): Path<String>) -> Result<Response, PageError> {
    let detail = app.find_round(&id).await?;
    let events = chart::events(&app.db, detail.round.id).await?;
    let svg = Chart::new(&detail, &events).svg(Theme::Auto);
    let (comparison, why) = compare(&app.db, &detail).await?;
    Ok(show(&Page {
        facts: facts(&detail),
        other: other_round(&app.db, &detail.round).await?,
        svg,
        comparison,
        why,
        teams: teams(&detail.players),
        round: detail.round,
    }))
}

/// The other round of a match of two: the one next to it on its map and server, if that has the other number and is near.
async fn other_round(store: &Db, round: &RoundSummary) -> Result<Option<i64>, DbError> {
    let at = round.match_id.get(..17);
    let Some(at) = at.and_then(|at| DateTime::strptime(MATCH_ID_FORMAT, at).ok()) else {
        return Ok(None);
    };
    let reach = ROUND_2_WINDOW_SECONDS.seconds();
    let (wanted, order, far) = match round.round_number {
        1 => (2, "ASC", at.checked_add(reach)),
        2 => (1, "DESC", at.checked_sub(reach)),
        _ => return Ok(None),
    };
    let far = far.unwrap_or(at).strftime(MATCH_ID_FORMAT).to_string();
    let (from, to) = match wanted {
        2 => (&round.match_id, &far),
        _ => (&far, &round.match_id),
    };
    let sql = format!(
        "SELECT {} FROM rounds r WHERE r.match_id >= $1 AND r.match_id <= $2 AND r.map_name = $3 AND r.id <> $4 \
         ORDER BY r.match_id {order}, r.id {order}",
        store.select("rounds", "r", &["id", "round_number", "server_name"])
    );
    let values = args![from, to, &round.map_name, round.id];
    let rows = store.database.rows(&sql, values).await?;
    let mut of_server = rows
        .iter()
        .filter(|row| row.text(2).filter(|name| !name.is_empty()) == round.server_name.as_deref());
    let next = of_server.next().filter(|row| row.int(1) == Some(wanted));
    Ok(next.and_then(|row| row.int(0)))
}

fn facts(detail: &RoundDetail) -> Vec<(&'static str, String)> {
    let round = &detail.round;
    let mut facts = vec![
        ("Result", display::winner(round)),
        ("End", display::end(detail)),
        ("Played", display::played(round)),
        ("Pauses", display::pauses(round)),
    ];
    if let Some(recorded) = &detail.recorded {
        if let Some(name) = recorded
            .surrender_caller_name
            .as_ref()
            .filter(|n| !n.is_empty())
        {
            facts.push(("Surrender called by", name.clone()));
        }
        if let (Some(axis), Some(allies)) = (recorded.axis_score, recorded.allies_score) {
            facts.push(("Score", format!("Axis {axis} : {allies} Allies")));
        }
        facts.push(("Warmup", seconds(recorded.warmup_seconds)));
    }
    facts.push((
        "Defender",
        display::defender(round.defender_team).to_owned(),
    ));
    let ended = round
        .round_end_unix
        .map_or_else(|| round.match_id.clone(), display::utc);
    facts.push(("Ended", ended));
    let server = round.server_name.as_ref().or(round.server_address.as_ref());
    facts.push((
        "Server",
        server.cloned().unwrap_or_else(|| "unknown".into()),
    ));
    facts.push((
        "Recorded by",
        match round.recorder.as_deref() {
            Some("native") => "the module".to_owned(),
            Some("lua") => "the fallback script".to_owned(),
            Some("old script") => "an old script, which writes no timeline".to_owned(),
            Some("message") => "a message alone; its file has not come".to_owned(),
            Some(other) => other.to_owned(),
            None => "nothing: only the stats file has come".to_owned(),
        },
    ));
    facts
}

async fn compare(
    store: &Db,
    detail: &RoundDetail,
) -> Result<(Vec<Comparison>, Option<String>), DbError> {
    let round = &detail.round;
    let Some(said) = store.stats_file_says(round.id).await? else {
        return Ok((Vec::new(), None));
    };
    type Name = fn(Option<i64>) -> &'static str;
    let team = |what, name: Name, happened: Option<i64>, said: Option<i64>| Comparison {
        what,
        happened: name(happened).to_owned(),
        said: name(said).to_owned(),
        differs: said.is_some() && happened != said,
    };
    let happened = round.actual_duration_seconds;
    // A time that no round can have is not stored as one.
    let impossible = said.impossible_time();
    let wrong = impossible.is_some() || is_wrong(happened, said.duration_seconds);
    let lines = vec![
        Comparison {
            what: "Duration",
            happened: seconds(happened),
            said: impossible
                .clone()
                .unwrap_or_else(|| seconds(said.duration_seconds)),
            differs: wrong,
        },
        Comparison {
            what: "Its own clock",
            happened: ms(round.duration_ms),
            said: ms(said.playtime_ms),
            differs: is_wrong(happened, said.playtime_ms.map(|ms| ms / 1000)),
        },
        team("Winner", display::team, round.winner_team, said.winner_team),
        team(
            "Defender",
            display::defender,
            round.defender_team,
            said.defender_team,
        ),
    ];
    let why = wrong.then(|| match round.end_reason.as_deref() {
        _ if impossible.is_some() => "No round is longer than its limit. The stats file was saved while the server shut down, on a clock that ran backwards.".to_owned(),
        Some("surrender") => "The stats file shows the stopwatch target. After a surrender that is the full limit, however short the round was.".to_owned(),
        Some("server_quit" | "server_crash" | "map_change" | "map_restart") => {
            "The round was cut off, so the stats file shows the full limit.".to_owned()
        }
        _ => "The stats file shows the stopwatch target, not a duration.".to_owned(),
    });
    Ok((lines, why))
}

fn teams(players: &[Player]) -> Vec<(&'static str, Vec<Line>)> {
    let of = |wanted: fn(Option<i64>) -> bool| -> Vec<Line> {
        players
            .iter()
            .filter(|p| wanted(p.team))
            .map(line)
            .collect()
    };
    let mut teams = vec![
        ("Axis", of(|t| t == Some(1))),
        ("Allies", of(|t| t == Some(2))),
        ("Others", of(|t| !matches!(t, Some(1 | 2)))),
    ];
    teams.retain(|(_, players)| !players.is_empty());
    teams
}

fn line(p: &Player) -> Line {
    let dead_ms = p.dead_ms.or(p.dead_seconds.map(|s| s * 1000));
    let differs = matches!((dead_ms, p.stats_time_dead_seconds), (Some(a), Some(b)) if (a / 1000 - b).abs() > 6);
    Line {
        name: p.name.clone(),
        link: player_link(&p.guid),
        dead: ms(dead_ms),
        share: share(dead_ms, p.played_ms),
        stats_dead: seconds(p.stats_time_dead_seconds),
        differs,
        longest: ms(p.max_dead_ms.or(p.max_respawn_seconds.map(|s| s * 1000))),
        denied: ms(p.denied_ms),
        alive: ms(p.alive_ms),
        played: ms(p
            .played_ms
            .or(p.stats_time_played_seconds.map(|s| s * 1000))),
        kills: number(p.kills.or(p.stats_kills)),
        deaths: number(p.deaths.or(p.stats_deaths)),
        spawns: number(p.spawns),
        revives: number(p.revives),
    }
}
