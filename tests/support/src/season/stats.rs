//! The stats file of a round, as the c0rnp0rn scripts write it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gametimes_format::Team;
use gametimes_rounds::stats_file::{FIELDS, field};
use jiff::Timestamp;

use super::fight::Fighter;
use super::files::{Ending, Played, zone};
use super::random::Random;

/// The bits of the weapons: MP 40 for the Axis, Thompson for the Allies.
const MP40: u32 = 4;
const THOMPSON: u32 = 5;

/// The numbers of a player that a stats file sums up over both rounds of a match.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    /// Hits, shots, kills, deaths and headshots with the MP 40 and with the Thompson.
    weapons: [[i64; 5]; 2],
    damage_given: i64,
    damage_received: i64,
    team_damage: i64,
    gibs: i64,
    self_kills: i64,
    team_kills: i64,
    played_ms: i64,
}

/// The totals of the players of a match, by their places in the roster.
pub(super) type Match = BTreeMap<usize, Totals>;

/// The name of a round's stats file: the server's local time when it is written.
pub(super) fn name(map: &str, number: u8, written_unix: i64) -> String {
    let written = Timestamp::from_second(written_unix).expect("a time of this century");
    let written = written.to_zoned(zone());
    format!(
        "{}-{map}-round-{number}.txt",
        written.strftime("%Y-%m-%d-%H%M%S")
    )
}

/// The content of a round's stats file. Adds the round to the totals of the match.
pub(super) fn text(played: &Played<'_>, totals: &mut Match, random: &mut Random) -> String {
    let number = |team: Option<Team>| team.map_or(0, Team::number);
    let (next_limit_ms, played_ms) = match played.ending {
        // The clock of the scripts runs backwards when a round is cut off.
        Ending::CutOff(_) => (98 * 60_000, -played.duration_ms),
        _ => (
            played.next_limit_ms().unwrap_or_default(),
            played.duration_ms,
        ),
    };
    let mut text = format!(
        "{}\\{}\\{}\\{}\\{}\\{}\\{}\\{}\\{played_ms}\n",
        played.server.name,
        played.map,
        played.server.config,
        played.number,
        played.attackers.opponent().number(),
        number(played.winner()),
        clock(played.limit_ms),
        clock(next_limit_ms),
    );
    for fighter in &played.fighters {
        let total = totals.entry(fighter.player).or_default();
        add(total, played, fighter, random);
        line(&mut text, played, fighter, total, random);
    }
    text
}

fn add(total: &mut Totals, played: &Played<'_>, f: &Fighter, random: &mut Random) {
    let member = &played.roster[f.player];
    let (kills, deaths) = (i64::from(f.kills), i64::from(f.deaths));
    let shots = kills * random.between(26, 48) + f.alive_ms / 1000;
    let hits = (shots as f64 * member.accuracy) as i64;
    let headshots = (hits as f64 * member.skill * 0.13) as i64;
    let weapon = &mut total.weapons[usize::from(f.team == Team::Allies)];
    for (sum, n) in weapon
        .iter_mut()
        .zip([hits, shots, kills, deaths, headshots])
    {
        *sum += n;
    }
    total.damage_given += kills * random.between(105, 150) + hits * 4;
    total.damage_received += deaths * random.between(110, 145);
    total.team_damage += i64::from(f.team_kills) * 100 + random.between(0, 60);
    total.gibs += kills / 3;
    total.self_kills += i64::from(f.self_kills);
    total.team_kills += i64::from(f.team_kills);
    total.played_ms += f.played_ms;
}

fn line(text: &mut String, played: &Played<'_>, f: &Fighter, total: &Totals, random: &mut Random) {
    let member = &played.roster[f.player];
    let mut mask = 0;
    let mut weapons = String::new();
    for (bit, numbers) in [MP40, THOMPSON].into_iter().zip(total.weapons) {
        if numbers.iter().any(|n| *n > 0) {
            mask |= 1 << bit;
            for n in numbers {
                let _ = write!(weapons, "{n} ");
            }
        }
    }
    let minutes = |ms: i64| format!("{:.1}", ms as f64 / 60_000.0);
    let kills = i64::from(f.kills);
    let mut fields: [String; FIELDS] = std::array::from_fn(|_| "0".to_owned());
    let mut set = |at: usize, value: String| fields[at] = value;
    set(field::DAMAGE_GIVEN, total.damage_given.to_string());
    set(field::DAMAGE_RECEIVED, total.damage_received.to_string());
    set(field::TEAM_DAMAGE_GIVEN, total.team_damage.to_string());
    set(
        field::TEAM_DAMAGE_RECEIVED,
        (total.team_damage / 2).to_string(),
    );
    set(field::GIBS, total.gibs.to_string());
    set(field::SELF_KILLS, total.self_kills.to_string());
    set(field::TEAM_KILLS, total.team_kills.to_string());
    set(
        field::PERCENT_PLAYED,
        format!(
            "{:.1}",
            100.0 * f.played_ms as f64 / played.duration_ms as f64
        ),
    );
    set(
        field::XP,
        (kills * 3 + i64::from(f.revives_given) * 4).to_string(),
    );
    set(field::KILLING_SPREE, (kills / 4).to_string());
    set(field::DEATH_SPREE, (i64::from(f.deaths) / 4).to_string());
    set(
        field::KILL_ASSISTS,
        random.between(0, kills / 3 + 1).to_string(),
    );
    set(field::HEADSHOT_KILLS, (kills / 5).to_string());
    set(field::TIMES_REVIVED, f.revived.to_string());
    set(
        field::BULLETS_FIRED,
        total.weapons.iter().map(|w| w[1]).sum::<i64>().to_string(),
    );
    set(field::MINUTES_PLAYED, minutes(total.played_ms));
    set(field::MINUTES_DEAD, minutes(f.dead_ms));
    set(
        field::USEFUL_KILLS,
        random.between(0, kills / 2).to_string(),
    );
    set(field::DENIED_SECONDS, (f.denied_ms / 1000).to_string());
    set(field::MULTI_KILLS_2, (kills / 6).to_string());
    set(field::REVIVES_GIVEN, f.revives_given.to_string());
    let _ = writeln!(
        text,
        "{}\\{}\\{}\\{}\\{mask} {weapons}\t{}",
        &member.guid[..8],
        member.name,
        played.number - 1,
        f.team.number(),
        fields.join("\t"),
    );
}

fn clock(ms: i64) -> String {
    format!("{}:{:02}", ms / 60_000, ms / 1000 % 60)
}
