//! What only the stats file knows: the rows of `player_comprehensive_stats`.

use gametimes_format::TeamNumber;

use super::int4;
use crate::per_round::PlayerRound;
use crate::stats_file::field;

/// A player's row of `player_comprehensive_stats`: the fields are its columns. Counters are those of this round alone.
#[derive(Debug, Clone, PartialEq)]
#[allow(
    missing_docs,
    reason = "the columns of the table, named as other programs know them"
)]
pub struct PlayerRow {
    pub round_date: String,
    pub map_name: String,
    pub round_number: u8,
    pub player_guid: String,
    pub player_name: String,
    pub clean_name: String,
    pub team: TeamNumber,
    pub kills: i64,
    pub deaths: i64,
    pub damage_given: i64,
    pub damage_received: i64,
    pub team_damage_given: i64,
    pub team_damage_received: i64,
    pub gibs: i64,
    pub self_kills: i64,
    pub team_kills: i64,
    pub team_gibs: i64,
    pub headshot_kills: i64,
    pub headshots: i64,
    pub time_played_seconds: i64,
    pub time_played_minutes: f64,
    pub time_dead_minutes: f64,
    pub time_dead_ratio: f64,
    pub xp: f64,
    pub kd_ratio: f64,
    pub dpm: f64,
    pub efficiency: f64,
    pub bullets_fired: i64,
    pub accuracy: f64,
    pub kill_assists: i64,
    pub kill_steals: i64,
    pub objectives_stolen: i64,
    pub objectives_returned: i64,
    pub dynamites_planted: i64,
    pub dynamites_defused: i64,
    pub times_revived: i64,
    pub tank_meatshield: i64,
    pub most_useful_kills: i64,
    pub denied_playtime: i64,
    pub double_kills: i64,
    pub triple_kills: i64,
    pub quad_kills: i64,
    pub multi_kills: i64,
    pub mega_kills: i64,
    pub useless_kills: i64,
    pub full_selfkills: i64,
    pub constructions: i64,
    pub revives_given: i64,
    pub killing_spree_best: i64,
    pub death_spree_worst: i64,
    pub time_played_percent: f64,
    pub gametimes_flags: String,
}

impl PlayerRow {
    pub(super) fn new(p: &PlayerRound, written: &str, map_name: &str, round_number: u8) -> Self {
        let player = &p.player;
        let decimal = |i: usize| player.fields[i];
        let count = |i: usize| int4(player.fields[i] as i64);
        let (hits, shots) = (player.weapon_sum(0), player.weapon_sum(1));
        let (kills, deaths) = (player.weapon_sum(2), player.weapon_sum(3));
        let ratio = |a: f64, b: f64| if b > 0.0 { a / b } else { 0.0 };
        let played = p.played_seconds as f64;
        let flags: Vec<&str> = p.flags.iter().map(|f| f.as_str()).collect();
        Self {
            round_date: written.chars().take(10).collect(),
            map_name: map_name.to_owned(),
            round_number,
            player_guid: player.guid.clone(),
            player_name: player.clean_name.clone(),
            clean_name: player.clean_name.clone(),
            team: player.team,
            kills: int4(kills),
            deaths: int4(deaths),
            damage_given: count(field::DAMAGE_GIVEN),
            damage_received: count(field::DAMAGE_RECEIVED),
            team_damage_given: count(field::TEAM_DAMAGE_GIVEN),
            team_damage_received: count(field::TEAM_DAMAGE_RECEIVED),
            gibs: count(field::GIBS),
            self_kills: count(field::SELF_KILLS),
            team_kills: count(field::TEAM_KILLS),
            team_gibs: count(field::TEAM_GIBS),
            headshot_kills: count(field::HEADSHOT_KILLS),
            headshots: int4(player.weapon_sum(4)),
            time_played_seconds: int4(p.played_seconds),
            time_played_minutes: decimal(field::MINUTES_PLAYED),
            time_dead_minutes: decimal(field::MINUTES_DEAD),
            time_dead_ratio: ratio(decimal(field::MINUTES_DEAD) * 60.0, played) * 100.0,
            xp: decimal(field::XP),
            kd_ratio: if deaths > 0 {
                kills as f64 / deaths as f64
            } else {
                kills as f64
            },
            dpm: ratio(decimal(field::DAMAGE_GIVEN), played) * 60.0,
            efficiency: ratio(kills as f64, (kills + deaths) as f64) * 100.0,
            bullets_fired: count(field::BULLETS_FIRED),
            accuracy: ratio(hits as f64, shots as f64) * 100.0,
            kill_assists: count(field::KILL_ASSISTS),
            kill_steals: count(field::KILL_STEALS),
            objectives_stolen: count(field::OBJECTIVES_STOLEN),
            objectives_returned: count(field::OBJECTIVES_RETURNED),
            dynamites_planted: count(field::DYNAMITES_PLANTED),
            dynamites_defused: count(field::DYNAMITES_DEFUSED),
            times_revived: count(field::TIMES_REVIVED),
            tank_meatshield: count(field::TANK_MEATSHIELD),
            most_useful_kills: count(field::USEFUL_KILLS),
            denied_playtime: count(field::DENIED_SECONDS),
            double_kills: count(field::MULTI_KILLS_2),
            triple_kills: count(field::MULTI_KILLS_3),
            quad_kills: count(field::MULTI_KILLS_4),
            multi_kills: count(field::MULTI_KILLS_5),
            mega_kills: count(field::MULTI_KILLS_6),
            useless_kills: count(field::USELESS_KILLS),
            full_selfkills: count(field::FULL_SELF_KILLS),
            constructions: count(field::REPAIRS),
            revives_given: count(field::REVIVES_GIVEN),
            killing_spree_best: count(field::KILLING_SPREE),
            death_spree_worst: count(field::DEATH_SPREE),
            time_played_percent: decimal(field::PERCENT_PLAYED),
            gametimes_flags: flags.join(","),
        }
    }
}
