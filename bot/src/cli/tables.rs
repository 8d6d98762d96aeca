//! Answers as tables.

use crate::chart::text::plain;
use crate::cli::table::{Highlight, Table, say};
use crate::db::players::Player;
use crate::db::rounds::{RoundDetail, RoundSummary};
use crate::display;
use gametimes_rounds::audit::{Flag, SpawnAudit};

fn dash() -> String {
    "-".to_owned()
}

fn ms(ms: Option<i64>) -> String {
    ms.map_or_else(dash, display::clock_ms)
}

fn number(n: Option<i64>) -> String {
    n.map_or_else(dash, |n| n.to_string())
}

/// The rounds.
pub fn rounds(rounds: &[RoundSummary]) {
    if rounds.is_empty() {
        say(
            "No round. `gametimes-bot doctor` tells what is missing, `gametimes-bot ingest FOLDER` reads files.\n",
        );
        return;
    }
    let mut table = Table::new(&[
        "id", "<map", "R", "-<ended", "played", "-pauses", "<winner", "-<end",
    ]);
    for r in rounds {
        let ended = r
            .round_end_unix
            .map_or_else(|| r.match_id.clone(), display::utc);
        let odd = if r.flags.is_some() {
            Highlight::Odd
        } else {
            Highlight::Plain
        };
        table.row([
            (r.id.to_string(), Highlight::Plain),
            (r.map_name.clone(), odd),
            (r.round_number.to_string(), Highlight::Plain),
            (ended, Highlight::Plain),
            (display::played(r), Highlight::Plain),
            (number(r.pause_count), Highlight::Plain),
            (display::team(r.winner()).to_owned(), Highlight::Plain),
            (
                display::end_reason(r.end_reason.as_deref()).to_owned(),
                Highlight::Plain,
            ),
        ]);
    }
    table.print();
}

/// One round.
pub fn round(detail: &RoundDetail) {
    let round = &detail.round;
    say(&format!(
        "{}, round {}\n{}\n",
        plain(&round.map_name),
        round.round_number,
        display::facts(detail).join(", ")
    ));
    if let Some(flags) = &round.flags {
        say(&format!("odd: {}\n", plain(flags)));
    }
    say("\n");
    players(&detail.players).print();
}

fn players(players: &[Player]) -> Table {
    let mut table = Table::new(&[
        "<team", "<player", "dead", "-stats", "-longest", "denied", "-played", "-kills", "-deaths",
    ]);
    for p in players {
        let dead_ms = p.dead_ms.or(p.dead_seconds.map(|s| s * 1000));
        let said = p.stats_time_dead_seconds;
        let differs = matches!((dead_ms, said), (Some(a), Some(b)) if (a / 1000 - b).abs() > 6);
        table.row([
            (display::team(p.team()).to_owned(), Highlight::Plain),
            (p.name.clone(), Highlight::Plain),
            (ms(dead_ms), Highlight::Plain),
            (
                said.map_or_else(dash, display::clock),
                if differs {
                    Highlight::Odd
                } else {
                    Highlight::Plain
                },
            ),
            (ms(p.max_dead_ms), Highlight::Plain),
            (ms(p.denied_ms), Highlight::Plain),
            (ms(p.played_ms), Highlight::Plain),
            (number(p.kills.or(p.stats_kills)), Highlight::Plain),
            (number(p.deaths.or(p.stats_deaths)), Highlight::Plain),
        ]);
    }
    table
}

/// The audit.
pub fn audit(audit: &SpawnAudit) {
    let s = &audit.summary;
    say(&format!(
        "{} compared: {} differ by more than {} s, {} not in a stats file, {} without a round, {} longer dead than played\n\n",
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
    let mut table = Table::new(&[
        "round",
        "-<map",
        "<player",
        "recorder",
        "-stats file",
        "apart",
        "<reason",
    ]);
    for sample in &audit.samples {
        let missing = sample.has(Flag::MissingPlayerStats);
        let unless_missing = |text: String| if missing { dash() } else { text };
        table.row([
            (number(sample.round_id), Highlight::Plain),
            (
                sample.map_name.clone().unwrap_or_default(),
                Highlight::Plain,
            ),
            (
                sample.player_name.clone().unwrap_or_default(),
                Highlight::Plain,
            ),
            (display::clock(sample.dead_seconds_lua), Highlight::Plain),
            (
                unless_missing(display::clock(sample.time_dead_seconds_db)),
                Highlight::Plain,
            ),
            (
                unless_missing(format!("{} s", sample.diff_seconds)),
                Highlight::Odd,
            ),
            (sample.reason.label(), Highlight::Plain),
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
            name: "somebody with a long name, even".into(),
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
            let text = players(std::slice::from_ref(&player)).draw(Some(width), false);
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
