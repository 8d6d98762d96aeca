//! Rows that only the tables of a website have: both rounds of a match together, as round 0, and the numbers of each weapon.

use super::player::PlayerRow;
use super::{RoundRow, RoundRows, RoundTarget, int4};
use crate::per_round::{self, PlayerRound};
use crate::reconcile::{Fact, ReconciledRound};

/// The weapons in the order of the bits of a stats file's mask, by the names in `weapon_comprehensive_stats`.
const WEAPONS: [&str; 28] = [
    "WS_KNIFE",
    "WS_KNIFE_KBAR",
    "WS_LUGER",
    "WS_COLT",
    "WS_MP40",
    "WS_THOMPSON",
    "WS_STEN",
    "WS_FG42",
    "WS_PANZERFAUST",
    "WS_BAZOOKA",
    "WS_FLAMETHROWER",
    "WS_GRENADE",
    "WS_MORTAR",
    "WS_MORTAR2",
    "WS_DYNAMITE",
    "WS_AIRSTRIKE",
    "WS_ARTILLERY",
    "WS_SATCHEL",
    "WS_GRENADELAUNCHER",
    "WS_LANDMINE",
    "WS_MG42",
    "WS_BROWNING",
    "WS_CARBINE",
    "WS_KAR98",
    "WS_GARAND",
    "WS_K43",
    "WS_MP34",
    "WS_SYRINGE",
];

/// The number of the row for both rounds of a match.
pub const BOTH_ROUNDS: u8 = 0;

/// The rows of a website's tables for one round.
#[derive(Debug, Clone, PartialEq)]
pub struct WebsiteRows {
    /// The rows of `weapon_comprehensive_stats`.
    pub weapons: Vec<WeaponRow>,
    /// Both rounds together; only with a round 2 whose round 1 is known.
    pub both: Option<BothRounds>,
}

/// A row of `weapon_comprehensive_stats`: the fields are its columns. Counters are those of this round alone.
#[derive(Debug, Clone, PartialEq)]
#[allow(
    missing_docs,
    reason = "the columns of the table, named as other programs know them"
)]
pub struct WeaponRow {
    pub round_date: String,
    pub map_name: String,
    pub round_number: u8,
    pub player_guid: String,
    pub player_name: String,
    pub weapon_name: &'static str,
    pub kills: i64,
    pub deaths: i64,
    pub headshots: i64,
    pub shots: i64,
    pub hits: i64,
    pub accuracy: f64,
}

/// Both rounds of a match together.
#[derive(Debug, Clone, PartialEq)]
pub struct BothRounds {
    /// The row of `rounds`, with the number [`BOTH_ROUNDS`]; date, limits and winner are those of round 2.
    pub round: RoundRow,
    /// The rows of `player_comprehensive_stats`.
    pub players: Vec<PlayerRow>,
}

/// Adds the rows of a website's tables, after [`super::build`].
pub fn add(facts: &[Fact], rounds: &[ReconciledRound], rows: &mut [RoundRows]) {
    let players: Vec<Option<Vec<PlayerRound>>> = rounds
        .iter()
        .zip(rows.iter())
        .map(|(round, rows)| rows.players.as_ref().and(players_of(facts, round)))
        .collect();
    for i in 0..rows.len() {
        let (Some(RoundTarget::Own(round)), Some(own)) = (&rows[i].round, &players[i]) else {
            continue;
        };
        let weapons = own.iter().flat_map(|p| weapon_rows(p, round)).collect();
        let first = rounds[i]
            .first
            .filter(|f| rows[*f].match_id == round.match_id);
        let both = first.and_then(|first| {
            let (Some(RoundTarget::Own(one)), Some(before)) = (&rows[first].round, &players[first])
            else {
                return None;
            };
            Some(BothRounds::new(one, round, &per_round::sum(before, own)))
        });
        rows[i].website = Some(Box::new(WebsiteRows { weapons, both }));
    }
}

/// The players of a round's stats file.
fn players_of(facts: &[Fact], round: &ReconciledRound) -> Option<Vec<PlayerRound>> {
    let file = facts[round.stats?].stats_file()?;
    let base = round.base.and_then(|i| facts[i].stats_file());
    Some(per_round::per_round(file, base, round.orphan))
}

impl BothRounds {
    fn new(one: &RoundRow, two: &RoundRow, players: &[PlayerRound]) -> Self {
        let written = format!("{}-{}", two.round_date, two.round_time);
        let row = |p| PlayerRow::new(p, &written, &two.map_name, BOTH_ROUNDS);
        Self {
            players: players.iter().map(row).collect(),
            round: RoundRow {
                round_number: BOTH_ROUNDS,
                is_valid: one.is_valid && two.is_valid,
                bot_player_count: one.bot_player_count.max(two.bot_player_count),
                is_bot_round: one.is_bot_round || two.is_bot_round,
                ..two.clone()
            },
        }
    }
}

fn weapon_rows(p: &PlayerRound, round: &RoundRow) -> Vec<WeaponRow> {
    let row = |(weapon, numbers): (&u8, &[i64; 5])| {
        let [hits, shots, kills, deaths, headshots] = numbers.map(int4);
        Some(WeaponRow {
            round_date: round.round_date.clone(),
            map_name: round.map_name.clone(),
            round_number: round.round_number,
            player_guid: p.player.guid.clone(),
            player_name: p.player.clean_name.clone(),
            weapon_name: WEAPONS.get(usize::from(*weapon))?,
            kills,
            deaths,
            headshots,
            shots,
            hits,
            accuracy: if shots > 0 {
                100.0 * hits as f64 / shots as f64
            } else {
                0.0
            },
        })
    };
    p.player.weapons.iter().filter_map(row).collect()
}
