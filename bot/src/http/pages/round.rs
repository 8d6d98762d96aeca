//! The page of a round.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use gametimes_format::Team;
use gametimes_format::rules::STATS_ROUNDING_SECONDS;

use super::error::PageError;
use super::format::{ms, number, seconds, server, share};
use super::preview::Preview;
use super::render;
use super::scoreboard::{self, ScoredTeam};
use super::when::When;
use crate::db::players::Player;
use crate::db::rounds::{RoundDetail, RoundOverview, RoundSummary, StatsFileHeader};
use crate::db::scores::Score;
use crate::display::{self, durations_differ};
use crate::http::drawings::Subject;
use crate::http::error::ApiError;
use crate::http::query::{Segment, round_id};
use crate::http::state::App;

/// A row of the comparison with the stats file.
struct Comparison {
    what: &'static str,
    actual: String,
    stats: String,
    differs: bool,
}

/// A row of the table of times: the recorder's beside those of the stats file.
struct Times {
    name: String,
    dead: String,
    share: String,
    stats_dead: String,
    differs: bool,
    longest: String,
    alive: String,
    played: String,
    spawns: String,
    revived: String,
}

#[derive(Template)]
#[template(path = "round.html")]
struct Page {
    round: RoundSummary,
    preview: Option<Preview>,
    result: String,
    is_won: bool,
    end: String,
    ended: When,
    facts: Vec<(&'static str, String)>,
    /// `rounds.id` of the match's other round.
    other_round: Option<i64>,
    /// The timeline; `None` if no recorder wrote one.
    svg: Option<String>,
    comparison: Vec<Comparison>,
    /// Why the stats file's duration is wrong.
    explanation: Option<&'static str>,
    scoreboard: Vec<ScoredTeam>,
    times: Vec<(&'static str, Vec<Times>)>,
    rounding_seconds: i64,
}

/// `/rounds/{id}`
pub async fn page(State(app): State<App>, Segment(id): Segment) -> Result<Response, PageError> {
    let round = app.db.round_overview(round_id(&id)?).await?;
    let round = round.ok_or_else(|| ApiError::not_found("round"))?;
    let svg = match round.has_timeline {
        true => Some(app.drawings.svg(&app.db, &Subject::round(&round)).await?),
        false => None,
    };
    let RoundOverview {
        detail,
        stats_file,
        ended_unix,
        other_round,
        has_timeline: _,
        digest: _,
    } = round;
    let stats_file = stats_file.as_ref();
    Ok(render(&Page {
        preview: Preview::new(
            app.public_url.as_ref(),
            format!("/rounds/{}", detail.round.id),
            format!(
                "{}, round {}: {}",
                detail.round.map_name,
                detail.round.round_number,
                display::winner(&detail.round)
            ),
            // The result is in the title.
            display::facts(&detail)[1..].join(" · "),
            svg.is_some()
                .then(|| format!("/rounds/{}/timeline.png", detail.round.id)),
        ),
        result: match detail.round.is_cut_off() {
            true => "no winner, the round was cut off".to_owned(),
            false => display::winner(&detail.round),
        },
        is_won: detail.round.winner().is_some(),
        end: display::end(&detail),
        ended: When::moment_or(ended_unix, &detail.round.match_id),
        facts: facts(&detail),
        other_round,
        svg: svg.map(|svg| String::from_utf8_lossy(&svg).into_owned()),
        comparison: stats_file.map_or_else(Vec::new, |stats| compare(&detail.round, stats)),
        explanation: stats_file.and_then(|stats| explanation(&detail.round, stats)),
        scoreboard: scoreboard(&detail),
        times: by_team(&detail.players, times),
        rounding_seconds: STATS_ROUNDING_SECONDS,
        round: detail.round,
    }))
}

fn facts(detail: &RoundDetail) -> Vec<(&'static str, String)> {
    let round = &detail.round;
    let mut facts = vec![
        ("Played", display::played(round)),
        ("Pauses", display::pauses(round)),
    ];
    if let Some(recorded) = &detail.recorded {
        if let Some(name) = &recorded.surrender_caller_name {
            facts.push(("Surrender called by", name.clone()));
        }
        if let (Some(axis), Some(allies)) = (recorded.axis_score, recorded.allies_score) {
            facts.push(("Score", format!("Axis {axis} : {allies} Allies")));
        }
        facts.push(("Warmup", seconds(recorded.warmup_seconds)));
    }
    facts.push(("Defender", display::defender(round.defender()).to_owned()));
    let server = server(
        round.server_name.as_deref(),
        round.server_address.as_deref(),
    );
    facts.push(("Server", server.unwrap_or_else(|| "unknown".to_owned())));
    facts.push((
        "Recorded by",
        match round.recorder.as_deref() {
            Some("native") => "the module",
            Some("lua") => "the fallback script",
            Some("old script") => "an older script, which records no timeline",
            Some("message") => "a recorder; only its message has arrived, not its file",
            Some(other) => other,
            None => "no recorder; only the stats file has arrived",
        }
        .to_owned(),
    ));
    facts
}

fn compare(round: &RoundSummary, stats: &StatsFileHeader) -> Vec<Comparison> {
    let actual = round.actual_duration_seconds;
    let team = |what, names: [&str; 2], numbers: [Option<i64>; 2]| Comparison {
        what,
        actual: names[0].to_owned(),
        stats: names[1].to_owned(),
        differs: numbers[1].is_some() && numbers[0] != numbers[1],
    };
    let impossible_time = stats.impossible_time();
    let mut rows = vec![
        Comparison {
            what: "Duration",
            actual: seconds(actual),
            differs: impossible_time.is_some() || durations_differ(actual, stats.duration_seconds),
            stats: impossible_time.unwrap_or_else(|| seconds(stats.duration_seconds)),
        },
        Comparison {
            what: "Play clock",
            actual: ms(round.duration_ms),
            stats: ms(stats.playtime_ms),
            differs: durations_differ(actual, stats.playtime_ms.map(|ms| ms / 1000)),
        },
        team(
            "Defender",
            [round.defender(), stats.defender()].map(display::defender),
            [round.defender_team, stats.defender_team],
        ),
    ];
    // If the only source was saved at a shutdown, the winner that it names has no meaning.
    if !round.is_cut_off() || round.recorder.is_some() {
        let winners = [round.winner(), stats.winner()].map(display::team);
        let winner = team("Winner", winners, [round.winner_team, stats.winner_team]);
        rows.insert(2, winner);
    }
    rows
}

/// Why the stats file's duration is wrong; `None` if it is right.
fn explanation(round: &RoundSummary, stats: &StatsFileHeader) -> Option<&'static str> {
    if stats.impossible_time().is_some() {
        return Some(
            "A round cannot be longer than its limit. The stats file was saved while the server shut down, and its clock ran \
             backwards.",
        );
    }
    if !durations_differ(round.actual_duration_seconds, stats.duration_seconds) {
        return None;
    }
    Some(match round.end_reason.as_deref() {
        Some("surrender") => {
            "The stats file shows the stopwatch target. After a surrender, this is the full limit, however short the round was."
        }
        Some("server_quit" | "server_crash" | "server_restart" | "map_change" | "map_restart") => {
            "The round was cut off, so the stats file shows the full limit."
        }
        _ => "The stats file shows the stopwatch target, not a duration.",
    })
}

fn scoreboard(detail: &RoundDetail) -> Vec<ScoredTeam> {
    let line = |p: &Player| {
        let score = [Score::of(p)];
        scoreboard::line(&p.name, &p.guid, &score, scoreboard::OF_ROUND)
    };
    let winner = detail.round.winner().map(Team::name);
    let mut teams: Vec<ScoredTeam> = by_team(&detail.players, line)
        .into_iter()
        .map(|(name, mut lines)| {
            scoreboard::sort(&mut lines);
            ScoredTeam {
                name: name.to_owned(),
                won: winner == Some(name),
                lines,
            }
        })
        .collect();
    scoreboard::omit_unknown(&mut teams);
    teams
}

/// The rows of the players of each team, and of those without a team. Empty groups are omitted.
fn by_team<T>(players: &[Player], row: impl Fn(&Player) -> T) -> Vec<(&'static str, Vec<T>)> {
    let [axis, allies] = Team::ALL;
    let mut teams = Vec::new();
    for team in [Some(axis), Some(allies), None] {
        let players = players.iter().filter(|player| player.team() == team);
        let rows: Vec<T> = players.map(&row).collect();
        if !rows.is_empty() {
            teams.push((team.map_or("Others", Team::name), rows));
        }
    }
    teams
}

fn times(p: &Player) -> Times {
    Times {
        name: p.name.clone(),
        dead: ms(p.dead_ms()),
        share: share(p.dead_ms(), p.played_ms),
        stats_dead: seconds(p.stats_time_dead_seconds),
        differs: p.times_dead_differ(),
        longest: ms(p.max_dead_ms.or(p.max_respawn_seconds.map(|s| s * 1000))),
        alive: ms(p.alive_ms),
        played: ms(p
            .played_ms
            .or(p.stats_time_played_seconds.map(|s| s * 1000))),
        spawns: number(p.spawns),
        revived: number(p.revives),
    }
}
