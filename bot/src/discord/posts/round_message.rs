//! The message about a round. It depends on the stored rows alone.

use gametimes_format::Team;
use gametimes_rounds::matches::{MatchTeam, ResultReason};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::post::{Picture, Post};
use crate::chart::{Chart, Theme};
use crate::db::matches::MatchInSeries;
use crate::db::rounds::{RoundDetail, StatsFileHeader};
use crate::discord::match_text::{self, SERVER_CHARACTERS};
use crate::discord::scoreboard;
use crate::discord::text::{FIELD_CHARACTERS, escaped, plain};
use crate::display::{self, durations_differ};

/// Everything that the message shows.
#[derive(Debug, Clone, Copy)]
pub struct RoundNews<'a> {
    /// The round and its players.
    pub detail: &'a RoundDetail,
    /// The header of its stats file.
    pub stats_file: Option<&'a StatsFileHeader>,
    /// The match that it belongs to.
    pub of_match: Option<&'a MatchInSeries>,
    /// Its timeline.
    pub chart: &'a Chart,
    /// Where people open the pages; without it the message has no links.
    pub public_url: Option<&'a str>,
}

/// The message.
pub fn round_message(news: RoundNews<'_>) -> Post {
    let round = &news.detail.round;
    let title = format!(
        "{}, round {}: {}",
        escaped(&round.map_name),
        round.round_number,
        display::winner(round)
    );
    let mut embed = json!({
        "title": title,
        "description": description(&news),
        "color": match round.winner() {
            Some(Team::Axis) => 0xD5_5E00,
            Some(Team::Allies) => 0x00_72B2,
            None => 0x80_8080,
        },
        "fields": fields(&news),
    });
    if let Some(url) = news.public_url {
        embed["url"] = format!("{url}/rounds/{}", round.id).into();
    }
    if let Some(server) = &round.server_name {
        embed["footer"] = json!({ "text": plain(server, SERVER_CHARACTERS) });
    }
    let end = round.round_end_unix.map(Timestamp::from_second);
    if let Some(Ok(end)) = end {
        embed["timestamp"] = end.to_string().into();
    }
    let chart = news.chart;
    let picture = chart.has_timeline.then(|| Picture {
        svg: chart.svg(Theme::Dark),
        alt: format!("Timeline of {}: {}", chart.title, chart.facts.join(", ")),
    });
    Post::new(embed, picture)
}

/// Who won the map and the score of the series; then how the round ended.
fn description(news: &RoundNews<'_>) -> String {
    let detail = news.detail;
    let round = &detail.round;
    let mut lines = Vec::new();
    if let Some(of_match) = news.of_match.filter(|found| ends_match(found, round.id)) {
        let mut result = match_text::result(&of_match.played);
        // The title links to the round.
        if let Some(url) = news.public_url.filter(|_| of_match.played.rounds.len() > 1) {
            result.push_str(&format!(" · [match]({url}/matches/{})", of_match.played.id));
        }
        lines.push(result);
        lines.extend(match_text::series_so_far(of_match));
    }
    let mut end = format!(
        "Played {} · {}",
        display::played(round),
        display::end(detail)
    );
    let recorded = detail.recorded.as_ref();
    let caller = recorded.and_then(|recorded| recorded.surrender_caller_name.as_deref());
    if let Some(caller) = caller.filter(|name| !name.is_empty()) {
        end.push_str(&format!(", called by {}", escaped(caller)));
    }
    if round.pause_count.is_some_and(|n| n > 0) {
        end.push_str(&format!(" · {}", display::pauses(round)));
    }
    lines.push(end);
    let errors = news
        .stats_file
        .map(|stats| stats_file_errors(detail, stats));
    if let Some(errors) = errors.filter(|errors| !errors.is_empty()) {
        lines.push(format!("The stats file said: {}", errors.join(", ")));
    }
    lines.join("\n")
}

/// Whether the match is over with this round: a round 2, or the only round of a gametype that has just one.
fn ends_match(found: &MatchInSeries, round_id: i64) -> bool {
    let is_last = |round_number| round_number == 2;
    let mut rounds = found.played.rounds.iter();
    let round = rounds.find(|round| round.id == round_id);
    round.is_some_and(|round| is_last(round.round_number))
        || found.played.result.reason == ResultReason::OnlyRound
}

/// The scoreboard of each side, with the name of the team that plays there.
fn fields(news: &RoundNews<'_>) -> Json {
    let team_on = |side: Team| -> Option<&MatchTeam> {
        let played = &news.of_match?.played;
        let mut rounds = played.rounds.iter();
        let round = rounds.find(|round| round.id == news.detail.round.id)?;
        Some(match side.number() == round.team_a_side {
            true => &played.team_a,
            false => &played.team_b,
        })
    };
    let field = |side: Team| {
        let value = scoreboard::of_side(news.detail, side, FIELD_CHARACTERS)?;
        let mut name = side.name().to_owned();
        if let Some(team) = team_on(side) {
            name.push_str(&format!(": {}", escaped(&team.name)));
        }
        Some(json!({ "name": name, "value": value, "inline": false }))
    };
    let fields = [Team::Axis, Team::Allies].into_iter().filter_map(field);
    fields.collect::<Vec<Json>>().into()
}

/// What the stats file claims that is wrong.
fn stats_file_errors(detail: &RoundDetail, stats: &StatsFileHeader) -> Vec<String> {
    let round = &detail.round;
    let mut errors = Vec::new();
    if let Some(claimed) = stats.duration_seconds
        && durations_differ(round.actual_duration_seconds, Some(claimed))
    {
        errors.push(display::clock(claimed));
    }
    if let (Some(winner), Some(claimed)) = (round.winner_team, stats.winner_team)
        && winner != claimed
    {
        errors.push(match stats.winner() {
            Some(team) => format!("{} won", team.name()),
            None => "no winner".to_owned(),
        });
    }
    errors
}
