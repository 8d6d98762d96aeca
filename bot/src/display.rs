//! Stored values as texts, for pictures, pages, messages and the terminal.

use gametimes_format::Team;
use gametimes_format::text::{displayable, strip_colors};
use gametimes_rounds::matches::{Match, Outcome, ResultReason};
use gametimes_rounds::player_id::short_guid;
use jiff::Timestamp;

use crate::db::rounds::{Recorded, RoundDetail, RoundSummary};

/// A time in seconds as `M:SS`, or as `H:MM:SS` from one hour.
pub fn clock(seconds: i64) -> String {
    let (sign, s) = (if seconds < 0 { "-" } else { "" }, seconds.unsigned_abs());
    match s / 3600 {
        0 => format!("{sign}{}:{:02}", s / 60, s % 60),
        hours => format!("{sign}{hours}:{:02}:{:02}", s / 60 % 60, s % 60),
    }
}

/// A time in ms as `M:SS.t`, cut to tenths of a second.
pub fn clock_ms(ms: i64) -> String {
    format!("{}.{}", clock(ms / 1000), ms.unsigned_abs() / 100 % 10)
}

/// A unix time as date and time in UTC.
pub fn utc(unix: i64) -> String {
    Timestamp::from_second(unix).map_or_else(
        |_| "unknown".to_owned(),
        |t| t.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    )
}

/// The day of a unix time in UTC: `Friday, 20 November 2026`.
pub fn day(unix: i64) -> String {
    Timestamp::from_second(unix).map_or_else(
        |_| "unknown".to_owned(),
        |t| t.strftime("%A, %-d %B %Y").to_string(),
    )
}

/// The time of day of a unix time in UTC: `19:05`.
pub fn hour(unix: i64) -> String {
    let time = Timestamp::from_second(unix).unwrap_or_default();
    time.strftime("%H:%M").to_string()
}

/// A name without its colour codes.
pub fn plain(name: &str) -> String {
    displayable(&strip_colors(name))
}

/// Whether a match has a winner or is a draw.
pub fn is_decided(played: &Match) -> bool {
    played.result.winner != Outcome::Undecided
}

/// Who won a match: `eA won`, `Draw` or `Undecided`.
pub fn match_winner(played: &Match) -> String {
    match played.result.winner {
        Outcome::TeamA => format!("{} won", played.team_a.name),
        Outcome::TeamB => format!("{} won", played.team_b.name),
        Outcome::Draw => "Draw".to_owned(),
        Outcome::Undecided => "Undecided".to_owned(),
    }
}

/// Why a match ended so: `faster by 0:15.0`, `both held`.
pub fn match_reason(played: &Match) -> String {
    let result = &played.result;
    let loser = match result.winner {
        Outcome::TeamA => &played.team_b.name,
        _ => &played.team_a.name,
    };
    match result.reason {
        ResultReason::Faster => result.margin_ms().map_or_else(
            || "faster".to_owned(),
            |margin| format!("faster by {}", clock_ms(margin)),
        ),
        ResultReason::Held => format!("held {loser}"),
        ResultReason::BothHeld => "both held".to_owned(),
        ResultReason::Surrender => format!("{loser} surrendered"),
        ResultReason::OnlyRound => "won the round".to_owned(),
        ResultReason::Round1Missing => "round 1 is missing".to_owned(),
        ResultReason::Round2Missing => "round 2 is missing".to_owned(),
        ResultReason::CutOff => {
            let mut rounds = played.rounds.iter().filter(|round| round.is_cut_off);
            let number = rounds.next().map_or(1, |round| round.round_number);
            format!("round {number} was cut off")
        }
        ResultReason::WinnerUnknown => "the winner of a round is unknown".to_owned(),
    }
}

/// The time to beat in round 2 of a match: that of round 1, or the full limit if round 1 was held.
pub fn time_to_beat(played: &Match) -> Option<i64> {
    let second = played.rounds.iter().find(|round| round.round_number == 2)?;
    second.limit_ms.or(played.result.team_a_ms)
}

/// A team's name, or `nobody`.
pub fn team(team: Option<Team>) -> &'static str {
    team.map_or("nobody", Team::name)
}

/// The defending team's name. There is always one, but it is not always known.
pub fn defender(team: Option<Team>) -> &'static str {
    team.map_or("unknown", Team::name)
}

/// Why a round ended.
fn end_reason(reason: Option<&str>) -> &str {
    match reason {
        Some("objective") => "objective completed",
        Some("surrender") => "surrender",
        Some("time_expired") => "time limit",
        Some("eliminated") => "team eliminated",
        Some("vote") => "vote",
        Some("map_change") => "map changed",
        Some("map_restart") => "map restarted",
        Some("server_quit") => "server stopped",
        Some("server_crash") => "server crashed",
        Some("server_restart") => "server stopped or crashed",
        None | Some("unknown" | "") => "end unknown",
        Some(other) => other,
    }
}

/// Why a listed round ended. A stats file does not contain the reason, but shows whether the round was cut off.
pub fn round_end(round: &RoundSummary) -> &str {
    match round.end_reason.as_deref() {
        None if round.is_cut_off() => "cut off",
        reason => end_reason(reason),
    }
}

/// Why a round ended, with the team that surrendered.
pub fn end(detail: &RoundDetail) -> String {
    let reason = round_end(&detail.round);
    match detail.recorded.as_ref().and_then(Recorded::surrendered) {
        Some(team) => format!("{reason} of the {}", team.name()),
        None => reason.to_owned(),
    }
}

/// A means of death as players know it: `MOD_KNIFE` as `knife`.
pub fn means_of_death(name: &str) -> String {
    let name = name.strip_prefix("MOD_").unwrap_or(name);
    name.replace('_', " ").to_lowercase()
}

/// The time played, with tenths of a second if they are known.
pub fn played(round: &RoundSummary) -> String {
    match (round.duration_ms, round.actual_duration_seconds) {
        (Some(ms), _) => clock_ms(ms),
        (None, Some(seconds)) => clock(seconds),
        (None, None) => "unknown".to_owned(),
    }
}

/// Whether the duration in a stats file differs from the recorded one. Both are cut to seconds, so a difference of one second
/// has no meaning.
pub fn durations_differ(recorded: Option<i64>, stats: Option<i64>) -> bool {
    matches!((recorded, stats), (Some(a), Some(b)) if (a - b).abs() > 1)
}

/// The result: `Allies won`, `no winner`.
pub fn winner(round: &RoundSummary) -> String {
    match round.winner() {
        Some(team) => format!("{} won", team.name()),
        None => "no winner".to_owned(),
    }
}

/// The number of pauses and their total length: `2 pauses (0:30)`.
pub fn pauses(round: &RoundSummary) -> String {
    let length = clock(round.total_pause_seconds.unwrap_or_default());
    match round.pause_count {
        None => "pauses unknown".to_owned(),
        Some(0) => "no pause".to_owned(),
        Some(1) => format!("1 pause ({length})"),
        Some(n) => format!("{n} pauses ({length})"),
    }
}

/// The main facts of a round: result, end, duration, score, pauses, time, server.
pub fn facts(detail: &RoundDetail) -> Vec<String> {
    let round = &detail.round;
    let mut facts = vec![
        winner(round),
        end(detail),
        format!("played {}", played(round)),
    ];
    if let Some(recorded) = &detail.recorded
        && let (Some(axis), Some(allies)) = (recorded.axis_score, recorded.allies_score)
    {
        facts.push(format!("score Axis {axis} : {allies} Allies"));
    }
    if round.pause_count.is_some_and(|n| n > 0) {
        facts.push(pauses(round));
    }
    if let Some(end) = round.round_end_unix {
        facts.push(utc(end));
    }
    facts.extend(round.server_name.as_deref().map(displayable));
    facts
}

/// The address of a player's page.
pub fn player_link(guid: &str) -> String {
    format!("/players/{}", percent_encode(&short_guid(guid)))
}

/// A text as a part of an address.
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~:".contains(&byte) {
            encoded.push(byte.into());
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cut_not_rounded() {
        assert_eq!(clock(59), "0:59");
        assert_eq!(clock(3_661), "1:01:01");
        assert_eq!(clock(-5), "-0:05");
        assert_eq!(clock_ms(59_999), "0:59.9");
    }

    #[test]
    fn means_of_death_lose_their_prefix() {
        assert_eq!(means_of_death("MOD_KNIFE"), "knife");
        assert_eq!(means_of_death("SWITCHTEAM"), "switchteam");
    }

    #[test]
    fn player_links_encode_any_name() {
        assert_eq!(player_link("a0000001ABCDEF"), "/players/A0000001");
        assert_eq!(player_link("name:0a1b2c3d4e"), "/players/name:0a1b2c3d4e");
        assert_eq!(player_link("日\"<"), "/players/%E6%97%A5%22%3C");
    }
}
