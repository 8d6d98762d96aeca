//! An evening as a message: its series and maps, and who shone.

use std::collections::BTreeSet;

use gametimes_format::text::counted;
use gametimes_rounds::matches::{Evening, Series, SeriesMatch};
use serde_json::{Value as Json, json};

use super::match_text;
use super::scoreboard::{ScoredPlayer, totals};
use super::text::{DESCRIPTION_CHARACTERS, escaped, lines};
use crate::db::rounds::RoundDetail;
use crate::display;

/// The colour of the embed.
const COLOUR: u32 = 0xE6_9F00;

/// The embed of an evening. `rounds` are all of its rounds, in any order; `public_url` is where people open the pages.
pub fn evening_embed(evening: &Evening, rounds: &[RoundDetail], public_url: Option<&str>) -> Json {
    let totals: Vec<ScoredPlayer> = totals(rounds).into_values().collect();
    let maps = evening.series.iter().map(|series| series.matches.len());
    let mut description = vec![
        // Discord shows these in the reader's time zone.
        format!(
            "<t:{}:t> to <t:{}:t> · {}, {}, {}",
            evening.started_unix,
            evening.ended_unix,
            counted(maps.sum(), "map"),
            counted(rounds.len(), "round"),
            counted(totals.len(), "player"),
        ),
    ];
    let servers: BTreeSet<&str> = evening.series.iter().map(server).collect();
    let has_servers = servers.len() > 1;
    for series in &evening.series {
        description.push(String::new());
        let mut head = format!("**{}**", match_text::score_of(series));
        if has_servers {
            head.push_str(&format!(" · {}", escaped(server(series))));
        }
        description.push(head);
        let map = |of_series: &SeriesMatch| map_line(of_series, public_url);
        description.extend(series.matches.iter().map(map));
    }
    let mut embed = json!({
        "title": format!("The evening of {}", display::day(evening.started_unix)),
        "description": lines(&description, DESCRIPTION_CHARACTERS),
        "color": COLOUR,
        "fields": [],
    });
    let shone = who_shone(&totals);
    if !shone.is_empty() {
        embed["fields"] =
            json!([{ "name": "Who shone", "value": shone.join("\n"), "inline": false }]);
    }
    if let Some(url) = public_url {
        embed["url"] = evening_url(evening, url).into();
    }
    embed
}

/// The ids of all rounds of an evening.
pub fn evening_rounds(evening: &Evening) -> Vec<i64> {
    let matches = evening.series.iter().flat_map(|series| &series.matches);
    let rounds = matches.flat_map(|of_series| &of_series.played.rounds);
    rounds.map(|round| round.id).collect()
}

/// The page on which the evening comes first.
pub fn evening_url(evening: &Evening, public_url: &str) -> String {
    format!("{public_url}/?before={}", evening.ended_unix + 1)
}

fn server(series: &Series) -> &str {
    let server = series.server_name.as_ref();
    server
        .or(series.server_address.as_ref())
        .map_or("", String::as_str)
}

/// `map: **eA won**, faster by 0:15.0`.
fn map_line(of_series: &SeriesMatch, public_url: Option<&str>) -> String {
    let played = &of_series.played;
    let map = escaped(&played.map_name);
    let result = match_text::result(played);
    match public_url {
        Some(url) => format!("[{map}]({url}/matches/{}): {result}", played.id),
        None => format!("{map}: {result}"),
    }
}

/// The best players. Shares and ratios count only for those who played at least half as long as the player who played longest.
fn who_shone(totals: &[ScoredPlayer]) -> Vec<String> {
    let longest_ms = totals.iter().filter_map(|p| p.score.played_ms).max();
    let enough_ms = longest_ms.unwrap_or(0) / 2;
    let regulars = || {
        let played_enough = |p: &&ScoredPlayer| {
            p.score
                .played_ms
                .is_some_and(|ms| ms > 0 && ms >= enough_ms)
        };
        totals.iter().filter(played_enough)
    };
    let denied = totals.iter().filter_map(|p| Some((p.score.denied_ms?, p)));
    let denied = best(denied.filter(|(ms, _)| *ms > 0)).map(|(ms, p)| {
        let time = display::clock(ms / 1000);
        format!("Denied the most time: {}, {time}", bold(&p.name))
    });
    let dead_share =
        regulars().filter_map(|p| Some((-(p.score.dead_ms? * 1000 / p.score.played_ms?), p)));
    let least_dead = best(dead_share).map(|(per_mille, p)| {
        let share = format!("{}.{} %", -per_mille / 10, -per_mille % 10);
        let played = display::clock(p.score.played_ms.unwrap_or(0) / 1000);
        format!("Least dead: {}, {share} of {played}", bold(&p.name))
    });
    let ratios =
        regulars().filter_map(|p| Some((p.score.kills? * 100 / p.score.deaths?.max(1), p)));
    let ratio = best(ratios.filter(|(hundredths, _)| *hundredths > 0)).map(|(hundredths, p)| {
        let ratio = format!("{}.{:02}", hundredths / 100, hundredths % 100);
        let (kills, deaths) = (p.score.kills.unwrap_or(0), p.score.deaths.unwrap_or(0));
        format!("Best K/D: {}, {ratio} ({kills} : {deaths})", bold(&p.name))
    });
    let revives = totals.iter().filter_map(|p| Some((p.score.revives?, p)));
    let revives = best(revives.filter(|(count, _)| *count > 0))
        .map(|(count, p)| format!("Most revives: {}, {count}", bold(&p.name)));
    let lines = [denied, least_dead, ratio, revives];
    lines.into_iter().flatten().collect()
}

/// The player with the highest value; of several, the first by name.
fn best<'a>(
    players: impl Iterator<Item = (i64, &'a ScoredPlayer)>,
) -> Option<(i64, &'a ScoredPlayer)> {
    players.min_by(|(a, one), (b, other)| {
        b.cmp(a)
            .then_with(|| (&one.name, &one.guid).cmp(&(&other.name, &other.guid)))
    })
}

fn bold(name: &str) -> String {
    format!("**{}**", escaped(name))
}
