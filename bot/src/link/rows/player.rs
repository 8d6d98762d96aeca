//! What the stats file alone tells: the rows of `player_comprehensive_stats`.

use super::{Columns, RoundRows, get, int4};
use crate::files::subtract::PlayerRound;
use crate::store::value::Value;

pub(super) fn player_row(p: &PlayerRound, rows: &RoundRows) -> Columns {
    let player = &p.player;
    let f = |i: usize| player.fields[i];
    let n = |i: usize| Value::from(int4(player.fields[i] as i64));
    let (hits, shots) = (player.weapon_sum(0), player.weapon_sum(1));
    let (kills, deaths) = (player.weapon_sum(2), player.weapon_sum(3));
    let ratio = |a: f64, b: f64| if b > 0.0 { a / b } else { 0.0 };
    let played = p.played_seconds as f64;
    let flags: Vec<&str> = p.flags.iter().map(|f| f.as_str()).collect();
    vec![
        (
            "round_date",
            rows.match_id.chars().take(10).collect::<String>().into(),
        ),
        (
            "map_name",
            rows.round
                .as_ref()
                .and_then(|r| get(r, "map_name"))
                .cloned()
                .unwrap_or_else(|| "".into()),
        ),
        ("round_number", rows.round_number.into()),
        ("player_guid", player.guid.as_str().into()),
        ("player_name", player.name.as_str().into()),
        ("clean_name", player.clean_name.as_str().into()),
        ("team", player.team.into()),
        ("kills", int4(kills).into()),
        ("deaths", int4(deaths).into()),
        ("damage_given", n(0)),
        ("damage_received", n(1)),
        ("team_damage_given", n(2)),
        ("team_damage_received", n(3)),
        ("gibs", n(4)),
        ("self_kills", n(5)),
        ("team_kills", n(6)),
        ("team_gibs", n(7)),
        ("headshot_kills", n(14)),
        ("headshots", int4(player.weapon_sum(4)).into()),
        ("time_played_seconds", int4(p.played_seconds).into()),
        ("time_played_minutes", f(22).into()),
        ("time_dead_minutes", f(25).into()),
        (
            "time_dead_ratio",
            (ratio(f(25) * 60.0, played) * 100.0).into(),
        ),
        ("xp", f(9).into()),
        (
            "kd_ratio",
            if deaths > 0 {
                kills as f64 / deaths as f64
            } else {
                kills as f64
            }
            .into(),
        ),
        ("dpm", (ratio(f(0), played) * 60.0).into()),
        (
            "efficiency",
            (ratio(kills as f64, (kills + deaths) as f64) * 100.0).into(),
        ),
        ("bullets_fired", n(20)),
        (
            "accuracy",
            (ratio(hits as f64, shots as f64) * 100.0).into(),
        ),
        ("kill_assists", n(12)),
        ("kill_steals", n(13)),
        ("objectives_stolen", n(15)),
        ("objectives_returned", n(16)),
        ("dynamites_planted", n(17)),
        ("dynamites_defused", n(18)),
        ("times_revived", n(19)),
        ("tank_meatshield", n(23)),
        ("most_useful_kills", n(27)),
        ("denied_playtime", n(28)),
        ("double_kills", n(29)),
        ("triple_kills", n(30)),
        ("quad_kills", n(31)),
        ("multi_kills", n(32)),
        ("mega_kills", n(33)),
        ("useless_kills", n(34)),
        ("full_selfkills", n(35)),
        ("constructions", n(36)),
        ("revives_given", n(37)),
        ("killing_spree_best", n(10)),
        ("death_spree_worst", n(11)),
        ("time_played_percent", f(8).into()),
        ("gametimes_flags", flags.join(",").into()),
    ]
}
