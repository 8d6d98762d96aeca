//! Players over many rounds as messages.

use gametimes_format::text::counted;
use serde_json::{Value as Json, json};

use super::text::{DESCRIPTION_CHARACTERS, FIELD_CHARACTERS, TableRow, escaped, table};
use crate::db::player_figures::{PlayerFigures, PlayerSort};
use crate::db::player_table::{PlayerSummary, PlayerTable, RECENT_DAYS};
use crate::display;

/// The colour of the embeds.
const COLOUR: u32 = 0x56_B4E9;
/// How many other names and how many maps of a player are shown.
const OTHER_NAMES: usize = 5;
const MAPS: usize = 5;

/// What players can be compared by, in the words of the list to choose from.
pub const FIGURES: [(PlayerSort, &str); 11] = [
    (PlayerSort::Kd, "kills per death"),
    (PlayerSort::Dpm, "damage per minute"),
    (PlayerSort::Accuracy, "accuracy"),
    (PlayerSort::Headshots, "headshots per hit"),
    (PlayerSort::Revives, "revives per round"),
    (PlayerSort::DeadShare, "least time dead"),
    (PlayerSort::Denied, "time denied per minute"),
    (PlayerSort::WaveWait, "shortest wait for the wave"),
    (PlayerSort::MapsWon, "maps won"),
    (PlayerSort::MapsWonShare, "share of maps won"),
    (PlayerSort::Rounds, "rounds"),
];

/// The lines of a player's table: the label, and the figure.
const LINES: [(&str, PlayerSort); 11] = [
    ("Rounds", PlayerSort::Rounds),
    ("Kills per death", PlayerSort::Kd),
    ("Damage per min", PlayerSort::Dpm),
    ("Accuracy", PlayerSort::Accuracy),
    ("Headshots", PlayerSort::Headshots),
    ("Revives per rnd", PlayerSort::Revives),
    ("Time dead", PlayerSort::DeadShare),
    ("Denied per min", PlayerSort::Denied),
    ("Wait for wave", PlayerSort::WaveWait),
    ("Maps won", PlayerSort::MapsWon),
    ("Share of maps", PlayerSort::MapsWonShare),
];

/// The embed of a player. `public_url` is where people open the pages.
pub fn player_embed(player: &PlayerSummary, public_url: Option<&str>) -> Json {
    let all = &player.all_time;
    let mut lines = Vec::new();
    let others = player.names.iter().skip(1).take(OTHER_NAMES);
    let others: Vec<String> = others.map(|name| escaped(&name.name)).collect();
    if !others.is_empty() {
        lines.push(format!("Other names: {}", others.join(", ")));
    }
    if let Some(last) = player.names.first().and_then(|name| name.last_unix) {
        // Discord shows how long ago that is.
        lines.push(format!("Last played: <t:{last}:R>"));
    }
    let rows = LINES.map(|(label, sort)| TableRow {
        name: label.to_owned(),
        values: [all, &player.recent].map(|of| value(of, sort)).to_vec(),
    });
    // Without stats files, some are unknown.
    let is_known = |row: &TableRow| row.values.iter().any(|value| !value.is_empty());
    let rows: Vec<TableRow> = rows.into_iter().filter(is_known).collect();
    lines.push(table(
        &["All", "30 days"],
        &rows,
        "line",
        DESCRIPTION_CHARACTERS / 2,
    ));
    let maps = player.maps.iter().take(MAPS);
    let maps: Vec<TableRow> = maps
        .map(|map| TableRow {
            name: map.map_name.clone(),
            values: [
                PlayerSort::Rounds,
                PlayerSort::Kd,
                PlayerSort::Dpm,
                PlayerSort::MapsWonShare,
            ]
            .map(|sort| value(&map.figures, sort))
            .to_vec(),
        })
        .collect();
    let mut embed = json!({
        "title": escaped(&all.name),
        "description": lines.join("\n"),
        "color": COLOUR,
        "fields": [],
    });
    if !maps.is_empty() {
        let value = table(
            &["Rnd", "K/D", "DPM", "Won"],
            &maps,
            "map",
            FIELD_CHARACTERS,
        );
        embed["fields"] = json!([{ "name": "Most played maps", "value": value, "inline": false }]);
    }
    if let Some(url) = public_url {
        embed["url"] = format!("{url}{}", display::player_link(&all.guid)).into();
    }
    embed
}

/// The embed of the best players.
pub fn top_embed(
    players: &PlayerTable,
    figure: PlayerSort,
    is_recent: bool,
    public_url: Option<&str>,
) -> Json {
    let label = FIGURES.iter().find(|(sort, _)| *sort == figure);
    let label = label.map_or("rounds", |(_, label)| label);
    let period = match is_recent {
        true => format!("the last {RECENT_DAYS} days"),
        false => "all time".to_owned(),
    };
    let known = players.players.iter();
    let known = known.filter(|player| !value(player, figure).is_empty());
    let rows: Vec<TableRow> = known
        .map(|player| TableRow {
            name: player.name.clone(),
            values: vec![value(player, figure), player.rounds.to_string()],
        })
        .collect();
    let rounds = usize::try_from(players.min_rounds).unwrap_or(0);
    let description = match rows.is_empty() {
        true => "Nobody has played enough rounds.".to_owned(),
        false => format!(
            "{}\nPlayers with at least {}.",
            table(
                &["Value", "Rounds"],
                &rows,
                "player",
                DESCRIPTION_CHARACTERS / 2
            ),
            counted(rounds, "round")
        ),
    };
    let mut embed = json!({
        "title": format!("Top players: {label}, {period}"),
        "description": description,
        "color": COLOUR,
        "fields": [],
    });
    if let Some(url) = public_url {
        let period = if is_recent { "period=30d&" } else { "" };
        embed["url"] = format!("{url}/players?{period}sort={}", figure.key()).into();
    }
    embed
}

/// A figure; empty if it is unknown.
fn value(of: &PlayerFigures, sort: PlayerSort) -> String {
    let number = |value: Option<f64>| value.map_or_else(String::new, |n| format!("{n:.2}"));
    let percent = |value: Option<f64>| value.map_or_else(String::new, |n| format!("{n:.1}%"));
    let seconds = |value: Option<f64>| value.map_or_else(String::new, |n| format!("{n:.1}s"));
    match sort {
        PlayerSort::Name => of.name.clone(),
        PlayerSort::Rounds => of.rounds.to_string(),
        PlayerSort::Kd => number(of.kd),
        PlayerSort::Dpm => of.dpm.map_or_else(String::new, |n| format!("{n:.0}")),
        PlayerSort::Accuracy => percent(of.accuracy),
        PlayerSort::Headshots => percent(of.headshots),
        PlayerSort::Revives => number(of.revives),
        PlayerSort::DeadShare => percent(of.dead_share),
        PlayerSort::Denied => seconds(of.denied),
        PlayerSort::WaveWait => seconds(of.wave_wait),
        PlayerSort::MapsWon if of.maps_played == 0 => String::new(),
        PlayerSort::MapsWon => of.maps_won.to_string(),
        PlayerSort::MapsWonShare => percent(of.maps_won_share),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::player_table::{PlayerMap, PlayerName};

    #[test]
    fn player_has_figures_of_all_time_beside_recent_ones() {
        let figures = PlayerFigures {
            guid: "A0000001".into(),
            name: "eA.*Ada*".into(),
            rounds: 1234,
            kills: 1500,
            deaths: 1000,
            kd: Some(1.5),
            dpm: Some(187.4),
            accuracy: Some(31.25),
            dead_share: Some(24.0),
            maps_played: 10,
            maps_won: 6,
            maps_won_share: Some(60.0),
            ..PlayerFigures::default()
        };
        let name = |name: &str| PlayerName {
            name: name.into(),
            last_unix: Some(1_795_177_951),
            ..PlayerName::default()
        };
        let player = PlayerSummary {
            all_time: figures.clone(),
            recent: PlayerFigures {
                rounds: 7,
                kd: Some(0.9),
                ..PlayerFigures::default()
            },
            names: vec![name("eA.*Ada*"), name("`Ada`")],
            maps: vec![PlayerMap {
                map_name: "supply".into(),
                figures,
            }],
            days: Vec::new(),
        };
        let embed = player_embed(&player, Some("https://stats.example.org"));
        assert_eq!(embed["url"], "https://stats.example.org/players/A0000001");
        assert_eq!(embed["title"], "\u{2068}eA\\.\\*Ada\\*\u{2069}");
        assert_eq!(
            embed["description"].as_str().unwrap(),
            "Other names: \u{2068}\\`Ada\\`\u{2069}\n\
             Last played: <t:1795177951:R>\n\
             ```\n\
             \u{20}                 All 30 days\n\
             Rounds           1234       7\n\
             Kills per death  1.50    0.90\n\
             Damage per min    187       -\n\
             Accuracy        31.2%       -\n\
             Time dead       24.0%       -\n\
             Maps won            6       -\n\
             Share of maps   60.0%       -\n\
             ```"
        );
        assert_eq!(
            embed["fields"][0]["value"].as_str().unwrap(),
            "```\n        Rnd  K/D DPM   Won\nsupply 1234 1.50 187 60.0%\n```"
        );
    }
}
