//! What the commands `rounds`, `round` and `audit` print.

use gametimes_format::text::displayable;
use gametimes_rounds::audit::{Flag, SpawnAudit};

use crate::cli::table::{Cell, Column, Table, print};
use crate::db::players::Player;
use crate::db::rounds::{RoundDetail, RoundSummary};
use crate::display;

fn dash() -> String {
    "-".to_owned()
}

fn ms(ms: Option<i64>) -> Cell {
    ms.map_or_else(dash, display::clock_ms).into()
}

fn number(n: Option<i64>) -> Cell {
    n.map_or_else(dash, |n| n.to_string()).into()
}

/// Prints a list of rounds; `map` is the filter that found them.
pub fn rounds(rounds: &[RoundSummary], map: Option<&str>) {
    if rounds.is_empty() {
        match map {
            Some(map) => print(&format!(
                "No round matches --map {}; `gametimes-bot rounds` lists the rounds of all maps.\n",
                displayable(map)
            )),
            None => print(
                "There are no rounds yet. `gametimes-bot doctor` shows what is missing; `gametimes-bot ingest FOLDER` reads files.\n",
            ),
        }
        return;
    }
    let mut table = Table::new([
        Column::number("id"),
        Column::text("map"),
        Column::number("R"),
        Column::text("ended").optional(),
        Column::number("played"),
        Column::number("pauses").optional(),
        Column::text("winner"),
        Column::text("end").optional(),
    ]);
    for r in rounds {
        let ended = r
            .round_end_unix
            .map_or_else(|| r.match_id.clone(), display::utc);
        table.row([
            r.id.to_string().into(),
            Cell::highlighted_if(r.flags.is_some(), r.map_name.clone()),
            r.round_number.to_string().into(),
            ended.into(),
            display::played(r).into(),
            number(r.pause_count),
            display::team(r.winner()).into(),
            display::round_end(r).into(),
        ]);
    }
    table.print();
}

/// Prints a round and its players.
pub fn round(detail: &RoundDetail) {
    let round = &detail.round;
    print(&format!(
        "{}, round {}\n{}\n",
        displayable(&round.map_name),
        round.round_number,
        display::facts(detail).join(", ")
    ));
    if let Some(flags) = &round.flags {
        print(&format!("flags: {}\n", displayable(flags)));
    }
    print("\n");
    players(&detail.players).print();
}

fn players(players: &[Player]) -> Table {
    let mut table = Table::new([
        Column::text("team"),
        Column::text("player"),
        Column::number("dead"),
        Column::number("stats").optional(),
        Column::number("longest").optional(),
        Column::number("denied"),
        Column::number("played").optional(),
        Column::number("kills").optional(),
        Column::number("deaths").optional(),
    ]);
    for p in players {
        let in_stats_file = p.stats_time_dead_seconds;
        table.row([
            display::team(p.team()).into(),
            p.name.as_str().into(),
            ms(p.dead_ms()),
            Cell::highlighted_if(
                p.times_dead_differ(),
                in_stats_file.map_or_else(dash, display::clock),
            ),
            ms(p.max_dead_ms),
            ms(p.denied_ms),
            ms(p.played_ms),
            number(p.kills.or(p.stats_kills)),
            number(p.deaths.or(p.stats_deaths)),
        ]);
    }
    table
}

/// Prints the audit: a summary, and the differences with their reasons.
pub fn audit(audit: &SpawnAudit) {
    let s = &audit.summary;
    print(&format!(
        "{} compared: {} differ by more than {} s, {} missing in a stats file, {} without a round, {} longer dead than played\n\n",
        s.checked,
        s.diff_gt_threshold,
        audit.params.diff_seconds,
        s.missing_player_stats,
        s.missing_round_id,
        s.dead_gt_played
    ));
    if audit.samples.is_empty() {
        return;
    }
    let mut table = Table::new([
        Column::number("round"),
        Column::text("map").optional(),
        Column::text("player"),
        Column::number("recorder"),
        Column::number("stats file").optional(),
        Column::number("diff"),
        Column::text("reason"),
    ]);
    for sample in &audit.samples {
        let (stats_file, difference) = if sample.has(Flag::MissingPlayerStats) {
            (dash(), dash())
        } else {
            (
                display::clock(sample.time_dead_seconds_db),
                format!("{} s", sample.diff_seconds),
            )
        };
        table.row([
            number(sample.round_id),
            sample.map_name.as_deref().unwrap_or_default().into(),
            sample.player_name.as_deref().unwrap_or_default().into(),
            display::clock(sample.dead_seconds_lua).into(),
            stats_file.into(),
            Cell::highlighted_if(true, difference),
            sample.reason.label().into(),
        ]);
    }
    table.print();
}

#[cfg(test)]
mod tests {
    use console::measure_text_width;

    use super::*;

    #[test]
    fn the_players_fit_a_narrow_terminal() {
        let player = Player {
            name: "a player with a long name, even".into(),
            team: Some(2),
            dead_ms: Some(754_321),
            stats_time_dead_seconds: Some(754),
            max_dead_ms: Some(154_321),
            denied_ms: Some(1_154_321),
            played_ms: Some(1_200_000),
            kills: Some(123),
            deaths: Some(45),
            ..Player::default()
        };
        for width in [40, 50, 60, 72, 80, 120] {
            let text = players(std::slice::from_ref(&player)).render(Some(width), false);
            for line in text.lines() {
                assert!(measure_text_width(line) <= width, "{width}: {line}");
            }
            assert!(
                text.contains("12:34.3") && text.contains("19:14.3"),
                "{text}"
            );
        }
    }
}
